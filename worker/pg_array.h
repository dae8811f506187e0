#ifndef NOTIFY_WORKER_PG_ARRAY_H
#define NOTIFY_WORKER_PG_ARRAY_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/uuid.h"

/*
 * One-dimensional arrays in PostgreSQL's binary format (array_recv in its source): many rows of a column as
 * one parameter, without quoting. Type OIDs are fixed in pg_type.dat.
 */
enum pg_oid {
    PG_BOOL = 16,
    PG_BYTEA = 17,
    PG_INT8 = 20,
    PG_INT4 = 23,
    PG_TEXT = 25,
    PG_FLOAT8 = 701,
    PG_TIMESTAMPTZ = 1184,
    PG_UUID = 2950,
};

struct pg_array {
    struct buf bytes;
    enum pg_oid element;
    int32_t count;
};

void pg_array_init(struct pg_array *a, enum pg_oid element);
void pg_array_free(struct pg_array *a);
void pg_array_reset(struct pg_array *a);

void pg_array_add_null(struct pg_array *a);
/* NULL adds SQL NULL. */
void pg_array_add_text(struct pg_array *a, const char *text);
void pg_array_add_bytes(struct pg_array *a, const void *bytes, size_t n);
void pg_array_add_int4(struct pg_array *a, int32_t value);
void pg_array_add_bool(struct pg_array *a, bool value);
void pg_array_add_float8(struct pg_array *a, double value);
void pg_array_add_uuid(struct pg_array *a, const struct uuid *value);
/* Unix time in microseconds. */
void pg_array_add_time(struct pg_array *a, int64_t unix_us);
/* Write the header; the result is valid until the next change. To be called after the last element. */
const char *pg_array_finish(struct pg_array *a, int *size);

#endif
