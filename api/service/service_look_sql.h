#ifndef NOTIFY_SERVICE_SERVICE_LOOK_SQL_H
#define NOTIFY_SERVICE_SERVICE_LOOK_SQL_H

/* The statements that count and show how integrations fare, for the table in service_statements.c. $1 is the workspace in each. */

/* $2 the states. A row for each. */
extern const char service_sql_stats[];
/* A row for each integration. */
extern const char service_sql_stats_integrations[];
/* A page of integrations: $2 and $3 the end of the page before, $4 how many are wanted, $5 a part of the name, $6 the kind, $7 how it
 * fares (NULL: any). Columns as enum api_overview_column. */
extern const char service_sql_overview[];

#endif
