#ifndef NOTIFY_DB_RETIRE_SQL_H
#define NOTIFY_DB_RETIRE_SQL_H

#include "common/db/pg_array.h"

/*
 * What deletes old rows, once, for the agent (worker/retention.c), which does so all the time, and for notifyctl prune. Each is a
 * struct pg_statement and takes at most so many rows; those of events go on behind a place.
 */

/* clang-format off */

/* The next $4 events behind the place ($2, $3) that were accepted more than $1 days ago. */
#define RETIRED_EVENTS                                                                                       \
    "WITH bounds AS (SELECT now() - $1 * interval '1 day' AS before, $2 AS at, $3 AS id, $4 AS most),"       \
    " old AS MATERIALIZED (SELECT ctid AS row, id, accepted_at,"                                             \
    " state IN ('done', 'dead', 'expired', 'expanded') AND NOT owed AS finished FROM notify.events"          \
    " WHERE accepted_at < (SELECT before FROM bounds) AND accepted_at >= (SELECT at FROM bounds)"            \
    " AND (accepted_at, id) > (SELECT at, id FROM bounds)"                                                   \
    " ORDER BY accepted_at, id LIMIT (SELECT most FROM bounds)),"

/* Both look at the same events, of which some have deliveries that are not to go; the second sees what the first has left.
   Rows are found by key first and deleted by their place: one that somebody changes meanwhile has another, and stays. */
#define RETIRE_DELIVERIES_STATEMENT \
    {"retire_deliveries", \
    RETIRED_EVENTS \
    " free AS MATERIALIZED (SELECT old.id FROM old CROSS JOIN LATERAL (SELECT count(*) AS n FROM notify.deliveries d" \
    " WHERE d.event_id = old.id AND (d.state IN ('sending', 'waiting', 'deferred') OR d.owed" \
    " OR d.updated_at >= (SELECT before FROM bounds))) stay WHERE old.finished AND stay.n = 0)," \
    " rows AS MATERIALIZED (SELECT r.row FROM free CROSS JOIN LATERAL (SELECT d.ctid AS row FROM notify.deliveries d" \
    " WHERE d.event_id = free.id OFFSET 0) r)," \
    " gone AS (DELETE FROM notify.deliveries d USING rows WHERE d.ctid = rows.row RETURNING 1)" \
    " SELECT count(*) FROM gone", \
    4, {PG_FLOAT8, PG_TIMESTAMPTZ, PG_TEXT, PG_INT4}}

#define RETIRE_EVENTS_STATEMENT \
    {"retire_events", \
    RETIRED_EVENTS \
    " free AS MATERIALIZED (SELECT old.row FROM old CROSS JOIN LATERAL (SELECT count(*) AS n FROM notify.deliveries d" \
    " WHERE d.event_id = old.id) left_over WHERE old.finished AND left_over.n = 0)," \
    " gone AS (DELETE FROM notify.events e USING free WHERE e.ctid = free.row RETURNING 1)" \
    " SELECT (SELECT count(*) FROM old), (SELECT count(*) FROM gone), last.accepted_at, last.id" \
    " FROM (SELECT) one LEFT JOIN LATERAL (SELECT * FROM old ORDER BY accepted_at DESC, id DESC LIMIT 1) last ON true", \
    4, {PG_FLOAT8, PG_TIMESTAMPTZ, PG_TEXT, PG_INT4}}

/* Of an integration that is not there any more, one at a time. From one integration to the next by key, however many
   references each has. */
#define RETIRE_REFS_STATEMENT \
    {"retire_refs", \
    "WITH RECURSIVE known AS (SELECT (SELECT integration_id FROM notify.external_refs" \
    " WHERE integration_id >= '00000000-0000-0000-0000-000000000000' ORDER BY integration_id LIMIT 1) AS id" \
    " UNION ALL SELECT (SELECT r.integration_id FROM notify.external_refs r WHERE r.integration_id > known.id" \
    " ORDER BY r.integration_id LIMIT 1) FROM known WHERE known.id IS NOT NULL)," \
    " left_over AS MATERIALIZED (SELECT id FROM known WHERE id IS NOT NULL" \
    " AND NOT EXISTS (SELECT FROM public.integrations i WHERE i.id = known.id OFFSET 0) LIMIT 1)," \
    " rows AS MATERIALIZED (SELECT r.row FROM left_over CROSS JOIN LATERAL (SELECT s.ctid AS row FROM notify.external_refs s" \
    " WHERE s.integration_id = left_over.id LIMIT $1) r)," \
    " gone AS (DELETE FROM notify.external_refs s USING rows WHERE s.ctid = rows.row RETURNING 1)" \
    " SELECT count(*) FROM gone", \
    1, {PG_INT4}}

