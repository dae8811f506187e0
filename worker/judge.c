/*
 * judge - what is to be done for an event
 *
 * Decides from what the look-up found: by the ledger's memory of the event, by the times its producer gave,
 * by what is missing, and then by the filters of each integration of its workspace; starts the jobs. A task that stands
 * for a scan's findings meets no filters: it is expanded when its scan is over.
 * Invariants:
 *   - what is settled in the ledger is not started again; a row that exists decides alone what follows from
 * it;
 *   - the counts of the event's row add up: considered = matched + filtered by stage.
 * Knows the rules and the filters, neither AMQP nor SQL nor HTTP.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/model/match.h"
#include "worker/ladder.h"
#include "worker/shared.h"
#include "worker/talk.h"
#include "worker/trip_parts.h"

static const struct lookup_row *row_of(const struct trip *t, const struct uuid *integration)
{
    for (size_t i = 0; i < t->lookup.row_count; i++)
        if (uuid_equal(&t->lookup.rows[i].integration, integration))
            return &t->lookup.rows[i];
    return NULL;
}

/*
 * What follows from the rows was published by the worker that wrote them, unless it died in between; then the broker
 * delivers again what it had in hand, and says so. A copy that comes otherwise is owed nothing: would it publish too,
 * each copy made another one.
 */
static void follow_up_rows(struct trip *t)
{
    if (!t->decoded.redelivered)
        return;
    for (size_t i = 0; i < t->lookup.row_count; i++) {
        t->open++;
        if (!job_start_follow_up(&t->job_event, &t->lookup.rows[i]))
            t->open--;
    }
}

/*
 * Those that are to be started, and the counts of the event's row. An integration that has a row already counts as matched,
 * whatever the filters say now: its row decides.
 */
static size_t match_all(struct trip *t, struct rules_integration ***out)
{
    struct ledger_event *e = &t->ledger_event;
    const struct matches_found *found =
        rules_match(t->parts->rules, t->rules, t->decoded.event.type, &t->lookup.facts);
    size_t n = 0, rows = t->lookup.row_count;
    struct rules_integration **fires = *out =
        arena_alloc(&t->arena, (found->count + 1) * sizeof(struct rules_integration *));
    memcpy(e->filtered, found->held_back, sizeof e->filtered);
    for (size_t i = 0; i < found->count; i++)
        if (!rows || !row_of(t, &found->fires[i]->row.id))
            fires[n++] = found->fires[i];
    size_t considered = rules_count(t->rules) + rows;
    for (size_t i = 0; i < rows; i++) {
        const struct rules_integration *now = rules_find(t->rules, &t->lookup.rows[i].integration);
        enum match_verdict verdict =
            now ? match_integration(&now->row, t->decoded.event.type, &t->lookup.facts) : MATCH_FIRES;
        considered -= now != NULL; /* counted twice */
        if (verdict != MATCH_FIRES)
            e->filtered[verdict]--;
    }
    for (int stage = MATCH_FIRES + 1; stage < MATCH_COUNT; stage++)
        if (e->filtered[stage])
            shared_count_cell_more(COUNT_FILTERED, (size_t)stage, (uint64_t)e->filtered[stage]);
    e->matched = (int)(n + rows);
    e->considered = (int)considered;
    e->rows_total = (int)n;
    return n;
}

static void start_jobs(struct trip *t)
{
    struct rules_integration **fires;
    size_t n = match_all(t, &fires);
    t->job_event.seen_before = t->lookup.has_event || t->decoded.redelivered;
    for (size_t i = 0; i < n; i++)
        rules_open_settings(t->parts->rules, t->rules, fires[i]);
    t->ledger_event.state = EVENT_STATE_DONE;
    t->open += (int)n;
    for (size_t i = 0; i < n; i++)
        job_start_first(&t->job_event, fires[i]);
    if (n == 0) {
        if (t->ledger_event.matched == 0)
            shared_count(COUNT_UNMATCHED);
        trip_write_event(t, EVENT_STATE_DONE, REASON_NONE);
    }
}

