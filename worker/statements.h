#ifndef NOTIFY_WORKER_STATEMENTS_H
#define NOTIFY_WORKER_STATEMENTS_H

#include "common/db/pg_link.h"
#include "common/model/event.h"

/*
 * Every statement that a worker or the sweep runs, prepared once per connection. They stand together so that what a worker
 * may do to the database can be read, and granted (schema/roles.sql), from one place.
 */
enum statement {
    STATEMENT_LOOKUP,
    STATEMENT_RULES,
    STATEMENT_NEW_EVENTS,
    STATEMENT_EVENTS,
    STATEMENT_LOCK,
    STATEMENT_TAKE,
    STATEMENT_OUTCOMES,
    STATEMENT_ENDS,
    STATEMENT_WAKES,
    STATEMENT_WAKE_LOCK,
    STATEMENT_WAKE_READ,
    STATEMENT_WAKE_END,
    STATEMENT_SWEEP_WAKES,
    STATEMENT_HEALTH,
    STATEMENT_HOURS,
    STATEMENT_HOURS_MAY,
    STATEMENT_ATTEMPTS,
    STATEMENT_OWE,
    STATEMENT_SWEEP_DELIVERIES,
    STATEMENT_SWEEP_EVENTS,
    STATEMENT_SWEPT,
    STATEMENT_RETIRE_MAY,
    STATEMENT_RETIRE_MAY_KEPT,
    STATEMENT_RETIRE_DELIVERIES,
    STATEMENT_RETIRE_EVENTS,
    STATEMENT_RETIRE_REFS,
    STATEMENT_RETIRE_PASSING_REFS,
    STATEMENT_RETIRE_ANSWERS,
    STATEMENT_RETIRE_CHANGES,
    STATEMENT_RETIRE_TOKENS,
    STATEMENT_RETIRE_HOURS,
    STATEMENT_EXPAND_LOCK,
    STATEMENT_EXPAND_PLACE,
    STATEMENT_EXPAND_READ,
    STATEMENT_REF_MAKE,
    STATEMENT_REF_CLAIM,
    STATEMENT_REF_READ,
    STATEMENT_REF_RELEASE,
    STATEMENT_COUNT,
};

extern const struct pg_statement worker_statements[STATEMENT_COUNT];
/* Whose rows come in binary formats: of the one that brings many. */
extern const bool worker_binary_rows[STATEMENT_COUNT];

/* Columns of STATEMENT_LOOKUP, in order. */
enum lookup_column {
    LOOKUP_N,
    LOOKUP_WORKSPACE,
    LOOKUP_SCAN_STATUS,
    LOOKUP_SCAN_PROFILE,
    LOOKUP_SCAN_GRADE,
    LOOKUP_SCAN_SCORE,
    LOOKUP_SCAN_SUMMARY,
    LOOKUP_SCAN_ERROR,
    LOOKUP_TARGET_ID,
    LOOKUP_TARGET_NAME,
    LOOKUP_TARGET_URL,
    LOOKUP_TARGET_KIND,
    LOOKUP_FINDING_SCAN,
    LOOKUP_PENCHEFF_ID,
    LOOKUP_TITLE,
    LOOKUP_SEVERITY,
    LOOKUP_CATEGORY,
    LOOKUP_OWASP,
    LOOKUP_CWE,
    LOOKUP_CVSS_SCORE,
    LOOKUP_CVSS_VECTOR,
    LOOKUP_ENDPOINT,
    LOOKUP_PARAMETER,
    LOOKUP_DESCRIPTION,
    LOOKUP_REMEDIATION,
    LOOKUP_VERIFICATION,
    LOOKUP_SUPPRESSED,
    LOOKUP_SUPPRESS_REASON,
    LOOKUP_EPSS,
    LOOKUP_KEV,
    LOOKUP_RISK_SCORE,
    LOOKUP_REACHABILITY,
    LOOKUP_RESOLVED_AT,
    LOOKUP_CREATED_AT,
    LOOKUP_EVENT_HASH,
    LOOKUP_EVENT_STATE,
    LOOKUP_EVENT_REASON,
    LOOKUP_EVENT_SCHEDULED,
    LOOKUP_EVENT_TRACE,
    LOOKUP_ROWS,
    LOOKUP_COLUMNS,
};

/* Columns of STATEMENT_RULES, in order. */
enum rules_column {
    RULES_WORKSPACE,
    RULES_ID,
    RULES_KIND,
    RULES_NAME,
    RULES_ENABLED,
    RULES_SEVERITY,
    RULES_TARGET_IDS,
    RULES_EVENTS,
    RULES_TARGET_KINDS,
    RULES_CONFIG,
    RULES_BROKEN_ROW,
    RULES_BROKEN_AGE,
    RULES_PROBE_IN,
};

/* Columns of both STATEMENT_SWEEP_…, in order: of the event, then of the row that is overdue or owed. */
enum sweep_column {
    SWEEP_EVENT_ID,
    SWEEP_SCAN_ID,
    SWEEP_EVENT_TYPE,
    SWEEP_FINDING_ID,
    SWEEP_CHANGE_SUMMARY,
    SWEEP_ERROR,
    SWEEP_FIRST_SEEN_US,
    SWEEP_QUEUE,
    SWEEP_TRACE,
    SWEEP_STATE,
    SWEEP_REASON,
    SWEEP_OWED,
    SWEEP_SWEPT_AT_US,
    /* Of a delivery only: */
    SWEEP_INTEGRATION,
    SWEEP_ATTEMPT,
    SWEEP_LAST_ERROR,
    SWEEP_DETAIL,
};

/* Columns of STATEMENT_WAKE_READ, in order. */
enum wake_column {
    WAKE_N,
    WAKE_EVENT_ID, /* NULL: the mailbox is empty */
    WAKE_SCAN_ID,
    WAKE_EVENT_TYPE,
    WAKE_FINDING_ID,
    WAKE_CHANGE_SUMMARY,
    WAKE_ERROR,
    WAKE_FIRST_SEEN_US,
    WAKE_QUEUE,
    WAKE_TRACE,
    WAKE_ATTEMPT,
    WAKE_KIND,
    WAKE_TOO_OLD,
};
enum { WAKE_END_SOME = 1 /* column of STATEMENT_WAKE_END: whether it holds something still */ };

/* Columns of STATEMENT_REF_READ, in order. */
enum ref_column {
    REF_N,
    REF_GRANTED,
    REF_LEASED, /* it is claimed at present */
    REF_LEFT,   /* seconds until it may be claimed */
    REF_HELD,   /* seconds since it was claimed */
    REF_FINGERPRINT,
    REF_STATE,
    REF_KEY,
    REF_SEVERITY,
    REF_TITLE,
    REF_UNSURE_US,
    REF_HAS_FINDING, /* and as it is now: */
    REF_OVERTAKEN,
    REF_SUPPRESSED,
    REF_SUPPRESS_REASON,
    REF_RESOLVED,
    REF_VERIFICATION,
    REF_FINDING_SEVERITY,
    REF_FINDING_TITLE,
};

/* Parameters of STATEMENT_NEW_EVENTS and STATEMENT_EVENTS: so many of events, then those of first rows of deliveries. */
enum { EVENTS_OF_EVENT = 21 };

#endif
