/*
 * job - one (event, integration) from the filters to the ledger
 *
 * The order that must hold, and that only job, job_end and trip know (states and ways between them: job_parts.h):
 *   1. attempt n >= 2 starts only after its row was taken (ledger: TAKE); another worker's copy is stale. So does the
 *      first where a repeat hurts (dest.repeat_hurts) or another copy may be in hand elsewhere (seen_before);
 *   2. rows are committed before what follows from them is published;
 *   3. what follows is confirmed by the broker before the message is acknowledged (trip.c acknowledges when
 *      its last job is done);
 *   4. nothing waits without a deadline: requests have delivery.timeout, statements database.timeout; the
 *      broker and the database are waited for as long as it takes, with the message unacknowledged.
 *
 * The row is taken after the gate, so that its lease runs while it is sent and not while it stands in line.
 *
 * Owns the talk with the destination and its arena. Knows neither AMQP nor SQL nor HTTP.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "worker/job_parts.h"
#include "worker/shared.h"

enum { JOB_ARENA_BLOCK = 2048 };

static const char *const state_names[] = {"new",     "waiting", "claiming",   "taking", "releasing",
                                          "talking", "writing", "publishing", "owing",  "done"};

/* Which states may follow: a bit per state. */
static const unsigned may_follow[] = {
    [JOB_NEW] = 1u << JOB_WAITING | 1u << JOB_WRITING | 1u << JOB_PUBLISHING,
    [JOB_WAITING] =
        1u << JOB_TALKING | 1u << JOB_CLAIMING | 1u << JOB_TAKING | 1u << JOB_WRITING | 1u << JOB_DONE,
    [JOB_CLAIMING] =
        1u << JOB_TALKING | 1u << JOB_TAKING | 1u << JOB_RELEASING | 1u << JOB_WRITING | 1u << JOB_PUBLISHING,
    [JOB_TAKING] =
        1u << JOB_TALKING | 1u << JOB_RELEASING | 1u << JOB_WRITING | 1u << JOB_PUBLISHING | 1u << JOB_DONE,
    [JOB_RELEASING] = 1u << JOB_WAITING | 1u << JOB_DONE,
    [JOB_TALKING] = 1u << JOB_WRITING,
    [JOB_WRITING] = 1u << JOB_WRITING | 1u << JOB_PUBLISHING | 1u << JOB_DONE,
    [JOB_PUBLISHING] = 1u << JOB_OWING | 1u << JOB_DONE,
    [JOB_OWING] = 1u << JOB_DONE,
    [JOB_DONE] = 0,
};

/* From the first request until the row is committed, or nothing is left to commit. */
static void count_unwritten(struct job *j, enum job_state to)
{
    struct shared_slot *mine = shared_mine();
    if (to == JOB_TALKING) {
        j->unwritten = true;
        mine->unwritten++;
    } else if (j->unwritten && to != JOB_WRITING) {
        j->unwritten = false;
        mine->unwritten--;
    }
}

void job_move(struct job *j, enum job_state to, const char *why)
{
    check(may_follow[j->state] & 1u << to);
    if (log_is_on(LOG_DEBUG)) {
        char integration[UUID_TEXT];
        uuid_format(&j->integration_id, integration);
        LOG(LOG_DEBUG, "job", LOG_EVENT(j->event->event), LOG_TEXT("integration", integration),
            LOG_TEXT("from", state_names[j->state]), LOG_TEXT("to", state_names[to]), LOG_TEXT("why", why));
    }
    count_unwritten(j, to);
    j->state = to;
}

