/*
 * job - one (event, integration) from the filters to the ledger
 *
 * The order that must hold, and that only this file and trip.c know:
 *   1. attempt n >= 2 starts only after its row was taken (ledger: TAKE); another worker's copy is stale. So does the
 *      first where a repeat hurts (dest.repeat_hurts): it is then known to have been begun;
 *   2. rows are committed before what follows from them is published;
 *   3. what follows is confirmed by the broker before the message is acknowledged (trip.c acknowledges when
 *      its last job is done);
 *   4. nothing waits without a deadline: requests have delivery.timeout, statements database.timeout; the
 *      broker and the database are waited for as long as it takes, with the message unacknowledged.
 *
 *   state        entered when                                  left by
 *   NEW          made                                          -> WAITING, WRITING or PUBLISHING
 *   WAITING      the gate has to let it start                  admitted -> TALKING, or TAKING first
 *   TAKING       an attempt >= 2, or one whose repeat hurts    taken -> TALKING or WRITING; stale -> DONE
 *   TALKING      requests and answers                          verdict -> WRITING
 *   WRITING      the row goes to the ledger                    committed -> PUBLISHING or DONE
 *   PUBLISHING   the retry or the dead letter is on its way    confirmed -> DONE; given up -> OWING or DONE
 *   OWING        the row is marked: the sweep publishes it     committed -> DONE
 *
 * The row is taken after the gate, so that its lease runs while it is sent and not while it stands in line.
 *
 * Owns the talk with the destination and its arena. Knows neither AMQP nor SQL nor HTTP.
 */
#include "worker/job.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/utf8.h"
#include "worker/ladder.h"
#include "worker/outcome.h"
#include "worker/own_message.h"
#include "worker/shared.h"
#include "worker/talk.h"

enum { DETAIL_MAX = 300, JOB_ARENA_BLOCK = 2048 };

enum job_state {
    JOB_NEW,
    JOB_WAITING,
    JOB_TAKING,
    JOB_TALKING,
    JOB_WRITING,
    JOB_PUBLISHING,
    JOB_OWING,
    JOB_DONE
};

static const char *const state_names[] = {"new",     "waiting",    "taking", "talking",
                                          "writing", "publishing", "owing",  "done"};

/* Which states may follow: a bit per state. */
static const unsigned may_follow[] = {
    [JOB_NEW] = 1u << JOB_WAITING | 1u << JOB_WRITING | 1u << JOB_PUBLISHING,
    [JOB_WAITING] = 1u << JOB_TALKING | 1u << JOB_TAKING,
    [JOB_TAKING] = 1u << JOB_TALKING | 1u << JOB_WRITING | 1u << JOB_PUBLISHING | 1u << JOB_DONE,
    [JOB_TALKING] = 1u << JOB_WRITING,
    [JOB_WRITING] = 1u << JOB_WRITING | 1u << JOB_PUBLISHING | 1u << JOB_DONE,
    [JOB_PUBLISHING] = 1u << JOB_OWING | 1u << JOB_DONE,
    [JOB_OWING] = 1u << JOB_DONE,
    [JOB_DONE] = 0,
};

struct job {
    struct job_event *event;
    struct parts *parts;
    struct uuid integration_id;
    struct rules_integration *integration; /* NULL: it is gone, or no request is to be made */
    enum job_state state;
    int attempt;  /* the one that is made; when `decided`, the last that was made */
    bool exists;  /* the row is there already: it is taken, and its end is an update */
    bool decided; /* the outcome was known before any request: no attempt is made */
    struct outcome outcome;
    struct arena arena;
    struct conversation_job item;
    char webhook_id[33];
    struct talk talk;
    struct ledger_write write;
    struct publish_message message;
};

