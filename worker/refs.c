/*
 * refs - who may tell a destination of a weakness, and what it was told before
 *
 * Many claims per request, in three statements of one transaction: rows that are not there are made, rows that are free are
 * claimed, and then everything is read: the rows, and the findings. The last one sees what was committed when the claims had
 * been made, so a finding is never older than what the holder before has told of it. Invariants:
 *   - a claim is reported as granted only after its commit, so what may go out is known before it goes out;
 *   - nobody waits for a row that somebody else has locked: it is as good as claimed;
 *   - a claim that is asked for again, because the answer to it was lost with the link, is granted again: its number is drawn
 *     by the one who asks.
 *
 * What became of a claim writes the ledger, with the delivery's outcome.
 */
#include "worker/refs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/utf8.h"
#include "worker/shared.h"

enum { TEXT_MAX = 4096 /* bytes of a title or a reason */ };
/* Seconds between two looks at a reference that somebody holds: as long as it was held so far, within these. */
#define LOOK_LEAST 1
#define LOOK_MOST  30

struct refs {
    struct pg_batch *batch;
};

static struct ref_claim *claim_of(struct pg_batch_item *item)
{
    return list_entry(item, struct ref_claim, item);
}

const char *ref_state_word(const struct dest_reference *r)
{
    return !r->known ? "none" : r->open ? "open" : "closed";
}

/* ---- asking ---- */

static int compare(const void *a, const void *b)
{
    const struct ref_claim *x = claim_of(*(struct pg_batch_item *const *)a);
    const struct ref_claim *y = claim_of(*(struct pg_batch_item *const *)b);
    int order =
        memcmp(x->name.integration.bytes, y->name.integration.bytes, sizeof x->name.integration.bytes);
    return order ? order : strcmp(x->asked, y->asked);
}

static void add_claim(struct pg_array *c, const struct ref_claim *claim, int32_t n)
{
    pg_array_add_int4(c++, n);
    pg_array_add_uuid(c++, &claim->name.integration);
    pg_array_add_text(c++, claim->asked);
    pg_array_add_uuid(c++, claim->has_finding ? &claim->finding : NULL);
    pg_array_add_uuid(c++, &claim->workspace);
    pg_array_add_uuid(c++, &claim->name.claim);
    pg_array_add_float8(c++, claim->lease_s);
    pg_array_add_float8(c, claim->look_after_s);
}

static void send_claims(void *owner, struct pg_batch_item **items, size_t count)
{
    static const enum statement statements[] = {STATEMENT_REF_MAKE, STATEMENT_REF_CLAIM, STATEMENT_REF_READ};
    struct refs *r = owner;
    qsort(items, count, sizeof(struct pg_batch_item *), compare);
    for (size_t s = 0; s < sizeof statements / sizeof *statements; s++) {
        struct pg_array *columns = pg_batch_columns(r->batch, statements[s]);
        for (size_t i = 0; i < count; i++)
            add_claim(columns, claim_of(items[i]), (int32_t)i);
        pg_batch_execute(r->batch);
    }
}

/* ---- the answer ---- */

static const char *text_at(struct arena *a, const PGresult *r, int row, enum ref_column column)
{
    if (PQgetisnull(r, row, column))
        return NULL;
    return utf8_storable_copy(a, PQgetvalue(r, row, column), (size_t)PQgetlength(r, row, column), TEXT_MAX);
}

static bool flag_at(const PGresult *r, int row, enum ref_column column)
{
    return *PQgetvalue(r, row, column) == 't';
}

static double number_at(const PGresult *r, int row, enum ref_column column)
{
    return strtod(PQgetvalue(r, row, column), NULL);
}

static void read_reference(struct ref_claim *claim, const PGresult *r, int row)
{
    struct dest_reference *out = &claim->reference;
    const char *state = PQgetvalue(r, row, REF_STATE);
    *out = (struct dest_reference){.key = text_at(claim->arena, r, row, REF_KEY)};
    out->known = out->key && (strcmp(state, "open") == 0 || strcmp(state, "closed") == 0);
    out->open = out->known && strcmp(state, "open") == 0;
    out->unsure = !PQgetisnull(r, row, REF_UNSURE_US);
    out->unsure_since_us = out->unsure ? strtoll(PQgetvalue(r, row, REF_UNSURE_US), NULL, 10) : 0;
    int severity = PQgetisnull(r, row, REF_SEVERITY) ? -1 : severity_parse(PQgetvalue(r, row, REF_SEVERITY));
    out->severity = severity < 0 ? SEVERITY_INFO : (enum severity)severity;
    out->title = text_at(claim->arena, r, row, REF_TITLE);
}

