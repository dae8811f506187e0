#ifndef NOTIFY_BASE_ISO8601_H
#define NOTIFY_BASE_ISO8601_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ISO8601_TEXT = 25 }; /* "2026-11-22T01:59:15.291Z" and the NUL */

/*
 * Read the times that Celery writes, Python's datetime.isoformat(): YYYY-MM-DD, 'T' or a space, HH:MM:SS, up
 * to nine digits of fraction (cut to microseconds), and 'Z', ±HH:MM, ±HHMM or nothing, which means UTC. All N
 * bytes must belong to it. False, and *UNIX_US unchanged, for anything else and for days that do not exist.
 */
bool iso8601_parse(const char *text, size_t n, int64_t *unix_us);

/* "2026-11-22T01:59:15.291Z", milliseconds, always UTC; times outside the years 1 to 9999 are clamped. */
void iso8601_format(int64_t unix_us, char out[ISO8601_TEXT]);

#endif
