#ifndef NOTIFY_BASE_CALENDAR_H
#define NOTIFY_BASE_CALENDAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The proleptic Gregorian calendar in UTC, without the C library's time zones and locales. Years are 1 to
 * 9999, as in RFC 3339 and in Python's datetime; a Unix day has 86,400 seconds, leap seconds do not exist.
 */
struct calendar_time {
    int year;
    int month; /* 1 to 12 */
    int day;   /* 1 to 31 */
    int hour;
    int minute;
    int second;
};

/* True when every member is in its range, days of the month and leap years included. */
bool calendar_is_valid(const struct calendar_time *t);
/* Unix time in seconds of a valid time. */
int64_t calendar_to_unix(const struct calendar_time *t);
/* The other way round; times outside the years 1 to 9999 become the nearest end of that range. */
void calendar_from_unix(int64_t seconds, struct calendar_time *out);

/* Exactly COUNT decimal digits at *AT: their value, and *AT moves behind them; -1 when there are fewer
 * before END. COUNT is at most 9. */
int calendar_read_digits(const char **at, const char *end, int count);

#endif