static void read_finding(struct ref_claim *claim, const PGresult *r, int row)
{
    struct arena *a = claim->arena;
    claim->has_finding_now = flag_at(r, row, REF_HAS_FINDING);
    claim->overtaken = flag_at(r, row, REF_OVERTAKEN);
    claim->suppressed = flag_at(r, row, REF_SUPPRESSED);
    claim->resolved = flag_at(r, row, REF_RESOLVED);
    claim->suppress_reason = text_at(a, r, row, REF_SUPPRESS_REASON);
    claim->verification_status = text_at(a, r, row, REF_VERIFICATION);
    claim->severity_text = text_at(a, r, row, REF_FINDING_SEVERITY);
    claim->title = text_at(a, r, row, REF_FINDING_TITLE);
}

/* It ends with the lease at the latest, and as a rule long before. */
static double wait_of(const PGresult *r, int row)
{
    double left = number_at(r, row, REF_LEFT), held = number_at(r, row, REF_HELD);
    if (!flag_at(r, row, REF_LEASED))
        return left > LOOK_LEAST ? left : LOOK_LEAST;
    held = held > LOOK_LEAST ? held : LOOK_LEAST;
    held = held < LOOK_MOST ? held : LOOK_MOST;
    return left < held && left > 0 ? left : held;
}

static void on_rows(void *owner, enum statement statement, const PGresult *r, struct pg_batch_item **items,
                    size_t count)
{
    (void)owner;
    if (statement != STATEMENT_REF_READ)
        return;
    for (int row = 0; row < PQntuples(r); row++) {
        long n = strtol(PQgetvalue(r, row, REF_N), NULL, 10);
        check(n >= 0 && (size_t)n < count);
        struct ref_claim *claim = claim_of(items[n]);
        claim->granted = flag_at(r, row, REF_GRANTED);
        claim->wait_s = claim->granted ? 0 : wait_of(r, row);
        claim->name.fingerprint = arena_strdup(claim->arena, PQgetvalue(r, row, REF_FINGERPRINT));
        read_reference(claim, r, row);
        read_finding(claim, r, row);
    }
}

static void on_done(void *owner, struct pg_batch_item **items, size_t count)
{
    (void)owner;
    for (size_t i = 0; i < count; i++) {
        struct ref_claim *claim = claim_of(items[i]);
        claim->answered(claim);
    }
}

static void on_refused(void *owner, struct pg_batch_item *item, const struct pg_request *why)
{
    struct ref_claim *claim = claim_of(item);
    (void)owner;
    LOG(LOG_ERROR, "claim_refused", LOG_EVENT(claim->about), LOG_TEXT("fingerprint", claim->asked),
        LOG_TEXT("sqlstate", why->sqlstate), LOG_TEXT("words", why->words));
    claim->granted = false;
    claim->refused = true;
    claim->answered(claim);
}

/* ---- ---- */

struct refs *refs_new(struct event_base *base, struct pg_link *link, const struct conf *conf)
{
    static const struct pg_batch_calls calls = {send_claims, on_rows, on_done, on_refused};
    struct pg_batch_settings settings = {
        .batch = BATCH_REFS,
        .most = (size_t)conf->database_batch,
    };
    struct refs *r = mem_zalloc(sizeof *r);
    r->batch = pg_batch_new(base, link, &settings, &calls, r);
    return r;
}

void refs_free(struct refs *r)
{
    if (!r)
        return;
    pg_batch_free(r->batch);
    free(r);
}

void refs_claim(struct refs *r, struct ref_claim *claim)
{
    struct uuid *drawn = &claim->name.claim;
    check(getrandom(drawn->bytes, sizeof drawn->bytes, 0) == (ssize_t)sizeof drawn->bytes);
    claim->name.fingerprint = claim->asked;
    claim->granted = claim->refused = false;
    claim->wait_s = LOOK_LEAST;
    pg_batch_add(r->batch, &claim->item);
}

void refs_resume(struct refs *r)
{
    pg_batch_resume(r->batch);
}