/*
 * Delivered again by the broker, and its attempt was begun: the worker died before the message was acknowledged,
 * perhaps before what follows was published. So that follows now; should it be there already, one copy finds its
 * attempt taken. True: nothing else is to be done.
 */
static bool followed_up_retry(struct trip *t)
{
    const struct lookup_row *row = row_of(t, &t->decoded.integration);
    if (!t->decoded.redelivered || !row || row->attempt < t->decoded.attempt)
        return false;
    trip_move(t, TRIP_LEAVING, "its row's message follows");
    t->open++;
    if (!job_start_follow_up(&t->job_event, row))
        t->open--;
    return true;
}

static enum error_word last_error_of(const struct trip *t)
{
    const struct lookup_row *row = row_of(t, &t->decoded.integration);
    if (!row)
        return ERROR_NONE;
    return row->state == DELIVERY_SENDING ? ERROR_OUTCOME_UNKNOWN : row->error;
}

/* How late it comes says how far notify.due is behind; the sweep waits that long for others. */
static void note_lateness(const struct trip *t)
{
    const struct lookup_row *row = row_of(t, &t->decoded.integration);
    if (t->raw.from_own_queue && row && row->state == DELIVERY_WAITING && row->seconds_left < 0 &&
        row->attempt == t->decoded.attempt - 1)
        shared_due_late(-row->seconds_left);
}

/* It has waited in the mailbox for longer than anybody wants to hear of it. */
static bool is_too_old(const struct trip *t)
{
    const struct lookup_row *row = row_of(t, &t->decoded.integration);
    return t->waker && row && row->state == DELIVERY_DEFERRED &&
           -row->seconds_left > gate_max_age(t->parts->gate, &t->decoded.integration);
}

static void start_retry(struct trip *t)
{
    const struct decoded *d = &t->decoded;
    struct rules_integration *integration = rules_find(t->rules, &d->integration);
    enum error_word last_error = last_error_of(t);
    t->job_event.dest = integration ? integration->row.dest : NULL;
    note_lateness(t);
    t->open++;
    if (!integration || !integration->row.enabled) {
        job_start_end(&t->job_event, &d->integration, d->attempt, last_error, DELIVERY_CANCELED, REASON_NONE);
        return;
    }
    if (is_too_old(t)) {
        job_start_end(&t->job_event, &d->integration, d->attempt, last_error, DELIVERY_DEAD, REASON_TOO_OLD);
        return;
    }
    if (d->attempt > t->parts->conf->retry_max_attempts) { /* the last one's outcome is unknown */
        job_start_end(&t->job_event, &d->integration, d->attempt, last_error, DELIVERY_DEAD,
                      REASON_ATTEMPTS_EXHAUSTED);
        return;
    }
    rules_open_settings(t->parts->rules, t->rules, integration);
    job_start_retry(&t->job_event, integration, d->attempt, last_error);
}

static void on_rules(struct rules_wait *wait, struct rules_entry *entry)
{
    struct trip *t = list_entry(wait, struct trip, rules_wait);
    t->rules = entry;
    trip_move(t, TRIP_WORKING, "the integrations are there");
    if (!t->decoded.has_integration) {
        follow_up_rows(t);
        start_jobs(t);
        trip_close_one(t);
        return;
    }
    if (!followed_up_retry(t))
        start_retry(t);
    trip_close_one(t);
}

static void get_rules(struct trip *t)
{
    trip_move(t, TRIP_WAITING_RULES, "the scan is there");
    t->open++; /* closed by on_rules, when the jobs are made */
    t->rules_wait.workspace = t->lookup.facts.scan.workspace_id;
    t->rules_wait.ready = on_rules;
    rules_get(t->parts->rules, &t->rules_wait);
}

