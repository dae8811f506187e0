/*
 * job - one (event, integration) from the filters to the ledger
 *
 * The order that must hold, and that only this file and trip.c know:
 *   1. attempt n >= 2 starts only after its row was taken (ledger: TAKE); another worker's copy is stale;
 *   2. rows are committed before what follows from them is published;
 *   3. what follows is confirmed by the broker before the message is acknowledged (trip.c acknowledges when
 *      its last job is done);
 *   4. nothing waits without a deadline: requests have delivery.timeout, statements database.timeout; the
 *      broker and the database are waited for as long as it takes, with the message unacknowledged.
 *
 *   state        entered when                                  left by
 *   NEW          made                                          -> WAITING, TAKING, WRITING or PUBLISHING
 *   WAITING      the gate has to let it start                  admitted -> TALKING, or TAKING first
 *   TAKING       the row exists already: an attempt >= 2       taken -> TALKING or WRITING; stale -> DONE
 *   TALKING      the destination is asked for its next step    request answered -> TALKING; verdict -> WRITING
 *   WRITING      the row goes to the ledger                    committed -> PUBLISHING or DONE
 *   PUBLISHING   the retry or the dead letter is on its way    confirmed -> DONE
 *
 * The row is taken after the gate, so that its lease runs while it is sent and not while it stands in line.
 *
 * Owns the conversation with the destination and its arena. Knows neither AMQP nor SQL nor curl.
 */
#include "worker/job.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "worker/ladder.h"
#include "worker/outcome.h"
#include "worker/shared.h"

enum { SNIPPET_MAX = LEDGER_RESPONSE_MAX, JOB_ARENA_BLOCK = 2048, LEASE_EXTRA_S = 30, STEPS_MAX = 16 };

enum job_state { JOB_NEW, JOB_WAITING, JOB_TAKING, JOB_TALKING, JOB_WRITING, JOB_PUBLISHING, JOB_DONE };

static const char *const state_names[] = {"new",     "waiting",    "taking", "talking",
                                          "writing", "publishing", "done"};

/* Which states may follow: a bit per state. */
static const unsigned may_follow[] = {
    [JOB_NEW] = 1u << JOB_WAITING | 1u << JOB_TAKING | 1u << JOB_WRITING | 1u << JOB_PUBLISHING,
    [JOB_WAITING] = 1u << JOB_TALKING | 1u << JOB_TAKING,
    [JOB_TAKING] = 1u << JOB_TALKING | 1u << JOB_WRITING | 1u << JOB_PUBLISHING | 1u << JOB_DONE,
    [JOB_TALKING] = 1u << JOB_TALKING | 1u << JOB_WRITING,
    [JOB_WRITING] = 1u << JOB_PUBLISHING | 1u << JOB_DONE,
    [JOB_PUBLISHING] = 1u << JOB_DONE,
    [JOB_DONE] = 0,
};

struct job {
    struct job_event *event;
    struct parts *parts;
    struct uuid integration_id;
    struct rules_integration *integration; /* NULL: it is gone, or no request is to be made */
    enum job_state state;
    int attempt;
    bool exists;  /* the row is there already: it is taken, and its end is an update */
    bool decided; /* the outcome was known before any request */
    struct outcome outcome;
    struct arena arena;
    struct conversation conversation;
    struct conversation_job item;
    char webhook_id[33];
    int steps;
    long status;
    char snippet[SNIPPET_MAX];
    size_t snippet_size;
    int duration_ms;
    struct transfer transfer;
    struct gate_pass pass;
    struct ledger_write write;
    struct publish_message message;
};

static void move(struct job *j, enum job_state to, const char *why)
{
    check(may_follow[j->state] & 1u << to);
    LOG(LOG_DEBUG, "job", LOG_TEXT("id", j->event->event->id), LOG_TEXT("from", state_names[j->state]),
        LOG_TEXT("to", state_names[to]), LOG_TEXT("why", why));
    j->state = to;
}

