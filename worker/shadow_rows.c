/*
 * shadow_rows - what shadow mode writes and reads, many at a time
 *
 * Owns two batches (pg_batch). A row that the database refuses by itself is left out, and said in the log: what is written here
 * is a report, and no message waits for ever because of it. Everything may be repeated after a lost link: a row is then
 * there once, and at worst counted as having come twice.
 */
#include "worker/shadow_rows.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "worker/shared.h"

enum { SCANS_AT_ONCE = 4, LINGER_PARTS = 8 /* as in ledger.c */ };

struct shadow_rows {
    struct pg_batch *rows;
    struct pg_batch *findings;
};

static struct pg_array *add_counts(struct pg_array *c, const struct shadow_counts *counts)
{
    for (int i = 0; i < 2 + MATCH_COUNT - 1; i++) {
        if (!counts)
            pg_array_add_null(c++);
        else if (i < 2)
            pg_array_add_int4(c++, i == 0 ? counts->considered : counts->matched);
        else
            pg_array_add_int4(c++, counts->filtered[i - 1]);
    }
    return c;
}

static void add_request(struct pg_array *c, const struct shadow_row *r)
{
    pg_array_add_text(c++, r->method);
    pg_array_add_text(c++, r->url);
    if (r->method) {
        pg_array_add_int4(c++, (int32_t)r->body_size);
        pg_array_add_bytes(c++, r->body_hash, sizeof r->body_hash);
        pg_array_add_bytes(c++, r->body, r->body_kept);
        return;
    }
    pg_array_add_null(c++);
    pg_array_add_null(c++);
    pg_array_add_null(c);
}

static void add_row(struct pg_array *columns, const struct shadow_row *r)
{
    struct pg_array *c = columns;
    const struct event *e = r->event;
    pg_array_add_text(c++, r->event_id);
    pg_array_add_uuid(c++, &r->integration);
    pg_array_add_uuid(c++, r->workspace);
    pg_array_add_text(c++, r->name);
    pg_array_add_text(c++, r->kind);
    pg_array_add_text(c++, e ? event_ledger_word(e) : NULL);
    pg_array_add_uuid(c++, e ? &e->scan_id : NULL);
    pg_array_add_uuid(c++, e && e->has_finding ? &e->finding_id : NULL);
    pg_array_add_text(c++, r->queue);
    pg_array_add_text(c++, shadow_verdict_name(r->verdict));
    pg_array_add_text(c++, r->reason == REASON_NONE ? NULL : reason_name(r->reason));
    pg_array_add_text(c++, r->detail);
    c = add_counts(c, r->counts);
    add_request(c, r);
    pg_array_add_int4(c + 5, r->again ? 0 : 1);
}

static void send_rows(void *owner, struct pg_batch_item **items, size_t count)
{
    struct shadow_rows *r = owner;
    struct pg_array *columns = pg_batch_columns(r->rows, STATEMENT_SHADOW);
    for (size_t i = 0; i < count; i++)
        add_row(columns, list_entry(items[i], struct shadow_row, item));
    pg_batch_execute(r->rows);
}

static void on_written(void *owner, struct pg_batch_item **items, size_t count)
{
    (void)owner;
    for (size_t i = 0; i < count; i++) {
        struct shadow_row *row = list_entry(items[i], struct shadow_row, item);
        row->written(row);
    }
}

static void on_row_refused(void *owner, struct pg_batch_item *item, const struct pg_request *why)
{
    struct shadow_row *row = list_entry(item, struct shadow_row, item);
    (void)owner;
    LOG(LOG_ERROR, "shadow_row_refused", LOG_TEXT("id", row->event_id), LOG_TEXT("sqlstate", why->sqlstate),
        LOG_TEXT("words", why->words));
    row->refused = true;
    row->written(row);
}

/* ---- findings ---- */

static struct shadow_findings *findings_of(struct pg_batch_item *item)
{
    return list_entry(item, struct shadow_findings, item);
}

