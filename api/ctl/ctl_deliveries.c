/*
 * ctl_deliveries - notifyctl deliveries: what became of events, integration by integration
 *
 * Reads the ledger under the workers' role and changes nothing. Filters are parameters of one statement.
 */
#include <stdio.h>
#include <string.h>

#include "api/ctl/ctl.h"
#include "api/ctl/ctl_output.h"
#include "common/base/buf.h"
#include "common/base/utf8.h"
#include "common/base/uuid.h"
#include "common/destinations/dest.h"
#include "common/model/words.h"

enum { OBJECT_MAX = 1024 * 1024 }; /* bytes of one delivery as JSON, which has a few thousand */

#define UTC "AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"

#define ROWS                                                                                                 \
    " FROM notify.deliveries d LEFT JOIN notify.events e ON e.id = d.event_id"                               \
    " LEFT JOIN public.integrations i ON i.id = d.integration_id"                                            \
    " WHERE ($1::text IS NULL OR d.event_id = $1) AND ($2::uuid IS NULL OR d.integration_id = $2)"           \
    " AND ($3::text IS NULL OR d.state = $3) ORDER BY d.updated_at DESC, d.event_id, d.integration_id"       \
    " LIMIT $4::int"

static const char table_sql[] =
    "SELECT to_char(d.updated_at " UTC " AS updated_at, e.event_type AS event, d.event_id, d.integration_id,"
    " coalesce(i.kind, '(deleted)') AS kind, left(i.name, 30) AS name, d.state, d.attempt, d.status,"
    " coalesce(nullif(d.reason, 'none'), nullif(d.error, 'none')) AS why, to_char(d.due_at " UTC " AS due_at,"
    " d.detail" ROWS;

/* A row's object but for the response, and the response twice; print_objects puts them together. */
static const char json_sql[] =
    "SELECT json_build_object('event_id', d.event_id, 'integration_id', d.integration_id,"
    " 'integration_kind', i.kind, 'integration_name', i.name, 'workspace_id', d.workspace_id,"
    " 'event_type', e.event_type, 'scan_id', e.scan_id, 'finding_id', e.finding_id, 'state', d.state,"
    " 'attempt', d.attempt, 'owner', d.owner, 'reason', d.reason, 'error', d.error, 'detail', d.detail,"
    " 'status', d.status, 'duration_ms', d.duration_ms, 'maybe_duplicate', d.maybe_duplicate,"
    " 'due_at', to_char(d.due_at " UTC ", 'lease_until', to_char(d.lease_until " UTC ","
    " 'created_at', to_char(d.created_at " UTC ", 'updated_at', to_char(d.updated_at " UTC ")::text,"
    " d.response, encode(d.response, 'escape')" ROWS;

/* N without the bytes of a last character that was cut in two. */
static size_t whole_characters(const char *text, size_t n)
{
    for (size_t back = 1; back < 4 && back <= n; back++) {
        unsigned char c = (unsigned char)text[n - back];
        size_t needs = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
        if (c >= 0xc0)
            return needs > back ? n - back : n;
    }
    return n;
}

/* The response as text where it is text, else in PostgreSQL's escape format: ASCII as it is, other bytes as
 * \ooo. */
static void add_response(struct buf *out, const char *bytea, const char *escaped)
{
    size_t n = 0;
    unsigned char *bytes = PQunescapeBytea((const unsigned char *)bytea, &n);
    const char *text = (const char *)bytes;
    if (bytes && n == DEST_ANSWER_KEPT)
        n = whole_characters(text, n);
    if (bytes && utf8_is_storable(text, n))
        buf_json_bytes(out, text, n);
    else
        buf_json_text(out, escaped);
    PQfreemem(bytes);
}

static void print_objects(const PGresult *rows)
{
    struct buf one;
    buf_init(&one, OBJECT_MAX);
    putchar('[');
    for (int i = 0; i < PQntuples(rows); i++) {
        const char *object = PQgetvalue(rows, i, 0);
        buf_reset(&one);
        buf_add(&one, object, strlen(object) - 1); /* without its brace */
        buf_json_key(&one, "response");
        if (PQgetisnull(rows, i, 1))
            buf_add_text(&one, "null");
        else
            add_response(&one, PQgetvalue(rows, i, 1), PQgetvalue(rows, i, 2));
        printf("%s%s}", i ? ",\n " : "", buf_text(&one));
    }
    puts("]");
    buf_free(&one);
}

static bool filters_are_good(const struct ctl *ctl, long *limit)
{
    const char *integration = ctl_value(ctl, "--integration"), *state = ctl_value(ctl, "--state");
    struct uuid id;
    if (integration && !uuid_parse(&id, integration)) {
        fprintf(stderr, "notifyctl: --integration needs a UUID, not '%s'\n", integration);
        return false;
    }
    if (state && delivery_state_parse(state) < 0) {
        fputs("notifyctl: --state needs one of:", stderr);
        for (int i = 0; i < DELIVERY_STATE_COUNT; i++)
            fprintf(stderr, " %s", delivery_state_name((enum delivery_state)i));
        fprintf(stderr, ", not '%s'\n", state);
        return false;
    }
    return ctl_number(ctl, "--limit", 1, 100000, 50, limit);
}

enum ctl_exit ctl_deliveries(const struct ctl *ctl)
{
    long limit;
    if (!filters_are_good(ctl, &limit))
        return CTL_WRONG_USE;

    struct db db;
    enum ctl_exit code = CTL_DONE;
    if (!ctl_open_db(ctl, &db, &code))
        return code;
    bool json = ctl_value(ctl, "--json") != NULL;
    char limit_text[32];
    snprintf(limit_text, sizeof limit_text, "%ld", limit);
    const char *values[] = {ctl_value(ctl, "--event"), ctl_value(ctl, "--integration"),
                            ctl_value(ctl, "--state"), limit_text};
    PGresult *rows = db_query(&db, json ? json_sql : table_sql, 4, values);
    if (!rows)
        code = ctl_fail_db(&db);
    else if (json)
        print_objects(rows);
    else
        output_table(rows, true);
    PQclear(rows);
    db_close(&db);
    return code;
}
