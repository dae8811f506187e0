/*
 * clock - the two clocks, behind a pointer table
 *
 * Owns nothing. Every reading of time in the product goes through here, so that a test can move time.
 * CLOCK_MONOTONIC is comparable between the processes of one host, which the shared memory relies on.
 */
#include "common/base/clock.h"

#include <time.h>

static int64_t read_us(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t real_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

static int64_t real_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}

static const struct clock_table real_clock = {real_mono_us, real_wall_us};
const struct clock_table *clock_in_use = &real_clock;

int64_t clock_mono_us(void)
{
    return clock_in_use->mono_us();
}

int64_t clock_wall_us(void)
{
    return clock_in_use->wall_us();
}

int64_t clock_us(double seconds)
{
    return (int64_t)(seconds * 1e6);
}

struct timeval clock_timeval(double seconds)
{
    int64_t us = clock_us(seconds);
    return (struct timeval){us / 1000000, us % 1000000};
}
