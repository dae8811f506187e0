/*
 * hours - what became of deliveries, by integration and hour, for people
 *
 * Owns a note for each integration that something became of since its last one was written. Once in gate.report the oldest of
 * them go, in one statement that adds them to the rows of their hours, and to those of their workspaces: what it costs depends
 * on the time, and on how many integrations there are, never on how many deliveries.
 *
 *   - Figures, not a ledger: a worker that is killed takes its last seconds with it, and a statement whose answer is lost with
 *     the link is sent again and may count twice. An event never waits for it.
 *   - The hour is that in which the note began, by the database's clock: up to gate.report before the last of what is in it,
 *     longer where more integrations are noted than go at a time.
 *   - A role with the rights of an earlier version may not write them, and a statement that it may not execute would end the link,
 *     which others need. So the right is asked for after each connect, and while it is missing nothing is counted.
 */
#include "worker/hours.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/table.h"
#include "common/db/pg_advice.h"
#include "worker/pg_batch.h"

enum {
    BATCH_MAX = 500,     /* notes of one statement: some five milliseconds of the database */
    FINISH_US = 2000000, /* that a worker which ends waits for its last figures */
};

#define SQLSTATE_MISSING_RIGHT "42501"

struct hours_note {
    struct pg_batch_item item;
    struct table_entry by_integration; /* while it is counted in */
    struct list link;
    struct uuid integration;
    struct uuid workspace;
    int64_t since_us; /* monotonic; the first of what is in it */
    int32_t counts[HOURS_COUNTS];
};

struct hours {
    struct pg_link *link;
    struct pg_batch *batch;
    struct pg_request asking;
    struct event *tick;
    struct table notes; /* that are counted in */
    struct list open;   /* the same, the oldest first */
    struct list sent;   /* that the batch has */
    size_t sent_count;
    bool is_asking;
    bool may;  /* the role may write them, as it said on this connection */
    bool bars; /* it said that it may not */
    bool said_not;
    int64_t finish_until_us; /* 0: the worker does not end */
};

static struct hours_note *note_of(struct pg_batch_item *item)
{
    return list_entry(item, struct hours_note, item);
}

/* ---- counting ---- */

static uint64_t hash_of(const struct uuid *integration)
{
    return hash_bytes(integration->bytes, sizeof integration->bytes);
}

static struct hours_note *find(const struct hours *h, const struct uuid *integration, uint64_t hash)
{
    for (struct table_entry *at = table_first(&h->notes, hash); at; at = table_next(at)) {
        struct hours_note *note = list_entry(at, struct hours_note, by_integration);
        if (uuid_equal(&note->integration, integration))
            return note;
    }
    return NULL;
}

static struct hours_note *begin_note(struct hours *h, const struct uuid *integration,
                                     const struct uuid *workspace, uint64_t hash)
{
    struct hours_note *note = mem_zalloc(sizeof *note);
    note->integration = *integration;
    note->workspace = *workspace;
    note->since_us = clock_mono_us();
    list_init(&note->link);
    list_append(&h->open, &note->link);
    table_insert(&h->notes, &note->by_integration, hash);
    return note;
}

void hours_count(struct hours *h, const struct uuid *integration, const struct uuid *workspace,
                 enum hours_what what)
{
    if (h->bars)
        return;
    uint64_t hash = hash_of(integration);
    struct hours_note *note = find(h, integration, hash);
    if (!note)
        note = begin_note(h, integration, workspace, hash);
    if (note->counts[what] < INT32_MAX)
        note->counts[what]++;
}

static void forget_open(struct hours *h)
{
    struct list *at;
    while ((at = list_shift(&h->open))) {
        struct hours_note *note = list_entry(at, struct hours_note, link);
        table_remove(&h->notes, &note->by_integration);
        free(note);
    }
}

/* ---- writing ---- */

static void send_notes(void *owner, struct pg_batch_item **items, size_t count)
{
    struct hours *h = owner;
    int64_t now = clock_mono_us();
    struct pg_array *columns = pg_batch_columns(h->batch, STATEMENT_HOURS);
    for (size_t i = 0; i < count; i++) {
        const struct hours_note *note = note_of(items[i]);
        struct pg_array *c = columns;
        pg_array_add_uuid(c++, &note->integration);
        pg_array_add_uuid(c++, &note->workspace);
        pg_array_add_float8(c++, (double)(now - note->since_us) / 1e6);
        for (int what = 0; what < HOURS_COUNTS; what++)
            pg_array_add_int4(c++, note->counts[what]);
    }
    pg_batch_execute(h->batch);
}

