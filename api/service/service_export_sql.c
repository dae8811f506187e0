/*
 * service_export_sql - the SQL of exports
 *
 * What is exported becomes events of our own, done from the start, each with one delivery in the mailbox of the integration: a
 * worker takes it from there as any other, with limits, references and retries, and no filter is asked. The ids follow from the
 * export's, so a transaction that is sent again makes nothing twice.
 *
 * The mailbox's time is set by a statement of its own behind the rows: who empties a mailbox takes the time away only when it
 * saw no row with the time's row locked. An Idempotency-Key was taken before, by a statement that does not know whether there is
 * anything to export: what is refused gives it back.
 */
#include "api/service/service_export.h"

/* clang-format off */

/* The hash of an event's content, as event_hash_content makes it: the type, the scan, the finding, and no texts. */
#define CONTENT_HASH                                                                                         \
    "sha256('11:finding_new16:'::bytea || uuid_send(g.scan_id) || '16:'::bytea || uuid_send(g.id) || '--'::bytea)"

/* How much there is of everything, and what is meant, worst first; of the first FACTS_OF, what is told. */
#define MEANT(facts_of)                                                                                      \
    "there AS MATERIALIZED (SELECT $2 IS NULL OR EXISTS (SELECT FROM notify.api_scans s WHERE s.workspace_id = $1" \
    " AND s.id = $2) AS scan),"                                                                              \
    " sum AS MATERIALIZED (SELECT * FROM notify.api_export_sum($2, $3, $4)),"                                \
    " unknown AS MATERIALIZED (SELECT string_agg(n.id::text, ', ') AS ids FROM sum, (SELECT DISTINCT u.id FROM unnest($3) u (id)) n" \
    " WHERE sum.known IS NULL OR n.id <> ALL (sum.known)),"                                                  \
    " chosen AS MATERIALIZED (SELECT c.* FROM (SELECT sum.meant FROM sum WHERE sum.meant <= $5) s"           \
    " CROSS JOIN LATERAL (SELECT * FROM notify.api_exportable($2, $3, $4, $5, " facts_of ") OFFSET 0) c)"
#define IS_GOOD "there.scan AND unknown.ids IS NULL AND sum.meant <= $5"
#define LEFT_OUT "'left_out', json_build_object('severity', sum.low, 'suppressed', sum.suppressed)"
#define FINDINGS(event)                                                                                      \
    "'findings', (SELECT coalesce(json_agg(json_build_object('finding_id', c.id, 'event_id', " event ","     \
    " 'severity', c.severity, 'title', c.title) ORDER BY c.n), '[]') FROM chosen c)"
#define COUNT "'count', sum.meant"
#define FACTS "(SELECT json_agg(c.facts ORDER BY c.n)::text FROM chosen c WHERE c.facts IS NOT NULL)"

/* A weakness as alert_fingerprint names it: texts with the NUL that ends them. */
#define HASHED(text) "convert_to(coalesce(" text ", ''), 'UTF8') || '\\x00'::bytea"
#define FINGERPRINT                                                                                          \
    "encode(sha256(" HASHED("'finding'") " || uuid_send((c.facts->'target'->>'id')::uuid) || "               \
    HASHED("c.facts->'finding'->>'category'") " || " HASHED("c.facts->'finding'->>'endpoint'") " || "        \
    HASHED("c.facts->'finding'->>'parameter'") " || " HASHED("c.facts->'finding'->>'title'") "), 'hex')"

