/*
 * histogram - percentiles of times in little memory
 *
 * Owns its counts. The first 64 steps are single microseconds; above, each power of two has 64 steps of equal
 * width (as HdrHistogram has it).
 */
#include "tests/bench/histogram.h"

enum { FINE_BITS = 6 };

static int step_of(int64_t us)
{
    uint64_t value = us < 0 ? 0 : (uint64_t)us;
    if (value < HISTOGRAM_FINE)
        return (int)value;
    int power = 63 - __builtin_clzll(value) - FINE_BITS; /* >= 0: bits that a step leaves out */
    int step = (power + 1) * HISTOGRAM_FINE + (int)((value >> power) - HISTOGRAM_FINE);
    return step < HISTOGRAM_STEPS ? step : HISTOGRAM_STEPS - 1;
}

/* The middle of a step. */
static int64_t value_of(int step)
{
    if (step < HISTOGRAM_FINE)
        return step;
    int power = step / HISTOGRAM_FINE - 1;
    int64_t low = (int64_t)(HISTOGRAM_FINE + step % HISTOGRAM_FINE) << power;
    return low + ((int64_t)1 << power) / 2;
}

void histogram_add(struct histogram *h, int64_t us)
{
    h->steps[step_of(us)]++;
    h->count++;
    if (us > h->greatest)
        h->greatest = us;
}

int64_t histogram_percentile(const struct histogram *h, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)h->count), seen = 0;
    if (h->count == 0)
        return 0;
    for (int step = 0; step < HISTOGRAM_STEPS; step++) {
        seen += h->steps[step];
        if (seen > wanted)
            return value_of(step);
    }
    return h->greatest;
}

static void add_ms(struct buf *out, const char *key, int64_t us)
{
    buf_json_key(out, key);
    buf_json_number(out, (double)us / 1000);
}

void histogram_add_json(const struct histogram *h, const char *key, struct buf *out)
{
    buf_json_key(out, key);
    buf_add_char(out, '{');
    buf_json_key(out, "samples");
    buf_add_int(out, (int64_t)h->count);
    add_ms(out, "p50", histogram_percentile(h, 0.5));
    add_ms(out, "p90", histogram_percentile(h, 0.9));
    add_ms(out, "p99", histogram_percentile(h, 0.99));
    add_ms(out, "max", h->greatest);
    buf_add_char(out, '}');
}
