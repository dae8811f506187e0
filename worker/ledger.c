/*
 * ledger - writes events and deliveries, many rows per transaction
 *
 * Owns the batch of writes (pg_batch), which says when it leaves and finds the one that spoils it. A batch is one
 * transaction: events, first rows, takes, outcomes, ends, failed attempts, marks, each sorted by key. Events that the
 * look-up did not find are inserted without a thought for others of their ids, which makes their rows a third cheaper;
 * when one has come meanwhile, the batch is refused, and its halves go the careful way. Invariants:
 *   - an event's row is `done` only in or after the transaction that holds the last of its delivery rows;
 *   - a write is reported only after its commit, or when the database refused it standing alone;
 *   - every statement may be repeated: after a lost link nobody knows whether the batch took effect.
 *
 * Lingering between batches delays acknowledgements, never a delivery: a take, for which somebody waits to begin,
 * is urgent. Knows neither messages nor HTTP.
 */
#include "worker/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "worker/shared.h"

enum { LINGER_PARTS = 8 /* of the prefetch: when one waits here, no lingering, or the broker ran dry */ };

struct ledger {
    const char *owner;
    struct pg_batch *batch;
    unsigned long batch_number;
    struct pg_batch_item **items; /* while a batch is sent: its writes, sorted by key */
    size_t count;
};

static struct ledger_write *write_of(struct pg_batch_item *item)
{
    return list_entry(item, struct ledger_write, item);
}

/* It makes its row, which counts for its event. */
static bool makes_row(const struct ledger_write *w)
{
    return w->kind == LEDGER_ROW || w->kind == LEDGER_FIRST;
}

static bool takes(const struct ledger_write *w)
{
    return w->kind == LEDGER_TAKE || w->kind == LEDGER_FIRST;
}

static bool changes_row(const struct ledger_write *w)
{
    return w->kind != LEDGER_EVENT && w->kind != LEDGER_ROW && w->kind != LEDGER_RELEASE &&
           (w->kind != LEDGER_OWE || w->has_row);
}

