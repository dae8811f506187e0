/*
 * ledger - writes events and deliveries, many rows per transaction
 *
 * Owns the writes that wait and the one batch under way. A batch is one transaction: events, first rows,
 * takes, outcomes, ends, failed attempts, each sorted by key. Invariants:
 *   - an event's row is `done` only in or after the transaction that holds the last of its delivery rows;
 *   - a write is reported only after its commit, or when the database refused it standing alone;
 *   - every statement may be repeated: after a lost link nobody knows whether the batch took effect.
 *
 * A batch that fails because of a value, or because somebody else holds a lock, is split in halves until the
 * culprit stands alone; a refused row is reported, a locked one waits aside. A batch leaves at
 * the end of a turn of the loop; while one is under way, writes gather. Knows neither messages nor HTTP.
 */
#include "worker/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "worker/pg_columns.h"
#include "worker/shared.h"

enum {
    AGAIN_MS = 250,
    LOCKED_S = 1,    /* pause of a row that somebody else holds a lock on */
    LINGER_PARTS = 8 /* of the prefetch: when one waits here, no lingering, or the broker ran dry */
};

struct ledger {
    struct pg_link *link;
    const struct conf *conf;
    const char *owner;
    struct list waiting;
    size_t waiting_count;
    size_t takes_waiting;        /* somebody waits for them to begin */
    struct list locked;          /* their rows are locked by somebody else; they wait for `unlock` */
    struct ledger_write **batch; /* sorted by key */
    size_t batch_count;
    unsigned long batch_number;
    size_t suspects;            /* so many at the front failed together: one of them is the culprit */
    int order[STATEMENT_COUNT]; /* of the request under way: which statement came at which place */
    struct pg_request request;
    bool under_way;
    struct event *send_event;
    struct event *again;
    struct event *linger;
    struct event *unlock;
    int64_t sent_us; /* monotonic; when the last batch left */
    struct pg_columns columns;
};

static void send_batch(struct ledger *l);

static void on_send(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    send_batch(arg);
}

/* While a culprit is looked for, half of those among whom it is; else as many as a batch takes. */
static size_t most_of_next(const struct ledger *l)
{
    if (l->suspects > 0)
        return (l->suspects + 1) / 2;
    return (size_t)l->conf->database_batch;
}

/*
 * At once after a pause, when somebody waits to begin (a take), or when there is enough; else database.linger
 * after the last batch left. Under load that makes one batch of all that is settled meanwhile; it delays
 * acknowledgements, never a delivery.
 */
static void send_soon(struct ledger *l)
{
    int64_t left = l->sent_us + clock_us(l->conf->database_linger) - clock_mono_us();
    size_t enough = (size_t)l->conf->broker_prefetch / LINGER_PARTS;
    if (l->takes_waiting > 0 || left <= 0 || l->waiting_count >= most_of_next(l) ||
        l->waiting_count >= enough)
        event_active(l->send_event, EV_TIMEOUT, 1);
    else if (!event_pending(l->linger, EV_TIMEOUT, NULL))
        event_add(l->linger, &(struct timeval){left / 1000000, (suseconds_t)(left % 1000000)});
}

static void count_waiting(struct ledger *l, const struct ledger_write *w, bool more)
{
    size_t take = w->kind == LEDGER_TAKE;
    l->waiting_count += more ? 1 : (size_t)-1;
    l->takes_waiting += more ? take : (size_t)0 - take;
}

/* Those whose rows were locked go to the end of the line. */
static void on_unlock(evutil_socket_t fd, short what, void *arg)
{
    struct ledger *l = arg;
    struct list *at;
    (void)fd;
    (void)what;
    while ((at = list_shift(&l->locked))) {
        count_waiting(l, list_entry(at, struct ledger_write, link), true);
        list_append(&l->waiting, at);
    }
    if (!l->under_way)
        send_soon(l);
}