/* The producer's transaction may still be open: look again soon, a few times. */
static void not_found(struct trip *t)
{
    const struct conf_numbers *pauses = &t->parts->conf->retry_not_found;
    int attempt = t->decoded.attempt;
    if (t->decoded.has_integration) {
        if (followed_up_retry(t))
            return;
        t->open++;
        job_start_end(&t->job_event, &t->decoded.integration, attempt, last_error_of(t), DELIVERY_DEAD,
                      REASON_NOT_FOUND);
        return;
    }
    shared_count(COUNT_NOT_FOUND);
    if (attempt < 1 || (size_t)attempt > pauses->count) {
        trip_end_dead(t, REASON_NOT_FOUND, "the scan, its target or the finding is not in the database");
        return;
    }
    trip_look_again(t, attempt + 1, pauses->items[attempt - 1]);
}

static double seconds_until(int64_t wall_us)
{
    return (double)(wall_us - clock_wall_us()) / 1e6;
}

/* The sooner of what this host's clock says and, once it has a row, the ledger's: either may have been set back since. */
static double seconds_until_eta(const struct trip *t)
{
    const struct lookup *q = &t->lookup;
    double here = seconds_until(t->decoded.eta_us);
    return q->has_event && q->event_state == EVENT_STATE_SCHEDULED ? fmin(here, q->scheduled_in) : here;
}

/* Send the event round the ladder towards its eta, a day at most at a time. */
static void schedule(struct trip *t, double seconds, bool write_row)
{
    trip_make_ladder_message(t, t->decoded.attempt, ladder_trip_towards(seconds));
    if (!write_row) {
        t->has_row = true;
        trip_publish(t);
        return;
    }
    shared_count(COUNT_SCHEDULED);
    t->ledger_event.scheduled_us = t->decoded.eta_us;
    t->then_publish = true;
    trip_write_event(t, EVENT_STATE_SCHEDULED, REASON_NONE);
}

/* The ledger remembers a whole event. True: nothing more than that memory asks for is to be done. */
static bool judged_by_memory(struct trip *t)
{
    const struct lookup *q = &t->lookup;
    if (!q->has_event)
        return false;
    switch (q->event_state) {
    case EVENT_STATE_DONE:
        follow_up_rows(t);
        return true;
    case EVENT_STATE_DEAD:
        if (!t->decoded.redelivered)
            return true;
        trip_make_dead_letter(t, q->event_reason, "delivered again by the broker");
        t->has_row = true;
        trip_publish(t);
        return true;
    case EVENT_STATE_EXPIRED:
    case EVENT_STATE_EXPANDED:
        return true;
    case EVENT_STATE_SCHEDULED:
        if (t->raw.from_own_queue)
            return false;
        if (t->decoded.redelivered)
            schedule(t, q->scheduled_in, false);
        return true;
    default:
        return false;
    }
}

/* Times that the producer gave; judged once, before the first attempt. True: the event waits or is over. */
static bool judged_by_time(struct trip *t)
{
    const struct decoded *d = &t->decoded;
    bool begun = t->lookup.has_event && t->lookup.event_state != EVENT_STATE_SCHEDULED;
    if (begun)
        return false;
    if (d->has_expires && seconds_until(d->expires_us) <= 0) {
        shared_count(COUNT_EXPIRED);
        trip_write_event(t, EVENT_STATE_EXPIRED, REASON_NONE);
        return true;
    }
    /* The ladder counts in whole seconds: the last trip ends up to a second late, never early. */
    if (d->has_eta && seconds_until_eta(t) > 0) {
        schedule(t, seconds_until_eta(t), !t->lookup.has_event);
        return true;
    }
    return false;
}

/* Rendering it ended three workers; unlike a message that cannot even be read, it is an event with a row. */
static void end_poisonous(struct trip *t)
{
    const struct decoded *d = &t->decoded;
    if (!d->has_integration) {
        trip_end_dead(t, REASON_KILLED_WORKER, "sending it ended three worker processes");
        return;
    }
    if (followed_up_retry(t)) /* the attempt of the worker that died runs until its lease ends */
        return;
    t->open++;
    job_start_end(&t->job_event, &d->integration, d->attempt, last_error_of(t), DELIVERY_DEAD,
                  REASON_KILLED_WORKER);
}

