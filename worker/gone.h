#ifndef NOTIFY_WORKER_GONE_H
#define NOTIFY_WORKER_GONE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Whether the destination of an integration has said that it is gone, shared by the workers of a host. Nothing is sent to
 * such a one for a pause, then one request probes it; each probe that finds it gone doubles the pause, and any other answer
 * ends all of it. It is known of the integration's row as it was, by a hash; of another row nothing is known. Pure: memory
 * and times (monotonic, microseconds) are the caller's. All zero is an integration that nothing is known of.
 *
 * The ledger knows it too, from this host or another: what was found out later is right.
 */
struct gone {
    _Atomic uint64_t row;     /* a hash; 0: none */
    _Atomic int64_t at_us;    /* when it was found out */
    _Atomic int64_t until_us; /* nothing is sent before; 0: it is not gone */
    _Atomic int64_t pause_us;
};

/* What somebody found out. */
struct gone_news {
    int64_t at_us;    /* GONE_NO_NEWS: nothing */
    int64_t until_us; /* nothing is sent before; 0: it is not gone */
};

#define GONE_NO_NEWS INT64_MIN

struct gone_rules {
    int64_t pause_us; /* the first */
    int64_t longest_us;
    int64_t probe_us; /* after so long a probe counts as lost */
};

void gone_forget(struct gone *g);
/*
 * Whether nothing may be sent for ROW. LEDGER: what it says of the row. When the pause is over, one caller is told false:
 * its request probes.
 */
bool gone_is(struct gone *g, const struct gone_rules *rules, uint64_t row, const struct gone_news *ledger,
             int64_t now_us);
/* The destination says that it is gone. True: it was not when it was asked last. */
bool gone_found(struct gone *g, const struct gone_rules *rules, uint64_t row, int64_t now_us);
/* It answered anything else, or nothing. True: it was gone when it was asked last. */
bool gone_is_back(struct gone *g, uint64_t row, int64_t now_us);
/* What is known of ROW. */
struct gone_news gone_known(const struct gone *g, uint64_t row);

#endif
