/*
 * trip - one message from the broker to its acknowledgement
 *
 *   decode -> look up -> judge by the ledger's memory -> rules -> match -> jobs -> acknowledge
 *
 * Begins and settles; judge.c decides what lies between. Owns the messages in hand, each with its arena, found by
 * event id (and integration, for a retry). Invariants:
 *   - a message is acknowledged when everything that it stands for is committed and everything that follows is
 *     confirmed: when `open` (jobs, the event's own row, the event's own publish) has fallen to zero;
 *   - copies of a message that is in hand join it and are acknowledged with it;
 *   - an event that another worker of this host has in hand is sent round the ladder for a moment, so that two
 *     copies published at once do not become two deliveries;
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
#include "worker/shared.h"
#include "worker/topology.h"
#include "worker/trip_parts.h"

enum { TWIN_DELAY_S = 2, WOKEN_ARENA_BLOCK = 4096 };

struct trips {
    struct parts *parts;
    struct list all;
    struct table by_key;
    size_t count;
};

static const char *const state_names[] = {"new",     "looking up", "waiting for rules",
                                          "working", "leaving",    "settled"};

/* Which states may follow: a bit per state. */
static const unsigned may_follow[] = {
    [TRIP_NEW] = 1u << TRIP_LOOKING_UP | 1u << TRIP_LEAVING | 1u << TRIP_SETTLED,
    [TRIP_LOOKING_UP] = 1u << TRIP_WORKING | 1u << TRIP_SETTLED,
    [TRIP_WAITING_RULES] = 1u << TRIP_WORKING | 1u << TRIP_SETTLED,
    [TRIP_WORKING] = 1u << TRIP_WAITING_RULES | 1u << TRIP_LEAVING | 1u << TRIP_SETTLED,
    [TRIP_LEAVING] = 1u << TRIP_SETTLED,
    [TRIP_SETTLED] = 0,
};

static bool may_be_joined(enum trip_state state)
{
    return state == TRIP_LOOKING_UP || state == TRIP_WAITING_RULES || state == TRIP_WORKING;
}

void trip_move(struct trip *t, enum trip_state to, const char *why)
{
    check(may_follow[t->state] & 1u << to);
    LOG(LOG_DEBUG, "trip", LOG_EVENT(&t->decoded.event), LOG_TEXT("from", state_names[t->state]),
        LOG_TEXT("to", state_names[to]), LOG_TEXT("why", why));
    if (may_be_joined(t->state) && !may_be_joined(to))
        table_remove(&t->trips->by_key, &t->by_key);
    if (!may_be_joined(t->state) && may_be_joined(to))
        table_insert(&t->trips->by_key, &t->by_key, t->event_hash);
    t->state = to;
}

static void free_trip(struct trip *t, const char *why)
{
    trip_move(t, TRIP_SETTLED, why);
    if (t->taken)
        shared_event_release(t->event_hash);
    expansion_drop(&t->expansion);
    if (t->rules)
        rules_release(t->parts->rules, t->rules);
    for (int i = 0; i < TRIP_DESTINATIONS_MAX; i++)
        if (t->bodies[i])
            dest_body_cache_free(t->bodies[i]);
    struct trip_waker *waker = t->waker;
    struct bundle *missed = t->job_event.bundle;
    bool stays = t->job_event.stays;
    list_remove(&t->link);
    t->trips->count--;
    arena_free(&t->arena);
    free(t);
    if (missed)
        bundle_miss(missed);
    if (waker)
        waker->through(waker, stays);
}

/* Everything is committed and confirmed: tell the broker, for every copy. */
static void settle(struct trip *t)
{
    struct list *at;
    fault_here(FAULT_ACK, t->decoded.event.id);
    while ((at = list_shift(&t->receipts)))
        intake_ack(t->parts->intake, list_entry(at, struct intake_receipt, link));
    free_trip(t, "acknowledged");
}

void trip_close_one(struct trip *t)
{
    check(t->open > 0);
    if (--t->open > 0)
        return;
    if (t->ledger_event.rows_refused && !t->end_written)
        trip_end_with_refused_rows(t);
    else
        settle(t);
}