/* Nothing comes back to them: what stands for nothing, and what stands for an event of a scan. */
#define RETIRE_PASSING_REFS_STATEMENT \
    {"retire_passing_refs", \
    "WITH bounds AS (SELECT now() - $1 * interval '1 day' AS before, $2 AS most)," \
    " rows AS MATERIALIZED (SELECT ctid AS row FROM notify.external_refs" \
    " WHERE (state = 'none' OR finding_id IS NULL) AND created_at < (SELECT before FROM bounds)" \
    " AND updated_at < (SELECT before FROM bounds) AND lease_until IS NULL AND unsure_since IS NULL" \
    " ORDER BY created_at LIMIT (SELECT most FROM bounds))," \
    " gone AS (DELETE FROM notify.external_refs s USING rows WHERE s.ctid = rows.row RETURNING 1)" \
    " SELECT count(*) FROM gone", \
    2, {PG_FLOAT8, PG_INT4}}

/* Answers of the API that count no more. One that is taken for another creation meanwhile has another place, and stays. */
#define RETIRE_ANSWERS_STATEMENT \
    {"retire_answers", \
    "WITH rows AS MATERIALIZED (SELECT ctid AS row FROM notify.kept_answers" \
    " WHERE created_at < now() - interval '24 hours' ORDER BY created_at LIMIT $1)," \
    " gone AS (DELETE FROM notify.kept_answers k USING rows WHERE k.ctid = rows.row RETURNING 1)" \
    " SELECT count(*) FROM gone", \
    1, {PG_INT4}}

/* Their ids rise with their age. */
#define RETIRE_CHANGES_STATEMENT \
    {"retire_changes", \
    "WITH bounds AS (SELECT now() - $1 * interval '1 day' AS before, $2 AS most)," \
    " rows AS MATERIALIZED (SELECT id FROM notify.changes WHERE id > 0 ORDER BY id LIMIT (SELECT most FROM bounds))," \
    " gone AS (DELETE FROM notify.changes c WHERE c.id > 0 AND c.id <= (SELECT max(id) FROM rows)" \
    " AND c.at < (SELECT before FROM bounds) RETURNING 1)" \
    " SELECT count(*) FROM gone", \
    2, {PG_FLOAT8, PG_INT4}}

#define RETIRE_TOKENS_STATEMENT \
    {"retire_tokens", \
    "WITH bounds AS (SELECT now() - $1 * interval '1 day' AS before, $2 AS most)," \
    " gone AS (DELETE FROM notify.tokens t WHERE t.id = ANY (ARRAY(SELECT id FROM notify.tokens" \
    " WHERE least(revoked_at, expires_at) < (SELECT before FROM bounds)" \
    " ORDER BY least(revoked_at, expires_at) LIMIT (SELECT most FROM bounds))) RETURNING 1)" \
    " SELECT count(*) FROM gone", \
    2, {PG_FLOAT8, PG_INT4}}

#define RETIRE_HOURS_STATEMENT \
    {"retire_hours", \
    "WITH bounds AS (SELECT now() - $1 * interval '1 day' AS before, $2 AS most)," \
    " rows AS MATERIALIZED (SELECT ctid AS row FROM notify.stats_hourly WHERE hour < (SELECT before FROM bounds)" \
    " ORDER BY hour LIMIT (SELECT most FROM bounds))," \
    " gone AS (DELETE FROM notify.stats_hourly h USING rows WHERE h.ctid = rows.row RETURNING 1)" \
    " SELECT count(*) FROM gone", \
    2, {PG_FLOAT8, PG_INT4}}

/* What a pool in shadow mode wrote. */
#define RETIRE_SHADOW_STATEMENT \
    {"retire_shadow", \
    "WITH bounds AS (SELECT now() - $1 * interval '1 day' AS before, $2 AS most)," \
    " rows AS MATERIALIZED (SELECT ctid AS row FROM notify.shadow WHERE created_at < (SELECT before FROM bounds)" \
    " ORDER BY created_at LIMIT (SELECT most FROM bounds))," \
    " gone AS (DELETE FROM notify.shadow s USING rows WHERE s.ctid = rows.row RETURNING 1)" \
    " SELECT count(*) FROM gone", \
    2, {PG_FLOAT8, PG_INT4}}

/* clang-format on */

/* Columns of RETIRE_EVENTS_STATEMENT, in order. */
enum retire_column {
    RETIRE_LOOKED_AT,
    RETIRE_EVENTS,
    RETIRE_LAST_AT,
    RETIRE_LAST_ID,
};

#endif