/* What the integration was told before of those whose facts are shown, chosen as a worker claims it (worker/statements.c). */
#define TOLD                                                                                                 \
    "told AS MATERIALIZED (SELECT c.n, jsonb_build_object('reference', jsonb_build_object('fingerprint', r.fingerprint," \
    " 'state', r.state, 'key', r.key, 'severity', r.severity, 'title', r.title,"                             \
    " 'unsure_since', (extract(epoch FROM CASE WHEN isfinite(r.unsure_since) THEN r.unsure_since END) * 1000000)::bigint," \
    " 'overtaken', coalesce(r.told AND (g.created_at, g.id) > (f.created_at, f.id), false))) AS reference FROM chosen c" \
    " CROSS JOIN LATERAL (SELECT coalesce((SELECT o.fingerprint FROM notify.api_refs o WHERE o.workspace_id = $1"  \
    " AND o.integration_id = $7 AND o.finding_id = c.id ORDER BY o.updated_at DESC LIMIT 1), " FINGERPRINT ")"     \
    " AS fingerprint OFFSET 0) k"                                                                            \
    " CROSS JOIN LATERAL (SELECT * FROM notify.api_refs o WHERE o.workspace_id = $1 AND o.integration_id = $7"     \
    " AND o.fingerprint = k.fingerprint OFFSET 0) r"                                                         \
    " LEFT JOIN LATERAL (SELECT o.id, o.created_at FROM notify.api_findings o WHERE o.workspace_id = $1 AND o.id = c.id OFFSET 0) f" \
    " ON true LEFT JOIN LATERAL (SELECT o.id, o.created_at FROM notify.api_findings o WHERE o.workspace_id = $1"   \
    " AND o.id = r.finding_id AND o.id <> c.id OFFSET 0) g ON true WHERE c.facts IS NOT NULL)"
#define FACTS_TOLD                                                                                           \
    "(SELECT json_agg(c.facts || coalesce(t.reference, '{}') ORDER BY c.n)::text FROM chosen c"              \
    " LEFT JOIN told t ON t.n = c.n WHERE c.facts IS NOT NULL)"
#define EVENT(row) "'export.' || $8 || '.' || " row ".id"
#define LOG "INSERT INTO notify.api_audit (workspace_id, actor, actor_name, verb, object) SELECT "

const char service_sql_export[] =
    "WITH it AS MATERIALIZED (SELECT i.id, i.kind, i.enabled, i.config_encrypted FROM notify.api_integrations i"
    " WHERE i.workspace_id = $1 AND i.id = $7), " MEANT("CASE WHEN NOT $6::boolean THEN 0 WHEN (SELECT it.kind FROM it) = ANY ($13) THEN $14 ELSE $15 END") ", " TOLD ","
    " mine AS MATERIALIZED (SELECT it.enabled AND it.kind = ANY ($10) AND NOT $6::boolean AND " IS_GOOD
    " AND ($9 IS NULL OR EXISTS (SELECT FROM notify.api_keys k WHERE k.workspace_id = $1 AND k.key = $9"
    " AND k.integration_id = $8)) AS goes FROM it, there, unknown, sum),"
    " goes AS MATERIALIZED (SELECT c.* FROM chosen c, mine WHERE mine.goes),"
    " events AS (INSERT INTO notify.api_events (id, content_hash, workspace_id, scan_id, event_type, finding_id, state,"
    " first_seen, finished_at, considered, matched, export_id, export_to) SELECT " EVENT("g") ", " CONTENT_HASH ", $1, g.scan_id,"
    " 'finding_new', g.id, 'done', now(), now(), 1, 1, $8, $7 FROM goes g ON CONFLICT (id) DO NOTHING RETURNING id),"
    " deliveries AS (INSERT INTO notify.api_deliveries (event_id, integration_id, workspace_id, state, attempt, rank, due_at)"
    " SELECT " EVENT("g") ", $7, $1, 'deferred', 0, g.rank, now() + g.n * interval '1 microsecond' FROM goes g"
    " ON CONFLICT (event_id, integration_id) DO NOTHING),"
    " shown AS (SELECT json_build_object('export_id', CASE WHEN NOT $6::boolean AND sum.meant > 0 THEN $8 END, 'integration_id', $7,"
    " 'kind', it.kind, " COUNT ", " LEFT_OUT ", " FINDINGS("CASE WHEN NOT $6::boolean THEN " EVENT("c") " END") ")::text"
    " AS body FROM it, mine, sum WHERE mine.goes OR $6::boolean),"
    " whole AS (SELECT left(s.body, -1) || ',\"requests\":[],\"detail\":null}' AS body FROM shown s, mine WHERE mine.goes),"
    " kept AS (UPDATE notify.api_keys k SET answer = w.body FROM whole w WHERE k.workspace_id = $1 AND k.key = $9),"
    " freed AS (DELETE FROM notify.api_keys k USING mine WHERE k.workspace_id = $1 AND k.key = $9 AND k.integration_id = $8"
    " AND k.answer IS NULL AND NOT mine.goes),"
    " logged AS (" LOG "$1, $11, $12, 'export', $7::text || ' ' || $8::text FROM (SELECT count(*) AS count FROM events) e WHERE e.count > 0)"
    " SELECT it.kind, it.enabled, there.scan, unknown.ids, sum.meant, coalesce(w.body, s.body),"
    " encode(k.body_hash, 'hex'), k.answer, CASE WHEN $6::boolean THEN encode(it.config_encrypted, 'hex') END, " FACTS_TOLD
    " FROM there CROSS JOIN unknown CROSS JOIN sum LEFT JOIN it ON true LEFT JOIN whole w ON true LEFT JOIN shown s ON true"
    " LEFT JOIN notify.api_keys k ON k.workspace_id = $1 AND k.key = $9";