static void finish(struct job *j, const char *why)
{
    struct job_event *e = j->event;
    move(j, JOB_DONE, why);
    arena_wipe(&j->arena);
    free(j);
    e->job_done(e);
}

static double chance(void)
{
    unsigned r = 0;
    check(getrandom(&r, sizeof r, 0) == (ssize_t)sizeof r);
    return (double)r / 4294967296.0;
}

static void on_confirmed(struct publish_message *m)
{
    struct job *j = list_entry(m, struct job, message);
    fault_here(FAULT_CONFIRM, j->event->event->id);
    finish(j, "confirmed");
}

static void publish_follow_up(struct job *j, double delay_s)
{
    struct job_event *e = j->event;
    if (j->outcome.state == DELIVERY_DEAD) {
        struct outcome_dead dead = {
            .reason = j->outcome.reason,
            .detail = j->item.verdict.detail,
            .error = j->outcome.error,
            .attempt = j->attempt,
            .integration = &j->integration_id,
            .queue = e->queue,
        };
        outcome_dead_event(&j->message, &j->arena, e->event, &dead);
    } else {
        struct ladder_ticket ticket = {
            .attempt = j->attempt + 1,
            .integration = &j->integration_id,
            .origin_queue = e->queue,
        };
        ladder_make(&j->message, &j->arena, e->event, &ticket, delay_s);
    }
    j->message.confirmed = on_confirmed;
    move(j, JOB_PUBLISHING, delivery_state_name(j->outcome.state));
    publisher_send(j->parts->publisher, &j->message);
    fault_here(FAULT_PUBLISH, e->event->id);
}

static void count_outcome(const struct job *j)
{
    switch (j->outcome.state) {
    case DELIVERY_DELIVERED:
        shared_count(COUNT_DELIVERED);
        break;
    case DELIVERY_WAITING:
        shared_count(COUNT_RETRIED);
        break;
    case DELIVERY_CANCELED:
        shared_count(COUNT_CANCELED);
        break;
    default:
        shared_count(COUNT_DEAD);
    }
}

static void log_outcome(const struct job *j)
{
    char integration[UUID_TEXT];
    enum log_level level = j->outcome.state == DELIVERY_DELIVERED ? LOG_DEBUG : LOG_WARN;
    uuid_format(&j->integration_id, integration);
    LOG(level, "delivery", LOG_TEXT("id", j->event->event->id), LOG_TEXT("integration", integration),
        LOG_TEXT("state", delivery_state_name(j->outcome.state)), LOG_NUM("attempt", j->attempt),
        LOG_TEXT("reason", reason_name(j->outcome.reason)),
        LOG_TEXT("error", error_word_name(j->outcome.error)), LOG_NUM("status", j->status),
        LOG_NUM("ms", j->duration_ms), LOG_NUM("retry_in_s", j->outcome.delay_s),
        LOG_TEXT("detail", j->item.verdict.detail));
}

static void on_written(struct ledger_write *w)
{
    struct job *j = list_entry(w, struct job, write);
    fault_here(FAULT_COMMIT, j->event->event->id);
    if (w->refused) {
        j->outcome =
            (struct outcome){.state = DELIVERY_DEAD, .reason = REASON_ROW_REFUSED, .error = j->outcome.error};
    } else if (w->kind == LEDGER_OUTCOME && !w->applied) {
        shared_count(COUNT_STALE);
        finish(j, "the row belongs to another attempt now");
        return;
    }
    count_outcome(j);
    log_outcome(j);
    if (j->outcome.state == DELIVERY_DELIVERED || j->outcome.state == DELIVERY_CANCELED)
        finish(j, delivery_state_name(j->outcome.state));
    else
        publish_follow_up(j, j->outcome.delay_s);
}

