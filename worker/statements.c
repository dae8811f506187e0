/*
 * statements - the SQL of a worker
 *
 * Many events or rows per statement: each parameter is an array with one element per event. Writers get their
 * arrays sorted by key, so that two workers lock rows in the same order (unsorted ones deadlocked). Times that
 * two processes compare are made here, by now(), never by a worker's clock.
 *
 * The types of the parameters stand once, behind the SQL; whoever fills them has arrays of these types in this
 * order (pg_columns).
 *
 * Plans are made once and kept. LATERAL with OFFSET 0 leaves the planner no choice but one look-up by key for
 * each element: a plan made while a table was empty would read all of it for each element, as it grows. For the
 * same reason updates go to their rows by place (ctid). A place is only good in the snapshot that found it, so
 * STATEMENT_LOCK goes before, in the same transaction: it waits for whoever changes these rows, and the snapshot
 * of the update that follows sees what they left.
 */
#include "worker/statements.h"

#include "common/db/pg_array.h"
#include "common/db/retire_sql.h"
#include "common/model/words.h"

_Static_assert(SEVERITY_COUNT == 5, "RANK_MAX is the last of them");

#define NUMBER(macro)   NUMBER_(macro)
#define NUMBER_(number) #number
#define RANK_MAX        4 /* SEVERITY_CRITICAL */
/* One can neither be subtracted from an infinity nor be told as a number: a row that somebody wrote by hand must not fail a
   statement for all others. */
#define FINITE(time)                                                                                         \
    "CASE WHEN " time " > '100000-01-01' THEN '100000-01-01' WHEN " time                                     \
    " < '4000-01-01 BC' THEN '4000-01-01 BC' ELSE " time " END"
#define MICROSECONDS(time) "(extract(epoch FROM " FINITE(time) ") * 1000000)::bigint"
#define IS_OLDER           "(excluded.broken_asked_at IS NULL OR excluded.broken_asked_at < s.broken_asked_at)"
/* The first MAX characters. left() walks through them all, also when there are few. */
#define CUT(column, max)                                                                                     \
    "CASE WHEN octet_length(" column ") <= " max " THEN " column " ELSE left(" column ", " max ") END"

/* As severity_parse numbers them: whatever the case of ASCII's letters, and what is unknown or missing is the first.
   The words' own NULL only ends the list. */
#define SEVERITY_WORD(e, word, help) "'" word "', "
#define SEVERITY_RANK(text)                                                                                  \
    "coalesce(array_position(ARRAY[" SEVERITY_LIST(SEVERITY_WORD) "NULL], lower(coalesce(" text              \
                                                                  ", '') COLLATE \"C\")), 1) - 1"

/* OFFSET 0: looked up by key for each row, in the rows' order, and not joined. */
#define HAS_EVENT(delivery)                                                                                  \
    " EXISTS (SELECT FROM notify.events e WHERE e.id = " delivery ".event_id OFFSET 0)"
/* And one that this version can send, or those of a later one would stand before all others for ever. */
#define EVENT_WORD(e, word, help) "'" word "', "
#define HAS_KNOWN_EVENT(delivery)                                                                            \
    " EXISTS (SELECT FROM notify.events e WHERE e.id = " delivery ".event_id AND e.scan_id IS NOT NULL"      \
    " AND e.event_type IN (" EVENT_TYPE_LIST(EVENT_WORD) "NULL) OFFSET 0)"

const bool worker_binary_rows[STATEMENT_COUNT] = {[STATEMENT_LOOKUP] = true};

/* clang-format off */

/*
 * Events and first rows of their deliveries. The arrays are unnested in a select list: in FROM, each is written into a
 * store of its own and read again, which was a third of what the statement cost.
 */
#define INSERT_EVENTS \
    "INSERT INTO notify.events (id, content_hash, workspace_id, scan_id, event_type," \
    " finding_id, change_summary, error, queue, state, reason, first_seen, scheduled_for, considered, matched," \
    " filtered_disabled, filtered_target, filtered_event, filtered_target_kind, filtered_severity, trace, finished_at)" \
    " SELECT x.*, CASE WHEN x.state IN ('done', 'dead', 'expired') THEN now() END" \
    " FROM (SELECT unnest($1) AS id, unnest($2) AS content_hash, unnest($3) AS workspace_id, unnest($4) AS scan_id," \
    " unnest($5) AS event_type, unnest($6) AS finding_id, unnest($7) AS change_summary, unnest($8) AS error," \
    " unnest($9) AS queue, unnest($10) AS state, unnest($11) AS reason, unnest($12) AS first_seen," \
    " unnest($13) AS scheduled_for, unnest($14) AS considered, unnest($15) AS matched, unnest($16) AS disabled," \
    " unnest($17) AS target, unnest($18) AS event, unnest($19) AS target_kind, unnest($20) AS severity," \
    " unnest($21) AS trace) x"
#define INSERT_DELIVERIES \
    "INSERT INTO notify.deliveries (event_id, integration_id, workspace_id, state, attempt, owner, reason," \
    " error, detail, status, response, duration_ms, due_at, rank, batch)" \
    " SELECT x.event, x.integration, x.workspace, x.state, x.attempt, x.owner, x.reason, x.error, x.detail," \
    " x.status, x.response, x.duration_ms, now() + x.due * interval '1 second', x.rank, x.batch" \
    " FROM (SELECT unnest($22) AS event, unnest($23) AS integration, unnest($24) AS workspace, unnest($25) AS state," \
    " unnest($26) AS attempt, unnest($27) AS owner, unnest($28) AS reason, unnest($29) AS error," \
    " unnest($30) AS detail, unnest($31) AS status, unnest($32) AS response, unnest($33) AS duration_ms," \
    " unnest($34) AS due, unnest($35) AS rank, unnest($36) AS batch) x"
