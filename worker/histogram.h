#ifndef NOTIFY_WORKER_HISTOGRAM_H
#define NOTIFY_WORKER_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

/*
 * Histograms in plain words: one for each bucket (not those below it), one for what is beyond the last bound, one for the sum.
 * Words of several processes are added up one by one; their count is the sum of their buckets.
 */
enum {
    HISTOGRAM_BOUNDS = 20,
    HISTOGRAM_SUM = HISTOGRAM_BOUNDS + 1,
    HISTOGRAM_WORDS = HISTOGRAM_SUM + 1,
};

/* Upper bounds of the buckets, each within its own: ascending. */
struct histogram_scale {
    int64_t bounds[HISTOGRAM_BOUNDS];
    double unit; /* what one of them is in the unit that is shown */
};

/* Durations: noted in microseconds, shown in seconds; from half a millisecond to half a day. */
extern const struct histogram_scale histogram_seconds;
/* Numbers of things, from 1 to the largest batch there may be. */
extern const struct histogram_scale histogram_items;

/* The bucket of VALUE: 0 to HISTOGRAM_BOUNDS, which is the one without a bound. What is negative counts as 0. */
size_t histogram_bucket(const struct histogram_scale *scale, int64_t value);

#endif
