/*
 * Times from outside: ISO 8601 as Celery writes it, Retry-After as servers do, and the calendar below both.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/base/calendar.h"
#include "common/base/http_time.h"
#include "common/base/iso8601.h"
#include "tests/unit/unit.h"

/* 2026-11-22T01:59:15Z */
#define NOW INT64_C(1795312755)

static void the_calendar_agrees_with_the_c_library(void)
{
    /* Every 9 days and some from the year 1 to the year 9999. */
    for (int64_t s = -62135596800; s <= 253402300799; s += 811111) {
        time_t t = (time_t)s;
        struct tm tm;
        struct calendar_time c;
        gmtime_r(&t, &tm);
        calendar_from_unix(s, &c);
        EXPECT(c.year == tm.tm_year + 1900 && c.month == tm.tm_mon + 1 && c.day == tm.tm_mday &&
               c.hour == tm.tm_hour && c.minute == tm.tm_min && c.second == tm.tm_sec);
        EXPECT(calendar_is_valid(&c));
        EXPECT_INT(calendar_to_unix(&c), s);
    }
}

static void every_day_from_1_to_9999_has_its_number(void)
{
    struct calendar_time c;
    int64_t days = 0;
    int last = 0;
    for (int64_t s = -62135596800; s <= 253402300799; s += 86400, days++) {
        calendar_from_unix(s, &c);
        EXPECT(c.day == 1 || c.day == last + 1);
        last = c.day;
        if (days % 97 == 0)
            EXPECT_INT(calendar_to_unix(&c), s);
    }
    EXPECT_INT(days, 3652059); /* Python: datetime.date.max.toordinal() */
}

static bool parses(const char *text, int64_t *us)
{
    return iso8601_parse(text, strlen(text), us);
}