static int compare(const void *a, const void *b)
{
    const struct ledger_write *x = *(struct ledger_write *const *)a, *y = *(struct ledger_write *const *)b;
    int order = strcmp(x->event_id, y->event_id);
    return order ? order : memcmp(x->integration.bytes, y->integration.bytes, sizeof x->integration.bytes);
}

static void execute(struct ledger *l)
{
    l->order[l->request.statements] = (int)l->columns.statement;
    pg_columns_execute(&l->columns, l->link, &l->request);
}

static void add_optional_int(struct pg_array *a, long value)
{
    if (value)
        pg_array_add_int4(a, (int32_t)value);
    else
        pg_array_add_null(a);
}

static void add_seconds(struct pg_array *a, double seconds)
{
    if (seconds >= 0)
        pg_array_add_float8(a, seconds);
    else
        pg_array_add_null(a);
}

static void add_event(struct pg_array *columns, const struct ledger_event *e)
{
    const struct event *v = e->event;
    bool whole = e->rows_committed + e->rows_in_batch >= e->rows_total;
    struct pg_array *c = columns;
    pg_array_add_text(c++, v->id);
    pg_array_add_bytes(c++, v->content_hash, sizeof v->content_hash);
    pg_array_add_uuid(c++, e->has_workspace ? &e->workspace_id : NULL);
    pg_array_add_uuid(c++, &v->scan_id);
    pg_array_add_text(c++, event_type_name(v->type));
    pg_array_add_uuid(c++, v->has_finding ? &v->finding_id : NULL);
    pg_array_add_text(c++, v->change_summary);
    pg_array_add_text(c++, v->error);
    pg_array_add_text(c++, e->queue);
    pg_array_add_text(c++, event_state_name(whole ? e->state : EVENT_STATE_OPEN));
    pg_array_add_text(c++, e->reason == REASON_NONE ? NULL : reason_name(e->reason));
    pg_array_add_time(c++, v->first_seen_us);
    if (e->scheduled_us)
        pg_array_add_time(c++, e->scheduled_us);
    else
        pg_array_add_null(c++);
    pg_array_add_int4(c++, e->considered);
    pg_array_add_int4(c++, e->matched);
    for (int stage = MATCH_DISABLED; stage < MATCH_COUNT; stage++)
        pg_array_add_int4(c++, e->filtered[stage]);
    check(c == columns + EVENTS_OF_EVENT);
}

/* Which event goes with this batch, and with how many of its rows. */
static void count_rows(struct ledger *l)
{
    l->batch_number++;
    for (size_t i = 0; i < l->batch_count; i++) {
        struct ledger_event *e = l->batch[i]->event;
        if (!e)
            continue;
        if (e->in_batch != l->batch_number)
            e->rows_in_batch = 0;
        e->in_batch = l->batch_number;
        e->rows_in_batch += l->batch[i]->kind == LEDGER_ROW;
    }
}

/* How an attempt ended: reason, error, detail, status, response, duration. Returns the column behind them. */
static struct pg_array *add_end(struct pg_array *c, const struct ledger_write *w)
{
    pg_array_add_text(c++, w->reason == REASON_NONE ? NULL : reason_name(w->reason));
    pg_array_add_text(c++, w->error == ERROR_NONE ? NULL : error_word_name(w->error));
    pg_array_add_text(c++, w->detail);
    add_optional_int(c++, w->status);
    pg_array_add_bytes(c++, w->response, w->response_size);
    pg_array_add_int4(c++, w->duration_ms);
    return c;
}

static void add_row(struct pg_array *c, const struct ledger_write *w, const char *owner)
{
    pg_array_add_text(c++, w->event_id);
    pg_array_add_uuid(c++, &w->integration);
    pg_array_add_uuid(c++, &w->workspace);
    pg_array_add_text(c++, delivery_state_name(w->state));
    pg_array_add_int4(c++, w->attempt);
    pg_array_add_text(c++, owner);
    c = add_end(c, w);
    add_seconds(c++, w->due_s);
    add_seconds(c++, w->lease_s);
}

