/*
 * pg_batch - many items in few requests, and the search for the one that spoils a request
 *
 * Owns the items that wait and the one request under way. A lone item leaves at the end of the turn of the loop in
 * which it came; while a request is under way, items gather for the next. So requests are as large as the load
 * makes them, and nobody waits for one to fill. Invariants:
 *   - an item is reported once: when its request took effect, or when it was refused standing alone;
 *   - a request that fails is repeated, in order and before all that came later: after a lost link nobody knows
 *     whether it took effect, so whatever is sent must bear it;
 *   - a request that fails because of one of its items is halved until the culprit stands alone: refused for a
 *     value, it is the owner's to judge; behind somebody else's lock, it waits aside, and the others go on;
 *   - nothing is sent twice without a pause or fewer items than before.
 *
 * Knows neither what the items are nor what the statements mean.
 */
#include "worker/pg_batch.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "worker/pg_columns.h"
#include "worker/shared.h"

enum {
    AGAIN_MS = 250, /* pause after a failure of the server's: a deadlock, a full disk */
    ASIDE_S = 1     /* pause of an item that was set aside */
};

struct pg_batch {
    struct pg_link *link;
    struct pg_batch_settings settings;
    const struct pg_batch_calls *calls;
    void *owner;
    struct list waiting;
    size_t waiting_count;
    size_t urgent_count; /* of those */
    struct list aside;   /* until `back` */
    struct pg_batch_item **items;
    size_t count;    /* of the request under way; 0: there is none */
    size_t suspects; /* so many at the front failed together: one of them is the culprit */
    struct pg_request request;
    enum statement order[STATEMENT_COUNT]; /* of its statements */
    struct pg_columns columns;
    int64_t sent_us; /* monotonic; when the last request left */
    struct event *send;
    struct event *again;
    struct event *linger;
    struct event *back;
};

#define BATCH_NAME(e, w, h) w,
static const char *const names[] = {BATCH_LIST(BATCH_NAME)};

static void enter(struct pg_batch *b, struct pg_batch_item *item, bool first)
{
    item->place = PG_BATCH_WAITING;
    b->waiting_count++;
    b->urgent_count += item->urgent;
    if (first)
        list_prepend(&b->waiting, &item->link);
    else
        list_append(&b->waiting, &item->link);
}

static void leave(struct pg_batch *b, struct pg_batch_item *item)
{
    list_remove(&item->link);
    item->place = PG_BATCH_OUT;
    b->waiting_count--;
    b->urgent_count -= item->urgent;
}

/* While a culprit is looked for, half of those among whom it is; else as many as a request takes. */
static size_t most_of_next(const struct pg_batch *b)
{
    return b->suspects > 0 ? (b->suspects + 1) / 2 : b->settings.most;
}

/*
 * At once after a pause, when somebody waits to begin, or when there is enough; else `linger` after the last
 * request left. Under load that makes one request of all that comes meanwhile. A time that runs when an urgent one
 * leaves earlier is not prolonged: to begin it anew saved no work that could be measured.
 */
static void send_soon(struct pg_batch *b)
{
    int64_t left = b->sent_us + clock_us(b->settings.linger) - clock_mono_us();
    if (list_is_empty(&b->waiting) || b->count > 0)
        return;
    if (left <= 0 || b->urgent_count > 0 || b->waiting_count >= b->settings.enough ||
        b->waiting_count >= most_of_next(b))
        event_active(b->send, EV_TIMEOUT, 1);
    else if (!event_pending(b->linger, EV_TIMEOUT, NULL))
        event_add(b->linger, &(struct timeval){left / 1000000, (suseconds_t)(left % 1000000)});
}

static void gather(struct pg_batch *b)
{
    size_t most = most_of_next(b);
    while (b->count < most && !list_is_empty(&b->waiting)) {
        struct pg_batch_item *item = list_entry(b->waiting.next, struct pg_batch_item, link);
        if (item->alone && b->count > 0)
            return;
        leave(b, item);
        item->place = PG_BATCH_SENT;
        b->items[b->count++] = item;
        if (item->alone)
            return;
    }
}

static void on_send(evutil_socket_t fd, short what, void *arg)
{
    struct pg_batch *b = arg;
    (void)fd;
    (void)what;
    if (b->count > 0 || list_is_empty(&b->waiting) || !pg_link_is_up(b->link) ||
        event_pending(b->again, EV_TIMEOUT, NULL))
        return;
    gather(b);
    b->sent_us = clock_mono_us();
    shared_count_cell(COUNT_STATEMENTS, b->settings.batch);
    shared_note_items(COUNT_BATCH_ITEMS, b->settings.batch, b->count);
    pg_link_begin(b->link, &b->request);
    b->calls->send(b->owner, b->items, b->count);
    pg_link_end(b->link, &b->request);
}

struct pg_array *pg_batch_columns(struct pg_batch *b, enum statement statement)
{
    return pg_columns_start(&b->columns, statement);
}

void pg_batch_execute(struct pg_batch *b)
{
    check(b->request.statements < STATEMENT_COUNT);
    b->order[b->request.statements] = b->columns.statement;
    pg_columns_execute(&b->columns, b->link, &b->request);
}

