/*
 * service_ledger_sql - the SQL of the service layer about the ledger
 *
 * Connections run generic plans of nested loops (common/db/pg_dial.c), and a view with a wall is planned by itself. So a row of
 * another view is looked up by LATERAL with OFFSET 0, which keeps it a query of its own that takes its key through the wall;
 * only what cannot leak goes through (operators that say so, no COALESCE); a page takes its order from the view
 * notify.api_recent; and a parameter that may be missing has a value that stands for all, or a branch of its own.
 *
 * No page looks at more rows than it was told, whatever its filters: one that finds less than it wanted says where it stopped.
 */
#include "api/service/service_ledger_sql.h"

#include "api/service/explain_now.h"
#include "api/service/ledger_sql.h"

/* clang-format off */

/* ---- pages ---- */

#define PAGE_COLUMNS                                                                                         \
    "d.event_id, d.integration_id, d.state, d.attempt, d.reason, d.error, d.detail, d.status, d.duration_ms,"\
    " d.maybe_duplicate, d.batch, d.due_at, d.created_at, d.updated_at"
#define PAGE_ORDER(row) " ORDER BY " row ".updated_at DESC, " row ".event_id DESC, " row ".integration_id DESC"
/* The first comparison is for the index, the second for rows of the same time. */
#define PAGE_TIME "('epoch'::timestamptz + $2::bigint * interval '1 microsecond')"
#define PAGE_BEHIND                                                                                          \
    " d.updated_at <= " PAGE_TIME " AND (d.updated_at, d.event_id, d.integration_id) <"                      \
    " (" PAGE_TIME ", $3 COLLATE \"C\", $4)"
#define MICROSECONDS(time) "(extract(epoch FROM " time ") * 1000000)::bigint"

/* Columns as enum api_page_column. */
#define PAGE(candidates)                                                                                     \
    "WITH looked AS MATERIALIZED (" candidates PAGE_ORDER("d") " LIMIT $5),"                                 \
    " page AS (SELECT d.*, e.event_type, e.scan_id, e.finding_id, e.export_id FROM looked d"                              \
    " LEFT JOIN LATERAL (SELECT o.event_type, o.scan_id, o.finding_id, o.export_id FROM notify.api_events o"              \
    " WHERE o.workspace_id = $1 AND o.id = d.event_id OFFSET 0) e ON true"                                            \
    " WHERE d.state = ANY ($7) AND ($8 IS NULL OR d.reason = $8) AND ($9 IS NULL OR e.event_type = $9)"      \
    PAGE_ORDER("d") " LIMIT $6)"                                                                             \
    " SELECT (SELECT count(*) FROM looked), " MICROSECONDS("last.updated_at") ", last.event_id,"             \
    " last.integration_id, " MICROSECONDS("d.updated_at") ", d.event_id, d.event_type, d.scan_id,"           \
    " d.finding_id, d.integration_id, i.kind AS integration_kind, i.name AS integration_name, d.state,"      \
    " d.attempt, d.reason, d.error, d.detail, d.status, d.duration_ms, d.maybe_duplicate, d.batch,"          \
    " d.export_id, r.key AS reference, r.state AS reference_state, " LEDGER_TIME("d", "due_at") ", "                      \
    LEDGER_TIME("d", "created_at") ", " LEDGER_TIME("d", "updated_at")                                       \
    " FROM (SELECT 1) one LEFT JOIN LATERAL (SELECT l.updated_at, l.event_id, l.integration_id FROM looked l"\
    " ORDER BY l.updated_at, l.event_id, l.integration_id LIMIT 1) last ON true"                             \
    " LEFT JOIN page d ON true"                                                                              \
    " LEFT JOIN LATERAL (SELECT o.kind, o.name FROM notify.api_integrations o WHERE o.workspace_id = $1"     \
    " AND o.id = d.integration_id OFFSET 0) i ON true"                                                                \
    " LEFT JOIN LATERAL (SELECT o.key, o.state FROM notify.api_refs o WHERE o.workspace_id = $1"             \
    " AND o.integration_id = d.integration_id AND o.finding_id = d.finding_id LIMIT 1) r ON true"            \
    PAGE_ORDER("d")

