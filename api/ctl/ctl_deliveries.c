/*
 * ctl_deliveries - notifyctl deliveries: what became of events, integration by integration
 *
 * Reads the ledger under the workers' role and changes nothing. Filters are parameters of one statement.
 */
#include <stdio.h>

#include "api/ctl/ctl.h"
#include "api/ctl/ctl_output.h"
#include "common/base/uuid.h"
#include "common/model/words.h"

#define UTC "AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"

#define ROWS                                                                                                 \
    " FROM notify.deliveries d LEFT JOIN notify.events e ON e.id = d.event_id"                               \
    " WHERE ($1::text IS NULL OR d.event_id = $1) AND ($2::uuid IS NULL OR d.integration_id = $2)"           \
    " AND ($3::text IS NULL OR d.state = $3) ORDER BY d.updated_at DESC, d.event_id, d.integration_id"       \
    " LIMIT $4::int"

static const char table_sql[] =
    "SELECT to_char(d.updated_at " UTC " AS updated_at, e.event_type AS event, d.event_id, d.integration_id,"
    " d.state, d.attempt, d.status, coalesce(nullif(d.reason, 'none'), nullif(d.error, 'none')) AS why,"
    " to_char(d.due_at " UTC " AS due_at" ROWS;

/* The response is shown in PostgreSQL's escape format: ASCII as it is, other bytes as \ooo. */
static const char json_sql[] =
    "SELECT coalesce(json_agg(x), '[]') FROM (SELECT d.event_id, d.integration_id, d.workspace_id,"
    " e.event_type, e.scan_id, e.finding_id, d.state, d.attempt, d.owner, d.reason, d.error, d.status,"
    " encode(d.response, 'escape') AS response, d.duration_ms, d.maybe_duplicate,"
    " to_char(d.due_at " UTC " AS due_at, to_char(d.lease_until " UTC " AS lease_until,"
    " to_char(d.created_at " UTC " AS created_at, to_char(d.updated_at " UTC " AS updated_at" ROWS ") x";

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
        puts(PQgetvalue(rows, 0, 0));
    else
        output_table(rows);
    PQclear(rows);
    db_close(&db);
    return code;
}
