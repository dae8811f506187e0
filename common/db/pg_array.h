#ifndef NOTIFY_DB_PG_ARRAY_H
#define NOTIFY_DB_PG_ARRAY_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/uuid.h"

/*
 * One-dimensional arrays in PostgreSQL's binary format (array_recv in its source): many rows of a column as
 * one parameter, without quoting. The OIDs of types and of arrays of them are fixed in pg_type.dat.
 * X(NAME, type, array)
 */
#define PG_TYPE_LIST(X)                                                                                      \
    X(BYTEA, 17, 1001)                                                                                       \
    X(INT4, 23, 1007)                                                                                        \
    X(TEXT, 25, 1009)                                                                                        \
    X(FLOAT8, 701, 1022)                                                                                     \
    X(TIMESTAMPTZ, 1184, 1185)                                                                               \
    X(UUID, 2950, 2951)

/* PG_TEXT is a text, PG_TEXTS an array of texts. */
#define PG_TYPE_ENUM(name, type, array) PG_##name = (type), PG_##name##S = (array),
enum pg_oid { PG_TYPE_LIST(PG_TYPE_ENUM) };

struct pg_array {
    struct buf bytes;
    Oid element;
    int32_t count;
};

void pg_array_init(struct pg_array *a);
void pg_array_free(struct pg_array *a);
/* Empty, for a parameter of the type ARRAY. Only elements of its type may be added. */
void pg_array_start(struct pg_array *a, Oid array);

void pg_array_add_null(struct pg_array *a);
/* NULL adds SQL NULL. */
void pg_array_add_text(struct pg_array *a, const char *text);
void pg_array_add_bytes(struct pg_array *a, const void *bytes, size_t n);
void pg_array_add_int4(struct pg_array *a, int32_t value);
void pg_array_add_float8(struct pg_array *a, double value);
void pg_array_add_uuid(struct pg_array *a, const struct uuid *value);
/* Unix time in microseconds. */
void pg_array_add_time(struct pg_array *a, int64_t unix_us);
/* Write the header; the result is valid until the next change. To be called after the last element. */
const char *pg_array_finish(struct pg_array *a, int *size);

#endif
