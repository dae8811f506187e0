/*
 * ctl_deliveries - notifyctl deliveries: what became of events, integration by integration
 *
 * Reads the ledger under the workers' role and changes nothing. Filters are parameters of one statement.
 */
#include <stdio.h>

#include "api/ctl/ctl.h"
#include "api/ctl/ctl_output.h"
#include "api/service/ledger_sql.h"

#define ROWS                                                                                                 \
    " FROM notify.deliveries d LEFT JOIN notify.events e ON e.id = d.event_id"                               \
    " LEFT JOIN public.integrations i ON i.id = d.integration_id"                                            \
    " LEFT JOIN LATERAL (SELECT key, state FROM notify.external_refs"                                        \
    " WHERE integration_id = d.integration_id"                                                               \
    " AND finding_id = e.finding_id LIMIT 1) r ON true"                                                      \
    " WHERE ($1::text IS NULL OR d.event_id = $1) AND ($2::uuid IS NULL OR d.integration_id = $2)"           \
    " AND ($3::text IS NULL OR d.state = $3) ORDER BY d.updated_at DESC, d.event_id, d.integration_id"       \
    " LIMIT $4::int"

static const char table_sql[] = "SELECT " OUTPUT_UTC(
    "d.updated_at") " AS updated_at, e.event_type AS event, d.event_id, d.integration_id,"
                    " coalesce(i.kind, '(deleted)') AS kind, left(i.name, 30) AS name, d.state, d.attempt, "
                    "d.status,"
                    " coalesce(nullif(d.reason, 'none'), nullif(d.error, 'none')) AS why, " OUTPUT_UTC(
                        "d.due_at") " AS due_at,"
                                    " d.detail" ROWS;

static const char json_sql[] =
    "SELECT d.event_id, d.integration_id, i.kind AS integration_kind, i.name AS integration_name, "
    "d.workspace_id,"
    " e.event_type, e.scan_id, e.finding_id, d.state, d.attempt, d.owner, d.reason, d.error, d.detail, "
    "d.status,"
    " d.duration_ms, d.maybe_duplicate, d.batch, r.key AS reference, r.state AS reference_state, " OUTPUT_UTC(
        "d.due_at") " AS due_at,"
                    " " OUTPUT_UTC("d.lease_until") " AS lease_until, " OUTPUT_UTC(
                        "d.created_at") " AS created_at,"
                                        " " OUTPUT_UTC(
                                            "d.updated_at") " AS updated_at, d.response, " LEDGER_TRACE ROWS;

static bool filters_are_good(const struct ctl *ctl, long *limit)
{
    return ctl_is_uuid("--integration", ctl_value(ctl, "--integration")) &&
           ctl_is_listed("--state", ctl_value(ctl, "--state"), "states") &&
           ctl_number(ctl, "--limit", 1, 100000, 50, limit);
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
        output_json(rows);
    else
        output_table(rows, true);
    PQclear(rows);
    db_close(&db);
    return code;
}