static void on_job_done(struct job_event *je)
{
    trip_close_one(list_entry(je, struct trip, job_event));
}

static struct dest_body_cache *body_cache(struct job_event *je, const struct dest *dest)
{
    struct trip *t = list_entry(je, struct trip, job_event);
    size_t i = 0;
    while (dest_all[i] != dest)
        i++;
    check(i < TRIP_DESTINATIONS_MAX);
    if (!t->bodies[i]) {
        t->bodies[i] = arena_alloc(&t->arena, sizeof *t->bodies[i]);
        dest_body_cache_init(t->bodies[i], (size_t)t->parts->conf->delivery_max_request);
    }
    return t->bodies[i];
}

static void look_up(struct trip *t)
{
    struct lookup *q = &t->lookup;
    const struct event *e = &t->decoded.event;
    q->arena = &t->arena;
    q->event_id = e->id;
    q->about = e;
    q->scan_id = e->scan_id;
    q->has_finding = e->has_finding;
    q->finding_id = e->finding_id;
    q->answered = judge_looked_up;
    lookups_ask(t->parts->lookups, q);
}

static bool same_key(const struct trip *a, const struct trip *b)
{
    if (strcmp(a->decoded.event.id, b->decoded.event.id) != 0 ||
        a->decoded.has_integration != b->decoded.has_integration)
        return false;
    /* A retry is one attempt: the next one must not end with an old copy of the one before. */
    return !a->decoded.has_integration || (uuid_equal(&a->decoded.integration, &b->decoded.integration) &&
                                           a->decoded.attempt == b->decoded.attempt);
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
    first->decoded.redelivered |= t->decoded.redelivered; /* what its rows are owed follows */
    t->job_event.stays =
        true; /* as far as its waker is concerned: to take it out again would only join it again */
    list_splice(&first->receipts, &t->receipts);
    free_trip(t, "joined its copy in hand");
}

/* It comes of an expanded scan. */
static bool is_crowded(const struct trip *t)
{
    return t->raw.from_own_queue && t->raw.queue && !t->decoded.has_integration &&
           (strcmp(t->raw.queue, TOPOLOGY_URGENT) == 0 || strcmp(t->raw.queue, TOPOLOGY_BULK) == 0);
}

/* What a producer says of its clock is believed within reason: a sum is no place for a message of the year 1. */
static void note_times(struct trip *t)
{
    const int64_t oldest_us = 30 * INT64_C(86400000000);
    struct job_event *e = &t->job_event;
    const struct decoded *d = &t->decoded;
    int64_t seen = d->event.first_seen_us, sent = t->raw.sent_us;
    e->due_us = d->has_eta && d->eta_us > seen ? d->eta_us : seen;
    e->sent_us = sent && sent <= seen && seen - sent < oldest_us && e->due_us == seen ? sent : e->due_us;
}

static void begin_event(struct trip *t)
{
    struct event *e = &t->decoded.event;
    t->event_hash = key_hash(&t->decoded);
    struct trip *first = find_same(t->trips, t, t->event_hash);
    t->job_event = (struct job_event){
        .parts = t->parts,
        .arena = &t->arena,
        .event = e,
        .facts = &t->lookup.facts,
        .ledger_event = &t->ledger_event,
        .queue = t->decoded.origin_queue ? t->decoded.origin_queue : t->raw.queue,
        .from_mailbox = t->waker != NULL,
        .crowded = is_crowded(t),
        .bundle = t->job_event.bundle,
        .body_cache = body_cache,
        .job_done = on_job_done,
    };
    note_times(t);
    t->ledger_event.event = e;
    t->ledger_event.queue = t->job_event.queue;
    if (first && memcmp(first->decoded.event.content_hash, e->content_hash, SHA256_SIZE) == 0) {
        join(t, first);
        return;
    }
    if (first) {
        trip_end_without_row(t, REASON_ID_REUSED, "an event with this id and other content is in hand");
        return;
    }
    if (!t->decoded.has_integration) {
        t->taken = shared_event_take(t->event_hash);
        if (!t->taken) {
            trip_make_ladder_message(t, t->decoded.attempt, TWIN_DELAY_S);
            trip_publish(t);
            return;
        }
    }
    trip_move(t, TRIP_LOOKING_UP, "decoded");
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
    shared_handling(t->poison_hash);
    fault_here(FAULT_DECODE, t->raw.body);
    enum decode_result result =
        decode_message(t->parts->conf, &t->arena, &t->raw, clock_wall_us(), &t->decoded);
    shared_handled();
    return result;
}

