/*
 * lookup - scan, target, finding and the ledger's memory of an event, many events per statement
 *
 * Owns nothing but the batch of questions (pg_batch); a question and its answer are the asker's. Rows are hostile:
 * every text is copied as storable UTF-8, every word checked. A question that the database refuses by itself is
 * answered as not found.
 */
#include "worker/lookup.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/fault.h"
#include "common/base/iso8601.h"
#include "common/base/log.h"
#include "common/base/utf8.h"
#include "common/db/pg_row.h"
#include "worker/shared.h"

enum { TEXT_MAX = 4 * FACTS_TEXT_MAX /* bytes */ };

struct lookups {
    struct pg_batch *batch;
};

static struct lookup *lookup_of(struct pg_batch_item *item)
{
    return list_entry(item, struct lookup, item);
}

static char *text_at(struct arena *a, const PGresult *r, int row, int column)
{
    if (PQgetisnull(r, row, column))
        return NULL;
    return utf8_storable_copy(a, PQgetvalue(r, row, column), (size_t)PQgetlength(r, row, column), TEXT_MAX);
}

static char *time_at(struct arena *a, const PGresult *r, int row, int column)
{
    int64_t us;
    if (!pg_row_time(r, row, column, &us))
        return NULL;
    char *text = arena_alloc(a, ISO8601_TEXT);
    iso8601_format(us, text);
    return text;
}

static void read_scan(struct lookup *q, const PGresult *r, int row)
{
    struct facts_scan *s = &q->facts.scan;
    double score;
    s->id = q->scan_id;
    s->status = text_at(q->arena, r, row, LOOKUP_SCAN_STATUS);
    s->profile = text_at(q->arena, r, row, LOOKUP_SCAN_PROFILE);
    s->grade = text_at(q->arena, r, row, LOOKUP_SCAN_GRADE);
    s->has_score = pg_row_number(r, row, LOOKUP_SCAN_SCORE, &score);
    s->score = s->has_score ? (long)score : 0;
    s->summary_json = text_at(q->arena, r, row, LOOKUP_SCAN_SUMMARY);
    s->error = text_at(q->arena, r, row, LOOKUP_SCAN_ERROR);
    struct facts_target *t = &q->facts.target;
    t->name = text_at(q->arena, r, row, LOOKUP_TARGET_NAME);
    t->base_url = text_at(q->arena, r, row, LOOKUP_TARGET_URL);
    t->kind = text_at(q->arena, r, row, LOOKUP_TARGET_KIND);
}

static void read_finding(struct lookup *q, const PGresult *r, int row)
{
    struct facts_finding *f = &q->facts.finding;
    struct arena *a = q->arena;
    f->id = q->finding_id;
    f->pencheff_finding_id = text_at(a, r, row, LOOKUP_PENCHEFF_ID);
    f->title = text_at(a, r, row, LOOKUP_TITLE);
    f->severity_text = text_at(a, r, row, LOOKUP_SEVERITY);
    int severity = f->severity_text ? severity_parse(f->severity_text) : -1;
    f->severity = severity < 0 ? SEVERITY_INFO : (enum severity)severity;
    f->category = text_at(a, r, row, LOOKUP_CATEGORY);
    f->owasp_category = text_at(a, r, row, LOOKUP_OWASP);
    f->cwe_id = text_at(a, r, row, LOOKUP_CWE);
    f->has_cvss_score = pg_row_number(r, row, LOOKUP_CVSS_SCORE, &f->cvss_score);
    f->cvss_vector = text_at(a, r, row, LOOKUP_CVSS_VECTOR);
    f->endpoint = text_at(a, r, row, LOOKUP_ENDPOINT);
    f->parameter = text_at(a, r, row, LOOKUP_PARAMETER);
    f->description = text_at(a, r, row, LOOKUP_DESCRIPTION);
    f->remediation = text_at(a, r, row, LOOKUP_REMEDIATION);
    f->verification_status = text_at(a, r, row, LOOKUP_VERIFICATION);
    f->suppressed = pg_row_flag(r, row, LOOKUP_SUPPRESSED);
    f->suppress_reason = text_at(a, r, row, LOOKUP_SUPPRESS_REASON);
    f->has_epss = pg_row_number(r, row, LOOKUP_EPSS, &f->epss);
    f->kev = pg_row_flag(r, row, LOOKUP_KEV);
    f->has_risk_score = pg_row_number(r, row, LOOKUP_RISK_SCORE, &f->risk_score);
    f->reachability = text_at(a, r, row, LOOKUP_REACHABILITY);
    f->resolved_at = time_at(a, r, row, LOOKUP_RESOLVED_AT);
    f->created_at = time_at(a, r, row, LOOKUP_CREATED_AT);
    q->facts.has_finding = true;
}

