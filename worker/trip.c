/*
 * trip - one message from the broker to its acknowledgement
 *
 *   decode -> look up -> judge by the ledger's memory -> rules -> match -> jobs -> acknowledge
 *
 * Owns the messages in hand, each with its arena, found by event id (and integration, for a retry).
 * Invariants:
 *   - a message is acknowledged when everything that it stands for is committed and everything that follows
 * is confirmed: when `open` (jobs, the event's own row, the event's own publish) has fallen to zero;
 *   - copies of a message that is in hand join it and are acknowledged with it;
 *   - an event that another worker of this host has in hand is sent round the ladder for a moment, so that
 * two copies published at once do not become two deliveries;
 *   - the ledger is asked before anything is sent: what is settled there is not sent again.
 *
 * A message with an integration in our own header is a retry of that one delivery; all others stand for the
 * whole event. What is done per delivery is job.c's; nothing here knows AMQP, SQL or HTTP.
 */
#include "worker/trip.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/table.h"
#include "common/model/match.h"
#include "worker/decode.h"
#include "worker/job.h"
#include "worker/ladder.h"
#include "worker/outcome.h"
#include "worker/shared.h"

enum { TWIN_DELAY_S = 2, DESTINATIONS_MAX = 16 };

struct trips {
    struct parts *parts;
    struct list all;
    struct table by_key;
    size_t count;
};

struct trip {
    struct trips *trips;
    struct parts *parts;
    struct list link;
    struct table_entry by_key;
    bool known; /* in by_key */
    bool taken; /* noted in shared memory as in hand */
    bool looking_up;
    uint64_t event_hash;
    struct arena arena;
    struct raw_message raw;
    struct decoded decoded;
    struct list receipts;
    int64_t begun_us;
    struct lookup lookup;
    struct rules_wait rules_wait;
    struct rules_entry *rules;
    struct job_event job_event;
    struct ledger_event ledger_event;
    struct ledger_write write;
    struct publish_message message;
    bool then_publish; /* `message` goes out when `write` is committed */
    bool end_written;  /* by end_with_refused_rows */
    struct dest_body_cache bodies[DESTINATIONS_MAX];
    int open;
};

static void free_trip(struct trip *t)
{
    if (t->known)
        table_remove(&t->trips->by_key, &t->by_key);
    if (t->taken)
        shared_event_release(t->event_hash);
    if (t->rules)
        rules_release(t->parts->rules, t->rules);
    for (int i = 0; i < DESTINATIONS_MAX; i++)
        buf_free(&t->bodies[i].body);
    list_remove(&t->link);
    t->trips->count--;
    arena_free(&t->arena);
    free(t);
}

/* Everything is committed and confirmed: tell the broker, for every copy. */
static void settle(struct trip *t)
{
    struct list *at;
    fault_here(FAULT_ACK, t->decoded.event.id);
    while ((at = list_shift(&t->receipts)))
        intake_ack(t->parts->intake, list_entry(at, struct intake_receipt, link));
    free_trip(t);
}

static void end_with_refused_rows(struct trip *t);

static void close_one(struct trip *t)
{
    check(t->open > 0);
    if (--t->open > 0)
        return;
    if (t->ledger_event.rows_refused && !t->end_written)
        end_with_refused_rows(t);
    else
        settle(t);
}

/* The event's own message: a trip round the ladder, or a dead letter. */

static void on_confirmed(struct publish_message *m)
{
    struct trip *t = list_entry(m, struct trip, message);
    fault_here(FAULT_CONFIRM, t->decoded.event.id);
    close_one(t);
}

static void publish(struct trip *t)
{
    t->open++;
    t->message.confirmed = on_confirmed;
    publisher_send(t->parts->publisher, &t->message);
    fault_here(FAULT_PUBLISH, t->decoded.event.id);
}

static void make_ladder_message(struct trip *t, int attempt, double delay_s)
{
    struct ladder_ticket ticket = {
        .attempt = attempt,
        .origin_queue = t->job_event.queue,
        .eta_us = t->decoded.has_eta ? t->decoded.eta_us : 0,
        .expires_us = t->decoded.has_expires ? t->decoded.expires_us : 0,
    };
    ladder_make(&t->message, &t->arena, &t->decoded.event, &ticket, delay_s);
}