#define TYPES_OF_EVENTS \
    /* of an event, as many as EVENTS_OF_EVENT */ \
    PG_TEXTS, PG_BYTEAS, PG_UUIDS, PG_UUIDS, PG_TEXTS, PG_UUIDS, PG_TEXTS, PG_TEXTS, PG_TEXTS, PG_TEXTS, \
    PG_TEXTS, PG_TIMESTAMPTZS, PG_TIMESTAMPTZS, PG_INT4S, PG_INT4S, PG_INT4S, PG_INT4S, PG_INT4S, PG_INT4S, \
    PG_INT4S, PG_TEXTS, \
    /* of a delivery */ \
    PG_TEXTS, PG_UUIDS, PG_UUIDS, PG_TEXTS, PG_INT4S, PG_TEXTS, PG_TEXTS, PG_TEXTS, PG_TEXTS, PG_INT4S, \
    PG_BYTEAS, PG_INT4S, PG_FLOAT8S, PG_INT4S, PG_UUIDS

/* What is claimed: the row that the finding itself had last, which it keeps when it is renamed; else that of its fingerprint. */
#define REF_CLAIMS \
    " FROM unnest($1, $2, $3, $4, $5, $6, $7, $8)" \
    " AS x(n, integration, fingerprint, finding, workspace, claim, lease, look_after)"
#define REF_OF_FINDING \
    "SELECT r.fingerprint FROM notify.external_refs r WHERE r.integration_id = x.integration AND r.finding_id = x.finding"
#define REF_CHOSEN \
    " CROSS JOIN LATERAL (SELECT coalesce((" REF_OF_FINDING " ORDER BY r.updated_at DESC LIMIT 1), x.fingerprint)" \
    " AS fingerprint OFFSET 0) chosen"
#define REF_LOOK_AFTER(ref) " CASE WHEN " ref ".state = 'none' THEN x.look_after ELSE 0 END * interval '1 second'"
#define REF_PARAMS {PG_INT4S, PG_UUIDS, PG_TEXTS, PG_UUIDS, PG_UUIDS, PG_UUIDS, PG_FLOAT8S, PG_FLOAT8S}

