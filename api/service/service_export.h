#ifndef NOTIFY_SERVICE_SERVICE_EXPORT_H
#define NOTIFY_SERVICE_SERVICE_EXPORT_H

#include "api/service/service_fields.h"

/* The fields of a request that exports findings; of one with settings that are not saved, all of them, else from SCAN on. */
enum service_export_field {
    EXPORT_KIND,
    EXPORT_CONFIG,
    EXPORT_SCAN,
    EXPORT_FINDINGS,
    EXPORT_SEVERITY,
    EXPORT_DRY_RUN,
    EXPORT_FIELD_COUNT,
    EXPORT_OF_SAVED = EXPORT_SCAN
};
extern const struct service_field service_export_fields[EXPORT_FIELD_COUNT];

/*
 * For the table in service_statements.c. $1 is the workspace in each.
 *
 * Of both exports: $2 a scan, or $3 findings; $4 the least rank of a severity; $5 how many findings there may be; $6 whether
 * it is a dry run. Of a saved integration: $7 it, $8 the export's id, $9 the Idempotency-Key (NULL: none), $10 the kinds that
 * are known, $11 and $12 who asks, $13 the kinds where several may share a conversation, $14 and $15 of how many findings a dry
 * run tells, there and elsewhere. With settings that are not saved: $7 and $8 who asks, $9 the export's id. A row: enum api_export_column.
 */
extern const char service_sql_export[], service_sql_export_unsaved[];
/* $2 the integration, $3 the export, $4 kinds and $5 how many deliveries of each may leave a mailbox together. */
extern const char service_sql_export_wake[];
/* $2 the export, $3 and $4 who asks. A row: enum api_cancel_column. */
extern const char service_sql_export_cancel[];

#endif