static struct trip *new_trip(struct trips *all)
{
    struct trip *t = mem_zalloc(sizeof *t);
    t->trips = all;
    t->parts = all->parts;
    t->begun_us = clock_mono_us();
    list_init(&t->receipts);
    list_init(&t->link);
    list_append(&all->all, &t->link);
    all->count++;
    return t;
}

void trips_begin_woken(struct trips *all, const struct trip_woken *woken, struct trip_waker *waker)
{
    const struct event *event = woken->event;
    struct trip *t = new_trip(all);
    struct decoded *d = &t->decoded;
    arena_init(&t->arena, WOKEN_ARENA_BLOCK);
    t->waker = waker;
    t->raw.from_own_queue = true;
    d->event = *event;
    d->event.id = arena_strdup(&t->arena, event->id);
    d->event.change_summary = arena_strdup(&t->arena, event->change_summary);
    d->event.error = arena_strdup(&t->arena, event->error);
    d->event.trace.state = arena_strdup(&t->arena, event->trace.state);
    event_hash_content(&d->event);
    d->origin_queue = arena_strdup(&t->arena, woken->queue);
    d->has_integration = true;
    d->integration = *woken->integration;
    d->attempt = woken->attempt;
    t->job_event.bundle = woken->bundle;
    begin_event(t);
}

void trips_begin(struct trips *all, struct raw_message *raw, struct arena *arena,
                 struct intake_receipt *receipt)
{
    struct trip *t = new_trip(all);
    t->arena = *arena;
    t->raw = *raw;
    list_append(&t->receipts, &receipt->link);
    t->poison_hash = poison_hash(&t->raw);
    if (shared_is_poison(t->poison_hash)) {
        trip_reject_raw(t, REASON_KILLED_WORKER, "reading it ended three worker processes");
        return;
    }
    switch (decode(t)) {
    case DECODE_EVENT:
        if (t->decoded.has_canvas)
            LOG(LOG_WARN, "canvas_ignored", LOG_EVENT(&t->decoded.event),
                LOG_TEXT("advice", "callbacks, chains and chords of this task are not followed"));
        begin_event(t);
        break;
    case DECODE_REJECT:
        trip_reject_raw(t, t->decoded.reason, t->decoded.detail);
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
        t->waker = NULL;
        t->job_event.bundle = NULL;
        free_trip(t, "the worker ends");
    }
    table_free(&all->by_key);
    free(all);
}

size_t trips_count(const struct trips *t)
{
    return t->count;
}

/* Forget what a trip that is not begun waits for; false when it is begun, or the answer is on its way. */
static bool withdraw(struct trip *t)
{
    if (t->state == TRIP_LOOKING_UP)
        return lookups_withdraw(t->parts->lookups, &t->lookup);
    if (t->state == TRIP_WAITING_RULES)
        return rules_withdraw(t->parts->rules, &t->rules_wait);
    return false;
}

void trips_hand_back(struct trips *all, int64_t max_us)
{
    struct list *at, *next, *receipt;
    int64_t now = clock_mono_us();
    size_t count = 0;
    list_for_each_safe (at, next, &all->all) {
        struct trip *t = list_entry(at, struct trip, link);
        if (now - t->begun_us < max_us || !withdraw(t))
            continue;
        while ((receipt = list_shift(&t->receipts)))
            intake_requeue(t->parts->intake, list_entry(receipt, struct intake_receipt, link));
        t->job_event.stays = true;
        free_trip(t, "handed back");
        count++;
    }
    if (count)
        LOG(LOG_WARN, "messages_handed_back", LOG_NUM("count", count),
            LOG_TEXT("why", "the database is away"));
}
