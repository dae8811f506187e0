#ifndef NOTIFY_BENCH_SENT_H
#define NOTIFY_BENCH_SENT_H

#include <stddef.h>
#include <stdint.h>

/*
 * The moment of publishing, as it travels from publish.c to receiver.c through whoever is measured: in the
 * event's change_summary, as SENT_MARK and SENT_DIGITS decimal digits of CLOCK_MONOTONIC in nanoseconds, which is
 * one clock for all processes of a host.
 */
#define SENT_MARK "recheck queued, sent "
enum { SENT_DIGITS = 20 };

int64_t sent_now_ns(void);
/* The digits behind the first SENT_MARK in N bytes, NULL when there is none. Borrowed from TEXT. */
const char *sent_find(const char *text, size_t n);
/* The time that SENT_DIGITS digits say; -1 when they are none. */
int64_t sent_read(const char *digits);
/* Writes SENT_DIGITS digits and no NUL. */
void sent_write(char *digits, int64_t ns);

#endif