void job_finish(struct job *j, const char *why)
{
    struct job_event *e = j->event;
    job_move(j, JOB_DONE, why);
    if (j->member.bundle)
        bundle_release(&j->member);
    if (j->own_bodies)
        dest_body_cache_free(j->own_bodies);
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

/* What was told together and failed goes back into the mailbox, to be told together again. */
static void conclude(struct job *j)
{
    j->outcome = outcome_decide(j->parts->conf, &j->item.verdict, j->attempt, chance());
    if (j->outcome.state == DELIVERY_WAITING && bundle_id(&j->member))
        j->outcome.state = DELIVERY_DEFERRED;
    job_write_outcome(j);
}

static void on_concluded(struct talk *t)
{
    conclude(list_entry(t, struct job, talk));
}

static void begin_talk(struct job *j, const char *why)
{
    job_move(j, JOB_TALKING, why);
    if (j->is_first)
        shared_note_us(COUNT_FIRST_TIME, 0, clock_wall_us() - j->event->sent_us);
    j->is_first = false;
    if (j->member.bundle)
        bundle_ready(&j->member);
    else
        talk_begin(&j->talk);
}

static void leave_gate(struct job *j)
{
    if (j->member.bundle)
        bundle_leave(&j->member);
    else
        talk_leave(&j->talk);
}

/* Instead of the attempt that was admitted. */
static void leave(struct job *j)
{
    leave_gate(j);
    j->attempt--;
}

void job_leave_refused(struct job *j)
{
    leave(j);
    if (j->exists)
        job_end_refused(j);
    else
        job_end_without_row(j);
}

/* The outcome is known before any request: nothing is sent, and the attempt does not count. */
static void leave_with(struct job *j, struct outcome outcome)
{
    leave(j);
    j->decided = true;
    j->outcome = outcome;
    job_write_outcome(j);
}

void job_put_off(struct job *j, double wait_s)
{
    shared_count(COUNT_PUT_OFF);
    j->put_off = true;
    leave_with(j, (struct outcome){.state = DELIVERY_WAITING, .delay_s = wait_s * (1 + chance() / 4)});
}

void job_leave_overtaken(struct job *j)
{
    j->item.verdict.detail = "nothing to do: a later scan has found it again, and what is told follows that";
    leave_with(j, (struct outcome){.state = DELIVERY_DELIVERED});
}

static void on_taken(struct ledger_write *w)
{
    struct job *j = list_entry(w, struct job, write);
    if (w->refused) {
        job_leave_refused(j);
    } else if (!w->applied) {
        leave_gate(j);
        shared_count(COUNT_STALE);
        if (j->holds)
            job_release(j, STALE, job_released);
        else
            job_finish(j, STALE);
    } else {
        fault_here(FAULT_TAKE, j->event->event->id);
        j->exists = true;
        begin_talk(j, "taken");
    }
}

static void take(struct job *j)
{
    job_move(j, JOB_TAKING, j->exists ? "the row exists" : "its row comes first");
    job_start_write(j, j->exists ? LEDGER_TAKE : LEDGER_FIRST, on_taken);
    j->write.state = DELIVERY_WAITING;
    j->write.due_s = 0;
    j->write.lease_s = talk_lease(j->parts->conf);
    ledger_write(j->parts->ledger, &j->write);
}

void job_claimed(struct job *j)
{
    if (j->exists || j->talk.dest->repeat_hurts || j->event->seen_before)
        take(j);
    else
        begin_talk(j, "admitted");
}

static void admitted(struct job *j)
{
    if (!job_remembers(j)) {
        job_claimed(j);
        return;
    }
    job_move(j, JOB_CLAIMING, "its destination remembers");
    job_claim(j);
}

static void on_admitted(struct talk *t)
{
    admitted(list_entry(t, struct job, talk));
}

/*
 * Its integration's limits let it wait for too long: so it waits in the ledger, and its message is acknowledged. What
 * comes from the mailbox is there still.
 */
static void hold_back(struct job *j)
{
    if (j->event->from_mailbox) {
        j->event->stays = true;
        job_finish(j, "it stays in the mailbox");
        return;
    }
    j->decided = true;
    j->attempt--;
    j->outcome = (struct outcome){.state = DELIVERY_DEFERRED};
    job_write_outcome(j);
}

static void on_held_back(struct talk *t)
{
    hold_back(list_entry(t, struct job, talk));
}

/* ---- with others ---- */

static void on_member_admitted(struct bundle_member *m)
{
    admitted(list_entry(m, struct job, member));
}

static void on_member_held_back(struct bundle_member *m)
{
    hold_back(list_entry(m, struct job, member));
}

static void on_member_concluded(struct bundle_member *m)
{
    conclude(list_entry(m, struct job, member));
}

/* False: it goes by itself. */
static bool join_bundle(struct job *j)
{
    j->member = (struct bundle_member){
        .item = &j->item,
        .talk = &j->talk,
        .admitted = on_member_admitted,
        .held_back = on_member_held_back,
        .concluded = on_member_concluded,
    };
    struct bundle *waits = j->event->bundle;
    j->event->bundle = NULL;
    if (waits)
        return bundle_join(waits, &j->member);
    bundles_join(j->parts->bundles, &j->member, (size_t)job_together_max(j));
    return true;
}

void job_event_misses_bundle(struct job_event *e)
{
    struct bundle *waits = e->bundle;
    e->bundle = NULL;
    if (waits)
        bundle_miss(waits);
}

int job_together_max(const struct job *j)
{
    long most = j->parts->conf->gate_together;
    long of_kind = (long)j->talk.dest->together_max;
    return (int)(of_kind < most ? of_kind : most);
}

static bool goes_together(const struct job *j)
{
    return j->event->bundle || (job_together_max(j) > 1 && !j->talk.dest->digests);
}

/* It would be the first of many that are told together: all of them meet in the mailbox. */
static bool waits_for_others(const struct job *j)
{
    const struct job_event *e = j->event;
    return e->crowded && !j->exists && job_together_max(j) > 1 &&
           (!j->talk.dest->digests || e->event->type == EVENT_FINDING_NEW);
}

/* How much it matters, against others of the same integration: a severity. */
static int rank_of(const struct job_event *e)
{
    if (e->facts->has_finding)
        return (int)e->facts->finding.severity;
    return e->event->type == EVENT_SCAN_FAILED ? SEVERITY_CRITICAL : SEVERITY_INFO;
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
    t->settings = j->integration->settings_hash;
    t->row = j->integration->row_hash;
    t->in_ledger = j->integration->in_ledger;
    t->integration = j->integration_id;
    t->event_id = e->event->id;
    t->arena = &j->arena;
    t->conversation = (struct conversation){
        .config = j->integration->config,
        .jobs = &j->item,
        .job_count = 1,
        .attempt = j->attempt,
        .cache = e->body_cache(e, t->dest),
    };
    t->workspace = e->facts->scan.workspace_id;
    t->rank = rank_of(e);
    t->from_mailbox = e->from_mailbox;
    t->admitted = on_admitted;
    t->held_back = on_held_back;
    t->concluded = on_concluded;
    job_move(j, JOB_WAITING, "the settings are good");
    if (waits_for_others(j))
        hold_back(j);
    else if (!goes_together(j) || !join_bundle(j))
        talk_enter(t);
}

/* The outcome is known before any request: nothing is sent, and the attempt does not count. */
static void end_without_attempt(struct job *j, enum delivery_state state, enum reason reason,
                                enum error_word last_error)
{
    j->decided = true;
    j->attempt--;
    j->outcome = (struct outcome){.state = state, .reason = reason, .error = last_error};
    job_write_outcome(j);
}

/* Send it, or end it when its settings cannot be used or lead nowhere. */
static void begin(struct job *j, enum error_word last_error)
{
    struct rules_integration *i = j->integration;
    if (!i->config) {
        j->item.verdict.detail = i->detail;
        end_without_attempt(j, DELIVERY_DEAD, i->reason, last_error);
    } else if (gate_is_gone(j->parts->gate, &j->integration_id, i->row_hash, &i->gone)) {
        j->item.verdict.detail =
            "its destination said that it is gone; change the integration, then replay what is dead";
        end_without_attempt(j, DELIVERY_DEAD, REASON_INTEGRATION_BROKEN, last_error);
    } else {
        begin_sending(j);
    }
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
    j->is_first = true;
    begin(j, ERROR_NONE);
}

void job_start_retry(struct job_event *e, struct rules_integration *integration, int attempt,
                     enum error_word last_error)
{
    struct job *j = new_job(e, &integration->row.id, attempt);
    j->integration = integration;
    j->is_first = attempt == 1 && e->from_mailbox; /* else it is replayed */
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
    if (row->state != DELIVERY_WAITING && row->state != DELIVERY_SENDING && row->state != DELIVERY_DEAD)
        return false; /* deferred ones have no message: their mailbox has a time at which it is looked at */
    /* The next attempt. One under way belongs to its owner until its lease ends; nobody takes the row before. */
    struct job *j = new_job(e, &row->integration, row->attempt);
    j->exists = true;
    j->outcome.state = row->state == DELIVERY_DEAD ? DELIVERY_DEAD : DELIVERY_WAITING;
    j->outcome.reason = row->reason;
    j->outcome.error = row->error;
    job_publish_follow_up(j, row->seconds_left);
    return true;
}
