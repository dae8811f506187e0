/*
 * service_statements - the SQL of the service layer
 *
 * Statements touch views of schema notify that hold one workspace's rows (schema/0011_api.sql), and name the workspace
 * themselves as well: two walls. A call's statements are sent without a look at what they answer, so each decides by what it
 * finds: what may not be done is not done, and the row that comes back says why.
 *
 * A row that is to be changed is locked by a statement of its own before: the next one's snapshot then sees what whoever held
 * it has left. Every change writes who made it in the same statement.
 *
 * Times are made here, by now().
 */
#include "api/service/service_statements.h"

#include "api/service/integration_sql.h"
#include "api/service/ledger_sql.h"
#include "api/service/service_export.h"
#include "api/service/service_fields.h"
#include "api/service/service_ledger_sql.h"
#include "api/service/service_look_sql.h"
#include "common/db/pg_array.h"

/* Of a row i of integrations: as it is shown, and what tells one version of it from another. */
#define BODY INTEGRATION_JSON "::text"
#define ETAG                                                                                                 \
    "'\"' || left(encode(sha256(convert_to(ROW(i.id, i.kind, i.name, i.severity_filter, i.enabled,"          \
    " i.target_ids, i.events, i.target_kinds, encode(i.config_encrypted, 'hex'))::text, 'UTF8')), 'hex')"    \
    ", 32) || '\"'"

#define UTC LEDGER_UTC

/* Which of the targets in parameter IDS are none of the workspace. */
#define BAD_TARGETS(ids)                                                                                     \
    "bad AS (SELECT array_agg(t.id) AS ids FROM unnest(" ids ") t (id) WHERE NOT EXISTS"                     \
    " (SELECT FROM notify.api_targets g WHERE g.workspace_id = $1 AND g.id = t.id))"
/* What is read of integrations, in the columns' order. */
#define COLUMNS(row)                                                                                         \
    row ".id, " row ".org_id, " row ".workspace_id, " row ".kind, " row ".name, " row                        \
        ".config_encrypted, " row ".enabled, " row ".severity_filter, " row ".target_ids, " row              \
        ".events, " row ".target_kinds, " row ".created_at"
/*
 * An If-Match (NULL: none was sent) has the version. A weak one is as good, though RFC 9110 section 13.1.1 wants strong ones: ours
 * stand for the row and not for the bytes, and proxies that compress answers make them weak (nginx), or write their own ending into
 * them (Apache's mod_deflate: "…-gzip").
 */
#define MATCHES(etag, sent)                                                                                  \
    sent " IS NULL OR " sent " = '*' OR " etag " = ANY (string_to_array(replace(replace(replace(" sent       \
         ", ' ', ''), 'W/', ''), '-gzip\"', '\"'), ','))"
#define LOG "INSERT INTO notify.api_audit (workspace_id, actor, actor_name, verb, object, fields) SELECT "

/* Nobody reads it. Where the role of the session was dropped it is an error that says so, and pg_link makes a new one. */
#define SESSION_ROLE "current_user"

/* Of a token t. */
#define TOKEN_SHOWN                                                                                          \
    "SELECT t.id, t.workspace_id, t.scope, t.name, " UTC("t.created_at") " AS created_at, " UTC(             \
        "t.expires_at") " AS expires_at, " UTC("t.revoked_at") " AS revoked_at, " UTC("t.last_used_at") " A" \
                                                                                                        "S " \
                                                                                                        "la" \
                                                                                                        "st" \
                                                                                                        "_u" \
                                                                                                        "se" \
                                                                                                        "d_" \
                                                                                                        "at"

/* clang-format off */

#define PAGE_TYPES PG_UUID, PG_TEXT, PG_TEXT, PG_UUID, PG_INT4, PG_INT4, PG_TEXTS, PG_TEXT, PG_TEXT
#define EVENT_PAGE_TYPES PG_UUID, PG_TEXT, PG_TEXT, PG_INT4, PG_INT4, PG_TEXTS, PG_TEXT, PG_TEXT
#define EXPLAIN_TYPES PG_UUID, PG_TEXT, PG_UUID, PG_TEXT, PG_UUID, PG_INT4