static void write_outcome(struct job *j)
{
    struct ledger_write *w = &j->write;
    bool failed = j->outcome.state == DELIVERY_WAITING || j->outcome.state == DELIVERY_DEAD;
    move(j, JOB_WRITING, delivery_state_name(j->outcome.state));
    memset(w, 0, sizeof *w);
    w->kind = j->exists ? LEDGER_OUTCOME : LEDGER_ROW;
    w->event = j->exists ? NULL : j->event->ledger_event;
    w->event_id = j->event->event->id;
    w->integration = j->integration_id;
    w->workspace = j->event->facts->scan.workspace_id;
    w->state = j->outcome.state;
    w->attempt = j->attempt;
    w->reason = j->outcome.reason;
    w->error = j->outcome.error;
    w->status = j->status;
    w->response = failed && j->snippet_size ? j->snippet : NULL;
    w->response_size = j->snippet_size;
    w->duration_ms = j->duration_ms;
    w->due_s = j->outcome.state == DELIVERY_WAITING ? ladder_round(j->outcome.delay_s) : -1;
    w->lease_s = -1;
    w->failed_attempt = failed && !j->decided;
    w->written = on_written;
    ledger_write(j->parts->ledger, w);
}

static void decide(struct job *j)
{
    const struct verdict *v = &j->item.verdict;
    check(v->kind != VERDICT_NONE);
    j->outcome = outcome_decide(j->parts->conf, v, j->attempt, chance());
    write_outcome(j);
}

static void talk(struct job *j, const struct dest_response *last);

static void on_answered(struct transfer *t)
{
    struct job *j = list_entry(t, struct job, transfer);
    fault_here(FAULT_RESPONSE, j->event->event->id);
    j->status = t->response.status;
    j->duration_ms += t->duration_ms;
    j->snippet_size = t->response.body_size < SNIPPET_MAX ? t->response.body_size : SNIPPET_MAX;
    memcpy(j->snippet, t->response.body, j->snippet_size);
    struct dest_response answer = t->response; /* the transfer is used again for the next request */
    answer.error_text = arena_strdup(&j->arena, answer.error_text); /* the verdict may keep it */
    talk(j, &answer);
}

static void reject(struct job *j, enum reason reason, const char *detail)
{
    j->item.verdict = (struct verdict){.kind = VERDICT_REJECTED, .reason = reason, .detail = detail};
}

/* Ask the destination for its next request, and send it. */
static void talk(struct job *j, const struct dest_response *last)
{
    struct conversation *c = &j->conversation;
    move(j, JOB_TALKING, last ? "answered" : "admitted");
    memset(&j->transfer, 0, sizeof j->transfer);
    c->now_us = clock_wall_us();
    shared_handling(j->event->poison_hash);
    enum dest_next next = j->integration->row.dest->next(c, last, &j->transfer.request);
    shared_handled();
    if (next == DEST_SEND && ++j->steps <= STEPS_MAX &&
        j->transfer.request.body_size <= (size_t)j->parts->conf->delivery_max_request) {
        j->transfer.done = on_answered;
        shared_count(COUNT_ATTEMPTS);
        transfers_start(j->parts->transfers, &j->transfer);
        return;
    }
    if (next == DEST_SEND)
        reject(j, REASON_TOO_LONG,
               j->steps > STEPS_MAX ? "the conversation does not end" : "see delivery.max_request");
    gate_leave(j->parts->gate, &j->pass);
    decide(j);
}

static void leave_gate(struct job *j)
{
    if (j->pass.window)
        gate_leave(j->parts->gate, &j->pass);
}

static void on_taken(struct ledger_write *w)
{
    struct job *j = list_entry(w, struct job, write);
    if (w->refused) {
        leave_gate(j);
        j->outcome = (struct outcome){.state = DELIVERY_DEAD, .reason = REASON_ROW_REFUSED};
        count_outcome(j);
        publish_follow_up(j, 0);
    } else if (!w->applied) {
        leave_gate(j);
        shared_count(COUNT_STALE);
        finish(j, "another worker has it, or it is settled");
    } else if (j->decided) {
        write_outcome(j);
    } else {
        talk(j, NULL);
    }
}