static void make_dead_letter(struct trip *t, enum reason reason, const char *detail)
{
    struct outcome_dead dead = {
        .reason = reason,
        .detail = detail,
        .attempt = 0,
        .integration = t->decoded.has_integration ? &t->decoded.integration : NULL,
        .queue = t->job_event.queue,
    };
    outcome_dead_event(&t->message, &t->arena, &t->decoded.event, &dead);
}

/* The event's own row, written alone. */

static void on_written(struct ledger_write *w)
{
    struct trip *t = list_entry(w, struct trip, write);
    fault_here(FAULT_COMMIT, t->decoded.event.id);
    if (w->refused && !t->then_publish && !t->end_written) {
        make_dead_letter(t, REASON_ROW_REFUSED, "see the log for the database's words");
        t->then_publish = true;
    }
    if (t->then_publish)
        publish(t);
    close_one(t);
}

static void write_event(struct trip *t, enum event_state state, enum reason reason)
{
    struct ledger_event *e = &t->ledger_event;
    e->state = state;
    e->reason = reason;
    memset(&t->write, 0, sizeof t->write);
    t->write.kind = LEDGER_EVENT;
    t->write.event = e;
    t->write.event_id = t->decoded.event.id;
    t->write.written = on_written;
    t->open++;
    ledger_write(t->parts->ledger, &t->write);
}

/* The ledger counted on rows that the database refused; their dead letters are confirmed. */
static void end_with_refused_rows(struct trip *t)
{
    struct ledger_event *e = &t->ledger_event;
    bool any = e->rows_committed > 0 || t->lookup.row_count > 0;
    e->rows_total = e->rows_committed;
    t->end_written = true;
    write_event(t, any ? EVENT_STATE_DONE : EVENT_STATE_DEAD, any ? REASON_NONE : REASON_ROW_REFUSED);
}

/* An event that will reach no integration: its row says why, then the dead letter. */
static void end_dead(struct trip *t, enum reason reason, const char *detail)
{
    LOG(LOG_WARN, "event_dead", LOG_TEXT("id", t->decoded.event.id), LOG_TEXT("reason", reason_name(reason)),
        LOG_TEXT("detail", detail), LOG_TEXT("queue", t->raw.queue));
    shared_count(COUNT_REJECTED);
    make_dead_letter(t, reason, detail);
    t->then_publish = true;
    write_event(t, EVENT_STATE_DEAD, reason);
}

/* As end_dead, for an event that cannot have a row (its id belongs to another). */
static void end_without_row(struct trip *t, enum reason reason, const char *detail)
{
    LOG(LOG_WARN, "message_rejected", LOG_TEXT("id", t->decoded.event.id),
        LOG_TEXT("reason", reason_name(reason)), LOG_TEXT("detail", detail), LOG_TEXT("queue", t->raw.queue));
    shared_count(COUNT_REJECTED);
    make_dead_letter(t, reason, detail);
    publish(t);
}

/* A message that never became an event: the dead letter keeps its bytes. */
static void reject_raw(struct trip *t, enum reason reason, const char *detail)
{
    struct outcome_dead dead = {.reason = reason, .detail = detail, .queue = t->raw.queue};
    LOG(LOG_WARN, "message_rejected", LOG_TEXT("id", t->decoded.event.id),
        LOG_TEXT("reason", reason_name(reason)), LOG_TEXT("detail", detail), LOG_TEXT("queue", t->raw.queue),
        LOG_NUM("bytes", t->raw.announced_size));
    shared_count(COUNT_REJECTED);
    outcome_dead_raw(&t->message, &t->arena, &t->raw, t->decoded.event.id, &dead, clock_wall_us());
    publish(t);
}

/* Jobs */

static void on_job_done(struct job_event *je)
{
    close_one(list_entry(je, struct trip, job_event));
}

static struct dest_body_cache *body_cache(struct job_event *je, const struct dest *dest)
{
    struct trip *t = list_entry(je, struct trip, job_event);
    size_t i = 0;
    while (dest_all[i] != dest)
        i++;
    check(i < DESTINATIONS_MAX);
    if (!t->bodies[i].body.max)
        buf_init(&t->bodies[i].body, (size_t)t->parts->conf->delivery_max_request);
    return &t->bodies[i];
}

