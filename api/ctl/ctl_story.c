/*
 * ctl_story - what the ledger knows of an event and its deliveries
 *
 * Reads, changes nothing, leaves nothing out. Rows are shown column by column, so a column that a migration adds has to
 * be named here once, for people and for scripts.
 *
 * Attempts of the life before a replay have negative numbers (see ctl_dead_change.c); they are told in the order of
 * their times, and their numbers are not shown.
 */
#include "api/ctl/ctl_story.h"

#include <stdio.h>

static const char event_sql[] =
    "SELECT id, event_type, state, reason, workspace_id, scan_id, finding_id, change_summary, error, queue,"
    " " OUTPUT_UTC("first_seen") " AS first_seen, " OUTPUT_UTC(
        "accepted_at") " AS accepted_at,"
                       " " OUTPUT_UTC("scheduled_for") " AS scheduled_for, " OUTPUT_UTC(
                           "finished_at") " AS finished_at,"
                                          " considered, matched, filtered_disabled, filtered_target, "
                                          "filtered_event, filtered_target_kind,"
                                          " filtered_severity, CASE WHEN event_type = 'notify_scan_findings' "
                                          "THEN published END AS published, owed,"
                                          " " OUTPUT_UTC(
                                              "swept_at") " AS swept_at FROM notify.events WHERE id = $1";

/* Begins with the columns of enum story_column. */
static const char deliveries_sql[] =
    "SELECT d.event_id, d.integration_id, coalesce(i.kind, '(deleted)') AS integration_kind,"
    " i.name AS integration_name, d.state, d.attempt, d.reason, d.error, d.detail, d.status, d.response,"
    " d.duration_ms, d.maybe_duplicate, " OUTPUT_UTC(
        "d.due_at") " AS due_at, d.rank, d.owner,"
                    " " OUTPUT_UTC("d.lease_until") " AS lease_until, d.owed, " OUTPUT_UTC(
                        "d.swept_at") " AS swept_at,"
                                      " " OUTPUT_UTC("d.created_at") " AS created_at, " OUTPUT_UTC(
                                          "d.updated_at") " AS updated_at,"
                                                          /* Of what waits in the mailbox: why. */
                                                          " " OUTPUT_UTC("s.wake_at") " AS "
                                                                                      "mailbox_next_look,"
                                                                                      " " OUTPUT_UTC(
                                                                                          "s.failing_"
                                                                                          "since") " AS "
                                                                                                   "mailb"
                                                                                                   "ox_"
                                                                                                   "faili"
                                                                                                   "ng_"
                                                                                                   "since"
                                                                                                   ","
                                                                                                   " s."
                                                                                                   "last_"
                                                                                                   "error"
                                                                                                   " AS "
                                                                                                   "mailb"
                                                                                                   "ox_"
                                                                                                   "last_"
                                                                                                   "error"
                                                                                                   ", "
                                                                                                   "s."
                                                                                                   "rate "
                                                                                                   "AS "
                                                                                                   "mailb"
                                                                                                   "ox_"
                                                                                                   "lower"
                                                                                                   "ed_"
                                                                                                   "rate"
                                                                                                   " FROM"
                                                                                                   " noti"
                                                                                                   "fy."
                                                                                                   "deliv"
                                                                                                   "eries"
                                                                                                   " d "
                                                                                                   "LEFT "
                                                                                                   "JOIN "
                                                                                                   "publi"
                                                                                                   "c."
                                                                                                   "integ"
                                                                                                   "ratio"
                                                                                                   "ns i "
                                                                                                   "ON "
                                                                                                   "i.id "
                                                                                                   "= "
                                                                                                   "d."
                                                                                                   "integ"
                                                                                                   "ratio"
                                                                                                   "n_id"
                                                                                                   " LEFT"
                                                                                                   " JOIN"
                                                                                                   " noti"
                                                                                                   "fy."
                                                                                                   "integ"
                                                                                                   "ratio"
                                                                                                   "n_"
                                                                                                   "state"
                                                                                                   " s "
                                                                                                   "ON "
                                                                                                   "s."
                                                                                                   "integ"
                                                                                                   "ratio"
                                                                                                   "n_id "
                                                                                                   "= "
                                                                                                   "d."
                                                                                                   "integ"
                                                                                                   "ratio"
                                                                                                   "n_id "
                                                                                                   "AND "
                                                                                                   "d."
                                                                                                   "state"
                                                                                                   " = "
                                                                                                   "'defe"
                                                                                                   "rred'"
                                                                                                   " WHER"
                                                                                                   "E "
                                                                                                   "d."
                                                                                                   "event"
                                                                                                   "_id "
                                                                                                   "= $1 "
                                                                                                   "AND "
                                                                                                   "($2::"
                                                                                                   "uuid "
                                                                                                   "IS "
                                                                                                   "NULL "
                                                                                                   "OR "
                                                                                                   "d."
                                                                                                   "integ"
                                                                                                   "ratio"
                                                                                                   "n_id "
                                                                                                   "= "
                                                                                                   "$2) "
                                                                                                   "ORDER"
                                                                                                   " BY "
                                                                                                   "3, "
                                                                                                   "4, 2";

#define ATTEMPTS                                                                                             \
    " FROM notify.attempts WHERE event_id = $1 AND integration_id = $2::uuid ORDER BY notify.attempts.at,"   \
    " notify.attempts.attempt"

static const char attempts_table_sql[] =
    "SELECT CASE WHEN attempt > 0 THEN attempt::text ELSE 'before a replay' END AS attempt,"
    " " OUTPUT_UTC("at") " AS at, error, status, duration_ms AS ms, detail" ATTEMPTS;

static const char attempts_json_sql[] =
    "SELECT CASE WHEN attempt > 0 THEN attempt END AS attempt, attempt < 0 AS before_replay,"
    " " OUTPUT_UTC("at") " AS at, error, detail, status, response, duration_ms" ATTEMPTS;

PGresult *story_event(struct db *db, const char *event)
{
    return db_query(db, event_sql, 1, &event);
}

PGresult *story_deliveries(struct db *db, const char *event, const char *integration)
{
    const char *values[] = {event, integration};
    return db_query(db, deliveries_sql, 2, values);
}

static PGresult *ask_attempts(struct db *db, const char *sql, const PGresult *deliveries, int row)
{
    const char *values[] = {PQgetvalue(deliveries, row, STORY_EVENT),
                            PQgetvalue(deliveries, row, STORY_INTEGRATION)};
    return db_query(db, sql, 2, values);
}

bool story_print_delivery(struct db *db, const PGresult *deliveries, int row)
{
    PGresult *attempts = ask_attempts(db, attempts_table_sql, deliveries, row);
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
    PGresult *attempts = ask_attempts(db, attempts_json_sql, deliveries, row);
    if (!attempts)
        return false;
    buf_add_char(out, '{');
    output_json_members(out, deliveries, row);
    buf_json_key(out, "attempts");
    output_json_rows(out, attempts);
    buf_add_char(out, '}');
    PQclear(attempts);
    return true;
}
