#ifndef NOTIFY_WORKER_LIMITS_H
#define NOTIFY_WORKER_LIMITS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "worker/gone.h"

/*
 * What limits requests to one integration, shared by the workers of a host: a rate, a time that the destination asked
 * for, and a circuit that opens when requests fail. Pure: memory and times (monotonic, microseconds) are the
 * caller's. Words that several processes write without a lock: what a race spoils is a request more or less, never a
 * message. All zero is an integration that nothing is known of.
 */
struct limits {
    _Atomic uint64_t key;             /* which integration; 0: free */
    _Atomic int64_t used_us;          /* when it was looked at last */
    _Atomic uint64_t settings;        /* hash of the integration's settings, of which the rest is known */
    _Atomic uint64_t configured;      /* rate in thousandths of requests a second; 0: none */
    _Atomic uint64_t lowered;         /* the rate instead, after "too many"; 0: as configured */
    _Atomic int64_t lowered_us;       /* when it was lowered last */
    _Atomic uint64_t refused;         /* nothing has succeeded since it was lowered */
    _Atomic uint64_t restored;        /* up to there a success doubles it: half of what was too many first */
    _Atomic int64_t next_us;          /* when the next request was due, had all kept their distance */
    _Atomic uint64_t started;         /* second << 32 | requests started in it */
    _Atomic uint64_t started_before;  /* requests started in the second before */
    _Atomic int64_t hold_until_us;    /* the destination asked for it */
    _Atomic int64_t held_us;          /* the longest time that it asked for lately */
    _Atomic uint64_t outcomes;        /* count << 32 | a bit for each of the last 32, 1: failed */
    _Atomic int64_t open_until_us;    /* the circuit is open; 0: closed; past: a probe may go */
    _Atomic int64_t pause_us;         /* how long it was opened for last */
    _Atomic int64_t probe_until_us;   /* a probe is under way; 0: none */
    _Atomic int64_t mailbox_until_us; /* deliveries of it wait in the ledger, as far as this host knows */
    _Atomic int64_t reported_us;      /* when a success was written down last; 0: never, or it failed since */
    struct gone gone;                 /* of the row, whatever its settings lead to */
};

/* The settings of circuits. */
struct limits_rules {
    int circuit_least;        /* outcomes before it may open; 0: never */
    double circuit_share;     /* of failures, at which it opens */
    int64_t circuit_pause_us; /* before the first probe */
    int64_t circuit_max_us;   /* each pause is twice the one before, up to this */
    int64_t probe_us;         /* after so long a probe counts as lost */
    int64_t held_for_us;      /* so long after a hold its length is of account */
};

enum limits_outcome {
    LIMITS_NOTHING,   /* no request was made, or it says nothing of the destination */
    LIMITS_SUCCESS,   /* it works, whatever it said */
    LIMITS_FAILURE,   /* no answer, or one that says it does not work */
    LIMITS_THROTTLED, /* too many requests */
};

/* What the next request may do. */
enum limits_go {
    LIMITS_MAY,   /* start */
    LIMITS_PROBE, /* start, as the one that finds out whether the circuit can be closed */
    LIMITS_WAIT,
};

/*
 * RATE: requests a second; 0: no limit. SETTINGS: a hash of the integration's settings; when it is another one than before,
 * all that was known is forgotten, since it may lead elsewhere now.
 */
void limits_configure(struct limits *l, double rate, uint64_t settings);
/* Forget everything but the key. */
void limits_forget(struct limits *l);
/* Requests a second that are allowed now; 0: no limit. */
double limits_rate(const struct limits *l);
/* Microseconds until a request may start, as far as known now; 0: now. */
int64_t limits_wait(const struct limits *l, int64_t now_us);
/* One request starts, unless another process was faster: then LIMITS_WAIT, and limits_wait says how long. */
enum limits_go limits_start(struct limits *l, const struct limits_rules *rules, int64_t now_us);
/* What started goes out only now: the next one keeps its distance from that. */
void limits_began(struct limits *l, int64_t now_us);
/*
 * It ended. PROBE: limits_start said so. HOLD_US: the destination asked to wait so long; 0: it did not. True when
 * the circuit has opened by this.
 */
bool limits_end(struct limits *l, const struct limits_rules *rules, int64_t now_us, bool probe,
                enum limits_outcome outcome, int64_t hold_us);
/* Microseconds that the destination has asked to wait, in one, as far as that is of account still. */
int64_t limits_held(const struct limits *l, const struct limits_rules *rules, int64_t now_us);
/* How many may start within AHEAD_US: 1 to MOST, 0 when the first has to wait longer. */
long limits_room(const struct limits *l, int64_t now_us, int64_t ahead_us, long most);

#endif
