#ifndef NOTIFY_BENCH_HISTOGRAM_H
#define NOTIFY_BENCH_HISTOGRAM_H

#include <stdint.h>

#include "common/base/buf.h"

/*
 * Times in microseconds, counted in steps of at most 1/64 of their size, so that percentiles are right to 1.6 %
 * in a fixed amount of memory, however many are noted. Zeroed memory is an empty histogram.
 */
enum { HISTOGRAM_FINE = 64, HISTOGRAM_POWERS = 34, HISTOGRAM_STEPS = HISTOGRAM_FINE * HISTOGRAM_POWERS };

struct histogram {
    uint64_t count;
    int64_t greatest;
    uint64_t steps[HISTOGRAM_STEPS];
};

/* Times below 0 count as 0, times beyond 2^39 us (six days) as that. */
void histogram_add(struct histogram *h, int64_t us);
/* The time that SHARE (0 to 1) of all do not exceed; 0 when nothing was noted. */
int64_t histogram_percentile(const struct histogram *h, double share);
/* {"samples", "p50", "p90", "p99", "max"} in milliseconds as a member KEY of the object that OUT ends in. */
void histogram_add_json(const struct histogram *h, const char *key, struct buf *out);

#endif