/* Events and the first rows of their deliveries, in one statement. */
static void write_events(struct ledger *l)
{
    struct ledger_event *last = NULL;
    count_rows(l);
    struct pg_array *columns = pg_columns_start(&l->columns, STATEMENT_EVENTS);
    for (size_t i = 0; i < l->batch_count; i++) {
        struct ledger_event *e = l->batch[i]->event;
        if (l->batch[i]->kind == LEDGER_ROW)
            add_row(columns + EVENTS_OF_EVENT, l->batch[i], l->owner);
        if (!e || e == last) /* sorted: the writes of one event stand together */
            continue;
        last = e;
        /* Needed when it is not there yet, or becomes whole now. */
        if (!e->committed || e->rows_committed + e->rows_in_batch >= e->rows_total)
            add_event(columns, e);
    }
    if (columns[0].count || columns[EVENTS_OF_EVENT].count)
        execute(l);
}

/* The rows that takes, outcomes and ends are about to change, in the order of their keys (see statements.c). */
static void lock_rows(struct ledger *l)
{
    struct pg_array *columns = pg_columns_start(&l->columns, STATEMENT_LOCK);
    for (size_t i = 0; i < l->batch_count; i++) {
        const struct ledger_write *w = l->batch[i];
        if (w->kind == LEDGER_EVENT || w->kind == LEDGER_ROW)
            continue;
        pg_array_add_text(&columns[0], w->event_id);
        pg_array_add_uuid(&columns[1], &w->integration);
    }
    if (columns->count)
        execute(l);
}

static void write_takes(struct ledger *l)
{
    struct pg_array *columns = pg_columns_start(&l->columns, STATEMENT_TAKE);
    for (size_t i = 0; i < l->batch_count; i++) {
        const struct ledger_write *w = l->batch[i];
        struct pg_array *c = columns;
        if (w->kind != LEDGER_TAKE)
            continue;
        pg_array_add_int4(c++, (int32_t)i);
        pg_array_add_text(c++, w->event_id);
        pg_array_add_uuid(c++, &w->integration);
        pg_array_add_int4(c++, w->attempt);
        pg_array_add_text(c++, l->owner);
        pg_array_add_float8(c++, w->lease_s);
    }
    if (columns->count)
        execute(l);
}

static void write_outcomes(struct ledger *l)
{
    struct pg_array *columns = pg_columns_start(&l->columns, STATEMENT_OUTCOMES);
    for (size_t i = 0; i < l->batch_count; i++) {
        const struct ledger_write *w = l->batch[i];
        struct pg_array *c = columns;
        if (w->kind != LEDGER_OUTCOME)
            continue;
        pg_array_add_int4(c++, (int32_t)i);
        pg_array_add_text(c++, w->event_id);
        pg_array_add_uuid(c++, &w->integration);
        pg_array_add_int4(c++, w->attempt);
        pg_array_add_text(c++, l->owner);
        pg_array_add_text(c++, delivery_state_name(w->state));
        c = add_end(c, w);
        add_seconds(c++, w->due_s);
    }
    if (columns->count)
        execute(l);
}

static void write_ends(struct ledger *l)
{
    struct pg_array *columns = pg_columns_start(&l->columns, STATEMENT_ENDS);
    for (size_t i = 0; i < l->batch_count; i++) {
        const struct ledger_write *w = l->batch[i];
        struct pg_array *c = columns;
        if (w->kind != LEDGER_END)
            continue;
        pg_array_add_int4(c++, (int32_t)i);
        pg_array_add_text(c++, w->event_id);
        pg_array_add_uuid(c++, &w->integration);
        pg_array_add_int4(c++, w->attempt);
        pg_array_add_text(c++, l->owner);
        pg_array_add_text(c++, delivery_state_name(w->state));
        pg_array_add_text(c++, w->reason == REASON_NONE ? NULL : reason_name(w->reason));
        pg_array_add_text(c++, w->detail);
    }
    if (columns->count)
        execute(l);
}