static const struct lookup_row *row_of(const struct trip *t, const struct uuid *integration)
{
    for (size_t i = 0; i < t->lookup.row_count; i++)
        if (uuid_equal(&t->lookup.rows[i].integration, integration))
            return &t->lookup.rows[i];
    return NULL;
}

static void follow_up_rows(struct trip *t)
{
    for (size_t i = 0; i < t->lookup.row_count; i++) {
        t->open++;
        if (!job_start_follow_up(&t->job_event, &t->lookup.rows[i]))
            t->open--;
    }
}

/*
 * Ask the filters for every integration, count what each stage held back, and collect those that fire. An
 * integration that has a row already counts as matched, whatever the filters say now.
 */
static size_t match_all(struct trip *t, struct rules_integration **fires)
{
    struct ledger_event *e = &t->ledger_event;
    size_t count = rules_count(t->rules), n = 0, seen_rows = 0;
    for (size_t i = 0; i < count; i++) {
        struct rules_integration *integration = rules_at(t->rules, i);
        if (t->lookup.row_count && row_of(t, &integration->row.id)) {
            seen_rows++;
            continue;
        }
        enum match_verdict verdict =
            match_integration(&integration->row, t->decoded.event.type, &t->lookup.facts);
        if (verdict == MATCH_FIRES)
            fires[n++] = integration;
        else
            e->filtered[verdict]++;
    }
    e->matched = (int)(n + t->lookup.row_count);
    e->considered = (int)(count + t->lookup.row_count - seen_rows);
    e->rows_total = (int)n;
    return n;
}

static void start_jobs(struct trip *t)
{
    struct rules_integration **fires = mem_alloc(rules_count(t->rules) * sizeof(struct rules_integration *));
    size_t n = match_all(t, fires);
    for (size_t i = 0; i < n; i++)
        rules_open_settings(t->parts->rules, t->rules, fires[i]);
    t->ledger_event.state = EVENT_STATE_DONE;
    t->open += (int)n;
    for (size_t i = 0; i < n; i++)
        job_start_first(&t->job_event, fires[i]);
    free(fires);
    if (n == 0) {
        if (t->ledger_event.matched == 0)
            shared_count(COUNT_FILTERED);
        write_event(t, EVENT_STATE_DONE, REASON_NONE);
    }
}

static void on_rules(struct rules_wait *wait, struct rules_entry *entry)
{
    struct trip *t = list_entry(wait, struct trip, rules_wait);
    t->rules = entry;
    if (!t->decoded.has_integration) {
        follow_up_rows(t);
        start_jobs(t);
        close_one(t);
        return;
    }
    struct rules_integration *integration = rules_find(entry, &t->decoded.integration);
    t->open++;
    if (!integration || !integration->row.enabled) {
        job_start_end(&t->job_event, &t->decoded.integration, t->decoded.attempt, DELIVERY_CANCELED,
                      REASON_NONE);
    } else {
        rules_open_settings(t->parts->rules, entry, integration);
        job_start_retry(&t->job_event, integration, t->decoded.attempt);
    }
    close_one(t);
}

static void get_rules(struct trip *t)
{
    t->open++; /* closed by on_rules, when the jobs are made */
    t->rules_wait.workspace = t->lookup.facts.scan.workspace_id;
    t->rules_wait.ready = on_rules;
    rules_get(t->parts->rules, &t->rules_wait);
}

/* Judging by what the look-up found */

/* The producer's transaction may still be open: look again soon, a few times. */
static void not_found(struct trip *t)
{
    const struct conf_numbers *pauses = &t->parts->conf->retry_not_found;
    int attempt = t->decoded.attempt;
    if (t->decoded.has_integration) {
        t->open++;
        job_start_end(&t->job_event, &t->decoded.integration, attempt, DELIVERY_DEAD, REASON_NOT_FOUND);
        return;
    }
    shared_count(COUNT_NOT_FOUND);
    if (attempt < 1 || (size_t)attempt > pauses->count) {
        end_dead(t, REASON_NOT_FOUND, "the scan, its target or the finding is not in the database");
        return;
    }
    make_ladder_message(t, attempt + 1, pauses->items[attempt - 1]);
    publish(t);
}

static double seconds_until(int64_t wall_us)
{
    return (double)(wall_us - clock_wall_us()) / 1e6;
}