const char service_sql_export_unsaved[] =
    "WITH " MEANT("$5") ","
    " logged AS (" LOG "$1, $7, $8, 'export', 'unsaved ' || $9 FROM there, unknown, sum WHERE " IS_GOOD " AND NOT $6::boolean"
    " AND EXISTS (SELECT FROM chosen))"
    " SELECT NULL::text, NULL::text, there.scan, unknown.ids, sum.meant,"
    " json_build_object(" COUNT ", " LEFT_OUT ")::text, NULL::text, NULL::text, NULL::text, " FACTS
    " FROM there CROSS JOIN unknown CROSS JOIN sum";

/* Whether the integration is still there or not: a worker cancels what is for one that is gone. */
const char service_sql_export_wake[] =
    "INSERT INTO notify.api_states AS s (integration_id, workspace_id, wake_at, resting, together)"
    " SELECT $2, $1, now(), false, coalesce((SELECT k.together FROM unnest($4, $5) k (kind, together), notify.api_integrations i"
    " WHERE i.workspace_id = $1 AND i.id = $2 AND k.kind = i.kind), 1)"
    " WHERE EXISTS (SELECT FROM notify.api_events e WHERE e.workspace_id = $1 AND e.export_id = $3)"
    " ON CONFLICT (integration_id) DO UPDATE SET"
    " wake_at = CASE WHEN s.resting THEN least(s.wake_at, excluded.wake_at) ELSE coalesce(s.wake_at, excluded.wake_at) END,"
    " resting = false, together = excluded.together, updated_at = now()";

/* What nobody has begun. Rows are found by their whole key, whatever statistics there are. */
const char service_sql_export_cancel[] =
    "WITH mine AS MATERIALIZED (SELECT e.id, e.export_to FROM notify.api_events e WHERE e.workspace_id = $1 AND e.export_id = $2),"
    " picked AS MATERIALIZED (SELECT p.event_id, p.integration_id FROM mine m CROSS JOIN LATERAL"
    " (SELECT d.event_id, d.integration_id FROM notify.api_deliveries d WHERE d.workspace_id = $1 AND d.event_id = m.id"
    " AND d.integration_id = m.export_to AND d.state IN ('deferred', 'waiting') AND d.attempt = 0"
    " FOR NO KEY UPDATE OF d SKIP LOCKED) p),"
    " changed AS (UPDATE notify.api_deliveries d SET state = 'canceled', due_at = NULL, owed = false, updated_at = now()"
    " FROM picked p WHERE d.workspace_id = $1 AND d.event_id = p.event_id AND d.integration_id = p.integration_id RETURNING d.event_id),"
    " logged AS (" LOG "$1, $3, $4, 'cancel', $2::text FROM (SELECT count(*) AS count FROM changed) c WHERE c.count > 0)"
    " SELECT (SELECT count(*) FROM mine), (SELECT count(*) FROM changed)";