const char service_sql_recent[] =
    PAGE("SELECT d.* FROM unnest($7) s (state) CROSS JOIN LATERAL (SELECT " PAGE_COLUMNS
         " FROM notify.api_recent d WHERE d.workspace_id = $1 AND d.state = s.state AND" PAGE_BEHIND " LIMIT $5) d");

const char service_sql_of_integration[] =
    PAGE("SELECT d.* FROM (SELECT " PAGE_COLUMNS " FROM notify.api_recent d WHERE d.workspace_id = $1"
         " AND d.integration_id = $10 AND" PAGE_BEHIND " LIMIT $5) d");

/* The scan, or that of the finding when none was named. */
#define SCAN_ASKED(scan, finding)                                                                            \
    "SELECT CASE WHEN " scan " IS NULL THEN (SELECT f.scan_id FROM notify.api_findings f"                    \
    " WHERE f.workspace_id = $1 AND f.id = " finding ") ELSE " scan " END AS scan_id OFFSET 0"

const char service_sql_of_events[] =
    PAGE("SELECT d.* FROM (SELECT e.id FROM notify.api_events e WHERE e.workspace_id = $1 AND e.id = $10"
         " AND ($11 IS NULL OR e.scan_id = $11) AND ($12 IS NULL OR e.finding_id = $12)"
         " UNION ALL SELECT e.id FROM (" SCAN_ASKED("$11", "$12") ") s CROSS JOIN LATERAL"
         " (SELECT e.id FROM notify.api_events e WHERE e.workspace_id = $1 AND e.scan_id = s.scan_id"
         " AND ($12 IS NULL OR e.finding_id = $12) OFFSET 0) e WHERE $10 IS NULL) e"
         " CROSS JOIN LATERAL (SELECT " PAGE_COLUMNS " FROM notify.api_deliveries d WHERE d.workspace_id = $1"
         " AND d.event_id = e.id AND ($13 IS NULL OR d.integration_id = $13) AND" PAGE_BEHIND " OFFSET 0) d");

/* Each by its whole key, whatever statistics there are. */
const char service_sql_of_export[] =
    PAGE("SELECT d.* FROM (SELECT e.id, e.export_to FROM notify.api_events e WHERE e.workspace_id = $1 AND e.export_id = $14"
         " AND ($10 IS NULL OR e.id = $10) AND ($11 IS NULL OR e.scan_id = $11) AND ($12 IS NULL OR e.finding_id = $12)"
         " AND ($13 IS NULL OR e.export_to = $13)) e"
         " CROSS JOIN LATERAL (SELECT " PAGE_COLUMNS " FROM notify.api_deliveries d WHERE d.workspace_id = $1"
         " AND d.event_id = e.id AND d.integration_id = e.export_to AND" PAGE_BEHIND " OFFSET 0) d");

/* ---- pages of events ---- */

#define EVENT_ORDER(row) " ORDER BY " row ".accepted_at DESC, " row ".id DESC"
#define EVENT_BEHIND                                                                                         \
    " e.accepted_at <= " PAGE_TIME " AND (e.accepted_at, e.id) < (" PAGE_TIME ", $3 COLLATE \"C\")"

/* Columns as enum api_event_page_column. */
#define EVENT_PAGE(candidates)                                                                               \
    "WITH looked AS MATERIALIZED (" candidates EVENT_ORDER("e") " LIMIT $4),"                                \
    " page AS (SELECT e.* FROM looked e WHERE ($7 IS NULL OR e.reason = $7)"                                 \
    " AND ($8 IS NULL OR e.event_type = $8)" EVENT_ORDER("e") " LIMIT $5)"                                   \
    " SELECT (SELECT count(*) FROM looked), " MICROSECONDS("last.accepted_at") ", last.id, "                 \
    MICROSECONDS("e.accepted_at") ", " LEDGER_EVENT                                                          \
    " FROM (SELECT 1) one LEFT JOIN LATERAL (SELECT l.accepted_at, l.id FROM looked l"                       \
    " ORDER BY l.accepted_at, l.id LIMIT 1) last ON true LEFT JOIN page e ON true" EVENT_ORDER("e")