/* Send the event round the ladder towards its eta, a day at most at a time. */
static void schedule(struct trip *t, double seconds, bool write_row)
{
    make_ladder_message(t, t->decoded.attempt, ladder_trip_towards(seconds));
    if (!write_row) {
        publish(t);
        return;
    }
    shared_count(COUNT_SCHEDULED);
    t->ledger_event.scheduled_us = t->decoded.eta_us;
    t->then_publish = true;
    write_event(t, EVENT_STATE_SCHEDULED, REASON_NONE);
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
        make_dead_letter(t, q->event_reason, "delivered again by the broker");
        publish(t);
        return true;
    case EVENT_STATE_EXPIRED:
    case EVENT_STATE_EXPANDED:
        return true;
    case EVENT_STATE_SCHEDULED:
        if (t->raw.from_own_queue)
            return false;
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
        write_event(t, EVENT_STATE_EXPIRED, REASON_NONE);
        return true;
    }
    /* Anything under a second is no reason for a trip: the ladder counts in seconds. */
    if (d->has_eta && seconds_until(d->eta_us) >= 1) {
        schedule(t, seconds_until(d->eta_us), !t->lookup.has_event);
        return true;
    }
    return false;
}

static void judge(struct trip *t)
{
    struct lookup *q = &t->lookup;
    if (q->has_event && memcmp(q->event_hash, t->decoded.event.content_hash, SHA256_SIZE) != 0) {
        end_without_row(t, REASON_ID_REUSED, "an event with this id and other content exists");
        return;
    }
    if (!t->decoded.has_integration && (judged_by_memory(t) || judged_by_time(t)))
        return;
    if (!q->found) {
        not_found(t);
        return;
    }
    t->ledger_event.has_workspace = true;
    t->ledger_event.workspace_id = q->facts.scan.workspace_id;
    if (q->finding_of_other_scan && !t->decoded.has_integration) {
        end_dead(t, REASON_FINDING_OF_OTHER_SCAN, "the finding belongs to another scan than scan_id");
        return;
    }
    get_rules(t);
}

static void on_looked_up(struct lookup *q)
{
    struct trip *t = list_entry(q, struct trip, lookup);
    t->looking_up = false;
    t->open++;
    judge(t);
    close_one(t);
}

static void look_up(struct trip *t)
{
    struct lookup *q = &t->lookup;
    const struct event *e = &t->decoded.event;
    q->arena = &t->arena;
    q->event_id = e->id;
    q->scan_id = e->scan_id;
    q->has_finding = e->has_finding;
    q->finding_id = e->finding_id;
    q->answered = on_looked_up;
    t->looking_up = true;
    lookups_ask(t->parts->lookups, q);
}

/* Beginning */

static bool same_key(const struct trip *a, const struct trip *b)
{
    if (strcmp(a->decoded.event.id, b->decoded.event.id) != 0 ||
        a->decoded.has_integration != b->decoded.has_integration)
        return false;
    return !a->decoded.has_integration || uuid_equal(&a->decoded.integration, &b->decoded.integration);
}

static uint64_t key_hash(const struct decoded *d)
{
    uint64_t hash = hash_text(d->event.id);
    return d->has_integration ? hash_more(hash, d->integration.bytes, sizeof d->integration.bytes) : hash;
}

static struct trip *find_same(struct trips *all, const struct trip *t, uint64_t hash)
{
    for (struct table_entry *at = table_first(&all->by_key, hash); at; at = table_next(at))
        if (same_key(list_entry(at, struct trip, by_key), t))
            return list_entry(at, struct trip, by_key);
    return NULL;
}

static void join(struct trip *t, struct trip *first)
{
    shared_count(COUNT_JOINED);
    list_splice(&first->receipts, &t->receipts);
    free_trip(t);
}