/* Seconds since a scan's task was first read, or since its eta. */
static double waited(const struct trip *t)
{
    const struct decoded *d = &t->decoded;
    double first_look = -seconds_until(d->event.first_seen_us),
           due = d->has_eta ? -seconds_until(d->eta_us) : first_look;
    return fmax(0, fmin(first_look, due));
}

/* Each pause is as long as all before it and a second: 1, 2, 4, 8 and so on. */
static double growing_pause(const struct trip *t, double most)
{
    return ladder_trip_towards(fmin(floor(waited(t)) + 1, most));
}

/*
 * Seconds until a scan is looked at again that is not over, as far as its status says, since its findings may not be
 * committed yet; 0: do not wait. All pauses are within expand.queue_running_wait.
 */
static double pause_for_scan(const struct trip *t)
{
    const char *status = t->lookup.facts.scan.status;
    if (!status || (strcmp(status, "queued") != 0 && strcmp(status, "running") != 0))
        return 0;
    double left = t->parts->conf->expand_queue_running_wait - waited(t);
    return left < 0.5 ? 0 : growing_pause(t, left); /* the ladder counts in whole seconds */
}

static void expand(struct trip *t)
{
    enum { FULL_PAUSE_MAX_S = 30 };
    double pause = pause_for_scan(t);
    if (pause > 0)
        trip_look_again(t, t->decoded.attempt, pause);
    else if (!expansion_admit(t->parts->expansions,
                              &t->expansion)) /* rather than hold a part of the prefetch */
        trip_look_again(t, t->decoded.attempt, growing_pause(t, FULL_PAUSE_MAX_S));
    else
        trip_expand(t);
}

/* As ledger.c for attempts: a whole event that comes from the ladder. */
static void note_lateness_of_event(const struct trip *t)
{
    const struct lookup *q = &t->lookup;
    if (q->has_event && t->raw.from_own_queue && !t->decoded.has_integration && q->scheduled_in < 0 &&
        (q->event_state == EVENT_STATE_OPEN || q->event_state == EVENT_STATE_SCHEDULED))
        shared_due_late(-q->scheduled_in);
}

static void judge(struct trip *t)
{
    struct lookup *q = &t->lookup;
    note_lateness_of_event(t);
    t->ledger_event.has_workspace = q->has_workspace; /* whatever becomes of it: its people are to see it */
    t->ledger_event.workspace_id = q->facts.scan.workspace_id;
    if (q->has_event && memcmp(q->event_hash, t->decoded.event.content_hash, SHA256_SIZE) != 0) {
        trip_end_without_row(t, REASON_ID_REUSED, "an event with this id and other content exists");
        return;
    }
    if (!t->decoded.has_integration && (judged_by_memory(t) || judged_by_time(t)))
        return;
    if (shared_is_poison(talk_poison_hash(t->decoded.event.id))) {
        end_poisonous(t);
        return;
    }
    if (!q->found) {
        not_found(t);
        return;
    }
    if (t->decoded.event.expand) {
        expand(t);
        return;
    }
    if (q->finding_of_other_scan && !t->decoded.has_integration) {
        trip_end_dead(t, REASON_FINDING_OF_OTHER_SCAN, "the finding belongs to another scan than scan_id");
        return;
    }
    get_rules(t);
}

void judge_looked_up(struct lookup *q)
{
    struct trip *t = list_entry(q, struct trip, lookup);
    if (q->trace.known) /* whatever this copy says, or if an older version passed on nothing */
        t->decoded.event.trace = q->trace;
    trip_move(t, TRIP_WORKING, "looked up");
    t->ledger_event.is_new = !q->has_event && !t->decoded.redelivered;
    t->open++;
    judge(t);
    trip_close_one(t);
}