const char service_sql_events_recent[] =
    EVENT_PAGE("SELECT e.* FROM unnest($6) s (state) CROSS JOIN LATERAL (SELECT e.* FROM notify.api_recent_events e"
               " WHERE e.workspace_id = $1 AND e.state = s.state AND" EVENT_BEHIND " LIMIT $4) e");

const char service_sql_events_of_scan[] =
    EVENT_PAGE("SELECT e.* FROM (" SCAN_ASKED("$9", "$10") ") s CROSS JOIN LATERAL"
               " (SELECT e.* FROM notify.api_events e WHERE e.workspace_id = $1 AND e.scan_id = s.scan_id"
               " AND ($10 IS NULL OR e.finding_id = $10) AND e.state = ANY ($6) AND" EVENT_BEHIND " OFFSET 0) e");

/* ---- one ---- */

#define DELIVERY_ROW(source)                                                                                 \
    "SELECT " LEDGER_DELIVERY " FROM " source                                                                \
    " LEFT JOIN LATERAL (SELECT o.kind, o.name FROM notify.api_integrations o WHERE o.workspace_id = $1"     \
    " AND o.id = d.integration_id OFFSET 0) i ON true"                                                                \
    " LEFT JOIN LATERAL (SELECT o.wake_at, o.failing_since, o.last_error, o.rate FROM notify.api_states o"   \
    " WHERE o.workspace_id = $1 AND o.integration_id = d.integration_id AND d.state = 'deferred' OFFSET 0) s ON true"

const char service_sql_delivery[] =
    DELIVERY_ROW("notify.api_deliveries d") " WHERE d.workspace_id = $1 AND d.event_id = $2 AND d.integration_id = $3";

const char service_sql_delivery_attempts[] =
    "SELECT " LEDGER_ATTEMPT " FROM notify.api_attempts a WHERE $1 IS NOT NULL AND a.event_id = $2"
    " AND a.integration_id = $3" LEDGER_ATTEMPT_ORDER;

/* ---- what is dead begins again, or is given up ---- */

#define PICKED(which)                                                                                        \
    "WITH asked AS MATERIALIZED (SELECT DISTINCT a.event_id, a.integration_id FROM unnest($2, $3)"           \
    " a (event_id, integration_id)),"                                                                        \
    " picked AS MATERIALIZED (SELECT p.event_id, p.integration_id FROM asked a CROSS JOIN LATERAL"           \
    " (SELECT d.event_id, d.integration_id FROM notify.api_deliveries d WHERE d.workspace_id = $1"           \
    " AND d.event_id = a.event_id AND d.integration_id = a.integration_id AND d.state = 'dead'" which        \
    " FOR NO KEY UPDATE OF d SKIP LOCKED) p)"
/* What a worker would cancel at once, and nobody could begin again, stays dead: its integration is disabled, or gone. */
#define IS_WANTED                                                                                            \
    " AND EXISTS (SELECT FROM notify.api_integrations i WHERE i.workspace_id = $1 AND i.id = a.integration_id AND i.enabled)"
/* Columns as enum api_change_column. */
#define TOLD(verb)                                                                                           \
    ", logged AS (INSERT INTO notify.api_audit (workspace_id, actor, actor_name, verb, object)"              \
    " SELECT $1, $4, $5, '" verb "', c.event_id || ' ' || c.integration_id FROM changed c)"                  \
    " SELECT a.event_id, a.integration_id, c.event_id IS NOT NULL, d.state,"                                 \
    " CASE WHEN i.enabled THEN NULL WHEN i.enabled IS NULL THEN 'deleted' ELSE 'disabled' END FROM asked a"  \
    " LEFT JOIN changed c ON c.event_id = a.event_id AND c.integration_id = a.integration_id"                \
    " LEFT JOIN LATERAL (SELECT o.state FROM notify.api_deliveries o WHERE o.workspace_id = $1"              \
    " AND o.event_id = a.event_id AND o.integration_id = a.integration_id OFFSET 0) d ON true"               \
    " LEFT JOIN LATERAL (SELECT o.enabled FROM notify.api_integrations o WHERE o.workspace_id = $1"          \
    " AND o.id = a.integration_id OFFSET 0) i ON true ORDER BY a.event_id, a.integration_id"
#define OF_PICKED(row) " FROM picked p WHERE " row ".event_id = p.event_id AND " row ".integration_id = p.integration_id"