static void begin_event(struct trip *t)
{
    struct event *e = &t->decoded.event;
    uint64_t hash = key_hash(&t->decoded);
    struct trip *first = find_same(t->trips, t, hash);
    t->job_event = (struct job_event){
        .parts = t->parts,
        .arena = &t->arena,
        .event = e,
        .facts = &t->lookup.facts,
        .ledger_event = &t->ledger_event,
        .queue = t->decoded.origin_queue ? t->decoded.origin_queue : t->raw.queue,
        .poison_hash = t->job_event.poison_hash,
        .body_cache = body_cache,
        .job_done = on_job_done,
    };
    t->ledger_event.event = e;
    t->ledger_event.queue = t->job_event.queue;
    if (first && memcmp(first->decoded.event.content_hash, e->content_hash, SHA256_SIZE) == 0) {
        join(t, first);
        return;
    }
    if (first) {
        end_without_row(t, REASON_ID_REUSED, "an event with this id and other content is in hand");
        return;
    }
    table_insert(&t->trips->by_key, &t->by_key, hash);
    t->known = true;
    if (!t->decoded.has_integration) {
        t->event_hash = hash;
        t->taken = shared_event_take(hash);
        if (!t->taken) {
            make_ladder_message(t, t->decoded.attempt, TWIN_DELAY_S);
            publish(t);
            return;
        }
    }
    look_up(t);
}

static uint64_t poison_hash(const struct raw_message *raw)
{
    uint64_t hash = hash_bytes(raw->body, raw->body_size);
    for (size_t i = 0; i < raw->header_count; i++)
        if (raw->headers[i].kind == RAW_HEADER_TEXT)
            hash = hash_more(hash, raw->headers[i].text, raw->headers[i].size);
    return hash ? hash : 1;
}

static enum decode_result decode(struct trip *t)
{
    shared_handling(t->job_event.poison_hash);
    fault_here(FAULT_DECODE, t->raw.body);
    enum decode_result result =
        decode_message(t->parts->conf, &t->arena, &t->raw, clock_wall_us(), &t->decoded);
    shared_handled();
    return result;
}

void trips_begin(struct trips *all, struct raw_message *raw, struct arena *arena,
                 struct intake_receipt *receipt)
{
    struct trip *t = mem_zalloc(sizeof *t);
    t->trips = all;
    t->parts = all->parts;
    t->arena = *arena;
    t->raw = *raw;
    t->begun_us = clock_mono_us();
    list_init(&t->receipts);
    list_append(&t->receipts, &receipt->link);
    list_init(&t->link);
    list_append(&all->all, &t->link);
    all->count++;
    t->job_event.poison_hash = poison_hash(&t->raw);
    if (shared_is_poison(t->job_event.poison_hash)) {
        reject_raw(t, REASON_KILLED_WORKER, "handling it ended three worker processes");
        return;
    }
    switch (decode(t)) {
    case DECODE_EVENT:
        if (t->decoded.has_canvas)
            LOG(LOG_WARN, "canvas_ignored", LOG_TEXT("id", t->decoded.event.id),
                LOG_TEXT("advice", "callbacks, chains and chords of this task are not followed"));
        begin_event(t);
        break;
    case DECODE_EXPAND:
        reject_raw(t, REASON_UNKNOWN_TASK, "this version does not expand a scan's findings; it is kept here");
        break;
    case DECODE_REJECT:
        reject_raw(t, t->decoded.reason, t->decoded.detail);
        break;
    }
}

struct trips *trips_new(struct parts *parts)
{
    struct trips *t = mem_zalloc(sizeof *t);
    t->parts = parts;
    list_init(&t->all);
    table_init(&t->by_key);
    return t;
}

void trips_free(struct trips *all)
{
    struct list *at;
    if (!all)
        return;
    while (!list_is_empty(&all->all)) {
        struct trip *t = list_entry(all->all.next, struct trip, link);
        while ((at = list_shift(&t->receipts)))
            intake_drop(t->parts->intake, list_entry(at, struct intake_receipt, link));
        free_trip(t);
    }
    table_free(&all->by_key);
    free(all);
}

size_t trips_count(const struct trips *t)
{
    return t->count;
}

void trips_hand_back(struct trips *all, int64_t max_us)
{
    struct list *at, *next, *receipt;
    int64_t now = clock_mono_us();
    size_t count = 0;
    list_for_each_safe (at, next, &all->all) {
        struct trip *t = list_entry(at, struct trip, link);
        if (!t->looking_up || now - t->begun_us < max_us || !lookups_withdraw(t->parts->lookups, &t->lookup))
            continue;
        while ((receipt = list_shift(&t->receipts)))
            intake_requeue(t->parts->intake, list_entry(receipt, struct intake_receipt, link));
        free_trip(t);
        count++;
    }
    if (count)
        LOG(LOG_WARN, "messages_handed_back", LOG_NUM("count", count),
            LOG_TEXT("why", "the database is away"));
}