static void times_that_celery_writes_are_read(void)
{
    static const struct {
        const char *text;
        int64_t us;
    } cases[] = {
        {"1970-01-01T00:00:00", 0},
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01 00:00:00.000001", 1},
        {"2026-11-22T01:59:15.291998+01:00", (NOW - 3600) * 1000000 + 291998},
        {"2026-11-22T01:59:15+0100", (NOW - 3600) * 1000000},
        {"2026-11-22T01:59:15-0330", (NOW + 12600) * 1000000},
        {"2026-11-22T01:59:15.5Z", NOW * 1000000 + 500000},
        {"2026-11-22T01:59:15.123456789Z", NOW * 1000000 + 123456},
        {"2026-11-22T01:59:15-00:00", NOW * 1000000},
        {"2026-11-22T01:59:15+23:59", (NOW - 86340) * 1000000},
        {"2024-02-29T23:59:59", INT64_C(1709251199000000)},
        {"2000-02-29T00:00:00", INT64_C(951782400000000)},
        {"1969-12-31T23:59:59.5", -500000},
        {"0001-01-01T00:00:00", INT64_C(-62135596800000000)},
        {"9999-12-31T23:59:59.999999", INT64_C(253402300799999999)},
        {"0001-01-01T00:00:00+23:59", INT64_C(-62135683140000000)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t us = 42;
        if (!parses(cases[i].text, &us) || us != cases[i].us)
            unit_fail(__FILE__, __LINE__, "%s gives %lld", cases[i].text, (long long)us);
    }
}

static void what_is_no_such_time_is_refused(void)
{
    static const char *const bad[] = {
        "",
        "now",
        "2026-11-22",
        "2026-11-22T01:59",
        "2026-11-22T01:59:15.",
        "2026-11-22T01:59:15.1234567890",
        "2026-11-22T01:59:15,5",
        "2026-11-22t01:59:15",
        "2026-11-22T01:59:15z",
        "2026-11-22T01:59:15 Z",
        " 2026-11-22T01:59:15",
        "2026-11-22T01:59:15 ",
        "2026-11-22T01:59:15+1",
        "2026-11-22T01:59:15+01",
        "2026-11-22T01:59:15+01:0",
        "2026-11-22T01:59:15+24:00",
        "2026-11-22T01:59:15+01:60",
        "2026-11-22T01:59:15+01:00Z",
        "2026-11-22T01:59:15+01:00:00",
        "2026-11-22T24:00:00",
        "2026-11-22T23:60:00",
        "2026-11-22T23:59:60",
        "2026-00-22T01:59:15",
        "2026-13-22T01:59:15",
        "2026-11-00T01:59:15",
        "2026-11-31T01:59:15",
        "2025-02-29T01:59:15",
        "1900-02-29T01:59:15",
        "2100-02-29T01:59:15",
        "0000-01-01T00:00:00",
        "10000-01-01T00:00:00",
        "-2026-11-22T01:59:15",
        "2026-1-22T01:59:15",
        "2026-11-22T1:59:15",
        "20261122T015915Z",
        "2026-W47-7T01:59:15",
        "1795312755",
        "2026-11-22T-1:59:15",
        "2026-11-22T+1:59:15",
        "٢٠٢٦-11-22T01:59:15",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t us = 42;
        if (parses(bad[i], &us) || us != 42)
            unit_fail(__FILE__, __LINE__, "%s was read", bad[i]);
    }
    int64_t us = 42;
    EXPECT(!iso8601_parse("2026-11-22T01:59:15\0", 20, &us));
    EXPECT(!iso8601_parse("2026-11-22T01:59:15", 18, &us));
    EXPECT(iso8601_parse("2026-11-22T01:59:15rest", 19, &us));
}

static void times_are_written_in_utc_with_milliseconds(void)
{
    static const struct {
        int64_t us;
        const char *want;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},         {NOW * 1000000 + 291998, "2026-11-22T01:59:15.291Z"},
        {-1, "1969-12-31T23:59:59.999Z"},        {-1000000, "1969-12-31T23:59:59.000Z"},
        {INT64_MIN, "0001-01-01T00:00:00.224Z"}, {INT64_MAX, "9999-12-31T23:59:59.775Z"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[ISO8601_TEXT];
        int64_t us = 0;
        iso8601_format(cases[i].us, text);
        EXPECT_TEXT(text, cases[i].want);
        EXPECT(parses(text, &us));
    }
}

static double wait_of(const char *text)
{
    return http_time_retry_after(text, strlen(text), NOW * 1000000 + 500000);
}

static void retry_after_is_read_in_every_form(void)
{
    EXPECT(wait_of("120") == 120);
    EXPECT(wait_of("  7\t") == 7);
    EXPECT(wait_of("0.5") == 0.5);
    EXPECT(wait_of("1.250") == 1.25);
    EXPECT(wait_of("Sun, 22 Nov 2026 02:00:15 GMT") == 59.5);
    EXPECT(wait_of("Sunday, 22-Nov-26 02:00:15 GMT") == 59.5);
    EXPECT(wait_of("Sun Nov 22 02:00:15 2026") == 59.5);
    EXPECT(wait_of("Wed Dec  2 01:59:15 2026") == 10 * 86400 - 0.5);
    EXPECT(wait_of(" Sun, 22 Nov 2026 02:00:15 GMT ") == 59.5);
    EXPECT(wait_of("Sun, 22 Nov 2026 01:59:60 GMT") == 43.5); /* a leap second */
}

static void retry_after_in_the_past_or_unreadable_means_none(void)
{
    static const char *const texts[] = {
        "",
        " ",
        "-5",
        "+5",
        "0",
        "0.0",
        ".5",
        "5.",
        "1.2.3",
        "5s",
        "1e3",
        "0x10",
        "soon",
        "Sun, 22 Nov 2026 01:59:15 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 22 Nov 2026 02:00:15 UTC",
        "Sun, 22 Nov 2026 02:00:15",
        "Sun, 22 nov 2026 02:00:15 GMT",
        "Sun, 31 Nov 2026 02:00:15 GMT",
        "Sun, 22 Nov 2026 24:00:15 GMT",
        "Sun, 22 Nov 2026 02:00:61 GMT",
        "Foo, 22 Nov 2026 02:00:15 GMT",
        "Sun, 22 Nov 2026 02:00:15 GMT junk",
        "Sunday, 22 Nov 2026 02:00:15 GMT",
        "Sun, 22-Nov-26 02:00:15 GMT",
        "Sun Nov 22 02:00:15 20260",
        "Sunday, 22-Nov-xx 02:00:15 GMT",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (wait_of(texts[i]) != 0)
            unit_fail(__FILE__, __LINE__, "\"%s\" gives %g", texts[i], wait_of(texts[i]));
}

static void retry_after_is_never_more_than_a_year(void)
{
    char digits[600];
    memset(digits, '9', sizeof digits - 1);
    digits[sizeof digits - 1] = 0;
    EXPECT(wait_of("31536001") == HTTP_TIME_WAIT_MAX);
    EXPECT(wait_of(digits) == HTTP_TIME_WAIT_MAX);
    EXPECT(wait_of("Fri, 31 Dec 9999 23:59:59 GMT") == HTTP_TIME_WAIT_MAX);
}

static void a_short_year_is_within_fifty_years_from_now(void)
{
    EXPECT(wait_of("Sunday, 22-Nov-76 01:59:15 GMT") == HTTP_TIME_WAIT_MAX); /* 2076 */
    EXPECT(wait_of("Sunday, 22-Nov-77 01:59:15 GMT") == 0);                  /* 1977 */
}

UNIT_MAIN(UNIT_CASE(the_calendar_agrees_with_the_c_library),
          UNIT_CASE(every_day_from_1_to_9999_has_its_number), UNIT_CASE(times_that_celery_writes_are_read),
          UNIT_CASE(what_is_no_such_time_is_refused), UNIT_CASE(times_are_written_in_utc_with_milliseconds),
          UNIT_CASE(retry_after_is_read_in_every_form),
          UNIT_CASE(retry_after_in_the_past_or_unreadable_means_none),
          UNIT_CASE(retry_after_is_never_more_than_a_year),
          UNIT_CASE(a_short_year_is_within_fifty_years_from_now))
