/*
 * pg_row - values of a row in PostgreSQL's binary formats
 *
 * Pure. What pg_array is for parameters, for answers: no text is made there and taken apart here. A value of a length
 * that its type does not have counts as NULL, for the tables are somebody else's.
 */
#include "common/db/pg_row.h"

#include <endian.h>
#include <string.h>

static const int64_t epoch_2000_us = 946684800000000; /* PostgreSQL counts from 2000-01-01 */

/* The bytes of a value of just this size; NULL when it is not there. A NULL has no length. */
static const char *value_of(const PGresult *rows, int row, int column, int size)
{
    return PQgetlength(rows, row, column) == size ? PQgetvalue(rows, row, column) : NULL;
}

static bool read_word(const PGresult *rows, int row, int column, uint64_t *out)
{
    const char *value = value_of(rows, row, column, sizeof *out);
    if (!value)
        return false;
    memcpy(out, value, sizeof *out);
    *out = be64toh(*out);
    return true;
}

bool pg_row_flag(const PGresult *rows, int row, int column)
{
    const char *value = value_of(rows, row, column, 1);
    return value && *value;
}

bool pg_row_int4(const PGresult *rows, int row, int column, int32_t *out)
{
    uint32_t word;
    const char *value = value_of(rows, row, column, sizeof word);
    if (!value)
        return false;
    memcpy(&word, value, sizeof word);
    *out = (int32_t)be32toh(word);
    return true;
}

bool pg_row_number(const PGresult *rows, int row, int column, double *out)
{
    uint64_t word;
    if (!read_word(rows, row, column, &word))
        return false;
    memcpy(out, &word, sizeof *out);
    return true;
}

bool pg_row_uuid(const PGresult *rows, int row, int column, struct uuid *out)
{
    const char *value = value_of(rows, row, column, sizeof out->bytes);
    if (!value)
        return false;
    memcpy(out->bytes, value, sizeof out->bytes);
    return true;
}

bool pg_row_time(const PGresult *rows, int row, int column, int64_t *unix_us)
{
    uint64_t word;
    if (!read_word(rows, row, column, &word))
        return false;
    int64_t us = (int64_t)word;
    if (us == INT64_MIN || us > INT64_MAX - epoch_2000_us)
        return false;
    *unix_us = us + epoch_2000_us;
    return true;
}
