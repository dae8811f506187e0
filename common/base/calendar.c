/*
 * calendar - days and dates
 *
 * Pure arithmetic for the readers of times from outside (iso8601, http_time) and for the times that we write.
 * The C library's mktime, strptime and timegm depend on locale or zone, or accept more than we want to.
 */
#include "common/base/calendar.h"

#define FIRST_SECOND (-62135596800) /* 0001-01-01T00:00:00Z */
#define LAST_SECOND  253402300799   /* 9999-12-31T23:59:59Z */

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

bool calendar_is_valid(const struct calendar_time *t)
{
    return t->year >= 1 && t->year <= 9999 && t->month >= 1 && t->month <= 12 && t->day >= 1 &&
           t->day <= days_in_month(t->year, t->month) && t->hour >= 0 && t->hour <= 23 && t->minute >= 0 &&
           t->minute <= 59 && t->second >= 0 && t->second <= 59;
}

/* Days since 1970-01-01. Years begin in March here, so that the leap day is the last of its year. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month > 2 ? year : year - 1;
    int64_t in_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return 365 * y + y / 4 - y / 100 + y / 400 + in_year - 719468;
}

int64_t calendar_to_unix(const struct calendar_time *t)
{
    return days_of(t->year, t->month, t->day) * 86400 + t->hour * 3600 + t->minute * 60 + t->second;
}

void calendar_from_unix(int64_t seconds, struct calendar_time *out)
{
    if (seconds < FIRST_SECOND)
        seconds = FIRST_SECOND;
    if (seconds > LAST_SECOND)
        seconds = LAST_SECOND;
    int64_t rest = (seconds % 86400 + 86400) % 86400;
    int64_t days = (seconds - rest) / 86400;
    int year = (int)((days - days_of(1, 1, 1)) * 400 / 146097) + 1;
    /* The estimate is off by one at most, around a year's ends. */
    while (days < days_of(year, 1, 1))
        year--;
    while (days >= days_of(year + 1, 1, 1))
        year++;
    int month = 12;
    while (days < days_of(year, month, 1))
        month--;
    *out = (struct calendar_time){.year = year,
                                  .month = month,
                                  .day = (int)(days - days_of(year, month, 1)) + 1,
                                  .hour = (int)(rest / 3600),
                                  .minute = (int)(rest / 60 % 60),
                                  .second = (int)(rest % 60)};
}

int calendar_read_digits(const char **at, const char *end, int count)
{
    int value = 0;
    if (end - *at < count)
        return -1;
    for (int i = 0; i < count; i++) {
        char c = (*at)[i];
        if (c < '0' || c > '9')
            return -1;
        value = value * 10 + (c - '0');
    }
    *at += count;
    return value;
}
