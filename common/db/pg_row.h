#ifndef NOTIFY_DB_PG_ROW_H
#define NOTIFY_DB_PG_ROW_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/uuid.h"

/*
 * Values of a row in PostgreSQL's binary formats (the _send functions in its source). False, and nothing in OUT, when
 * the value is NULL or has another length than its type. Texts are their bytes: PQgetvalue and PQgetlength.
 */
bool pg_row_flag(const PGresult *rows, int row, int column);
bool pg_row_int4(const PGresult *rows, int row, int column, int32_t *out);
/* Of type float8. */
bool pg_row_number(const PGresult *rows, int row, int column, double *out);
bool pg_row_uuid(const PGresult *rows, int row, int column, struct uuid *out);
/* Of type timestamptz, as Unix time in microseconds; infinity is no time. */
bool pg_row_time(const PGresult *rows, int row, int column, int64_t *unix_us);

#endif