static void drop(struct hours *h, struct pg_batch_item *item)
{
    h->sent_count--;
    list_remove(&note_of(item)->link);
    free(note_of(item));
}

static void on_done(void *owner, struct pg_batch_item **items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        drop(owner, items[i]);
}

static void on_refused(void *owner, struct pg_batch_item *item, const struct pg_request *why)
{
    LOG(LOG_ERROR, "hours_refused", LOG_TEXT("sqlstate", why->sqlstate), LOG_TEXT("words", why->words));
    drop(owner, item);
}

/* The oldest of them, MOST at a time under way. */
static void send_some(struct hours *h, size_t most)
{
    while (h->sent_count < most && !list_is_empty(&h->open)) {
        struct hours_note *note = list_entry(list_shift(&h->open), struct hours_note, link);
        table_remove(&h->notes, &note->by_integration);
        list_append(&h->sent, &note->link);
        h->sent_count++;
        pg_batch_add(h->batch, &note->item);
    }
}

/* ---- the right to ---- */

static void on_allowed(struct pg_request *request, int index, const PGresult *rows)
{
    struct hours *h = list_entry(request, struct hours, asking);
    (void)index;
    h->may = *PQgetvalue(rows, 0, 0) == 't';
}

static void on_answer(struct pg_request *request)
{
    struct hours *h = list_entry(request, struct hours, asking);
    h->is_asking = false;
    if (request->outcome != PG_DONE) {
        h->may = false;
        return;
    }
    h->bars = !h->may;
    if (h->bars && !h->said_not)
        LOG(LOG_WARN, "hours_not_counted",
            LOG_TEXT("reason", "the right to write notify.stats_hourly is missing"),
            LOG_TEXT("advice", pg_advice(SQLSTATE_MISSING_RIGHT)));
    h->said_not = h->bars;
    if (h->may)
        pg_batch_resume(h->batch);
    else
        forget_open(h);
}

static void ask(struct hours *h)
{
    const char *values[] = {"{notify.stats_hourly,notify.stats_hourly,notify.stats_hourly}",
                            "{SELECT,INSERT,UPDATE}"};
    if (h->is_asking || !pg_link_is_up(h->link))
        return;
    h->is_asking = true;
    h->may = false;
    h->asking = (struct pg_request){.result = on_allowed, .done = on_answer};
    pg_link_begin(h->link, &h->asking);
    pg_link_execute(h->link, &h->asking, STATEMENT_HOURS_MAY, 2, values, NULL, NULL);
    pg_link_end(h->link, &h->asking);
}

/* ---- ---- */

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct hours *h = arg;
    (void)fd;
    (void)what;
    if (h->may)
        send_some(h, BATCH_MAX);
    else
        ask(h);
}

bool hours_finish(struct hours *h)
{
    int64_t now = clock_mono_us();
    if (!h->finish_until_us)
        h->finish_until_us = now + FINISH_US;
    if (!h->may || !pg_link_is_up(h->link) || now >= h->finish_until_us)
        return true;
    send_some(h, SIZE_MAX);
    return h->sent_count == 0;
}

struct hours *hours_new(struct event_base *base, struct pg_link *link, const struct conf *conf)
{
    static const struct pg_batch_calls calls = {send_notes, NULL, on_done, on_refused};
    static const struct pg_batch_settings settings = {
        .batch = BATCH_HOURS,
        .most = BATCH_MAX,
    };
    struct hours *h = mem_zalloc(sizeof *h);
    struct timeval every = clock_timeval(conf->gate_report);
    h->link = link;
    table_init(&h->notes);
    list_init(&h->open);
    list_init(&h->sent);
    h->batch = pg_batch_new(base, link, &settings, &calls, h);
    h->tick = event_new(base, -1, EV_PERSIST, on_tick, h);
    event_add(h->tick, &every);
    return h;
}

void hours_free(struct hours *h)
{
    struct list *at;
    if (!h)
        return;
    event_free(h->tick);
    pg_batch_free(h->batch);
    forget_open(h);
    while ((at = list_shift(&h->sent)))
        free(list_entry(at, struct hours_note, link));
    table_free(&h->notes);
    free(h);
}

void hours_resume(struct hours *h)
{
    h->may = false;
    ask(h);
}