static void write_attempts(struct ledger *l)
{
    struct pg_array *columns = pg_columns_start(&l->columns, STATEMENT_ATTEMPTS);
    for (size_t i = 0; i < l->batch_count; i++) {
        const struct ledger_write *w = l->batch[i];
        struct pg_array *c = columns;
        if (!w->failed_attempt || (w->kind != LEDGER_ROW && w->kind != LEDGER_OUTCOME))
            continue;
        pg_array_add_text(c++, w->event_id);
        pg_array_add_uuid(c++, &w->integration);
        pg_array_add_int4(c++, w->attempt);
        pg_array_add_text(c++, error_word_name(w->error));
        pg_array_add_text(c++, w->detail);
        add_optional_int(c++, w->status);
        pg_array_add_bytes(c++, w->response, w->response_size);
        pg_array_add_int4(c++, w->duration_ms);
    }
    if (columns->count)
        execute(l);
}

static void send_batch(struct ledger *l)
{
    if (l->under_way || list_is_empty(&l->waiting) || !pg_link_is_up(l->link) ||
        event_pending(l->again, EV_TIMEOUT, NULL))
        return;
    size_t most = most_of_next(l);
    while (l->batch_count < most && !list_is_empty(&l->waiting)) {
        struct ledger_write *w = list_entry(l->waiting.next, struct ledger_write, link);
        if (w->was_locked && l->batch_count > 0)
            break;
        list_remove(&w->link);
        count_waiting(l, w, false);
        w->applied = false;
        l->batch[l->batch_count++] = w;
        if (w->was_locked)
            break;
    }
    qsort(l->batch, l->batch_count, sizeof *l->batch, compare);
    l->under_way = true;
    l->sent_us = clock_mono_us();
    shared_count(COUNT_LEDGER_STATEMENTS);
    pg_link_begin(l->link, &l->request);
    write_events(l);
    lock_rows(l);
    write_takes(l);
    write_outcomes(l);
    write_ends(l);
    write_attempts(l);
    pg_link_end(l->link, &l->request);
}

static void on_result(struct pg_request *request, int index, const PGresult *res)
{
    struct ledger *l = list_entry(request, struct ledger, request);
    if (l->order[index] == STATEMENT_EVENTS || l->order[index] == STATEMENT_LOCK ||
        l->order[index] == STATEMENT_ATTEMPTS)
        return;
    for (int row = 0; row < PQntuples(res); row++) {
        long n = strtol(PQgetvalue(res, row, 0), NULL, 10);
        check(n >= 0 && (size_t)n < l->batch_count);
        l->batch[n]->applied = true;
    }
}

/* Back to the front of the queue, in order. */
static void wait_again(struct ledger *l)
{
    for (size_t i = l->batch_count; i > 0; i--) {
        list_prepend(&l->waiting, &l->batch[i - 1]->link);
        count_waiting(l, l->batch[i - 1], true);
    }
    l->batch_count = 0;
}

/* This batch is decided: its rows are not among the suspects any more. */
static void clear_suspects(struct ledger *l)
{
    l->suspects -= l->batch_count < l->suspects ? l->batch_count : l->suspects;
}

static void report(struct ledger *l, bool refused)
{
    size_t count = l->batch_count;
    clear_suspects(l);
    struct ledger_write **batch = mem_dup(l->batch, count * sizeof *batch);
    l->batch_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct ledger_event *e = batch[i]->event;
        batch[i]->refused = refused;
        if (e && !refused) {
            e->committed = true;
            e->rows_committed += batch[i]->kind == LEDGER_ROW;
        } else if (e) {
            e->rows_refused += batch[i]->kind == LEDGER_ROW;
        }
    }
    for (size_t i = 0; i < count; i++)
        batch[i]->written(batch[i]);
    free(batch);
}