static void on_result(struct pg_request *request, int index, const PGresult *result)
{
    struct pg_batch *b = list_entry(request, struct pg_batch, request);
    if (b->calls->result)
        b->calls->result(b->owner, b->order[index], result, b->items, b->count);
}

/* Back to the front, in order. */
static void put_back(struct pg_batch *b)
{
    while (b->count > 0)
        enter(b, b->items[--b->count], true);
}

/* The request is decided: its items are the owner's again, and no suspects any more. */
static size_t give_back(struct pg_batch *b)
{
    size_t count = b->count;
    for (size_t i = 0; i < count; i++)
        b->items[i]->place = PG_BATCH_OUT;
    b->suspects -= count < b->suspects ? count : b->suspects;
    b->count = 0;
    return count;
}

void pg_batch_put_aside(struct pg_batch *b, struct pg_batch_item *item)
{
    check(item->place == PG_BATCH_OUT);
    item->place = PG_BATCH_ASIDE;
    item->alone = true;
    list_append(&b->aside, &item->link);
    if (!event_pending(b->back, EV_TIMEOUT, NULL))
        event_add(b->back, &(struct timeval){ASIDE_S, 0});
}

/* Those who were set aside go to the end of the line. */
static void on_back(evutil_socket_t fd, short what, void *arg)
{
    struct pg_batch *b = arg;
    struct list *at;
    (void)fd;
    (void)what;
    while ((at = list_shift(&b->aside)))
        enter(b, list_entry(at, struct pg_batch_item, link), false);
    send_soon(b);
}

/* Lock or statement timeout: somebody else holds a row, which one nobody says. */
static bool is_locked(const struct pg_request *r)
{
    return r->outcome == PG_TRY_AGAIN &&
           (strcmp(r->sqlstate, "55P03") == 0 || strcmp(r->sqlstate, "57014") == 0);
}

static void on_failed(struct pg_batch *b)
{
    const struct pg_request *r = &b->request;
    bool refused = r->outcome == PG_BAD_DATA;
    if (!refused || b->count > 1)
        LOG(LOG_WARN, refused ? "batch_refused" : "batch_again", LOG_TEXT("batch", names[b->settings.batch]),
            LOG_NUM("items", b->count), LOG_TEXT("sqlstate", r->sqlstate), LOG_TEXT("words", r->words));
    if (!refused && !is_locked(r)) {
        put_back(b);
        event_add(b->again, &(struct timeval){0, AGAIN_MS * 1000});
    } else if (b->count > 1) {
        if (refused)
            shared_count_cell(COUNT_SPLITS, b->settings.batch);
        b->suspects = b->count;
        put_back(b);
    } else {
        give_back(b);
        if (refused)
            b->calls->refused(b->owner, b->items[0], r);
        else
            pg_batch_put_aside(b, b->items[0]);
    }
}

static void on_done(struct pg_request *request)
{
    struct pg_batch *b = list_entry(request, struct pg_batch, request);
    if (request->outcome != PG_LINK_LOST)
        shared_note_us(COUNT_BATCH_TIME, b->settings.batch, clock_mono_us() - b->sent_us);
    switch (request->outcome) {
    case PG_DONE:
        b->calls->done(b->owner, b->items, give_back(b));
        break;
    case PG_BAD_DATA:
    case PG_TRY_AGAIN:
        on_failed(b);
        break;
    case PG_LINK_LOST:
        put_back(b); /* until pg_batch_resume */
        return;
    }
    send_soon(b);
}

struct pg_batch *pg_batch_new(struct event_base *base, struct pg_link *link,
                              const struct pg_batch_settings *settings, const struct pg_batch_calls *calls,
                              void *owner)
{
    struct pg_batch *b = mem_zalloc(sizeof *b);
    b->link = link;
    b->settings = *settings;
    b->calls = calls;
    b->owner = owner;
    list_init(&b->waiting);
    list_init(&b->aside);
    b->items = mem_zalloc(settings->most * sizeof(struct pg_batch_item *));
    b->request.result = on_result;
    b->request.done = on_done;
    pg_columns_init(&b->columns);
    b->send = event_new(base, -1, 0, on_send, b);
    b->again = event_new(base, -1, 0, on_send, b);
    b->linger = event_new(base, -1, 0, on_send, b);
    b->back = event_new(base, -1, 0, on_back, b);
    return b;
}

void pg_batch_free(struct pg_batch *b)
{
    if (!b)
        return;
    event_free(b->send);
    event_free(b->again);
    event_free(b->linger);
    event_free(b->back);
    pg_columns_free(&b->columns);
    free(b->items);
    free(b);
}

void pg_batch_add(struct pg_batch *b, struct pg_batch_item *item)
{
    item->alone = false;
    enter(b, item, false);
    send_soon(b);
}

bool pg_batch_withdraw(struct pg_batch *b, struct pg_batch_item *item)
{
    if (item->place == PG_BATCH_WAITING) {
        leave(b, item);
    } else if (item->place == PG_BATCH_ASIDE) {
        list_remove(&item->link);
        item->place = PG_BATCH_OUT;
    } else {
        return false;
    }
    return true;
}

void pg_batch_resume(struct pg_batch *b)
{
    event_active(b->send, EV_TIMEOUT, 1);
}