/* A later version wrote it, or somebody by hand. What it stands for is not ours to send, and its row stays as it is. */
static void say_unknown(const struct lookup *q, const char *state)
{
    LOG(LOG_ERROR, "ledger_row_unknown", LOG_EVENT(q->about), LOG_TEXT("state", state));
}

/* "integration state attempt seconds reason error", as the statement writes it; false when it does not fit. */
static bool read_delivery(const struct lookup *q, char *line, struct lookup_row *out)
{
    char *words[6], *save = NULL;
    size_t n = 0;
    for (char *w = strtok_r(line, " ", &save); w && n < 6; w = strtok_r(NULL, " ", &save))
        words[n++] = w;
    /* concat_ws leaves the seconds out when they are NULL: five words then. */
    if (n < 5 || !uuid_parse(&out->integration, words[0]))
        return false;
    int state = delivery_state_parse(words[1]), reason = reason_parse(words[n - 2]);
    int error = error_word_parse(words[n - 1]);
    if (state < 0)
        say_unknown(q, words[1]);
    out->state = state < 0 ? DELIVERY_DROPPED : (enum delivery_state)state; /* over, as far as we know */
    out->attempt = atoi(words[2]);
    out->seconds_left = n == 6 ? strtod(words[3], NULL) : 0;
    out->reason = reason < 0 ? REASON_NONE : (enum reason)reason;
    out->error = error < 0 ? ERROR_OTHER : (enum error_word)error; /* a word of a later version */
    return true;
}

static void read_deliveries(struct lookup *q, char *text)
{
    size_t lines = 1;
    for (const char *p = text; *p; p++)
        lines += *p == '\n';
    q->rows = arena_alloc(q->arena, lines * sizeof *q->rows);
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        if (read_delivery(q, line, &q->rows[q->row_count]))
            q->row_count++;
}

static void read_ledger(struct lookup *q, const PGresult *r, int row)
{
    if (PQgetlength(r, row, LOOKUP_EVENT_HASH) != SHA256_SIZE)
        return; /* NULL, as a rule */
    int state = event_state_parse(PQgetvalue(r, row, LOOKUP_EVENT_STATE));
    int reason =
        PQgetisnull(r, row, LOOKUP_EVENT_REASON) ? 0 : reason_parse(PQgetvalue(r, row, LOOKUP_EVENT_REASON));
    if (state < 0)
        say_unknown(q, PQgetvalue(r, row, LOOKUP_EVENT_STATE));
    q->has_event = true;
    memcpy(q->event_hash, PQgetvalue(r, row, LOOKUP_EVENT_HASH), SHA256_SIZE);
    q->event_state = state < 0 ? EVENT_STATE_EXPIRED : (enum event_state)state; /* over, as far as we know */
    q->event_reason = reason < 0 ? REASON_NONE : (enum reason)reason;
    pg_row_number(r, row, LOOKUP_EVENT_SCHEDULED, &q->scheduled_in);
    if (!PQgetisnull(r, row, LOOKUP_EVENT_TRACE))
        trace_row_parse(&q->trace, q->arena, PQgetvalue(r, row, LOOKUP_EVENT_TRACE),
                        (size_t)PQgetlength(r, row, LOOKUP_EVENT_TRACE));
    /* Ids, states and numbers of our own table, a line for each integration: never cut. */
    if (!PQgetisnull(r, row, LOOKUP_ROWS))
        read_deliveries(q, arena_text(q->arena, PQgetvalue(r, row, LOOKUP_ROWS),
                                      (size_t)PQgetlength(r, row, LOOKUP_ROWS)));
}

