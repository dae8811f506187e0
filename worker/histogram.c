/*
 * histogram - which bucket a value belongs to
 *
 * Pure. One scale serves all durations, so that they can be compared, and so that whoever reads them has to learn one set of
 * bounds: a request to a local collector takes a millisecond, a retry may come after half a day.
 */
#include "worker/histogram.h"

const struct histogram_scale histogram_seconds = {
    .bounds = {500,
               1000,
               2500,
               5000,
               10000,
               25000,
               50000,
               100000,
               250000,
               500000,
               1000000,
               2500000,
               5000000,
               10000000,
               30000000,
               60000000,
               300000000,
               1800000000,
               INT64_C(7200000000),
               INT64_C(43200000000)},
    .unit = 1e-6,
};

const struct histogram_scale histogram_items = {
    .bounds = {1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000, 2000},
    .unit = 1,
};

size_t histogram_bucket(const struct histogram_scale *scale, int64_t value)
{
    size_t low = 0, high = HISTOGRAM_BOUNDS;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (value <= scale->bounds[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}