const struct pg_statement api_statements[API_STATEMENT_COUNT] = {
    [API_WORKSPACE] = {"api_workspace",
        "SELECT set_config('notify.workspace', $1, true), " SESSION_ROLE, 1, {PG_TEXT}},

    /* $2 microseconds since 1970 and $3 the id of the last row of the page before. */
    [API_INTEGRATION_LIST] = {"api_integration_list",
        "SELECT " BODY ", (extract(epoch FROM i.page_time) * 1000000)::bigint, i.id"
        " FROM (SELECT " COLUMNS("i") ", " INTEGRATION_PAGE_TIME " AS page_time FROM notify.api_integrations i"
        " WHERE i.workspace_id = $1 AND " INTEGRATION_PAGE_BEHIND
        " ORDER BY page_time, i.id LIMIT $4) i ORDER BY i.page_time, i.id",
        4, {PG_UUID, PG_TEXT, PG_UUID, PG_INT4}},

    [API_INTEGRATION_GET] = {"api_integration_get",
        "SELECT " BODY ", " ETAG " FROM notify.api_integrations i WHERE i.workspace_id = $1 AND i.id = $2",
        2, {PG_UUID, PG_UUID}},

    [API_INTEGRATION_LOCK] = {"api_integration_lock",
        "SELECT i.id FROM notify.api_integrations i WHERE i.workspace_id = $1 AND i.id = $2 FOR UPDATE",
        2, {PG_UUID, PG_UUID}},
    [API_INTEGRATION_IS_THERE] = {"api_integration_is_there",
        "SELECT i.id FROM notify.api_integrations i WHERE i.workspace_id = $1 AND i.id = $2",
        2, {PG_UUID, PG_UUID}},

    /*
     * Takes an Idempotency-Key for the integration that is to be created, when it can be: whoever wants the same one meanwhile
     * waits here until we have ended. One without an answer belonged to a creation that was refused. Takes away some of the
     * workspace's that count no more, and none that another creation has in hand. $6: of a copy, its original.
     */
    [API_INTEGRATION_KEY] = {"api_integration_key",
        "WITH " BAD_TARGETS("$5") ","
        " gone AS (DELETE FROM notify.api_keys k WHERE k.workspace_id = $1 AND k.key IN (SELECT o.key FROM notify.api_keys o"
        " WHERE o.workspace_id = $1 AND o.key <> $2 AND o.created_at < now() - interval '24 hours' LIMIT 100"
        " FOR UPDATE SKIP LOCKED))"
        " INSERT INTO notify.api_keys AS k (workspace_id, key, body_hash, integration_id)"
        " SELECT $1, $2, $3, $4 FROM notify.api_workspaces w, bad WHERE w.id = $1 AND bad.ids IS NULL AND ($6 IS NULL OR EXISTS"
        " (SELECT FROM notify.api_integrations o WHERE o.workspace_id = $1 AND o.id = $6))"
        " ON CONFLICT (workspace_id, key) DO UPDATE SET body_hash = excluded.body_hash,"
        " integration_id = excluded.integration_id, answer = NULL, etag = NULL, created_at = now()"
        " WHERE k.created_at < now() - interval '24 hours' OR k.answer IS NULL",
        6, {PG_UUID, PG_TEXT, PG_BYTEA, PG_UUID, PG_UUIDS, PG_UUID}},

    /* The same id again: the first try took effect, and nobody heard of it. */
    [API_INTEGRATION_CREATE] = {"api_integration_create",
        "WITH " BAD_TARGETS("$8") ","
        " made AS (INSERT INTO notify.api_integrations (id, org_id, workspace_id, kind, name, config_encrypted, enabled,"
        " severity_filter, target_ids, events) SELECT $2, w.org_id, w.id, $3, $4, $7, $6::boolean, $5, $8, $9"
        " FROM notify.api_workspaces w, bad WHERE w.id = $1 AND bad.ids IS NULL AND ($10 IS NULL OR EXISTS"
        " (SELECT FROM notify.api_keys k WHERE k.workspace_id = $1 AND k.key = $10 AND k.integration_id = $2))"
        " ON CONFLICT (id) DO NOTHING RETURNING *),"
        " shown AS (SELECT " BODY " AS body, " ETAG " AS etag FROM made i),"
        " kept AS (UPDATE notify.api_keys k SET answer = s.body, etag = s.etag FROM shown s"
        " WHERE k.workspace_id = $1 AND k.key = $10),"
        " logged AS (" LOG "$1, $11, $12, 'create', i.id::text, $13 FROM made i)"
        " SELECT w.id IS NOT NULL, array_to_string(bad.ids, ','), s.body, s.etag,"
        " encode(k.body_hash, 'hex'), k.integration_id, k.answer, k.etag"
        " FROM bad LEFT JOIN notify.api_workspaces w ON w.id = $1"
        " LEFT JOIN (SELECT body, etag FROM shown UNION ALL SELECT " BODY ", " ETAG
        " FROM notify.api_integrations i WHERE i.workspace_id = $1 AND i.id = $2) s ON true"
        " LEFT JOIN notify.api_keys k ON k.workspace_id = $1 AND k.key = $10",
        13, {PG_UUID, PG_UUID, PG_TEXT, PG_TEXT, PG_TEXT, PG_TEXT, PG_BYTEA, PG_UUIDS, PG_TEXTS, PG_TEXT, PG_TEXT, PG_TEXT,
             PG_TEXTS}},

    /*
     * $3 If-Match, $4 name, $5 severity, $6 enabled, $7 settings, $8 the kinds that take these, $9 the kind that was sent;
     * NULL: not sent. $10 and $12: targets $11 and events $13 were sent.
     */
    [API_INTEGRATION_UPDATE] = {"api_integration_update",
        "WITH old AS MATERIALIZED (SELECT " COLUMNS("i") ", " ETAG " AS etag FROM notify.api_integrations i"
        " WHERE i.workspace_id = $1 AND i.id = $2), " BAD_TARGETS("$11") ","
        " judged AS (SELECT old.*, " MATCHES("old.etag", "$3") " AS matches FROM old),"
        " wanted AS (SELECT o.id, coalesce($4, o.name) AS name, coalesce($7, o.config_encrypted) AS config_encrypted,"
        " coalesce($6::boolean, o.enabled) AS enabled, coalesce($5, o.severity_filter) AS severity_filter,"
        " CASE WHEN $10::boolean THEN $11 ELSE o.target_ids END AS target_ids,"
        " CASE WHEN $12::boolean THEN $13 ELSE o.events::text[] END AS events"
        " FROM judged o, bad WHERE o.matches AND bad.ids IS NULL AND coalesce($9 = o.kind, true)"
        " AND ($7 IS NULL OR o.kind = ANY ($8))),"
        " told AS (SELECT w.*, array_remove(ARRAY[CASE WHEN w.name IS DISTINCT FROM o.name THEN 'name' END,"
        " CASE WHEN w.severity_filter IS DISTINCT FROM o.severity_filter THEN 'severity_filter' END,"
        " CASE WHEN w.enabled IS DISTINCT FROM o.enabled THEN 'enabled' END,"
        " CASE WHEN w.target_ids IS DISTINCT FROM o.target_ids THEN 'target_ids' END,"
        " CASE WHEN w.events IS DISTINCT FROM o.events::text[] THEN 'events' END,"
        " CASE WHEN w.config_encrypted IS DISTINCT FROM o.config_encrypted THEN 'config' END], NULL) AS fields"
        " FROM wanted w, old o),"
        " made AS (UPDATE notify.api_integrations i SET name = t.name, config_encrypted = t.config_encrypted,"
        " enabled = t.enabled, severity_filter = t.severity_filter, target_ids = t.target_ids, events = t.events"
        " FROM told t WHERE i.workspace_id = $1 AND i.id = $2 AND cardinality(t.fields) > 0 RETURNING " COLUMNS("i") "),"
        " logged AS (" LOG "$1, $14, $15, 'update', t.id::text, t.fields FROM told t, made m WHERE m.id = t.id)"
        " SELECT o.kind, o.matches, array_to_string(bad.ids, ','), s.body, s.etag FROM judged o CROSS JOIN bad"
        " LEFT JOIN (SELECT " BODY " AS body, " ETAG " AS etag FROM (SELECT " COLUMNS("m") " FROM made m"
        " UNION ALL SELECT " COLUMNS("o") " FROM old o, told t WHERE cardinality(t.fields) = 0) i) s ON true",
        15, {PG_UUID, PG_UUID, PG_TEXT, PG_TEXT, PG_TEXT, PG_TEXT, PG_BYTEA, PG_TEXTS, PG_TEXT, PG_TEXT, PG_UUIDS, PG_TEXT,
             PG_TEXTS, PG_TEXT, PG_TEXT}},

    [API_INTEGRATION_DELETE] = {"api_integration_delete",
        "WITH old AS MATERIALIZED (SELECT i.id, " MATCHES(ETAG, "$5") " AS matches FROM notify.api_integrations i"
        " WHERE i.workspace_id = $1 AND i.id = $2),"
        " gone AS (DELETE FROM notify.api_integrations i WHERE i.workspace_id = $1 AND i.id = $2"
        " AND (SELECT o.matches FROM old o) RETURNING i.id),"
        " logged AS (" LOG "$1, $3, $4, 'delete', g.id::text, NULL FROM gone g)"
        " SELECT o.matches, EXISTS (SELECT FROM gone) FROM old o",
        5, {PG_UUID, PG_UUID, PG_TEXT, PG_TEXT, PG_TEXT}},

    [API_INTEGRATION_SETTINGS] = {"api_integration_settings",
        "SELECT i.kind, encode(i.config_encrypted, 'hex') FROM notify.api_integrations i WHERE i.workspace_id = $1 AND i.id = $2",
        2, {PG_UUID, PG_UUID}},

    /* $2 the original, $3 the copy's id, $4 its name, $5 the Idempotency-Key, which was taken before as for a creation. */
    [API_INTEGRATION_DUPLICATE] = {"api_integration_duplicate",
        "WITH made AS (INSERT INTO notify.api_integrations (id, org_id, workspace_id, kind, name, config_encrypted, enabled,"
        " severity_filter, target_ids, events, target_kinds) SELECT $3, o.org_id, o.workspace_id, o.kind,"
        " coalesce($4, left(o.name, 193) || ' (copy)'), o.config_encrypted, false, o.severity_filter, o.target_ids, o.events,"
        " o.target_kinds FROM notify.api_integrations o WHERE o.workspace_id = $1 AND o.id = $2 AND ($5 IS NULL OR EXISTS"
        " (SELECT FROM notify.api_keys k WHERE k.workspace_id = $1 AND k.key = $5 AND k.integration_id = $3))"
        " ON CONFLICT (id) DO NOTHING RETURNING *),"
        " shown AS (SELECT " BODY " AS body, " ETAG " AS etag FROM made i),"
        " kept AS (UPDATE notify.api_keys k SET answer = s.body, etag = s.etag FROM shown s"
        " WHERE k.workspace_id = $1 AND k.key = $5),"
        " logged AS (" LOG "$1, $6, $7, 'create', i.id::text,"
        " '{kind,name,severity_filter,enabled,target_ids,events,target_kinds,config}'::text[] FROM made i)"
        " SELECT EXISTS (SELECT FROM notify.api_integrations o WHERE o.workspace_id = $1 AND o.id = $2), NULL, s.body, s.etag,"
        " encode(k.body_hash, 'hex'), k.integration_id, k.answer, k.etag FROM (SELECT) one"
        " LEFT JOIN (SELECT body, etag FROM shown UNION ALL SELECT " BODY ", " ETAG
        " FROM notify.api_integrations i WHERE i.workspace_id = $1 AND i.id = $3) s ON true"
        " LEFT JOIN notify.api_keys k ON k.workspace_id = $1 AND k.key = $5",
        7, {PG_UUID, PG_UUID, PG_UUID, PG_TEXT, PG_TEXT, PG_TEXT, PG_TEXT}},

    /* In place of API_WORKSPACE, for who knows a token but not whose it is. */
    [API_TOKEN_WORKSPACE] = {"api_token_workspace",
        "SELECT set_config('notify.workspace', coalesce((SELECT t.workspace_id::text FROM notify.tokens t WHERE t.id = $1), ''),"
        " true)", 1, {PG_TEXT}},

    [API_TOKEN_CREATE] = {"api_token_create",
        "WITH made AS (INSERT INTO notify.tokens (id, workspace_id, scope, name, hash, expires_at)"
        " SELECT $2, w.id, $3, $4, $5, now() + $6 * interval '1 second' FROM notify.api_workspaces w WHERE w.id = $1"
        " ON CONFLICT (id) DO NOTHING RETURNING *),"
        " logged AS (" LOG "$1, $7, $8, 'token create', t.id, NULL FROM made t)"
        " SELECT row_to_json(x)::text FROM (" TOKEN_SHOWN
        " FROM (SELECT * FROM made UNION ALL SELECT * FROM notify.tokens o WHERE o.workspace_id = $1 AND o.id = $2) t) x",
        8, {PG_UUID, PG_TEXT, PG_TEXT, PG_TEXT, PG_BYTEA, PG_FLOAT8, PG_TEXT, PG_TEXT}},

    [API_TOKEN_LIST] = {"api_token_list",
        "SELECT row_to_json(x)::text FROM (" TOKEN_SHOWN " FROM notify.tokens t WHERE ($1 IS NULL OR t.workspace_id = $1)"
        " ORDER BY t.created_at, t.id) x",
        1, {PG_UUID}},

    [API_TOKEN_REVOKE] = {"api_token_revoke",
        "WITH gone AS (UPDATE notify.tokens t SET revoked_at = now() WHERE t.id = $1 AND t.revoked_at IS NULL"
        " RETURNING t.id, t.workspace_id),"
        " logged AS (" LOG "g.workspace_id, $2, $3, 'token revoke', g.id, NULL FROM gone g)"
        " SELECT t.id FROM notify.tokens t WHERE t.id = $1",
        3, {PG_TEXT, PG_TEXT, PG_TEXT}},

    /* Before those below, as API_WORKSPACE is before others. */
    [API_TOKEN_ROLE] = {"api_token_role", "SELECT " SESSION_ROLE " WHERE $1 IS NOT NULL", 1, {PG_TEXTS}},
    /* Many at once. */
    [API_TOKEN_FIND] = {"api_token_find",
        "SELECT t.id, t.workspace_id, t.scope, t.name, encode(t.hash, 'hex'), t.revoked_at IS NOT NULL,"
        " CASE WHEN isfinite(t.expires_at) THEN extract(epoch FROM t.expires_at - now())::float8 END,"
        " CASE WHEN isfinite(t.expires_at) THEN " UTC("t.expires_at") " END"
        " FROM notify.tokens t WHERE t.id = ANY ($1)",
        1, {PG_TEXTS}},
    [API_TOKEN_USED] = {"api_token_used",
        "UPDATE notify.tokens t SET last_used_at = now() WHERE t.id = ANY ($1)"
        " AND (t.last_used_at IS NULL OR t.last_used_at < now() - interval '1 minute')",
        1, {PG_TEXTS}},

    [API_DELIVERY_RECENT] = {"api_delivery_recent", service_sql_recent, 9, {PAGE_TYPES}},
    [API_DELIVERY_OF_INTEGRATION] = {"api_delivery_of_integration", service_sql_of_integration, 10, {PAGE_TYPES, PG_UUID}},
    [API_DELIVERY_OF_EVENTS] = {"api_delivery_of_events", service_sql_of_events, 13,
        {PAGE_TYPES, PG_TEXT, PG_UUID, PG_UUID, PG_UUID}},
    [API_DELIVERY_OF_EXPORT] = {"api_delivery_of_export", service_sql_of_export, 14,
        {PAGE_TYPES, PG_TEXT, PG_UUID, PG_UUID, PG_UUID, PG_UUID}},
    [API_DELIVERY_GET] = {"api_delivery_get", service_sql_delivery, 3, {PG_UUID, PG_TEXT, PG_UUID}},
    [API_DELIVERY_ATTEMPTS] = {"api_delivery_attempts", service_sql_delivery_attempts, 3, {PG_UUID, PG_TEXT, PG_UUID}},
    [API_DELIVERY_REPLAY] = {"api_delivery_replay", service_sql_replay, 5, {PG_UUID, PG_TEXTS, PG_UUIDS, PG_TEXT, PG_TEXT}},
    [API_DELIVERY_DROP] = {"api_delivery_drop", service_sql_drop, 5, {PG_UUID, PG_TEXTS, PG_UUIDS, PG_TEXT, PG_TEXT}},
    [API_EXPLAIN_EVENTS] = {"api_explain_events", service_sql_explain_events, 6, {EXPLAIN_TYPES}},
    [API_EXPLAIN_DELIVERIES] = {"api_explain_deliveries", service_sql_explain_deliveries, 7, {EXPLAIN_TYPES, PG_UUID}},
    [API_EXPLAIN_ATTEMPTS] = {"api_explain_attempts", service_sql_explain_attempts, 7, {EXPLAIN_TYPES, PG_UUID}},
    [API_EXPLAIN_FACTS] = {"api_explain_facts", service_sql_explain_facts, 4, {PG_UUID, PG_TEXT, PG_UUID, PG_UUID}},
    [API_EXPLAIN_INTEGRATIONS] = {"api_explain_integrations", service_sql_explain_integrations, 2, {PG_UUID, PG_UUID}},

    [API_EXPORT] = {"api_export", service_sql_export, 15, {PG_UUID, PG_UUID, PG_UUIDS, PG_INT4, PG_INT4, PG_TEXT, PG_UUID, PG_UUID,
        PG_TEXT, PG_TEXTS, PG_TEXT, PG_TEXT, PG_TEXTS, PG_INT4, PG_INT4}},
    [API_EXPORT_UNSAVED] = {"api_export_unsaved", service_sql_export_unsaved, 9,
        {PG_UUID, PG_UUID, PG_UUIDS, PG_INT4, PG_INT4, PG_TEXT, PG_TEXT, PG_TEXT, PG_TEXT}},
    [API_EXPORT_WAKE] = {"api_export_wake", service_sql_export_wake, 5, {PG_UUID, PG_UUID, PG_UUID, PG_TEXTS, PG_INT4S}},
    [API_EXPORT_CANCEL] = {"api_export_cancel", service_sql_export_cancel, 4, {PG_UUID, PG_UUID, PG_TEXT, PG_TEXT}},
    [API_EVENT_RECENT] = {"api_event_recent", service_sql_events_recent, 8, {EVENT_PAGE_TYPES}},
    [API_EVENT_OF_SCAN] = {"api_event_of_scan", service_sql_events_of_scan, 10, {EVENT_PAGE_TYPES, PG_UUID, PG_UUID}},

    /* $2 the id and $3 the name of the last target of the page before. */
    [API_TARGET_LIST] = {"api_target_list",
        "SELECT t.id, t.name, t.base_url, t.kind FROM notify.api_targets t WHERE t.workspace_id = $1"
        " AND ($3 IS NULL OR (t.name, t.id) > ($3, $2)) ORDER BY t.name, t.id LIMIT $4",
        4, {PG_UUID, PG_UUID, PG_TEXT, PG_INT4}},

    [API_STATS] = {"api_stats", service_sql_stats, 2, {PG_UUID, PG_TEXTS}},
    [API_STATS_INTEGRATIONS] = {"api_stats_integrations", service_sql_stats_integrations, 1, {PG_UUID}},
    [API_OVERVIEW] = {"api_overview", service_sql_overview, 7, {PG_UUID, PG_TEXT, PG_UUID, PG_INT4, PG_TEXT, PG_TEXT, PG_TEXT}},
};