static void take(struct job *j)
{
    struct ledger_write *w = &j->write;
    move(j, JOB_TAKING, "the row exists");
    memset(w, 0, sizeof *w);
    w->kind = LEDGER_TAKE;
    w->event_id = j->event->event->id;
    w->integration = j->integration_id;
    w->attempt = j->attempt;
    w->lease_s = 2 * j->parts->conf->delivery_timeout + LEASE_EXTRA_S;
    w->written = on_taken;
    ledger_write(j->parts->ledger, w);
}

static void on_admitted(struct gate_pass *pass)
{
    struct job *j = list_entry(pass, struct job, pass);
    if (j->exists)
        take(j);
    else
        talk(j, NULL);
}

/* Everything is there: settings, the right to send. */
static void begin_sending(struct job *j)
{
    struct conversation *c = &j->conversation;
    struct job_event *e = j->event;
    dest_webhook_id(e->event->id, &j->integration_id, j->webhook_id);
    j->item.event = e->event;
    j->item.facts = e->facts;
    j->item.webhook_id = j->webhook_id;
    c->config = j->integration->config;
    c->jobs = &j->item;
    c->job_count = 1;
    c->attempt = j->attempt;
    c->arena = &j->arena;
    c->cache = e->body_cache(e, j->integration->row.dest);
    j->pass.admitted = on_admitted;
    move(j, JOB_WAITING, "the settings are good");
    gate_enter(j->parts->gate, &j->pass, &j->integration_id);
}

/* Open the settings; false when they cannot be used, with the outcome decided. */
static bool prepare(struct job *j)
{
    if (j->decided)
        return false;
    if (j->integration->config)
        return true;
    j->decided = true;
    j->item.verdict.detail = j->integration->detail;
    j->outcome = (struct outcome){.state = DELIVERY_DEAD, .reason = j->integration->reason};
    return false;
}

static struct job *new_job(struct job_event *e, const struct uuid *integration, int attempt)
{
    struct job *j = mem_zalloc(sizeof *j);
    j->event = e;
    j->parts = e->parts;
    j->integration_id = *integration;
    j->attempt = attempt;
    j->state = JOB_NEW;
    arena_init(&j->arena, JOB_ARENA_BLOCK);
    return j;
}

void job_start_first(struct job_event *e, struct rules_integration *integration)
{
    struct job *j = new_job(e, &integration->row.id, 1);
    j->integration = integration;
    if (prepare(j))
        begin_sending(j);
    else
        write_outcome(j);
}

void job_start_retry(struct job_event *e, struct rules_integration *integration, int attempt)
{
    struct job *j = new_job(e, &integration->row.id, attempt);
    j->integration = integration;
    j->exists = true;
    if (prepare(j))
        begin_sending(j);
    else
        take(j);
}

void job_start_end(struct job_event *e, const struct uuid *integration, int attempt,
                   enum delivery_state state, enum reason reason)
{
    struct job *j = new_job(e, integration, attempt);
    j->exists = j->decided = true;
    j->outcome = (struct outcome){.state = state, .reason = reason};
    take(j);
}

bool job_start_follow_up(struct job_event *e, const struct lookup_row *row)
{
    if (row->state != DELIVERY_WAITING && row->state != DELIVERY_DEFERRED && row->state != DELIVERY_SENDING &&
        row->state != DELIVERY_DEAD)
        return false;
    /* An attempt under way belongs to its owner until its lease ends; the message that then comes is for the
     * same attempt, any other for the next. */
    struct job *j =
        new_job(e, &row->integration, row->state == DELIVERY_SENDING ? row->attempt - 1 : row->attempt);
    j->outcome.state = row->state == DELIVERY_DEAD ? DELIVERY_DEAD : DELIVERY_WAITING;
    j->outcome.reason = row->reason;
    publish_follow_up(j, row->seconds_left);
    return true;
}
