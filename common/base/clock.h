#ifndef NOTIFY_BASE_CLOCK_H
#define NOTIFY_BASE_CLOCK_H

#include <stdint.h>
#include <sys/time.h>

/*
 * Time, through one pointer table so that a test can replace it. All values are microseconds in int64_t.
 * Monotonic time measures durations inside one host; wall time is Unix time and is only for people, for
 * signatures and for times that came from a message.
 */
struct clock_table {
    int64_t (*mono_us)(void);
    int64_t (*wall_us)(void);
};

/* The table in force. A test may point it elsewhere. */
extern const struct clock_table *clock_in_use;

int64_t clock_mono_us(void);
int64_t clock_wall_us(void);

/* Seconds (a setting's unit) to microseconds. */
int64_t clock_us(double seconds);
/* The same for libevent's timers. */
struct timeval clock_timeval(double seconds);

#endif