static void send_questions(void *owner, struct pg_batch_item **items, size_t count)
{
    struct shadow_rows *r = owner;
    struct pg_array *columns = pg_batch_columns(r->findings, STATEMENT_SHADOW_FINDINGS);
    for (size_t i = 0; i < count; i++) {
        struct shadow_findings *f = findings_of(items[i]);
        free(f->ids);
        f->ids = NULL;
        f->count = 0;
        pg_array_add_int4(&columns[0], (int32_t)i);
        pg_array_add_uuid(&columns[1], &f->scan);
        pg_array_add_int4(&columns[2], SHADOW_FINDINGS_MAX);
    }
    pg_batch_execute(r->findings);
}

static void take_ids(struct shadow_findings *f, const char *text, size_t n)
{
    enum { ONE = UUID_TEXT - 1 };
    check(n % ONE == 0);
    free(f->ids);
    f->count = n / ONE;
    f->ids = mem_alloc((f->count + 1) * sizeof *f->ids);
    for (size_t i = 0; i < f->count; i++) {
        char id[UUID_TEXT] = {0};
        memcpy(id, text + i * ONE, ONE);
        check(uuid_parse(&f->ids[i], id)); /* our own statement made it */
    }
}

static void on_findings(void *owner, enum statement statement, const PGresult *rows,
                        struct pg_batch_item **items, size_t count)
{
    (void)owner;
    (void)statement;
    for (int row = 0; row < PQntuples(rows); row++) {
        long n = strtol(PQgetvalue(rows, row, 0), NULL, 10);
        check(n >= 0 && (size_t)n < count);
        take_ids(findings_of(items[n]), PQgetvalue(rows, row, 1), (size_t)PQgetlength(rows, row, 1));
    }
}

static void on_answered(void *owner, struct pg_batch_item **items, size_t count)
{
    (void)owner;
    for (size_t i = 0; i < count; i++)
        findings_of(items[i])->answered(findings_of(items[i]));
}

static void on_question_refused(void *owner, struct pg_batch_item *item, const struct pg_request *why)
{
    struct shadow_findings *f = findings_of(item);
    (void)owner;
    LOG(LOG_ERROR, "shadow_findings_refused", LOG_TEXT("sqlstate", why->sqlstate),
        LOG_TEXT("words", why->words));
    free(f->ids);
    f->ids = NULL;
    f->count = 0;
    f->answered(f);
}

/* ---- ---- */

struct shadow_rows *shadow_rows_new(struct event_base *base, struct pg_link *link, const struct conf *conf)
{
    static const struct pg_batch_calls writes = {send_rows, NULL, on_written, on_row_refused};
    static const struct pg_batch_calls reads = {send_questions, on_findings, on_answered,
                                                on_question_refused};
    struct pg_batch_settings rows = {
        .batch = BATCH_SHADOW,
        .most = (size_t)conf->database_batch,
        .linger = conf->database_linger,
        .enough = (size_t)conf->broker_prefetch / LINGER_PARTS,
    };
    struct pg_batch_settings findings = {
        .batch = BATCH_SHADOW,
        .most = SCANS_AT_ONCE,
    };
    struct shadow_rows *r = mem_zalloc(sizeof *r);
    r->rows = pg_batch_new(base, link, &rows, &writes, r);
    r->findings = pg_batch_new(base, link, &findings, &reads, r);
    return r;
}

void shadow_rows_free(struct shadow_rows *r)
{
    if (!r)
        return;
    pg_batch_free(r->rows);
    pg_batch_free(r->findings);
    free(r);
}

void shadow_rows_write(struct shadow_rows *r, struct shadow_row *row)
{
    pg_batch_add(r->rows, &row->item);
}

void shadow_rows_ask(struct shadow_rows *r, struct shadow_findings *f)
{
    pg_batch_add(r->findings, &f->item);
}

void shadow_rows_resume(struct shadow_rows *r)
{
    pg_batch_resume(r->rows);
    pg_batch_resume(r->findings);
}