static void on_refused(struct ledger *l)
{
    const struct pg_request *r = &l->request;
    if (l->batch_count == 1) {
        LOG(LOG_ERROR, "row_refused", LOG_TEXT("id", l->batch[0]->event_id),
            LOG_TEXT("sqlstate", r->sqlstate), LOG_TEXT("words", r->words));
        report(l, true);
        return;
    }
    shared_count(COUNT_LEDGER_SPLITS);
    LOG(LOG_WARN, "batch_refused", LOG_NUM("rows", l->batch_count), LOG_TEXT("sqlstate", r->sqlstate),
        LOG_TEXT("words", r->words));
    l->suspects = l->batch_count;
    wait_again(l);
}

/* Lock or statement timeout: somebody else holds a row, which one nobody says. */
static bool is_locked(const struct pg_request *request)
{
    return strcmp(request->sqlstate, "55P03") == 0 || strcmp(request->sqlstate, "57014") == 0;
}

/* Halve until the row stands alone; then it waits aside, and the others go on. */
static void on_locked(struct ledger *l)
{
    if (l->batch_count > 1) {
        l->suspects = l->batch_count;
        wait_again(l);
        return;
    }
    clear_suspects(l);
    l->batch[0]->was_locked = true;
    list_append(&l->locked, &l->batch[0]->link);
    l->batch_count = 0;
    if (!event_pending(l->unlock, EV_TIMEOUT, NULL))
        event_add(l->unlock, &(struct timeval){LOCKED_S, 0});
}

static void on_done(struct pg_request *request)
{
    struct ledger *l = list_entry(request, struct ledger, request);
    l->under_way = false;
    switch (request->outcome) {
    case PG_DONE:
        report(l, false);
        break;
    case PG_BAD_DATA:
        on_refused(l);
        break;
    case PG_TRY_AGAIN:
        LOG(LOG_WARN, "ledger_again", LOG_NUM("rows", l->batch_count),
            LOG_TEXT("sqlstate", request->sqlstate), LOG_TEXT("words", request->words));
        if (is_locked(request)) {
            on_locked(l);
            break;
        }
        wait_again(l);
        event_add(l->again, &(struct timeval){0, AGAIN_MS * 1000});
        return;
    case PG_LINK_LOST:
        wait_again(l);
        return;
    }
    if (!list_is_empty(&l->waiting))
        send_soon(l);
}

struct ledger *ledger_new(struct event_base *base, struct pg_link *link, const struct conf *conf,
                          const char *owner)
{
    struct ledger *l = mem_zalloc(sizeof *l);
    l->link = link;
    l->conf = conf;
    l->owner = owner;
    list_init(&l->waiting);
    list_init(&l->locked);
    l->batch = mem_zalloc((size_t)conf->database_batch * sizeof(struct ledger_write *));
    l->request.result = on_result;
    l->request.done = on_done;
    l->send_event = event_new(base, -1, 0, on_send, l);
    l->again = event_new(base, -1, 0, on_send, l);
    l->linger = event_new(base, -1, 0, on_send, l);
    l->unlock = event_new(base, -1, 0, on_unlock, l);
    pg_columns_init(&l->columns);
    return l;
}

void ledger_free(struct ledger *l)
{
    if (!l)
        return;
    event_free(l->send_event);
    event_free(l->again);
    event_free(l->linger);
    event_free(l->unlock);
    pg_columns_free(&l->columns);
    free(l->batch);
    free(l);
}

void ledger_write(struct ledger *l, struct ledger_write *w)
{
    list_init(&w->link);
    w->refused = w->was_locked = false;
    list_append(&l->waiting, &w->link);
    count_waiting(l, w, true);
    if (!l->under_way)
        send_soon(l);
}

void ledger_resume(struct ledger *l)
{
    event_active(l->send_event, EV_TIMEOUT, 1);
}
