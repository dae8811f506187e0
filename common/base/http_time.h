#ifndef NOTIFY_BASE_HTTP_TIME_H
#define NOTIFY_BASE_HTTP_TIME_H

#include <stddef.h>
#include <stdint.h>

/* The longest wait that is reported: a year. What is obeyed of it is a setting's business. */
#define HTTP_TIME_WAIT_MAX (365.0 * 86400)

/*
 * The value of a Retry-After header (RFC 9110 section 10.2.3) as seconds from NOW_US (wall clock): whole or
 * decimal seconds, or a date in any of the three forms of section 5.6.7. 0 when it is empty, unreadable or
 * past; at most HTTP_TIME_WAIT_MAX. TEXT has N bytes and needs no NUL.
 */
double http_time_retry_after(const char *text, size_t n, int64_t now_us);

#endif
