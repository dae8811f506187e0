/* Values of a row in PostgreSQL's binary formats, as its _send functions write them. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "common/db/pg_row.h"
#include "tests/unit/unit.h"

/* One row of one column; SIZE -1: NULL. */
static PGresult *row_of(const char *bytes, int size)
{
    PGresult *r = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    PGresAttDesc column = {.name = "x", .format = 1};
    EXPECT(r && PQsetResultAttrs(r, 1, &column));
    EXPECT(PQsetvalue(r, 0, 0, (char *)bytes, size));
    return r;
}

static void numbers_are_read_in_their_own_formats(void)
{
    int32_t small = 0;
    double number = 0;
    PGresult *r = row_of("\xff\xff\xff\xfe", 4);
    EXPECT(pg_row_int4(r, 0, 0, &small) && small == -2);
    EXPECT(!pg_row_number(r, 0, 0, &number) && number == 0);
    PQclear(r);
    r = row_of("\x40\x1e\0\0\0\0\0\0", 8); /* SELECT float8send(7.5) */
    EXPECT(pg_row_number(r, 0, 0, &number) && number == 7.5);
    EXPECT(!pg_row_int4(r, 0, 0, &small) && small == -2);
    PQclear(r);
    r = row_of("\x7f\xf0\0\0\0\0\0\0", 8);
    EXPECT(pg_row_number(r, 0, 0, &number) && isinf(number));
    PQclear(r);
}

static void flags_are_one_byte(void)
{
    PGresult *yes = row_of("\1", 1), *no = row_of("\0", 1), *text = row_of("true", 4);
    EXPECT(pg_row_flag(yes, 0, 0));
    EXPECT(!pg_row_flag(no, 0, 0));
    EXPECT(!pg_row_flag(text, 0, 0));
    PQclear(yes);
    PQclear(no);
    PQclear(text);
}

static void uuids_are_sixteen_bytes(void)
{
    struct uuid id, want;
    EXPECT(uuid_parse(&want, "00010203-0405-0607-0809-0a0b0c0d0e0f"));
    PGresult *r = row_of("\0\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f", 16);
    EXPECT(pg_row_uuid(r, 0, 0, &id) && uuid_equal(&id, &want));
    PQclear(r);
    r = row_of("00010203-0405-0607-0809-0a0b0c0d0e0f", 36);
    EXPECT(!pg_row_uuid(r, 0, 0, &id));
    PQclear(r);
}

static void times_count_from_the_year_2000(void)
{
    int64_t us = 5;
    PGresult *r = row_of("\0\0\0\0\0\0\0\1", 8);
    EXPECT(pg_row_time(r, 0, 0, &us) && us == 946684800000001);
    PQclear(r);
    r = row_of("\xff\xff\xff\xff\xff\xff\xff\xff", 8);
    EXPECT(pg_row_time(r, 0, 0, &us) && us == 946684799999999);
    PQclear(r);
}

static void infinity_is_no_time(void)
{
    int64_t us = 5;
    PGresult *ever = row_of("\x7f\xff\xff\xff\xff\xff\xff\xff", 8), *never = row_of("\x80\0\0\0\0\0\0\0", 8);
    EXPECT(!pg_row_time(ever, 0, 0, &us));
    EXPECT(!pg_row_time(never, 0, 0, &us));
    EXPECT(us == 5);
    PQclear(ever);
    PQclear(never);
}

static void null_is_no_value(void)
{
    int32_t small = 1;
    double number = 2;
    int64_t us = 3;
    struct uuid id;
    PGresult *r = row_of(NULL, -1);
    EXPECT(PQgetisnull(r, 0, 0));
    EXPECT(!pg_row_int4(r, 0, 0, &small) && !pg_row_number(r, 0, 0, &number) && !pg_row_time(r, 0, 0, &us));
    EXPECT(!pg_row_flag(r, 0, 0) && !pg_row_uuid(r, 0, 0, &id));
    EXPECT(small == 1 && number == 2 && us == 3);
    PQclear(r);
}

UNIT_MAIN(UNIT_CASE(numbers_are_read_in_their_own_formats), UNIT_CASE(flags_are_one_byte),
          UNIT_CASE(uuids_are_sixteen_bytes), UNIT_CASE(times_count_from_the_year_2000),
          UNIT_CASE(infinity_is_no_time), UNIT_CASE(null_is_no_value))
