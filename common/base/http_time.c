/*
 * http_time - how long a server asks us to wait
 *
 * Pure. The header comes from a server that we do not trust: whatever it holds becomes a number between 0 and
 * a year. Decimal seconds are not in the RFC but in use, and harmless. The name of the weekday must be one,
 * but is not compared with the date.
 */
#include "common/base/http_time.h"

#include <stdbool.h>
#include <string.h>

#include "common/base/calendar.h"

static const char days[7][10] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                 "Thursday", "Friday", "Saturday"};
static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static bool skip(const char **at, const char *end, const char *what)
{
    size_t n = strlen(what);
    if ((size_t)(end - *at) < n || memcmp(*at, what, n) != 0)
        return false;
    *at += n;
    return true;
}

static bool skip_weekday(const char **at, const char *end, bool whole)
{
    for (int i = 0; i < 7; i++) {
        char name[10];
        memcpy(name, days[i], sizeof name);
        if (!whole)
            name[3] = 0;
        if (skip(at, end, name))
            return true;
    }
    return false;
}

static int read_month(const char **at, const char *end)
{
    for (int i = 0; i < 12; i++)
        if (skip(at, end, months[i]))
            return i + 1;
    return -1;
}

static bool read_clock(const char **at, const char *end, struct calendar_time *t)
{
    t->hour = calendar_read_digits(at, end, 2);
    if (!skip(at, end, ":"))
        return false;
    t->minute = calendar_read_digits(at, end, 2);
    if (!skip(at, end, ":"))
        return false;
    t->second = calendar_read_digits(at, end, 2);
    if (t->second == 60)
        t->second = 59; /* a leap second */
    return true;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool read_fixdate(const char *at, const char *end, struct calendar_time *t)
{
    if (!skip_weekday(&at, end, false) || !skip(&at, end, ", "))
        return false;
    t->day = calendar_read_digits(&at, end, 2);
    if (!skip(&at, end, " "))
        return false;
    t->month = read_month(&at, end);
    if (!skip(&at, end, " "))
        return false;
    t->year = calendar_read_digits(&at, end, 4);
    return skip(&at, end, " ") && read_clock(&at, end, t) && skip(&at, end, " GMT") && at == end;
}

/* "Sunday, 06-Nov-94 08:49:37 GMT"; a year more than 50 years ahead is in the century before. */
static bool read_rfc850(const char *at, const char *end, int year_now, struct calendar_time *t)
{
    if (!skip_weekday(&at, end, true) || !skip(&at, end, ", "))
        return false;
    t->day = calendar_read_digits(&at, end, 2);
    if (!skip(&at, end, "-"))
        return false;
    t->month = read_month(&at, end);
    if (!skip(&at, end, "-"))
        return false;
    int short_year = calendar_read_digits(&at, end, 2);
    if (short_year < 0)
        return false;
    t->year = year_now / 100 * 100 + short_year;
    if (t->year > year_now + 50)
        t->year -= 100;
    return skip(&at, end, " ") && read_clock(&at, end, t) && skip(&at, end, " GMT") && at == end;
}

/* "Sun Nov  6 08:49:37 1994" */
static bool read_asctime(const char *at, const char *end, struct calendar_time *t)
{
    if (!skip_weekday(&at, end, false) || !skip(&at, end, " "))
        return false;
    t->month = read_month(&at, end);
    if (!skip(&at, end, " "))
        return false;
    t->day = calendar_read_digits(&at, end, skip(&at, end, " ") ? 1 : 2);
    if (!skip(&at, end, " ") || !read_clock(&at, end, t) || !skip(&at, end, " "))
        return false;
    t->year = calendar_read_digits(&at, end, 4);
    return at == end;
}

/* Digits, perhaps with a fraction; -1 when it is something else. */
static double read_seconds(const char *at, const char *end)
{
    double value = 0, unit = 1;
    bool fraction = false;
    if (at == end || *at == '.' || end[-1] == '.')
        return -1;
    for (; at < end; at++) {
        if (*at == '.' && !fraction) {
            fraction = true;
            continue;
        }
        if (*at < '0' || *at > '9')
            return -1;
        if (!fraction) {
            value = value * 10 + (*at - '0');
        } else {
            unit /= 10;
            value += (*at - '0') * unit;
        }
    }
    return value; /* infinity after some hundred digits: clamped by the caller */
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

double http_time_retry_after(const char *text, size_t n, int64_t now_us)
{
    const char *at = text, *end = text + n;
    while (at < end && is_space(*at))
        at++;
    while (end > at && is_space(end[-1]))
        end--;
    double wait = read_seconds(at, end);
    if (wait < 0) {
        struct calendar_time now, t = {0};
        calendar_from_unix(now_us / 1000000, &now);
        if ((!read_fixdate(at, end, &t) && !read_rfc850(at, end, now.year, &t) &&
             !read_asctime(at, end, &t)) ||
            !calendar_is_valid(&t))
            return 0;
        wait = (double)calendar_to_unix(&t) - (double)now_us / 1e6;
    }
    if (wait < 0)
        return 0;
    return wait < HTTP_TIME_WAIT_MAX ? wait : HTTP_TIME_WAIT_MAX;
}
