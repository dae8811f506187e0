/*
 * Times from messages and answers: whatever is read is in range, and what is written is read back.
 */
#include <stdio.h>
#include <time.h>

#include "common/base/http_time.h"
#include "common/base/iso8601.h"
#include "tests/fuzz/fuzz.h"

/* In one of HTTP's three forms (RFC 9110 section 5.6.7); returns its bytes. */
static size_t write_date(int form, const struct tm *tm, char text[64])
{
    static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                       "Thursday", "Friday", "Saturday"};
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const char *day = days[tm->tm_wday], *month = months + 3 * tm->tm_mon;
    char clock[16];
    snprintf(clock, sizeof clock, "%02d:%02d:%02d", tm->tm_hour % 24, tm->tm_min % 60, tm->tm_sec % 60);
    if (form == 0)
        return (size_t)snprintf(text, 64, "%.3s, %02d %.3s %d %s GMT", day, tm->tm_mday, month,
                                1900 + tm->tm_year, clock);
    if (form == 1)
        return (size_t)snprintf(text, 64, "%s, %02d-%.3s-%02d %s GMT", day, tm->tm_mday, month,
                                tm->tm_year % 100, clock);
    return (size_t)snprintf(text, 64, "%.3s %.3s %2d %s %d", day, month, tm->tm_mday, clock,
                            1900 + tm->tm_year);
}

static void check_http_dates(int64_t second)
{
    time_t then = (time_t)second;
    struct tm tm;
    char text[64];
    gmtime_r(&then, &tm);
    for (int form = 0; form < 3; form++) {
        size_t n = write_date(form, &tm, text);
        check(http_time_retry_after(text, n, (second - 90) * 1000000) == 90);
        check(http_time_retry_after(text, n, (second + 1) * 1000000) == 0);
    }
}

/* A time as Python's isoformat() writes it, with an offset. */
static void check_isoformat(int64_t second, int offset_minutes)
{
    time_t there = (time_t)second + 60 * (time_t)offset_minutes;
    struct tm tm;
    char text[64];
    int64_t us = 0;
    gmtime_r(&there, &tm);
    size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    n += (size_t)snprintf(text + n, sizeof text - n, ".000250%c%02d:%02d", offset_minutes < 0 ? '-' : '+',
                          abs(offset_minutes) / 60, abs(offset_minutes) % 60);
    check(iso8601_parse(text, n, &us) && us == second * 1000000 + 250);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    int64_t now = 0, us = 0, again = 0;
    for (int i = 0; i < 8; i++)
        now = (int64_t)((uint64_t)now << 8 | fuzz_byte(&in));
    char *text = mem_dup(in.data, in.size), written[ISO8601_TEXT];
    double wait = http_time_retry_after(text, in.size, now);
    check(wait >= 0 && wait <= HTTP_TIME_WAIT_MAX);
    if (iso8601_parse(text, in.size, &us)) {
        /* Offsets may lead a day out of the years that are written. */
        check(us >= INT64_C(-62135683200000000) && us <= INT64_C(253402387200000000));
        iso8601_format(us, written);
        check(iso8601_parse(written, ISO8601_TEXT - 1, &again));
        int64_t second = INT64_C(1000000), low = INT64_C(-62135596800) * second;
        if (us >= low && us < INT64_C(253402300800) * second)
            check(again == us - (us % 1000 + 1000) % 1000);
    }
    /* From 1970, so that a year of two digits is meant in the century that the rule gives it. */
    int64_t second = (int64_t)((uint64_t)now % 4000000000);
    if (second > 0 && second < INT64_C(3155760000))
        check_http_dates(second);
    check_isoformat(second, (int)((uint64_t)now >> 40) % 1439 - 719);
    iso8601_format(now, written);
    check(strlen(written) == ISO8601_TEXT - 1 && iso8601_parse(written, ISO8601_TEXT - 1, &again));
    free(text);
    return 0;
}
