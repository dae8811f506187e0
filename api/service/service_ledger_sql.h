#ifndef NOTIFY_SERVICE_SERVICE_LEDGER_SQL_H
#define NOTIFY_SERVICE_SERVICE_LEDGER_SQL_H

/*
 * The statements about the ledger, for the table in service_statements.c. $1 is the workspace in each.
 *
 * Pages of deliveries, latest change first: $2 microseconds since 1970, $3 the event and $4 the integration of the last row of
 * the page before, $5 how many rows are looked at, $6 how many are wanted; $7 the states, $8 the reason
 * and $9 the type of event that are (NULL: any). What is of an integration has it in $10; what is of events has an event in
 * $10, a scan in $11, a finding in $12 (NULL: any, but not all three), an integration in $13 (NULL: any); of an export,
 * the same but for it in $14.
 */
extern const char service_sql_recent[], service_sql_of_integration[], service_sql_of_events[],
    service_sql_of_export[];
/*
 * Pages of events, latest first: $2 microseconds since 1970 and $3 the id of the last row of the page before, $4 how many rows are
 * looked at, $5 how many are wanted, $6 the states, $7 the reason and $8 the type (NULL: any). What is of a scan has it in $9, and
 * a finding in $10 (NULL: any, but not both).
 */
extern const char service_sql_events_recent[], service_sql_events_of_scan[];
/* $2 the event, $3 the integration. */
extern const char service_sql_delivery[], service_sql_delivery_attempts[];
/* $2 events and $3 integrations, in pairs; $4 and $5 who asks. A row for each pair: enum api_change_column. */
extern const char service_sql_replay[], service_sql_drop[];
/* $2 an event; else $3 a scan, $4 a type and $5 a finding (NULL: none); $6 how many events, the latest;
 * of deliveries and attempts, $7 an integration (NULL: all). */
extern const char service_sql_explain_events[], service_sql_explain_deliveries[],
    service_sql_explain_attempts[];
/* $2 an event; else $3 a scan and $4 a finding (NULL: none). A row: enum explain_facts_column. */
extern const char service_sql_explain_facts[];
/* $2 an integration (NULL: all). */
extern const char service_sql_explain_integrations[];

#endif