static void read_answer(struct lookup *q, const PGresult *r, int row)
{
    struct uuid finding_scan;
    read_ledger(q, r, row);
    q->has_workspace = pg_row_uuid(r, row, LOOKUP_WORKSPACE, &q->facts.scan.workspace_id);
    if (!q->has_workspace || !pg_row_uuid(r, row, LOOKUP_TARGET_ID, &q->facts.target.id))
        return;
    read_scan(q, r, row);
    q->found = true;
    if (!q->has_finding)
        return;
    if (!pg_row_uuid(r, row, LOOKUP_FINDING_SCAN, &finding_scan)) {
        q->found = false;
        return;
    }
    q->finding_of_other_scan = !uuid_equal(&finding_scan, &q->scan_id);
    read_finding(q, r, row);
}

static void on_rows(void *owner, enum statement statement, const PGresult *r, struct pg_batch_item **items,
                    size_t count)
{
    (void)owner;
    (void)statement;
    for (int row = 0; row < PQntuples(r); row++) {
        int32_t n = -1;
        check(pg_row_int4(r, row, LOOKUP_N, &n) && n >= 0 && (size_t)n < count);
        struct lookup *q = lookup_of(items[n]);
        if (q->poison_hash)
            shared_handling(q->poison_hash);
        fault_here(FAULT_LOOK_UP, q->event_id);
        read_answer(q, r, row);
        shared_handled();
    }
}

static void on_done(void *owner, struct pg_batch_item **items, size_t count)
{
    (void)owner;
    for (size_t i = 0; i < count; i++) {
        struct lookup *q = lookup_of(items[i]);
        q->answered(q);
    }
}

static void on_refused(void *owner, struct pg_batch_item *item, const struct pg_request *why)
{
    struct lookup *q = lookup_of(item);
    (void)owner;
    LOG(LOG_ERROR, "lookup_refused", LOG_EVENT(q->about), LOG_TEXT("sqlstate", why->sqlstate),
        LOG_TEXT("words", why->words));
    q->answered(q); /* as not found */
}

static void forget_answer(struct lookup *q)
{
    memset(&q->facts, 0, sizeof q->facts);
    q->found = q->has_workspace = q->finding_of_other_scan = q->has_event = false;
    q->rows = NULL;
    q->row_count = 0;
    q->scheduled_in = 0;
    q->trace = (struct trace){0};
}

static void send_questions(void *owner, struct pg_batch_item **items, size_t count)
{
    struct lookups *l = owner;
    struct pg_array *columns = pg_batch_columns(l->batch, STATEMENT_LOOKUP);
    for (size_t i = 0; i < count; i++) {
        struct lookup *q = lookup_of(items[i]);
        struct pg_array *c = columns;
        forget_answer(q);
        pg_array_add_int4(c++, (int32_t)i);
        pg_array_add_text(c++, q->event_id);
        pg_array_add_uuid(c++, &q->scan_id);
        pg_array_add_uuid(c++, q->has_finding ? &q->finding_id : NULL);
    }
    pg_batch_execute(l->batch);
}

struct lookups *lookups_new(struct event_base *base, struct pg_link *link, const struct conf *conf)
{
    static const struct pg_batch_calls calls = {send_questions, on_rows, on_done, on_refused};
    struct pg_batch_settings settings = {
        .batch = BATCH_LOOKUP,
        .most = (size_t)conf->database_batch,
    };
    struct lookups *l = mem_zalloc(sizeof *l);
    l->batch = pg_batch_new(base, link, &settings, &calls, l);
    return l;
}

void lookups_free(struct lookups *l)
{
    if (!l)
        return;
    pg_batch_free(l->batch);
    free(l);
}

void lookups_ask(struct lookups *l, struct lookup *q)
{
    pg_batch_add(l->batch, &q->item);
}

bool lookups_withdraw(struct lookups *l, struct lookup *q)
{
    return pg_batch_withdraw(l->batch, &q->item);
}

void lookups_resume(struct lookups *l)
{
    pg_batch_resume(l->batch);
}
