/*
 * service_look_sql - the SQL of what counts, and shows how integrations fare
 *
 * Nothing is counted without a bound: a workspace may have millions of deliveries, and a mailbox as many. What is written as in
 * service_ledger_sql.c is so for the same reasons.
 */
#include "api/service/service_look_sql.h"

#include "api/service/integration_sql.h"

/* clang-format off */

/* The last 24 hours as notify.stats_hourly has them: this one, and the 23 before. */
#define THIS_HOUR  "date_trunc('hour', now(), 'UTC')"
#define FIRST_HOUR "(" THIS_HOUR " - interval '23 hours')"
#define OF_THE_DAY(hour) hour " >= " FIRST_HOUR " AND " hour " <= " THIS_HOUR

/* ---- stats ---- */

/* Deliveries of a state are counted up to so many: each takes a step along an index, 10000 some two milliseconds. */
#define COUNTED_MAX "10000"
#define COUNTED(which)                                                                                       \
    "(SELECT count(*) AS n FROM (SELECT FROM notify.api_deliveries d WHERE d.workspace_id = $1"              \
    " AND d.state = s.state AND " which " LIMIT " COUNTED_MAX ") d)"

/* Of more delivered ones the hours know the number, but for what an earlier version has delivered. */
const char service_sql_stats[] =
    "SELECT s.state, c.n AS count, CASE WHEN s.state = 'delivered' AND r.n >= " COUNTED_MAX " THEN greatest(r.n,"
    " (SELECT sum(h.delivered) FROM notify.api_hours h WHERE h.workspace_id = $1 AND " OF_THE_DAY("h.hour") "))::bigint"
    " ELSE r.n END AS last_24_hours, coalesce(c.n >= " COUNTED_MAX ", false)"
    " OR (r.n >= " COUNTED_MAX " AND s.state <> 'delivered') AS more"
    " FROM unnest($2) WITH ORDINALITY s (state, n)"
    " LEFT JOIN LATERAL " COUNTED("true") " c ON s.state IN ('sending', 'waiting', 'deferred', 'dead')"
    " CROSS JOIN LATERAL " COUNTED("d.updated_at > now() - interval '24 hours'") " r ORDER BY s.n";

const char service_sql_stats_integrations[] =
    "SELECT " HEALTH_MEMBERS("i", "s") " FROM notify.api_integrations i" HEALTH_OF_INTEGRATION
    " WHERE i.workspace_id = $1 ORDER BY i.kind, i.name, i.id";

/* ---- overview ---- */

/* Those of the page first, in its order, so that no more are looked at than it needs; then what is shown of each. Of the hours
 * that have no row each has one of noughts. */
const char service_sql_overview[] =
    "SELECT (extract(epoch FROM i.page_time) * 1000000)::bigint, i.id, " INTEGRATION_JSON " AS integration,"
    " (SELECT row_to_json(x) FROM (SELECT " HEALTH_MEMBERS("i", "i") ") x) AS health, "
    LEDGER_UTC("i.last_success_at") " AS last_delivered_at, t.delivered, t.failed, t.dead,"
    " CASE WHEN t.delivered + t.ended > 0 THEN round(t.delivered::numeric / (t.delivered + t.ended), 4) END AS success_rate,"
    " t.hours FROM (SELECT i.*, " HEALTH_COLUMNS("s") " FROM (SELECT i.*, " INTEGRATION_PAGE_TIME " AS page_time"
    " FROM notify.api_integrations i WHERE i.workspace_id = $1 AND " INTEGRATION_PAGE_BEHIND
    " AND ($5 IS NULL OR position(lower($5) IN lower(i.name)) > 0) AND ($6 IS NULL OR i.kind = $6)"
    " ORDER BY page_time, i.id OFFSET 0) i" HEALTH_OF_INTEGRATION
    " WHERE ($7 IS NULL OR " HEALTH_WORD("i", "s") " = $7) ORDER BY i.page_time, i.id LIMIT $4) i"
    " CROSS JOIN LATERAL (SELECT sum(b.delivered)::bigint AS delivered, sum(b.failed)::bigint AS failed,"
    " sum(b.dead)::bigint AS dead, greatest(sum(b.failed), sum(b.dead)) AS ended, json_agg(json_build_object("
    "'at', " LEDGER_UTC("b.hour") ", 'delivered', b.delivered, 'failed', b.failed, 'dead', b.dead) ORDER BY b.hour) AS hours"
    " FROM (SELECT u.hour, sum(u.delivered)::bigint AS delivered, sum(u.failed)::bigint AS failed, sum(u.dead)::bigint AS dead"
    " FROM (SELECT h.hour, h.delivered, h.failed, h.dead FROM notify.api_hours h WHERE h.workspace_id = $1"
    " AND h.integration_id = i.id AND " OF_THE_DAY("h.hour")
    " UNION ALL SELECT g.hour, 0, 0, 0 FROM generate_series(" FIRST_HOUR ", " THIS_HOUR ", interval '1 hour') g (hour)) u"
    " GROUP BY u.hour) b) t ORDER BY i.page_time, i.id";