static void move(struct job *j, enum job_state to, const char *why)
{
    check(may_follow[j->state] & 1u << to);
    if (log_is_on(LOG_DEBUG)) {
        char integration[UUID_TEXT];
        uuid_format(&j->integration_id, integration);
        LOG(LOG_DEBUG, "job", LOG_TEXT("id", j->event->event->id), LOG_TEXT("integration", integration),
            LOG_TEXT("from", state_names[j->state]), LOG_TEXT("to", state_names[to]), LOG_TEXT("why", why));
    }
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

/* What every write of this job says. The caller adds the rest and hands it over. */
static void start_write(struct job *j, enum ledger_write_kind kind, void (*written)(struct ledger_write *))
{
    struct ledger_write *w = &j->write;
    memset(w, 0, sizeof *w);
    w->kind = kind;
    w->event = j->exists ? NULL : j->event->ledger_event;
    w->event_id = j->event->event->id;
    w->integration = j->integration_id;
    w->workspace = j->event->facts->scan.workspace_id;
    w->attempt = j->attempt;
    w->due_s = -1;
    w->written = written;
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

static void on_owed(struct ledger_write *w)
{
    finish(list_entry(w, struct job, write), "the sweep will publish it");
}

/* The broker takes nothing. A retry's time stands in its row; a dead letter needs a mark. */
static void on_given_up(struct publish_message *m)
{
    struct job *j = list_entry(m, struct job, message);
    if (j->outcome.state != DELIVERY_DEAD) {
        finish(j, "the sweep will publish it");
        return;
    }
    move(j, JOB_OWING, "the broker does not take it");
    start_write(j, LEDGER_OWE, on_owed);
    j->write.has_row = true;
    ledger_write(j->parts->ledger, &j->write);
}

static void publish_follow_up(struct job *j, double delay_s)
{
    struct job_event *e = j->event;
    if (j->outcome.state == DELIVERY_DEAD) {
        struct own_dead dead = {
            .reason = j->outcome.reason,
            .detail = j->item.verdict.detail,
            .error = j->outcome.error,
            .attempt = j->attempt,
            .integration = &j->integration_id,
            .queue = e->queue,
        };
        own_message_dead_event(&j->message, &j->arena, e->event, &dead);
    } else {
        struct own_ticket ticket = {
            .attempt = j->attempt + 1,
            .integration = &j->integration_id,
            .origin_queue = e->queue,
        };
        own_message_event(&j->message, &j->arena, e->event, &ticket);
        ladder_put(&j->message, &j->arena, delay_s);
    }
    j->message.confirmed = on_confirmed;
    j->message.given_up = j->write.refused ? NULL : on_given_up; /* refused: there is no row to find it by */
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
    if (!log_is_on(level))
        return;
    uuid_format(&j->integration_id, integration);
    LOG(level, "delivery", LOG_TEXT("id", j->event->event->id), LOG_TEXT("integration", integration),
        LOG_TEXT("kind", j->integration ? j->integration->row.kind : NULL),
        LOG_TEXT("state", delivery_state_name(j->outcome.state)), LOG_NUM("attempt", j->attempt),
        LOG_TEXT("reason", reason_name(j->outcome.reason)),
        LOG_TEXT("error", error_word_name(j->outcome.error)), LOG_NUM("status", j->talk.status),
        LOG_NUM("ms", j->talk.duration_ms), LOG_NUM("retry_in_s", j->outcome.delay_s),
        LOG_TEXT("detail", j->item.verdict.detail));
}

static void write_outcome(struct job *j);

/* The database does not take what is to be written; perhaps it takes the bare end. */
static void end_refused(struct job *j)
{
    j->decided = true;
    j->outcome =
        (struct outcome){.state = DELIVERY_DEAD, .reason = REASON_ROW_REFUSED, .error = j->outcome.error};
    j->item.verdict.detail = NULL;
    write_outcome(j);
}

/* The database does not take the row; only the dead letter tells. */
static void end_without_row(struct job *j)
{
    j->outcome =
        (struct outcome){.state = DELIVERY_DEAD, .reason = REASON_ROW_REFUSED, .error = j->outcome.error};
    count_outcome(j);
    log_outcome(j);
    publish_follow_up(j, 0);
}

static void on_written(struct ledger_write *w)
{
    struct job *j = list_entry(w, struct job, write);
    fault_here(FAULT_COMMIT, j->event->event->id);
    if (w->refused && w->kind == LEDGER_OUTCOME) {
        end_refused(j);
        return;
    }
    if (w->refused) {
        end_without_row(j);
        return;
    }
    if ((w->kind == LEDGER_OUTCOME || w->kind == LEDGER_END) && !w->applied) {
        shared_count(COUNT_STALE);
        finish(j, "the row belongs to another attempt now");
        return;
    }
    j->exists = true;
    count_outcome(j);
    log_outcome(j);
    if (j->outcome.state == DELIVERY_DELIVERED || j->outcome.state == DELIVERY_CANCELED)
        finish(j, delivery_state_name(j->outcome.state));
    else
        publish_follow_up(j, j->outcome.delay_s);
}

static enum ledger_write_kind kind_of_write(const struct job *j)
{
    if (!j->exists)
        return LEDGER_ROW;
    return j->decided ? LEDGER_END : LEDGER_OUTCOME;
}

static void write_outcome(struct job *j)
{
    struct ledger_write *w = &j->write;
    bool failed = j->outcome.state == DELIVERY_WAITING || j->outcome.state == DELIVERY_DEAD;
    move(j, JOB_WRITING, delivery_state_name(j->outcome.state));
    start_write(j, kind_of_write(j), on_written);
    w->state = j->outcome.state;
    w->reason = j->outcome.reason;
    w->error = j->outcome.error;
    if (failed && j->item.verdict.detail)
        w->detail =
            utf8_storable_copy(&j->arena, j->item.verdict.detail, strlen(j->item.verdict.detail), DETAIL_MAX);
    w->status = j->talk.status;
    w->response = failed && j->talk.snippet_size ? j->talk.snippet : NULL;
    w->response_size = j->talk.snippet_size;
    w->duration_ms = j->talk.duration_ms;
    if (j->outcome.state == DELIVERY_WAITING)
        w->due_s = ladder_round(j->outcome.delay_s);
    w->failed_attempt = failed && !j->decided;
    ledger_write(j->parts->ledger, w);
}

static void on_concluded(struct talk *t)
{
    struct job *j = list_entry(t, struct job, talk);
    j->outcome = outcome_decide(j->parts->conf, &j->item.verdict, j->attempt, chance());
    write_outcome(j);
}

static void begin_talk(struct job *j, const char *why)
{
    move(j, JOB_TALKING, why);
    talk_begin(&j->talk);
}

static void on_taken(struct ledger_write *w)
{
    struct job *j = list_entry(w, struct job, write);
    if (w->refused) {
        talk_leave(&j->talk);
        j->attempt--; /* it is not made */
        if (w->kind == LEDGER_TAKE)
            end_refused(j);
        else
            end_without_row(j);
    } else if (!w->applied) {
        talk_leave(&j->talk);
        shared_count(COUNT_STALE);
        finish(j, "another worker has it, or it is settled");
    } else {
        fault_here(FAULT_TAKE, j->event->event->id);
        j->exists = true;
        begin_talk(j, "taken");
    }
}

static void take(struct job *j)
{
    move(j, JOB_TAKING, j->exists ? "the row exists" : "a repeat would hurt");
    start_write(j, j->exists ? LEDGER_TAKE : LEDGER_FIRST, on_taken);
    j->write.state = DELIVERY_WAITING;
    j->write.due_s = 0;
    j->write.lease_s = 2 * j->parts->conf->delivery_timeout + j->parts->conf->delivery_lease_slack;
    ledger_write(j->parts->ledger, &j->write);
}

static void on_admitted(struct talk *t)
{
    struct job *j = list_entry(t, struct job, talk);
    if (j->exists || t->dest->repeat_hurts)
        take(j);
    else
        begin_talk(j, "admitted");
}

/* Everything is there: settings, the right to send. */
static void begin_sending(struct job *j)
{
    struct talk *t = &j->talk;
    struct job_event *e = j->event;
    dest_webhook_id(e->event->id, &j->integration_id, j->webhook_id);
    j->item.event = e->event;
    j->item.facts = e->facts;
    j->item.webhook_id = j->webhook_id;
    t->parts = j->parts;
    t->dest = j->integration->row.dest;
    t->integration = j->integration_id;
    t->event_id = e->event->id;
    t->poison_hash = e->poison_hash;
    t->arena = &j->arena;
    t->conversation = (struct conversation){
        .config = j->integration->config,
        .jobs = &j->item,
        .job_count = 1,
        .attempt = j->attempt,
        .cache = e->body_cache(e, t->dest),
    };
    t->admitted = on_admitted;
    t->concluded = on_concluded;
    move(j, JOB_WAITING, "the settings are good");
    talk_enter(t);
}

/* The outcome is known before any request: nothing is sent, and the attempt does not count. */
static void end_without_attempt(struct job *j, enum delivery_state state, enum reason reason,
                                enum error_word last_error)
{
    j->decided = true;
    j->attempt--;
    j->outcome = (struct outcome){.state = state, .reason = reason, .error = last_error};
    write_outcome(j);
}

/* Send it, or end it when its settings cannot be used. */
static void begin(struct job *j, enum error_word last_error)
{
    if (j->integration->config) {
        begin_sending(j);
        return;
    }
    j->item.verdict.detail = j->integration->detail;
    end_without_attempt(j, DELIVERY_DEAD, j->integration->reason, last_error);
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
    begin(j, ERROR_NONE);
}

void job_start_retry(struct job_event *e, struct rules_integration *integration, int attempt,
                     enum error_word last_error)
{
    struct job *j = new_job(e, &integration->row.id, attempt);
    j->integration = integration;
    j->exists = true;
    begin(j, last_error);
}

void job_start_end(struct job_event *e, const struct uuid *integration, int attempt,
                   enum error_word last_error, enum delivery_state state, enum reason reason)
{
    struct job *j = new_job(e, integration, attempt);
    j->exists = true;
    end_without_attempt(j, state, reason, last_error);
}

bool job_start_follow_up(struct job_event *e, const struct lookup_row *row)
{
    if (row->state != DELIVERY_WAITING && row->state != DELIVERY_DEFERRED && row->state != DELIVERY_SENDING &&
        row->state != DELIVERY_DEAD)
        return false;
    /* The next attempt. One under way belongs to its owner until its lease ends; nobody takes the row before. */
    struct job *j = new_job(e, &row->integration, row->attempt);
    j->exists = true;
    j->outcome.state = row->state == DELIVERY_DEAD ? DELIVERY_DEAD : DELIVERY_WAITING;
    j->outcome.reason = row->reason;
    j->outcome.error = row->error;
    publish_follow_up(j, row->seconds_left);
    return true;
}
