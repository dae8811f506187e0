#ifndef NOTIFY_SERVICE_INTEGRATION_SQL_H
#define NOTIFY_SERVICE_INTEGRATION_SQL_H

#include "api/service/ledger_sql.h"
#include "api/service/service_fields.h"

/* What is shown of integrations, once, for the statements that show them. */

/* A row i of integrations as it is shown: JSON. */
#define SHOWN_FIELD(e, name, form, flags, value, shown, help) SHOWN_##e(shown " AS " #name)
#define SHOWN_FIRST(text)                                     text
#define SHOWN_NEXT(text)                                      ", " text
#define SHOWN_NEVER(text)
#define SHOWN_ID           SHOWN_FIRST
#define SHOWN_KIND         SHOWN_NEXT
#define SHOWN_NAME         SHOWN_NEXT
#define SHOWN_SEVERITY     SHOWN_NEXT
#define SHOWN_ENABLED      SHOWN_NEXT
#define SHOWN_TARGETS      SHOWN_NEXT
#define SHOWN_EVENTS       SHOWN_NEXT
#define SHOWN_TARGET_KINDS SHOWN_NEXT
#define SHOWN_CREATED_AT   SHOWN_NEXT
#define SHOWN_CONFIG       SHOWN_NEVER
#define INTEGRATION_JSON   "(SELECT row_to_json(x) FROM (SELECT " SERVICE_FIELDS(SHOWN_FIELD) ") x)"

/* clang-format off */

/* Pages go by created_at and id. One that somebody wrote by hand may be an infinity, so it is kept within bounds. */
#define INTEGRATION_PAGE_TIME "least(greatest(i.created_at, '1900-01-01Z'), '2200-01-01Z')"
/* Behind what $2, microseconds since 1970 (NULL: the first page), and $3 name. */
#define INTEGRATION_PAGE_BEHIND                                                                              \
    "($2 IS NULL OR (" INTEGRATION_PAGE_TIME ", i.id) > ('epoch'::timestamptz + $2::bigint * interval '1 microsecond', $3))"

/* Of a row I of integrations and S, its row of states, which may be missing: how it fares, in a word (lists.h). */
#define HEALTH_WORD(i, s)                                                                                    \
    "CASE WHEN NOT " i ".enabled THEN 'disabled' WHEN " s ".broken_row <> '' THEN 'broken'"                  \
    " WHEN " s ".circuit_until > now() THEN 'circuit_open' WHEN " s ".failing_since IS NOT NULL THEN 'failing'" \
    " WHEN " s ".last_success_at IS NOT NULL THEN 'healthy' ELSE 'unknown' END"
/* And at length. A mailbox is counted up to so many; ours. */
#define HEALTH_DEFERRED_MAX "1000"
#define HEALTH_MEMBERS(i, s)                                                                                 \
    i ".id AS integration_id, " i ".kind, " i ".name, " i ".enabled, " HEALTH_WORD(i, s) " AS health, "      \
    LEDGER_TIME(s, "failing_since") ", " s ".last_error, " LEDGER_TIME(s, "circuit_until") ","               \
    " CASE WHEN " s ".broken_row <> '' THEN " LEDGER_UTC(s ".broken_since") " END AS broken_since, "         \
    s ".rate AS lowered_rate, " LEDGER_TIME(s, "last_success_at") ", " LEDGER_TIME(s, "last_failure_at") "," \
    " (SELECT count(*) FROM (SELECT FROM notify.api_deliveries d WHERE " s ".wake_at IS NOT NULL"            \
    " AND d.workspace_id = $1 AND d.integration_id = " i ".id AND d.state = 'deferred'"                      \
    " LIMIT " HEALTH_DEFERRED_MAX ") d) AS deferred"
/* What of S they read. */
#define HEALTH_COLUMNS(s)                                                                                    \
    s ".broken_row, " s ".broken_since, " s ".circuit_until, " s ".failing_since, " s ".last_error, "        \
    s ".rate, " s ".last_success_at, " s ".last_failure_at, " s ".wake_at"
/* The row s of states of the row i of integrations. */
#define HEALTH_OF_INTEGRATION                                                                                \
    " LEFT JOIN LATERAL (SELECT " HEALTH_COLUMNS("o") " FROM notify.api_states o WHERE o.workspace_id = $1"  \
    " AND o.integration_id = i.id OFFSET 0) s ON true"

#endif
