/*
 * mailbox_rows - mailboxes in the database: what is asked, and what comes back
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "worker/mailbox_parts.h"

static const char *text_at(struct arena *a, const PGresult *r, int row, int column)
{
    return PQgetisnull(r, row, column) ? NULL : arena_strdup(a, PQgetvalue(r, row, column));
}

static void read_name(struct wake *w, const PGresult *r, int row, struct event *e)
{
    e->id = text_at(&w->arena, r, row, WAKE_EVENT_ID);
    if (!PQgetisnull(r, row, WAKE_TRACE))
        trace_row_parse(&e->trace, &w->arena, PQgetvalue(r, row, WAKE_TRACE),
                        (size_t)PQgetlength(r, row, WAKE_TRACE));
}

/* False when the event is none that this version knows. */
static bool read_row(struct wake *w, const PGresult *r, int row, struct mailbox_row *out)
{
    struct event *e = &out->event;
    if (!e->id || !event_ledger_word_parse(e, PQgetvalue(r, row, WAKE_EVENT_TYPE)) ||
        !uuid_parse(&e->scan_id, PQgetvalue(r, row, WAKE_SCAN_ID)))
        return false;
    e->has_finding = !PQgetisnull(r, row, WAKE_FINDING_ID) &&
                     uuid_parse(&e->finding_id, PQgetvalue(r, row, WAKE_FINDING_ID));
    e->change_summary = text_at(&w->arena, r, row, WAKE_CHANGE_SUMMARY);
    e->error = text_at(&w->arena, r, row, WAKE_ERROR);
    e->first_seen_us = strtoll(PQgetvalue(r, row, WAKE_FIRST_SEEN_US), NULL, 10);
    out->queue = text_at(&w->arena, r, row, WAKE_QUEUE);
    out->too_old = *PQgetvalue(r, row, WAKE_TOO_OLD) == 't';
    out->attempt = atoi(PQgetvalue(r, row, WAKE_ATTEMPT));
    return true;
}

static void take_row(struct wake *w, const PGresult *r, int row)
{
    struct mailbox_row *out = arena_alloc(&w->arena, sizeof *out);
    w->good = true;
    w->dest = PQgetisnull(r, row, WAKE_KIND) ? NULL : dest_find(PQgetvalue(r, row, WAKE_KIND));
    if (PQgetisnull(r, row, WAKE_EVENT_ID))
        return; /* it is empty */
    list_init(&out->link);
    read_name(w, r, row, &out->event);
    if (!PQgetisnull(r, row, WAKE_ATTEMPT) && read_row(w, r, row, out)) {
        list_append(&w->rows, &out->link);
        return;
    }
    /* Without an attempt: one of those that are all that is in it. */
    LOG(LOG_ERROR, "mailbox_event_unknown", LOG_EVENT(&out->event),
        LOG_TEXT("type", PQgetvalue(r, row, WAKE_EVENT_TYPE)));
    w->stays = true;
}

void mailbox_rows_take(void *owner, enum statement statement, const PGresult *r, struct pg_batch_item **items,
                       size_t count)
{
    (void)owner;
    if (statement == STATEMENT_WAKE_LOCK)
        return;
    for (int row = 0; row < PQntuples(r); row++) {
        long n = strtol(PQgetvalue(r, row, WAKE_N), NULL, 10);
        check(n >= 0 && (size_t)n < count);
        if (statement == STATEMENT_WAKE_READ)
            take_row(wake_of(items[n]), r, row);
        else if (*PQgetvalue(r, row, WAKE_END_SOME) == 'f')
            gate_note_mailbox(&wake_of(items[n])->integration, false);
    }
}

static int compare(const void *a, const void *b)
{
    const struct wake *x = wake_of(*(struct pg_batch_item *const *)a);
    const struct wake *y = wake_of(*(struct pg_batch_item *const *)b);
    return memcmp(x->integration.bytes, y->integration.bytes, sizeof x->integration.bytes);
}

/* In the order of their keys, before they are read and changed (see statements.c). */
static void lock(struct mailboxes *m, struct pg_batch_item **items, size_t count)
{
    struct pg_array *c = pg_batch_columns(m->batch, STATEMENT_WAKE_LOCK);
    for (size_t i = 0; i < count; i++)
        pg_array_add_uuid(c, &wake_of(items[i])->integration);
    pg_batch_execute(m->batch);
}

static void add_read(struct mailboxes *m, struct pg_array *c, struct wake *w, int32_t n)
{
    double lease = m->conf->sweep_grace + 2 * m->conf->delivery_timeout;
    w->good = false;
    list_init(&w->rows);
    arena_free(&w->arena);
    pg_array_add_int4(c++, n);
    pg_array_add_uuid(c++, &w->integration);
    pg_array_add_int4(c++, w->number);
    pg_array_add_int4(c++, (int32_t)w->most);
    pg_array_add_int4(c++, (int32_t)(w->reserved > w->most ? w->reserved - w->most : 1));
    pg_array_add_float8(c++, gate_max_age(m->gate, &w->integration));
    pg_array_add_float8(c, lease);
}

static void add_end(struct pg_array *c, const struct wake *w, int32_t n)
{
    pg_array_add_int4(c++, n);
    pg_array_add_uuid(c++, &w->integration);
    pg_array_add_int4(c++, w->number);
    pg_array_add_float8(c, gate_pause(&w->integration));
}

/* One statement for those in STATE, if there are any. */
static void send_state(struct mailboxes *m, struct pg_batch_item **items, size_t count, enum wake_state state)
{
    enum statement statement = state == WAKE_READING ? STATEMENT_WAKE_READ : STATEMENT_WAKE_END;
    struct pg_array *c = pg_batch_columns(m->batch, statement);
    for (size_t i = 0; i < count; i++) {
        struct wake *w = wake_of(items[i]);
        if (w->state != state)
            continue;
        if (state == WAKE_READING)
            add_read(m, c, w, (int32_t)i);
        else
            add_end(c, w, (int32_t)i);
    }
    if (c[0].count)
        pg_batch_execute(m->batch);
}

void mailbox_rows_ask(void *owner, struct pg_batch_item **items, size_t count)
{
    struct mailboxes *m = owner;
    qsort(items, count, sizeof(struct pg_batch_item *), compare);
    lock(m, items, count);
    send_state(m, items, count, WAKE_READING);
    send_state(m, items, count, WAKE_ENDING);
}