const char service_sql_replay[] =
    PICKED(IS_WANTED) ", numbers AS (SELECT p.event_id, p.integration_id, n.lowest, n.highest FROM picked p CROSS JOIN LATERAL"
    " (SELECT min(a.attempt) AS lowest, max(a.attempt) AS highest FROM notify.api_attempts a"
    " WHERE a.event_id = p.event_id AND a.integration_id = p.integration_id) n),"
    " earlier AS (UPDATE notify.api_attempts a SET attempt = " LEDGER_EARLIER_LIFE("a", "p")
    " FROM numbers p WHERE a.event_id = p.event_id AND a.integration_id = p.integration_id AND a.attempt > 0),"
    " changed AS (UPDATE notify.api_deliveries d SET " LEDGER_REPLAYED OF_PICKED("d")
    " RETURNING d.event_id, d.integration_id)" TOLD("replay");

const char service_sql_drop[] =
    PICKED("") ", changed AS (UPDATE notify.api_deliveries d SET " LEDGER_DROPPED OF_PICKED("d")
    " RETURNING d.event_id, d.integration_id)" TOLD("drop");

/* ---- explain ---- */

#define EXPLAINED(columns)                                                                                   \
    "(SELECT x.* FROM (SELECT " columns " FROM notify.api_events e WHERE e.workspace_id = $1 AND e.id = $2"  \
    " UNION ALL SELECT " columns " FROM notify.api_events e WHERE e.workspace_id = $1 AND $2 IS NULL"        \
    " AND e.scan_id = $3 AND e.event_type = $4 AND ($5 IS NULL OR e.finding_id = $5)) x"                     \
    " ORDER BY x.accepted_at DESC, x.id LIMIT $6)"

const char service_sql_explain_events[] = "SELECT " LEDGER_EVENT " FROM " EXPLAINED("e.*") " e ORDER BY e.accepted_at DESC, e.id";

const char service_sql_explain_deliveries[] =
    DELIVERY_ROW(EXPLAINED("e.id, e.accepted_at") " e CROSS JOIN LATERAL (SELECT o.* FROM notify.api_deliveries o"
    " WHERE o.workspace_id = $1 AND o.event_id = e.id AND ($7 IS NULL OR o.integration_id = $7) OFFSET 0) d");

const char service_sql_explain_attempts[] =
    "SELECT " LEDGER_ATTEMPT_BRIEF " FROM " EXPLAINED("e.id, e.accepted_at")
    " e CROSS JOIN LATERAL (SELECT o.* FROM notify.api_attempts o WHERE o.event_id = e.id"
    " AND ($7 IS NULL OR o.integration_id = $7) OFFSET 0) a" LEDGER_ATTEMPT_ORDER;

const char service_sql_explain_facts[] =
    "SELECT s.workspace_id, t.id, t.kind, f.scan_id, f.severity, x.scan, x.finding"
    " FROM (SELECT coalesce($3, e.scan_id) AS scan, coalesce($4, e.finding_id) AS finding FROM (SELECT 1) one"
    " LEFT JOIN LATERAL (SELECT o.scan_id, o.finding_id FROM notify.api_events o WHERE o.workspace_id = $1"
    " AND o.id = $2 OFFSET 0) e ON true) x"
    " LEFT JOIN LATERAL (SELECT o.workspace_id, o.target_id FROM notify.api_scans o WHERE o.workspace_id = $1"
    " AND o.id = x.scan OFFSET 0) s ON true"
    " LEFT JOIN LATERAL (SELECT o.id, o.kind FROM notify.api_targets o WHERE o.workspace_id = $1"
    " AND o.id = s.target_id OFFSET 0) t ON true"
    " LEFT JOIN LATERAL (SELECT o.scan_id, o.severity FROM notify.api_findings o WHERE o.workspace_id = $1"
    " AND o.id = x.finding OFFSET 0) f ON true";

const char service_sql_explain_integrations[] =
    "SELECT " EXPLAIN_INTEGRATION_COLUMNS("i") " FROM notify.api_integrations i WHERE i.workspace_id = $1"
    " AND ($2 IS NULL OR i.id = $2) ORDER BY i.kind, i.name, i.id";