static int compare(const void *a, const void *b)
{
    const struct ledger_write *x = write_of(*(struct pg_batch_item *const *)a);
    const struct ledger_write *y = write_of(*(struct pg_batch_item *const *)b);
    int order = strcmp(x->event_id, y->event_id);
    return order ? order : memcmp(x->integration.bytes, y->integration.bytes, sizeof x->integration.bytes);
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

/* One that follows from the id need not be written down. */
static void add_trace(struct pg_array *a, const struct trace *trace)
{
    char text[TRACE_ROW_TEXT];
    if (!trace->known) {
        pg_array_add_null(a);
        return;
    }
    trace_row_format(trace, text);
    pg_array_add_text(a, text);
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
    pg_array_add_text(c++, event_ledger_word(v));
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
    add_trace(c++, &v->trace);
    check(c == columns + EVENTS_OF_EVENT);
}

/*
 * Which event goes with this batch, and with how many of its rows. As a new one it goes once: if that fails, or nobody
 * knows whether it took effect, it is there, or may be.
 */
static void count_rows(struct ledger *l)
{
    l->batch_number++;
    for (size_t i = 0; i < l->count; i++) {
        const struct ledger_write *w = write_of(l->items[i]);
        struct ledger_event *e = w->event;
        if (!e)
            continue;
        if (e->in_batch != l->batch_number) {
            e->rows_in_batch = 0;
            e->new_in_batch = e->is_new;
            e->is_new = false;
        }
        e->in_batch = l->batch_number;
        e->rows_in_batch += makes_row(w);
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

static void add_rank(struct pg_array *a, const struct ledger_write *w)
{
    if (w->state == DELIVERY_DEFERRED)
        pg_array_add_int4(a, w->rank);
    else
        pg_array_add_null(a);
}

static void add_row(struct pg_array *c, const struct ledger_write *w, const char *owner)
{
    pg_array_add_text(c++, w->event_id);
    pg_array_add_uuid(c++, &w->integration);
    pg_array_add_uuid(c++, &w->workspace);
    pg_array_add_text(c++, delivery_state_name(w->state));
    pg_array_add_int4(c++, w->kind == LEDGER_FIRST ? w->attempt - 1 : w->attempt);
    pg_array_add_text(c++, owner);
    c = add_end(c, w);
    add_seconds(c++, w->due_s);
    add_rank(c++, w);
    pg_array_add_uuid(c, w->batch);
}

/* Events and the first rows of their deliveries, in one statement: of those that are new, or of the others. */
static void write_events(struct ledger *l, enum statement statement, bool are_new)
{
    struct ledger_event *last = NULL;
    struct pg_array *columns = pg_batch_columns(l->batch, statement);
    for (size_t i = 0; i < l->count; i++) {
        const struct ledger_write *w = write_of(l->items[i]);
        struct ledger_event *e = w->event;
        if (!e || e->new_in_batch != are_new)
            continue;
        if (makes_row(w))
            add_row(columns + EVENTS_OF_EVENT, w, l->owner);
        if (e == last) /* sorted: the writes of one event stand together */
            continue;
        last = e;
        /* Needed when it is not there yet, or becomes whole now. */
        if (!e->committed || e->rows_committed + e->rows_in_batch >= e->rows_total)
            add_event(columns, e);
    }
    if (columns[0].count || columns[EVENTS_OF_EVENT].count)
        pg_batch_execute(l->batch);
}

/*
 * What follows the events in a batch's transaction, in this order: which writes a statement is for, and what of each
 * goes into its columns. N is the write's place among the items.
 */
struct ledger_step {
    enum statement statement;
    bool (*wants)(const struct ledger_write *w);
    void (*add)(struct pg_array *columns, const struct ledger_write *w, int32_t n, const char *owner);
};

static void add_lock(struct pg_array *c, const struct ledger_write *w, int32_t n, const char *owner)
{
    (void)n;
    (void)owner;
    pg_array_add_text(&c[0], w->event_id);
    pg_array_add_uuid(&c[1], &w->integration);
}

/* What TAKE, OUTCOMES and ENDS begin with. Returns the column behind. */
static struct pg_array *add_attempt(struct pg_array *c, const struct ledger_write *w, int32_t n,
                                    const char *owner)
{
    pg_array_add_int4(c++, n);
    pg_array_add_text(c++, w->event_id);
    pg_array_add_uuid(c++, &w->integration);
    pg_array_add_int4(c++, w->attempt);
    pg_array_add_text(c++, owner);
    return c;
}

static void add_take(struct pg_array *c, const struct ledger_write *w, int32_t n, const char *owner)
{
    c = add_attempt(c, w, n, owner);
    pg_array_add_float8(c, w->lease_s);
}

static bool is_outcome(const struct ledger_write *w)
{
    return w->kind == LEDGER_OUTCOME;
}

static void add_outcome(struct pg_array *c, const struct ledger_write *w, int32_t n, const char *owner)
{
    c = add_attempt(c, w, n, owner);
    pg_array_add_text(c++, delivery_state_name(w->state));
    c = add_end(c, w);
    add_seconds(c++, w->due_s);
    add_rank(c++, w);
    pg_array_add_uuid(c, w->batch);
}

static bool is_bare_end(const struct ledger_write *w)
{
    return w->kind == LEDGER_END;
}

static void add_bare_end(struct pg_array *c, const struct ledger_write *w, int32_t n, const char *owner)
{
    c = add_attempt(c, w, n, owner);
    pg_array_add_text(c++, delivery_state_name(w->state));
    pg_array_add_text(c++, w->reason == REASON_NONE ? NULL : reason_name(w->reason));
    pg_array_add_text(c++, w->detail);
    add_seconds(c++, w->due_s);
    add_rank(c, w);
}

static bool is_deferred(const struct ledger_write *w)
{
    return w->state == DELIVERY_DEFERRED &&
           (w->kind == LEDGER_ROW || w->kind == LEDGER_END || w->kind == LEDGER_OUTCOME);
}

static void add_wake(struct pg_array *c, const struct ledger_write *w, int32_t n, const char *owner)
{
    (void)n;
    (void)owner;
    pg_array_add_uuid(&c[0], &w->integration);
    pg_array_add_uuid(&c[1], &w->workspace);
    pg_array_add_float8(&c[2], w->wake_s);
    add_optional_int(&c[3], w->together);
}

static bool is_failed_attempt(const struct ledger_write *w)
{
    return w->failed_attempt && (w->kind == LEDGER_ROW || w->kind == LEDGER_OUTCOME);
}

static void add_failed_attempt(struct pg_array *c, const struct ledger_write *w, int32_t n, const char *owner)
{
    (void)n;
    pg_array_add_text(c++, w->event_id);
    pg_array_add_uuid(c++, &w->integration);
    pg_array_add_int4(c++, w->attempt);
    pg_array_add_text(c++, owner);
    pg_array_add_text(c++, error_word_name(w->error));
    pg_array_add_text(c++, w->detail);
    add_optional_int(c++, w->status);
    pg_array_add_bytes(c++, w->response, w->response_size);
    pg_array_add_int4(c, w->duration_ms);
}

static bool is_owed(const struct ledger_write *w)
{
    return w->kind == LEDGER_OWE;
}

static void add_owed(struct pg_array *c, const struct ledger_write *w, int32_t n, const char *owner)
{
    (void)n;
    (void)owner;
    pg_array_add_text(&c[w->has_row ? 0 : 2], w->event_id);
    if (w->has_row)
        pg_array_add_uuid(&c[1], &w->integration);
}

static bool releases(const struct ledger_write *w)
{
    return w->release != NULL;
}

static void add_release(struct pg_array *c, const struct ledger_write *w, int32_t n, const char *owner)
{
    const struct ledger_release *l = w->release;
    const struct dest_reference *r = l->reference;
    (void)n;
    (void)owner;
    pg_array_add_uuid(c++, &l->name.integration);
    pg_array_add_text(c++, l->name.fingerprint);
    pg_array_add_uuid(c++, &l->name.claim);
    pg_array_add_uuid(c++, l->told ? &l->finding : NULL);
    pg_array_add_text(c++, ref_state_word(r));
    pg_array_add_text(c++, r->known ? r->key : NULL);
    pg_array_add_text(c++, r->known ? severity_name(r->severity) : NULL);
    pg_array_add_text(c++, r->known ? r->title : NULL);
    pg_array_add_int4(c, r->unsure);
}

static const struct ledger_step steps[] = {
    /* In the order of their keys, and before they are changed (see statements.c). */
    {STATEMENT_LOCK, changes_row, add_lock},
    {STATEMENT_TAKE, takes, add_take},
    {STATEMENT_OUTCOMES, is_outcome, add_outcome},
    {STATEMENT_ENDS, is_bare_end, add_bare_end},
    {STATEMENT_WAKES, is_deferred, add_wake},
    {STATEMENT_ATTEMPTS, is_failed_attempt, add_failed_attempt},
    {STATEMENT_OWE, is_owed, add_owed},
    {STATEMENT_REF_RELEASE, releases, add_release},
};

static void write_step(struct ledger *l, const struct ledger_step *step)
{
    struct pg_array *columns = pg_batch_columns(l->batch, step->statement);
    bool any = false;
    for (size_t i = 0; i < l->count; i++) {
        const struct ledger_write *w = write_of(l->items[i]);
        if (!step->wants(w))
            continue;
        step->add(columns, w, (int32_t)i, l->owner);
        any = true;
    }
    if (any)
        pg_batch_execute(l->batch);
}

static void send_writes(void *owner, struct pg_batch_item **items, size_t count)
{
    struct ledger *l = owner;
    qsort(items, count, sizeof(struct pg_batch_item *), compare);
    l->items = items;
    l->count = count;
    for (size_t i = 0; i < count; i++)
        write_of(items[i])->applied = false;
    count_rows(l);
    write_events(l, STATEMENT_NEW_EVENTS, true);
    write_events(l, STATEMENT_EVENTS, false);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        write_step(l, &steps[i]);
}

/* How late an attempt begins says how far retries are behind; the sweep waits that long for others. */
static void note_lateness(double seconds)
{
    if (seconds > 0)
        shared_due_late(seconds);
}

static void on_result(void *owner, enum statement statement, const PGresult *res,
                      struct pg_batch_item **items, size_t count)
{
    (void)owner;
    if (statement != STATEMENT_TAKE && statement != STATEMENT_OUTCOMES && statement != STATEMENT_ENDS)
        return;
    for (int row = 0; row < PQntuples(res); row++) {
        long n = strtol(PQgetvalue(res, row, 0), NULL, 10);
        check(n >= 0 && (size_t)n < count);
        write_of(items[n])->applied = true;
        if (statement == STATEMENT_TAKE && !PQgetisnull(res, row, 1))
            note_lateness(strtod(PQgetvalue(res, row, 1), NULL));
    }
}

/* Events are brought up to date before anybody is told: what is told may ask for all rows of the event. */
static void on_done(void *owner, struct pg_batch_item **items, size_t count)
{
    (void)owner;
    for (size_t i = 0; i < count; i++) {
        const struct ledger_write *w = write_of(items[i]);
        if (!w->event)
            continue;
        w->event->committed = true;
        w->event->rows_committed += makes_row(w);
    }
    for (size_t i = 0; i < count; i++) {
        struct ledger_write *w = write_of(items[i]);
        w->written(w);
    }
}

/* It went as new, alone by now, and its event has come meanwhile: from another host, or from a link that was lost. */
static bool has_come_meanwhile(const struct ledger_write *w, const struct pg_request *why)
{
    return w->event && w->event->new_in_batch && strcmp(why->sqlstate, "23505") == 0;
}

static void on_refused(void *owner, struct pg_batch_item *item, const struct pg_request *why)
{
    struct ledger *l = owner;
    struct ledger_write *w = write_of(item);
    if (has_come_meanwhile(w, why)) {
        pg_batch_add(l->batch, item);
        return;
    }
    LOG(LOG_ERROR, "row_refused", LOG_EVENT(w->about), LOG_TEXT("sqlstate", why->sqlstate),
        LOG_TEXT("words", why->words));
    w->refused = true;
    if (w->event)
        w->event->rows_refused += makes_row(w);
    w->written(w);
}

struct ledger *ledger_new(struct event_base *base, struct pg_link *link, const struct conf *conf,
                          const char *owner)
{
    static const struct pg_batch_calls calls = {send_writes, on_result, on_done, on_refused};
    struct pg_batch_settings settings = {
        .batch = BATCH_LEDGER,
        .most = (size_t)conf->database_batch,
        .linger = conf->database_linger,
        .enough = (size_t)conf->broker_prefetch / LINGER_PARTS,
    };
    struct ledger *l = mem_zalloc(sizeof *l);
    l->owner = owner;
    l->batch = pg_batch_new(base, link, &settings, &calls, l);
    return l;
}

void ledger_free(struct ledger *l)
{
    if (!l)
        return;
    pg_batch_free(l->batch);
    free(l);
}

void ledger_write(struct ledger *l, struct ledger_write *w)
{
    w->refused = false;
    w->item.urgent = takes(w);
    pg_batch_add(l->batch, &w->item);
}

void ledger_resume(struct ledger *l)
{
    pg_batch_resume(l->batch);
}
