/*
 * ctl_story - what the ledger knows of an event and its deliveries
 *
 * Reads, changes nothing, leaves nothing out; what is shown of each row stands in api/service/ledger_sql.h.
 *
 * Attempts of the life before a replay have negative numbers (see ctl_dead_change.c); they are told in the order of
 * their times, and their numbers are not shown.
 */
#include "api/ctl/ctl_story.h"

#include <stdio.h>

#include "api/service/ledger_sql.h"
#include "api/service/rows_json.h"

static const char event_sql[] = "SELECT " LEDGER_EVENT " FROM notify.events e WHERE e.id = $1";

static const char deliveries_sql[] =
    "SELECT " LEDGER_DELIVERY
    " FROM notify.deliveries d LEFT JOIN public.integrations i ON i.id = d.integration_id"
    " LEFT JOIN notify.integration_state s ON s.integration_id = d.integration_id AND d.state = 'deferred'"
    " WHERE d.event_id = $1 AND ($2::uuid IS NULL OR d.integration_id = $2) ORDER BY 3, 4, 2";

#define ATTEMPTS                                                                                             \
    " FROM notify.attempts a WHERE a.event_id = $1 AND ($2::uuid IS NULL OR a.integration_id = $2)"

static const char attempts_table_sql[] =
    "SELECT CASE WHEN a.attempt > 0 THEN a.attempt::text ELSE 'before a replay' END AS attempt, " LEDGER_TIME(
        "a", "at") ", a.error, a.status, a.duration_ms AS ms, a.detail" ATTEMPTS LEDGER_ATTEMPT_ORDER;

static const char attempts_sql[] = "SELECT " LEDGER_ATTEMPT ATTEMPTS LEDGER_ATTEMPT_ORDER;

PGresult *story_event(struct db *db, const char *event)
{
    return db_query(db, event_sql, 1, &event);
}

PGresult *story_deliveries(struct db *db, const char *event, const char *integration)
{
    const char *values[] = {event, integration};
    return db_query(db, deliveries_sql, 2, values);
}

PGresult *story_attempts(struct db *db, const char *event, const char *integration)
{
    const char *values[] = {event, integration};
    return db_query(db, attempts_sql, 2, values);
}

bool story_print_delivery(struct db *db, const PGresult *deliveries, int row)
{
    const char *values[] = {PQgetvalue(deliveries, row, EXPLAIN_EVENT),
                            PQgetvalue(deliveries, row, EXPLAIN_INTEGRATION)};
    PGresult *attempts = db_query(db, attempts_table_sql, 2, values);
    if (!attempts)
        return false;
    output_record(deliveries, row, 2);
    if (PQntuples(attempts)) {
        puts("  attempts that failed:");
        output_table(attempts, true);
    }
    PQclear(attempts);
    return true;
}

bool story_add_delivery(struct db *db, struct buf *out, const PGresult *deliveries, int row)
{
    PGresult *attempts = story_attempts(db, PQgetvalue(deliveries, row, EXPLAIN_EVENT),
                                        PQgetvalue(deliveries, row, EXPLAIN_INTEGRATION));
    if (!attempts)
        return false;
    rows_json_with(out, deliveries, row, "attempts", attempts, EXPLAIN_ATTEMPT_SHOWN);
    PQclear(attempts);
    return true;
}