const struct pg_statement worker_statements[STATEMENT_COUNT] = {
    /*
     * Casts where the product's tables could have a type of like meaning, since the rows come in the binary formats of
     * just these types. The summary is written out once, in the subquery; a text's octets are known without a look at it.
     */
    [STATEMENT_LOOKUP] = {"lookup",
        "SELECT x.n, s.workspace_id, s.status, s.profile, s.grade, s.score::float8,"
        " CASE WHEN octet_length(s.summary) <= 4096 THEN s.summary END,"
        " " CUT("s.error", "4096") ", t.id, t.name, t.base_url, t.kind,"
        " f.scan_id, f.pencheff_finding_id, f.title, f.severity, f.category, f.owasp_category, f.cwe_id,"
        " f.cvss_score::float8, f.cvss_vector, f.endpoint, f.parameter,"
        " " CUT("f.description", NUMBER(FACTS_TEXT_MAX)) ", " CUT("f.remediation", NUMBER(FACTS_TEXT_MAX)) ","
        " f.verification_status, f.suppressed, f.suppress_reason, f.epss::float8, f.kev, f.risk_score::float8,"
        " f.reachability, f.resolved_at::timestamptz, f.created_at::timestamptz,"
        " e.content_hash, e.state, e.reason,"
        " extract(epoch FROM (" FINITE("greatest(e.scheduled_for, e.swept_at)") ") - now())::float8, e.trace,"
        /* One line per delivery: integration, state, attempt, seconds until it is due (or was swept) or its lease has
           surely ended, reason, error. */
        " CASE WHEN e.id IS NOT NULL THEN (SELECT string_agg(concat_ws(' ', d.integration_id, d.state, d.attempt,"
        " round(extract(epoch FROM CASE WHEN d.state = 'sending' THEN (" FINITE("d.lease_until") ") + interval '1 second'"
        " ELSE " FINITE("greatest(d.due_at, d.swept_at)") " END - now()), 3)::text, coalesce(nullif(d.reason, ''), 'none'),"
        " coalesce(nullif(d.error, ''), 'none')), E'\\n')"
        " FROM notify.deliveries d WHERE d.event_id = e.id) END"
        " FROM (SELECT unnest($1) AS n, unnest($2) AS event, unnest($3) AS scan, unnest($4) AS finding) x"
        " LEFT JOIN LATERAL (SELECT id, target_id, workspace_id, status, profile, grade, score,"
        " CASE WHEN jsonb_typeof(summary) = 'object' THEN summary::text END AS summary, error"
        " FROM public.scans WHERE id = x.scan OFFSET 0) s ON true"
        " LEFT JOIN LATERAL (SELECT id, name, base_url, kind FROM public.targets WHERE id = s.target_id OFFSET 0) t"
        " ON true"
        " LEFT JOIN LATERAL (SELECT scan_id, pencheff_finding_id, title, severity, category, owasp_category, cwe_id,"
        " cvss_score, cvss_vector, endpoint, parameter, description, remediation, verification_status, suppressed,"
        " suppress_reason, epss, kev, risk_score, reachability, resolved_at, created_at"
        " FROM public.findings WHERE id = x.finding OFFSET 0) f ON true"
        " LEFT JOIN LATERAL (SELECT id, content_hash, state, reason, scheduled_for, swept_at, trace"
        " FROM notify.events WHERE id = x.event OFFSET 0) e ON true",
        4, {PG_INT4S, PG_TEXTS, PG_UUIDS, PG_UUIDS}},

    [STATEMENT_RULES] = {"rules",
        "WITH x AS MATERIALIZED (SELECT * FROM unnest($1) AS x(workspace)),"
        " broken AS MATERIALIZED (SELECT r.* FROM x CROSS JOIN LATERAL (SELECT s.integration_id, s.broken_row,"
        " coalesce(extract(epoch FROM now() - (" FINITE("s.broken_asked_at") ")), 0)::float8 AS age,"
        " coalesce(extract(epoch FROM (" FINITE("s.probe_at") ") - now()), 0)::float8 AS probe"
        " FROM notify.integration_state s WHERE s.workspace_id = x.workspace AND s.broken_row IS NOT NULL OFFSET 0) r)"
        " SELECT i.*, b.broken_row, b.age, b.probe"
        " FROM x CROSS JOIN LATERAL (SELECT i.workspace_id, i.id, i.kind, i.name, i.enabled, i.severity_filter, i.target_ids,"
        " i.events, i.target_kinds, i.config_encrypted FROM public.integrations i WHERE i.workspace_id = x.workspace OFFSET 0) i"
        " LEFT JOIN broken b ON b.integration_id = i.id ORDER BY i.workspace_id, i.id",
        1, {PG_UUIDS}},

    /* Events that the look-up did not find, which is nearly all. Should one have come meanwhile, all of it fails, and is
       sent again as the next one, which takes both. */
    [STATEMENT_NEW_EVENTS] = {"new_events",
        "WITH event_rows AS (" INSERT_EVENTS ") " INSERT_DELIVERIES,
        36, {TYPES_OF_EVENTS}},

    [STATEMENT_EVENTS] = {"events",
        "WITH event_rows AS (" INSERT_EVENTS
        " ON CONFLICT (id) DO UPDATE SET state = excluded.state, reason = excluded.reason,"
        " workspace_id = coalesce(excluded.workspace_id, events.workspace_id),"
        " considered = excluded.considered, matched = excluded.matched,"
        " filtered_disabled = excluded.filtered_disabled, filtered_target = excluded.filtered_target,"
        " filtered_event = excluded.filtered_event, filtered_target_kind = excluded.filtered_target_kind,"
        " filtered_severity = excluded.filtered_severity, finished_at = excluded.finished_at,"
        " scheduled_for = coalesce(excluded.scheduled_for, events.scheduled_for), owed = false"
        " WHERE events.state IN ('open', 'scheduled') AND events.content_hash = excluded.content_hash) "
        INSERT_DELIVERIES " ON CONFLICT (event_id, integration_id) DO NOTHING",
        36, {TYPES_OF_EVENTS}},

    [STATEMENT_LOCK] = {"lock",
        "SELECT FROM unnest($1, $2) AS x(event, integration)"
        " CROSS JOIN LATERAL (SELECT FROM notify.deliveries d WHERE d.event_id = x.event"
        " AND d.integration_id = x.integration FOR UPDATE) r",
        2, {PG_TEXTS, PG_UUIDS}},

    /* Attempt n follows attempt n - 1: one that failed, or one whose worker is gone and took its outcome with it. */
    [STATEMENT_TAKE] = {"take",
        "WITH mine AS MATERIALIZED (SELECT x.n, x.event, x.integration, x.attempt, x.owner, x.lease, r.row, r.lost, r.late"
        " FROM unnest($1, $2, $3, $4, $5, $6)"
        " AS x(n, event, integration, attempt, owner, lease)"
        " CROSS JOIN LATERAL (SELECT d.ctid AS row, d.state = 'sending' AND d.attempt = x.attempt - 1 AS lost,"
        " CASE WHEN d.state = 'waiting' THEN extract(epoch FROM now() - (" FINITE("greatest(d.due_at, d.swept_at)") ")) END AS late"
        " FROM notify.deliveries d WHERE d.event_id = x.event AND d.integration_id = x.integration"
        /* A copy that comes before its time, made when nobody knew of a later one, is not it. */
        " AND ((d.attempt = x.attempt - 1 AND ((d.state IN ('waiting', 'deferred')"
        " AND d.due_at < now() + interval '1 second') OR (d.state = 'sending' AND d.lease_until < now())))"
        /* Our own take again, the answer to which was lost with the link. */
        " OR (d.state = 'sending' AND d.attempt = x.attempt AND d.owner = x.owner))"
        " OFFSET 0) r),"
        " lost AS (INSERT INTO notify.attempts (event_id, integration_id, attempt, error)"
        " SELECT event, integration, attempt - 1, 'outcome_unknown' FROM mine WHERE lost ON CONFLICT DO NOTHING)"
        " UPDATE notify.deliveries d SET state = 'sending', attempt = mine.attempt, owner = mine.owner,"
        " due_at = NULL, lease_until = now() + mine.lease * interval '1 second', updated_at = now(),"
        " maybe_duplicate = d.maybe_duplicate OR mine.lost, owed = false"
        " FROM mine WHERE d.ctid = mine.row RETURNING mine.n, mine.late",
        6, {PG_INT4S, PG_TEXTS, PG_UUIDS, PG_INT4S, PG_TEXTS, PG_FLOAT8S}},

    [STATEMENT_OUTCOMES] = {"outcomes",
        "WITH mine AS MATERIALIZED (SELECT x.n, x.state, x.reason, x.error, x.detail, x.status, x.response,"
        " x.duration_ms, x.due, x.rank, x.batch, r.row"
        " FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
        " AS x(n, event, integration, attempt, owner, state, reason, error, detail, status, response, duration_ms, due, rank, batch)"
        " CROSS JOIN LATERAL (SELECT d.ctid AS row FROM notify.deliveries d WHERE d.event_id = x.event"
        " AND d.integration_id = x.integration AND d.attempt = x.attempt AND d.owner = x.owner OFFSET 0) r)"
        " UPDATE notify.deliveries d SET state = mine.state, reason = mine.reason, error = mine.error,"
        " detail = mine.detail, status = mine.status, response = mine.response, duration_ms = mine.duration_ms,"
        " due_at = now() + mine.due * interval '1 second', rank = mine.rank, batch = mine.batch, lease_until = NULL,"
        " updated_at = now() FROM mine WHERE d.ctid = mine.row RETURNING mine.n",
        15, {PG_INT4S, PG_TEXTS, PG_UUIDS, PG_INT4S, PG_TEXTS, PG_TEXTS, PG_TEXTS, PG_TEXTS, PG_TEXTS, PG_INT4S,
             PG_BYTEAS, PG_INT4S, PG_FLOAT8S, PG_INT4S, PG_UUIDS}},

    /* A row that goes into the mailbox is one more end without an attempt; one that is there already stays as it is. */
    [STATEMENT_ENDS] = {"ends",
        "WITH mine AS MATERIALIZED (SELECT x.n, x.event, x.integration, x.attempt, x.owner, x.state, x.reason, x.detail,"
        " x.due, x.rank, r.row, r.lost FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
        " AS x(n, event, integration, attempt, owner, state, reason, detail, due, rank)"
        " CROSS JOIN LATERAL (SELECT d.ctid AS row, d.state = 'sending' AND d.owner <> x.owner AS lost"
        " FROM notify.deliveries d WHERE d.event_id = x.event AND d.integration_id = x.integration"
        " AND d.attempt = x.attempt AND ((d.state = 'waiting' AND (x.due IS NULL OR d.due_at < now() + interval '1 second'))"
        " OR (d.state = 'deferred' AND (x.due IS NULL OR x.state = 'waiting'))"
        /* An attempt whose worker is gone, or our own, whose outcome was refused; or our own end again, the answer
           to which was lost with the link. */
        " OR (d.state = 'sending' AND (d.lease_until < now() OR d.owner = x.owner))"
        " OR (d.state = x.state AND d.owner = x.owner))"
        " OFFSET 0) r),"
        " lost AS (INSERT INTO notify.attempts (event_id, integration_id, attempt, error)"
        " SELECT event, integration, attempt, 'outcome_unknown' FROM mine WHERE lost ON CONFLICT DO NOTHING)"
        " UPDATE notify.deliveries d SET state = mine.state, reason = mine.reason, owner = mine.owner,"
        " error = CASE WHEN mine.lost THEN 'outcome_unknown' ELSE d.error END,"
        " detail = coalesce(mine.detail, d.detail), due_at = now() + mine.due * interval '1 second', rank = mine.rank,"
        " maybe_duplicate = d.maybe_duplicate OR (mine.lost AND mine.due IS NOT NULL),"
        " lease_until = NULL, updated_at = now(), owed = false"
        " FROM mine WHERE d.ctid = mine.row RETURNING mine.n",
        10, {PG_INT4S, PG_TEXTS, PG_UUIDS, PG_INT4S, PG_TEXTS, PG_TEXTS, PG_TEXTS, PG_TEXTS, PG_FLOAT8S, PG_INT4S}},

    /* Deliveries have gone into mailboxes: when each is to be looked at, unless there is such a time already. After their
       rows, so that whoever finds no time for a mailbox can be sure that nothing is in it (see wake_end). A time that is
       there is only shared: workers that fill the same mailbox would wait for each other's commits otherwise. One at which nobody
       has it in hand, since nothing is due before, is brought forward. */
    [STATEMENT_WAKES] = {"wakes",
        "WITH x AS MATERIALIZED (SELECT integration, (array_agg(workspace))[1] AS workspace, min(pause) AS pause,"
        " max(together) AS together FROM unnest($1, $2, $3, $4) AS x(integration, workspace, pause, together)"
        " GROUP BY integration ORDER BY integration),"
        " known AS MATERIALIZED (SELECT x.integration FROM x CROSS JOIN LATERAL (SELECT FROM notify.integration_state s"
        " WHERE s.integration_id = x.integration AND s.wake_at IS NOT NULL AND NOT s.resting FOR SHARE) r)"
        " INSERT INTO notify.integration_state AS s (integration_id, workspace_id, wake_at, resting, together)"
        " SELECT integration, workspace, now() + pause * interval '1 second', pause > 1, together FROM x"
        " WHERE integration <> ALL (ARRAY(SELECT integration FROM known)) ORDER BY integration"
        " ON CONFLICT (integration_id) DO UPDATE SET"
        " wake_at = CASE WHEN s.resting THEN least(s.wake_at, excluded.wake_at) ELSE coalesce(s.wake_at, excluded.wake_at) END,"
        " resting = (s.resting OR s.wake_at IS NULL) AND least(s.wake_at, excluded.wake_at) > now() + interval '1 second',"
        " together = excluded.together, updated_at = now()",
        4, {PG_UUIDS, PG_UUIDS, PG_FLOAT8S, PG_INT4S}},

    [STATEMENT_WAKE_LOCK] = {"wake_lock",
        "SELECT FROM unnest($1) AS x(integration)"
        " CROSS JOIN LATERAL (SELECT FROM notify.integration_state s WHERE s.integration_id = x.integration FOR UPDATE) r",
        1, {PG_UUIDS}},

    /*
     * What is taken from a mailbox: the worst, the oldest of them first, as many as may leave together; and what has waited
     * for too long, of any severity. What has failed comes out when it is due. A line without an event says that the wake is good and there is nothing. While it is good, the next one
     * comes after the lease only. Deliveries whose event somebody deleted are left out, here and below, or they would be
     * all that comes out for ever; the audit says that they are there. So are those whose event only a later version
     * knows; when nothing else is in the mailbox, a line without an attempt names one of them.
     */
    [STATEMENT_WAKE_READ] = {"wake_read",
        "WITH mine AS MATERIALIZED (SELECT x.n, x.integration, greatest(x.most, r.together) AS most, x.oldest, x.age, x.lease, r.row"
        " FROM unnest($1, $2, $3, $4, $5, $6, $7) AS x(n, integration, number, most, oldest, age, lease)"
        " CROSS JOIN LATERAL (SELECT s.ctid AS row, s.wake_number, s.together FROM notify.integration_state s"
        " WHERE s.integration_id = x.integration OFFSET 0) r WHERE r.wake_number = x.number),"
        " held AS (UPDATE notify.integration_state s SET wake_at = now() + mine.lease * interval '1 second', resting = false"
        " FROM mine WHERE s.ctid = mine.row)"
        " SELECT mine.n, e.id, e.scan_id, e.event_type, e.finding_id, e.change_summary, e.error,"
        " " MICROSECONDS("e.first_seen") ", e.queue, e.trace, d.attempt, i.kind, d.due_at < now() - mine.age * interval '1 second'"
        " FROM mine LEFT JOIN LATERAL (SELECT kind FROM public.integrations WHERE id = mine.integration OFFSET 0) i ON true"
        " LEFT JOIN LATERAL"
        " ((SELECT event_id, attempt, rank, due_at FROM notify.deliveries"
        " WHERE integration_id = mine.integration AND state = 'deferred' AND due_at <= now() AND" HAS_KNOWN_EVENT("deliveries")
        " ORDER BY rank DESC, due_at LIMIT mine.most)"
        " UNION (SELECT o.* FROM generate_series(0, " NUMBER(RANK_MAX) ") AS r(rank)"
        " CROSS JOIN LATERAL (SELECT event_id, attempt, rank, due_at FROM notify.deliveries"
        " WHERE integration_id = mine.integration AND state = 'deferred' AND rank = r.rank"
        " AND due_at < now() - mine.age * interval '1 second' AND" HAS_KNOWN_EVENT("deliveries") " ORDER BY due_at LIMIT mine.oldest) o)) d ON true"
        " LEFT JOIN LATERAL (SELECT id, scan_id, event_type, finding_id, change_summary, error, first_seen, queue, trace"
        " FROM notify.events WHERE id = coalesce(d.event_id, (SELECT u.event_id FROM notify.deliveries u"
        " WHERE u.integration_id = mine.integration AND u.state = 'deferred' AND" HAS_EVENT("u") " LIMIT 1)) OFFSET 0) e ON true"
        " ORDER BY mine.n, d.rank DESC, d.due_at",
        7, {PG_INT4S, PG_UUIDS, PG_INT4S, PG_INT4S, PG_INT4S, PG_FLOAT8S, PG_FLOAT8S}},

    /* Its turn is over: it is looked at again after the pause, and when something in it is due; not at all if it is empty. */
    [STATEMENT_WAKE_END] = {"wake_end",
        "WITH mine AS MATERIALIZED (SELECT x.n, now() + x.pause * interval '1 second' AS at, r.row,"
        " EXISTS (SELECT FROM notify.deliveries d"
        " WHERE d.integration_id = x.integration AND d.state = 'deferred' AND" HAS_EVENT("d") ") AS some,"
        " (SELECT min(o.due_at) FROM generate_series(0, " NUMBER(RANK_MAX) ") AS r(rank) CROSS JOIN LATERAL"
        " (SELECT due_at FROM notify.deliveries WHERE integration_id = x.integration AND state = 'deferred' AND rank = r.rank"
        " ORDER BY due_at LIMIT 1) o) AS due"
        " FROM unnest($1, $2, $3, $4) AS x(n, integration, number, pause)"
        " CROSS JOIN LATERAL (SELECT s.ctid AS row, s.wake_number FROM notify.integration_state s"
        " WHERE s.integration_id = x.integration OFFSET 0) r WHERE r.wake_number = x.number)"
        " UPDATE notify.integration_state s SET wake_at = CASE WHEN mine.some THEN greatest(mine.at, mine.due) END,"
        " resting = mine.some AND coalesce(mine.due > mine.at, false), updated_at = now()"
        " FROM mine WHERE s.ctid = mine.row RETURNING mine.n, mine.some",
        4, {PG_INT4S, PG_UUIDS, PG_INT4S, PG_FLOAT8S}},

    /* Mailboxes whose time has come. Should the message be lost, the time after the grace is the next. */
    [STATEMENT_SWEEP_WAKES] = {"sweep_wakes",
        "WITH due AS MATERIALIZED (SELECT ctid AS row FROM notify.integration_state WHERE wake_at <= now()"
        " ORDER BY wake_at LIMIT $1 FOR UPDATE SKIP LOCKED)"
        " UPDATE notify.integration_state s SET wake_number = s.wake_number % 1000000000 + 1, resting = false,"
        " wake_at = now() + $2 * interval '1 second'"
        " FROM due WHERE s.ctid = due.row RETURNING s.integration_id, s.wake_number",
        2, {PG_INT4, PG_FLOAT8}},

    /* How integrations fare, for people. Ages in seconds. What two workers saw comes in any order: times decide, and one that
       fails does so since the first failure after its last success. */
    [STATEMENT_HEALTH] = {"health",
        "WITH x AS MATERIALIZED (SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
        " AS x(integration, workspace, success, failure, failing, error, circuit, rate, broken, asked, probe)),"
        " written AS (INSERT INTO notify.integration_state AS s (integration_id, workspace_id, last_success_at,"
        " last_failure_at, failing_since, last_error, circuit_until, rate, broken_row, broken_since, broken_asked_at,"
        " probe_at)"
        " SELECT x.integration, x.workspace, now() - x.success * interval '1 second',"
        " now() - x.failure * interval '1 second', now() - x.failing * interval '1 second', x.error,"
        " now() + x.circuit * interval '1 second', x.rate, x.broken, CASE WHEN x.broken <> '' THEN now() - x.asked * interval '1 second' END,"
        " now() - x.asked * interval '1 second', now() + x.probe * interval '1 second' FROM x ORDER BY x.integration"
        " ON CONFLICT (integration_id) DO UPDATE SET"
        " last_success_at = greatest(s.last_success_at, excluded.last_success_at),"
        " last_failure_at = greatest(s.last_failure_at, excluded.last_failure_at),"
        " failing_since = CASE WHEN greatest(s.last_failure_at, excluded.last_failure_at) IS NULL"
        " OR greatest(s.last_success_at, excluded.last_success_at) >= greatest(s.last_failure_at, excluded.last_failure_at) THEN NULL"
        " WHEN s.failing_since > coalesce(excluded.last_success_at, '-infinity') THEN s.failing_since"
        " ELSE coalesce(excluded.failing_since, s.failing_since) END,"
        " last_error = coalesce(excluded.last_error, s.last_error), circuit_until = excluded.circuit_until,"
        " rate = excluded.rate, workspace_id = excluded.workspace_id,"
        /* What was found out last. */
        " broken_row = CASE WHEN " IS_OLDER " THEN s.broken_row ELSE excluded.broken_row END,"
        " broken_since = CASE WHEN " IS_OLDER " OR excluded.broken_row = s.broken_row THEN s.broken_since"
        " ELSE excluded.broken_since END,"
        " broken_asked_at = CASE WHEN " IS_OLDER " THEN s.broken_asked_at ELSE excluded.broken_asked_at END,"
        " probe_at = CASE WHEN " IS_OLDER " THEN s.probe_at ELSE excluded.probe_at END, updated_at = now())"
        " SELECT pg_notify('notify_integrations', w.workspace::text)"
        " FROM (SELECT DISTINCT x.workspace FROM x WHERE x.broken IS NOT NULL) w",
        11,
        {PG_UUIDS, PG_UUIDS, PG_FLOAT8S, PG_FLOAT8S, PG_FLOAT8S, PG_TEXTS, PG_FLOAT8S, PG_FLOAT8S, PG_TEXTS, PG_FLOAT8S,
         PG_FLOAT8S}},

    /* What became of deliveries, added to the hour that was AGE seconds ago: of each integration, and of each workspace under its
       own id. Added up first, for several notes may be for one row. */
    [STATEMENT_HOURS] = {"hours",
        "INSERT INTO notify.stats_hourly AS h (integration_id, workspace_id, hour, delivered, failed, dead)"
        " SELECT y.id, x.workspace, date_trunc('hour', now() - x.age * interval '1 second', 'UTC') AS hour, sum(x.delivered),"
        " sum(x.failed), sum(x.dead) FROM unnest($1, $2, $3, $4, $5, $6) AS x(integration, workspace, age, delivered, failed, dead)"
        " CROSS JOIN LATERAL (VALUES (x.integration), (x.workspace)) AS y(id) GROUP BY y.id, x.workspace, 3 ORDER BY y.id, 3"
        " ON CONFLICT (integration_id, hour) DO UPDATE SET delivered = h.delivered + excluded.delivered,"
        " failed = h.failed + excluded.failed, dead = h.dead + excluded.dead",
        6, {PG_UUIDS, PG_UUIDS, PG_FLOAT8S, PG_INT4S, PG_INT4S, PG_INT4S}},

    /* A statement without the right to write them would end the link. */
    [STATEMENT_HOURS_MAY] = {"hours_may",
        "SELECT bool_and(has_table_privilege(x.t, x.p)) FROM unnest($1, $2) AS x(t, p)", 2, {PG_TEXTS, PG_TEXTS}},

    /* Of an end that was written: a late one of an attempt that counts as lost is not. */
    [STATEMENT_ATTEMPTS] = {"attempts",
        "INSERT INTO notify.attempts (event_id, integration_id, attempt, error, detail, status, response,"
        " duration_ms) SELECT x.event, x.integration, x.attempt, x.error, x.detail, x.status, x.response, x.duration_ms"
        " FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9)"
        " AS x(event, integration, attempt, owner, error, detail, status, response, duration_ms)"
        " CROSS JOIN LATERAL (SELECT d.attempt, d.owner FROM notify.deliveries d"
        " WHERE d.event_id = x.event AND d.integration_id = x.integration OFFSET 0) r"
        " WHERE r.attempt = x.attempt AND r.owner = x.owner ON CONFLICT DO NOTHING",
        9, {PG_TEXTS, PG_UUIDS, PG_INT4S, PG_TEXTS, PG_TEXTS, PG_TEXTS, PG_INT4S, PG_BYTEAS, PG_INT4S}},

    /* Dead letters that the broker did not take: of deliveries, and of whole events. Their state is asked outside, or an
       index of all that is dead would be read from end to end. */
    [STATEMENT_OWE] = {"owe",
        "WITH rows AS MATERIALIZED (SELECT r.row FROM unnest($1, $2) AS x(event, integration)"
        " CROSS JOIN LATERAL (SELECT d.ctid AS row, d.state FROM notify.deliveries d WHERE d.event_id = x.event"
        " AND d.integration_id = x.integration OFFSET 0) r WHERE r.state = 'dead'),"
        " whole AS MATERIALIZED (SELECT r.row FROM unnest($3) AS x(event)"
        " CROSS JOIN LATERAL (SELECT e.ctid AS row, e.state FROM notify.events e WHERE e.id = x.event OFFSET 0"
        " FOR UPDATE) r WHERE r.state = 'dead'),"
        " events AS (UPDATE notify.events e SET owed = true, swept_at = NULL FROM whole WHERE e.ctid = whole.row)"
        " UPDATE notify.deliveries d SET owed = true, swept_at = NULL FROM rows WHERE d.ctid = rows.row",
        3, {PG_TEXTS, PG_UUIDS, PG_TEXTS}},

    /*
     * What moved on by nothing for too long, and what is owed. Marked with the time, so that other sweepers, and the
     * next look, leave it alone for as long. SKIP LOCKED: what is locked is being moved on.
     */
    [STATEMENT_SWEEP_DELIVERIES] = {"sweep_deliveries",
        "WITH bounds AS (SELECT $1 AS most, now() - $2 * interval '1 second' AS owed_before,"
        " now() - $3 * interval '1 second' AS before),"
        " owed AS MATERIALIZED (SELECT ctid AS row, event_id FROM notify.deliveries"
        " WHERE owed AND (swept_at IS NULL OR swept_at < (SELECT owed_before FROM bounds))"
        " ORDER BY event_id, integration_id LIMIT (SELECT most FROM bounds) FOR UPDATE SKIP LOCKED),"
        " late AS MATERIALIZED (SELECT ctid AS row, event_id FROM notify.deliveries"
        " WHERE state IN ('sending', 'waiting') AND greatest(due_at, lease_until, swept_at) < (SELECT before FROM bounds)"
        " ORDER BY greatest(due_at, lease_until, swept_at) LIMIT (SELECT most FROM bounds) FOR UPDATE SKIP LOCKED)"
        " UPDATE notify.deliveries d SET swept_at = now()"
        " FROM (SELECT * FROM owed UNION SELECT * FROM late) r"
        " LEFT JOIN LATERAL (SELECT scan_id, event_type, finding_id, change_summary, error, first_seen, queue, trace"
        " FROM notify.events WHERE id = r.event_id OFFSET 0) e ON true"
        " WHERE d.ctid = r.row"
        " RETURNING d.event_id, e.scan_id, e.event_type, e.finding_id, e.change_summary, e.error,"
        " " MICROSECONDS("e.first_seen") ", e.queue, e.trace, d.state, d.reason, d.owed, " MICROSECONDS("d.swept_at") ","
        " d.integration_id, d.attempt, d.error, d.detail",
        3, {PG_INT4, PG_FLOAT8, PG_FLOAT8}},

    [STATEMENT_SWEEP_EVENTS] = {"sweep_events",
        "WITH bounds AS (SELECT $1 AS most, now() - $2 * interval '1 second' AS owed_before,"
        " now() - $3 * interval '1 second' AS before, now() - $4 * interval '1 second' AS begun_before),"
        " owed AS MATERIALIZED (SELECT ctid AS row FROM notify.events"
        " WHERE owed AND (swept_at IS NULL OR swept_at < (SELECT owed_before FROM bounds))"
        " ORDER BY id LIMIT (SELECT most FROM bounds) FOR UPDATE SKIP LOCKED),"
        " late AS MATERIALIZED (SELECT ctid AS row FROM notify.events"
        " WHERE state IN ('open', 'scheduled') AND scheduled_for IS NOT NULL"
        " AND greatest(scheduled_for, swept_at) < (SELECT before FROM bounds)"
        " ORDER BY greatest(scheduled_for, swept_at) LIMIT (SELECT most FROM bounds) FOR UPDATE SKIP LOCKED),"
        " abandoned AS MATERIALIZED (SELECT ctid AS row FROM notify.events"
        " WHERE state = 'open' AND scheduled_for IS NULL AND greatest(accepted_at, swept_at) <"
        " (SELECT begun_before FROM bounds)"
        " ORDER BY greatest(accepted_at, swept_at) LIMIT (SELECT most FROM bounds) FOR UPDATE SKIP LOCKED)"
        " UPDATE notify.events e SET swept_at = now()"
        " FROM (SELECT * FROM owed UNION SELECT * FROM late UNION SELECT * FROM abandoned) r"
        " WHERE e.ctid = r.row"
        " RETURNING e.id, e.scan_id, e.event_type, e.finding_id, e.change_summary, e.error,"
        " " MICROSECONDS("e.first_seen") ", e.queue, e.trace, e.state, e.reason, e.owed, " MICROSECONDS("e.swept_at"),
        4, {PG_INT4, PG_FLOAT8, PG_FLOAT8, PG_FLOAT8}},

    /* Confirmed by the broker: no longer owed, unless somebody has asked again meanwhile. A row that is locked is being
       taken, which pays what it was owed. */
    [STATEMENT_SWEPT] = {"swept",
        "WITH whole AS MATERIALIZED (SELECT r.row FROM unnest($1, $2) AS x(event, at)"
        " CROSS JOIN LATERAL (SELECT e.ctid AS row, e.swept_at FROM notify.events e WHERE e.id = x.event OFFSET 0"
        " FOR UPDATE SKIP LOCKED) r WHERE r.swept_at = x.at),"
        " rows AS MATERIALIZED (SELECT r.row FROM unnest($3, $4, $5) AS x(event, integration, at)"
        " CROSS JOIN LATERAL (SELECT d.ctid AS row, d.swept_at FROM notify.deliveries d WHERE d.event_id = x.event"
        " AND d.integration_id = x.integration OFFSET 0 FOR UPDATE SKIP LOCKED) r WHERE r.swept_at = x.at),"
        " events AS (UPDATE notify.events e SET owed = false FROM whole WHERE e.ctid = whole.row)"
        " UPDATE notify.deliveries d SET owed = false FROM rows WHERE d.ctid = rows.row",
        5, {PG_TEXTS, PG_TIMESTAMPTZS, PG_TEXTS, PG_UUIDS, PG_TIMESTAMPTZS}},

    /* A statement without the right to delete would end the link, which others need. */
    [STATEMENT_RETIRE_MAY] = {"retire_may",
        "SELECT bool_and(has_table_privilege(t::text, 'DELETE')) FROM unnest($1) AS t", 1, {PG_TEXTS}},

    [STATEMENT_RETIRE_MAY_KEPT] = {"retire_may_kept",
        "SELECT bool_and(has_table_privilege(x.t, 'DELETE') AND has_column_privilege(x.t, x.c, 'SELECT'))"
        " FROM unnest($1, $2) AS x(t, c)",
        2, {PG_TEXTS, PG_TEXTS}},

    /* Also notifyctl's: common/db/retire_sql.h. */
    [STATEMENT_RETIRE_DELIVERIES] = RETIRE_DELIVERIES_STATEMENT,
    [STATEMENT_RETIRE_EVENTS] = RETIRE_EVENTS_STATEMENT,
    [STATEMENT_RETIRE_REFS] = RETIRE_REFS_STATEMENT,
    [STATEMENT_RETIRE_PASSING_REFS] = RETIRE_PASSING_REFS_STATEMENT,
    [STATEMENT_RETIRE_ANSWERS] = RETIRE_ANSWERS_STATEMENT,
    [STATEMENT_RETIRE_CHANGES] = RETIRE_CHANGES_STATEMENT,
    [STATEMENT_RETIRE_TOKENS] = RETIRE_TOKENS_STATEMENT,
    [STATEMENT_RETIRE_HOURS] = RETIRE_HOURS_STATEMENT,

    [STATEMENT_EXPAND_LOCK] = {"expand_lock",
        "SELECT FROM unnest($1) AS x(task)"
        " CROSS JOIN LATERAL (SELECT FROM notify.events e WHERE e.id = x.task FOR UPDATE) r",
        1, {PG_TEXTS}},

    /* The place only moves on: two workers may have the same task in hand, on two hosts. The row's state is asked
       outside, or an index of open rows would be read from end to end. */
    [STATEMENT_EXPAND_PLACE] = {"expand_place",
        "WITH mine AS MATERIALIZED (SELECT x.n, x.state, x.published, x.rank, x.finding, r.row"
        " FROM unnest($1, $2, $3, $4, $5, $6) AS x(n, task, state, published, rank, finding)"
        " CROSS JOIN LATERAL (SELECT e.ctid AS row, e.state, e.published_rank, e.published_id FROM notify.events e"
        " WHERE e.id = x.task OFFSET 0) r"
        " WHERE r.state = 'open' AND (x.rank IS NULL OR r.published_rank IS NULL OR x.rank < r.published_rank"
        " OR (x.rank = r.published_rank AND x.finding >= r.published_id)))"
        " UPDATE notify.events e SET state = mine.state, published = mine.published,"
        " published_rank = coalesce(mine.rank, e.published_rank),"
        " published_id = coalesce(mine.finding, e.published_id), scheduled_for = NULL,"
        " finished_at = CASE WHEN mine.state = 'expanded' THEN now() END"
        " FROM mine WHERE e.ctid = mine.row RETURNING mine.n",
        6, {PG_INT4S, PG_TEXTS, PG_TEXTS, PG_INT4S, PG_INT4S, PG_UUIDS}},

    /* What follows the place in the row, worst first: for each finding its severity's number and its id. */
    [STATEMENT_EXPAND_READ] = {"expand_read",
        "SELECT x.n, e.published, coalesce(p.findings, '')"
        " FROM unnest($1, $2, $3) AS x(n, task, most)"
        " CROSS JOIN LATERAL (SELECT scan_id, state, published, published_rank, published_id FROM notify.events"
        " WHERE id = x.task OFFSET 0) e"
        " CROSS JOIN LATERAL (SELECT string_agg(w.rank || w.id::text, '' ORDER BY w.rank DESC, w.id) AS findings"
        " FROM (SELECT r.rank, r.id FROM (SELECT f.id, " SEVERITY_RANK("f.severity") " AS rank"
        " FROM public.findings f WHERE f.scan_id = e.scan_id AND NOT f.suppressed OFFSET 0) r"
        " WHERE e.published_rank IS NULL OR r.rank < e.published_rank"
        " OR (r.rank = e.published_rank AND r.id > e.published_id)"
        " ORDER BY r.rank DESC, r.id LIMIT x.most) w) p"
        " WHERE e.state = 'open'",
        3, {PG_INT4S, PG_TEXTS, PG_INT4S}},

    [STATEMENT_REF_MAKE] = {"ref_make",
        "INSERT INTO notify.external_refs (integration_id, fingerprint, workspace_id)"
        " SELECT DISTINCT x.integration, x.fingerprint, x.workspace" REF_CLAIMS
        " WHERE NOT EXISTS (" REF_OF_FINDING " OFFSET 0) ORDER BY 1, 2 ON CONFLICT DO NOTHING",
        8, REF_PARAMS},

    /* Free is what nobody holds; where something may have been made, only when a search would show it. What a holder has left
       behind, whose lease is over, is unsure from then on. */
    [STATEMENT_REF_CLAIM] = {"ref_claim",
        "WITH mine AS MATERIALIZED (SELECT x.claim, x.lease, x.finding, r.row" REF_CLAIMS REF_CHOSEN
        " CROSS JOIN LATERAL (SELECT s.ctid AS row, s.state, s.claim, s.lease_until FROM notify.external_refs s"
        " WHERE s.integration_id = x.integration AND s.fingerprint = chosen.fingerprint FOR UPDATE SKIP LOCKED) r"
        " WHERE r.lease_until IS NULL OR r.lease_until +" REF_LOOK_AFTER("r") " <= now() OR r.claim = x.claim)"
        " UPDATE notify.external_refs s SET claim = mine.claim, claimed_at = now(),"
        " lease_until = now() + mine.lease * interval '1 second', updated_at = now(),"
        " finding_id = coalesce(s.finding_id, mine.finding),"
        " unsure_since = CASE WHEN s.lease_until IS NULL OR s.claim = mine.claim THEN s.unsure_since"
        " ELSE coalesce(s.unsure_since, s.claimed_at) END"
        " FROM mine WHERE s.ctid = mine.row",
        8, REF_PARAMS},

    [STATEMENT_REF_READ] = {"ref_read",
        "SELECT x.n, coalesce(r.claim = x.claim AND r.lease_until IS NOT NULL, false), coalesce(r.lease_until > now(), false),"
        " coalesce(extract(epoch FROM (" FINITE("r.lease_until") ") +" REF_LOOK_AFTER("r") " - now()), 0)::float8,"
        " coalesce(extract(epoch FROM now() - (" FINITE("r.claimed_at") ")), 0)::float8,"
        " chosen.fingerprint, r.state, r.key, r.severity, r.title, " MICROSECONDS("r.unsure_since") ","
        " f.id IS NOT NULL, coalesce(r.told AND (g.created_at, g.id) > (f.created_at, f.id), false), coalesce(f.suppressed, false),"
        " f.suppress_reason, f.resolved_at IS NOT NULL, f.verification_status, f.severity, f.title" REF_CLAIMS REF_CHOSEN
        " LEFT JOIN LATERAL (SELECT s.* FROM notify.external_refs s WHERE s.integration_id = x.integration"
        " AND s.fingerprint = chosen.fingerprint OFFSET 0) r ON true"
        " LEFT JOIN LATERAL (SELECT id, created_at, suppressed, suppress_reason, resolved_at, verification_status, severity, title"
        " FROM public.findings WHERE id = x.finding OFFSET 0) f ON true"
        " LEFT JOIN LATERAL (SELECT id, created_at FROM public.findings WHERE id = r.finding_id AND id <> x.finding OFFSET 0) g"
        " ON true",
        8, REF_PARAMS},

    /* What became of a claim, unless its lease was over and somebody else has claimed it. */
    [STATEMENT_REF_RELEASE] = {"ref_release",
        "WITH mine AS MATERIALIZED (SELECT x.*, r.row FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9)"
        " AS x(integration, fingerprint, claim, finding, state, key, severity, title, unsure)"
        " CROSS JOIN LATERAL (SELECT s.ctid AS row FROM notify.external_refs s WHERE s.integration_id = x.integration"
        " AND s.fingerprint = x.fingerprint AND s.claim = x.claim OFFSET 0) r)"
        " UPDATE notify.external_refs s SET state = mine.state, key = mine.key, severity = mine.severity, title = mine.title,"
        " finding_id = coalesce(mine.finding, s.finding_id), told = s.told OR mine.finding IS NOT NULL, updated_at = now(),"
        " lease_until = CASE WHEN mine.unsure = 1 THEN least(s.lease_until, now()) END,"
        " unsure_since = CASE WHEN mine.unsure = 1 THEN coalesce(s.unsure_since, s.claimed_at) END"
        " FROM mine WHERE s.ctid = mine.row",
        9, {PG_UUIDS, PG_TEXTS, PG_UUIDS, PG_UUIDS, PG_TEXTS, PG_TEXTS, PG_TEXTS, PG_TEXTS, PG_INT4S}},
};
/* clang-format on */
