/*
 * pg_array - arrays in PostgreSQL's binary format
 *
 * Owns a buffer per array, reused between batches. Pure. An element of another type than the array's is an error of
 * the program, so a column filled in the wrong place shows at once. The layout: dimensions, a flag for NULLs, the
 * element type, the length and lower bound of the dimension, then each element as length and bytes.
 */
#include "common/db/pg_array.h"

#include <arpa/inet.h>
#include <endian.h>
#include <string.h>

#include "common/base/check.h"

#define PG_TYPE_PAIR(name, type, array) {PG_##name, PG_##name##S},

enum { HEADER_SIZE = 20, ARRAY_MAX = 1 << 28 };

static const int64_t epoch_2000_us = 946684800000000; /* PostgreSQL counts from 2000-01-01 */

void pg_array_init(struct pg_array *a)
{
    buf_init(&a->bytes, ARRAY_MAX);
}

void pg_array_free(struct pg_array *a)
{
    buf_free(&a->bytes);
}

void pg_array_start(struct pg_array *a, Oid array)
{
    static const char zeros[HEADER_SIZE];
    static const Oid types[][2] = {PG_TYPE_LIST(PG_TYPE_PAIR)};
    a->element = 0;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i][1] == array)
            a->element = types[i][0];
    check(a->element != 0);
    buf_reset(&a->bytes);
    buf_add(&a->bytes, zeros, HEADER_SIZE);
    a->count = 0;
}

static void add_int(struct buf *b, int32_t value)
{
    uint32_t word = htonl((uint32_t)value);
    buf_add(b, &word, sizeof word);
}

static void add_element(struct pg_array *a, Oid type, const void *bytes, size_t n)
{
    check(a->element == type);
    add_int(&a->bytes, (int32_t)n);
    buf_add(&a->bytes, bytes, n);
    a->count++;
}

void pg_array_add_null(struct pg_array *a)
{
    add_int(&a->bytes, -1);
    a->count++;
}

void pg_array_add_text(struct pg_array *a, const char *text)
{
    if (text)
        add_element(a, PG_TEXT, text, strlen(text));
    else
        pg_array_add_null(a);
}

void pg_array_add_bytes(struct pg_array *a, const void *bytes, size_t n)
{
    if (bytes)
        add_element(a, PG_BYTEA, bytes, n);
    else
        pg_array_add_null(a);
}

void pg_array_add_int4(struct pg_array *a, int32_t value)
{
    uint32_t word = htonl((uint32_t)value);
    add_element(a, PG_INT4, &word, sizeof word);
}

void pg_array_add_float8(struct pg_array *a, double value)
{
    uint64_t word;
    memcpy(&word, &value, sizeof word);
    word = htobe64(word);
    add_element(a, PG_FLOAT8, &word, sizeof word);
}

void pg_array_add_uuid(struct pg_array *a, const struct uuid *value)
{
    if (value)
        add_element(a, PG_UUID, value->bytes, sizeof value->bytes);
    else
        pg_array_add_null(a);
}

void pg_array_add_time(struct pg_array *a, int64_t unix_us)
{
    uint64_t word = htobe64((uint64_t)(unix_us - epoch_2000_us));
    add_element(a, PG_TIMESTAMPTZ, &word, sizeof word);
}

const char *pg_array_finish(struct pg_array *a, int *size)
{
    uint32_t header[5] = {htonl(1), htonl(1), htonl((uint32_t)a->element), htonl((uint32_t)a->count),
                          htonl(1)};
    check(!a->bytes.overflow);
    memcpy(a->bytes.data, header, sizeof header);
    *size = (int)a->bytes.len;
    return a->bytes.data;
}
