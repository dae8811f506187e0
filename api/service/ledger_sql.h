#ifndef NOTIFY_SERVICE_LEDGER_SQL_H
#define NOTIFY_SERVICE_LEDGER_SQL_H

/*
 * What is shown of the ledger's rows, once, for those who read its tables (notifyctl) and those who read one workspace's views
 * of them (the API). A column that a migration adds is named here.
 */

/* clang-format off */

/* A time as JSON and people read it: ISO 8601, milliseconds, UTC. */
#define LEDGER_UTC(time) "to_char(" time " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"
#define LEDGER_TIME(row, name) LEDGER_UTC(row "." name) " AS " name

/* The id of the trace of an event e, as event_trace() in common/model/event.h has it. */
#define LEDGER_TRACE                                                                                         \
    "coalesce(substr(e.trace, 4, 32), left(encode(sha256(convert_to(e.id, 'UTF8')), 'hex'), 32)) AS trace"

/* Of an event e. */
#define LEDGER_EVENT                                                                                         \
    "e.id, e.event_type, e.state, e.reason, e.workspace_id, e.scan_id, e.finding_id, e.change_summary, "     \
    "e.error, e.queue, " LEDGER_TIME("e", "first_seen") ", " LEDGER_TIME("e", "accepted_at") ", "            \
    LEDGER_TIME("e", "scheduled_for") ", " LEDGER_TIME("e", "finished_at") ", e.considered, e.matched, "     \
    "e.filtered_disabled, e.filtered_target, e.filtered_event, e.filtered_target_kind, "                     \
    "e.filtered_severity, CASE WHEN e.event_type = 'notify_scan_findings' THEN e.published END AS "          \
    "published, e.owed, " LEDGER_TIME("e", "swept_at") ", e.export_id, " LEDGER_TRACE

/* Of a delivery d, its integration i, and s, the integration's state, where d waits in the mailbox: why. Begins as enum
 * explain_delivery_column. */
#define LEDGER_DELIVERY                                                                                      \
    "d.event_id, d.integration_id, coalesce(i.kind, '(deleted)') AS integration_kind, i.name AS "            \
    "integration_name, d.state, d.attempt, d.reason, d.error, d.detail, d.status, d.response, "              \
    "d.duration_ms, d.maybe_duplicate, d.batch, " LEDGER_TIME("d", "due_at") ", d.rank, d.owner, "           \
    LEDGER_TIME("d", "lease_until") ", d.owed, " LEDGER_TIME("d", "swept_at") ", "                           \
    LEDGER_TIME("d", "created_at") ", " LEDGER_TIME("d", "updated_at") ", " LEDGER_UTC("s.wake_at")          \
    " AS mailbox_next_look, " LEDGER_UTC("s.failing_since") " AS mailbox_failing_since, "                    \
    "s.last_error AS mailbox_last_error, s.rate AS mailbox_lowered_rate"

/* Of a failed attempt a. One of the life before a replay has a negative number, which is not shown. Begins as enum
 * explain_attempt_column. */
#define LEDGER_ATTEMPT_BRIEF                                                                                 \
    "a.event_id, a.integration_id, CASE WHEN a.attempt > 0 THEN a.attempt END AS attempt, "                  \
    "a.attempt < 0 AS before_replay, " LEDGER_TIME("a", "at") ", a.error, a.detail, a.status, a.duration_ms"
/* The same with what was answered. */
#define LEDGER_ATTEMPT LEDGER_ATTEMPT_BRIEF ", a.response"
#define LEDGER_ATTEMPT_ORDER " ORDER BY a.event_id, a.integration_id, a.at, a.attempt"

/*
 * What a replay makes of a dead delivery: it loses its reason, which says why it is dead; error, detail, status and response stay
 * until the next attempt, as for any row that waits. Its message is `owed`, and the sweep of notifyd publishes it.
 */
#define LEDGER_REPLAYED                                                                                      \
    "state = 'waiting', attempt = 0, owner = NULL, lease_until = NULL, due_at = now(), reason = NULL, "      \
    "owed = true, swept_at = NULL, updated_at = now()"
/* What it makes of the number of attempt A: the next life counts from 1 again, so those of this one go below all that are there
 * (N: the LOWEST and HIGHEST of the delivery), and stay in order by their times. */
#define LEDGER_EARLIER_LIFE(a, n) a ".attempt - " n ".highest - 1 + least(" n ".lowest, 0)"
/* What giving it up makes of it. */
#define LEDGER_DROPPED "state = 'dropped', owed = false, updated_at = now()"

#endif
