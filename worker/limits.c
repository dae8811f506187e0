/*
 * limits - rate, hold and circuit of one integration
 *
 * Rate: requests keep a distance of 1/rate, with a burst of what a fifth of a second allows (the generic cell rate
 * algorithm: one word says when the next is due). An answer "too many" halves it, once a second at most, since the
 * others that were under way say the same. What was halved several times in a row comes back by doubling with each
 * success (a destination that refused everything for a while allows as much as before), up to half of the rate that was
 * too many first; from there each success gives a fiftieth back, until it is as configured. Without a configured rate it
 * starts from what was sent in a second, ten at least, and is forgotten above a thousand a second.
 *
 * Circuit: of the last outcomes (32 at most) so large a share failed: open, nobody starts for a pause. Then one probe
 * goes; it closes the circuit or doubles the pause. What was under way when it opened has no say.
 */
#include "worker/limits.h"

#include <stddef.h>

enum {
    OUTCOMES = 32,
    SECOND_US = 1000000,
    GIVE_BACK = 50,
    UNLIMITED = 1000,
    FIRST_RATE = 10000,
    LEAST_RATE = 50 /* thousandths */
};

static const double burst_s = 0.2;

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* All that is known of a destination, which may be another now. */
static void forget_destination(struct limits *l)
{
    l->next_us = l->lowered_us = l->hold_until_us = l->held_us = l->open_until_us = l->pause_us = 0;
    l->probe_until_us = l->mailbox_until_us = l->reported_us = 0;
    l->settings = l->configured = l->lowered = l->refused = l->restored = 0;
    l->started = l->started_before = l->outcomes = 0;
}

void limits_forget(struct limits *l)
{
    forget_destination(l);
    gone_forget(&l->gone);
}

void limits_configure(struct limits *l, double rate, uint64_t settings)
{
    uint64_t thousandths = (uint64_t)(rate * 1000);
    if (rate > 0 && !thousandths)
        thousandths = 1; /* 0 would be no limit */
    if (l->settings != settings) {
        forget_destination(l);
        l->settings = settings;
    }
    if (l->configured != thousandths)
        l->configured = thousandths;
}

double limits_rate(const struct limits *l)
{
    uint64_t lowered = l->lowered;
    return (double)(lowered ? lowered : l->configured) / 1000;
}

/* How far ahead of its time a request may start: what a burst saves. */
static int64_t burst_us(double rate)
{
    double burst = rate * burst_s;
    return burst > 1 ? (int64_t)((burst - 1) * SECOND_US / rate) : 0;
}

static int64_t wait_for_rate(const struct limits *l, int64_t now_us)
{
    double rate = limits_rate(l);
    return rate > 0 ? l->next_us - burst_us(rate) - now_us : 0;
}

/* How long a probe takes nobody knows: look again soon. */
static int64_t wait_for_circuit(const struct limits *l, int64_t now_us)
{
    int64_t open_until = l->open_until_us;
    return open_until ? later(open_until - now_us, earlier(l->probe_until_us - now_us, SECOND_US)) : 0;
}

int64_t limits_wait(const struct limits *l, int64_t now_us)
{
    int64_t wait = later(wait_for_circuit(l, now_us), l->hold_until_us - now_us);
    return later(0, later(wait, wait_for_rate(l, now_us)));
}

/* Take the next place of the rate; false when another process has just taken the last one that is free. */
static bool take_place(struct limits *l, double rate, int64_t now_us)
{
    int64_t next = l->next_us;
    do {
        if (next - burst_us(rate) > now_us)
            return false;
    } while (
        !atomic_compare_exchange_weak(&l->next_us, &next, later(next, now_us) + (int64_t)(SECOND_US / rate)));
    return true;
}

void limits_began(struct limits *l, int64_t now_us)
{
    double rate = limits_rate(l);
    int64_t next = l->next_us;
    if (rate <= 0)
        return;
    int64_t wanted = now_us + (int64_t)(SECOND_US / rate);
    while (next < wanted && !atomic_compare_exchange_weak(&l->next_us, &next, wanted))
        ;
}

static void count_start(struct limits *l, int64_t now_us)
{
    uint64_t second = (uint64_t)(now_us / SECOND_US) & UINT32_MAX, word = l->started;
    if (word >> 32 == second) {
        l->started = word + 1;
        return;
    }
    l->started_before = (word >> 32) + 1 == second ? word & UINT32_MAX : 0;
    l->started = second << 32 | 1;
}

enum limits_go limits_start(struct limits *l, const struct limits_rules *rules, int64_t now_us)
{
    double rate = limits_rate(l);
    int64_t probe = l->probe_until_us;
    bool half_open = l->open_until_us != 0;
    if (limits_wait(l, now_us) > 0 || (rate > 0 && !take_place(l, rate, now_us)))
        return LIMITS_WAIT;
    if (half_open && !atomic_compare_exchange_strong(&l->probe_until_us, &probe, now_us + rules->probe_us))
        return LIMITS_WAIT;
    count_start(l, now_us);
    return half_open ? LIMITS_PROBE : LIMITS_MAY;
}

static void lower(struct limits *l, int64_t now_us)
{
    uint64_t in_second = l->started & UINT32_MAX, before = l->started_before, lowered = l->lowered;
    uint64_t configured = l->configured, rate = lowered ? lowered : configured;
    uint64_t least = configured && configured < LEAST_RATE ? configured : LEAST_RATE;
    if (lowered && now_us - l->lowered_us < SECOND_US)
        return;
    if (!rate)
        rate = 1000 * (in_second > before ? in_second : before);
    if (!lowered && !configured && rate < FIRST_RATE)
        rate = FIRST_RATE;
    if (!atomic_exchange(&l->refused, 1))
        l->restored = rate / 2;
    l->lowered = rate / 2 > least ? rate / 2 : least;
    l->lowered_us = now_us;
}

static void give_back(struct limits *l)
{
    uint64_t lowered = l->lowered, configured = l->configured, restored = l->restored;
    uint64_t most = configured ? configured : UNLIMITED * 1000;
    if (!lowered)
        return;
    if (l->refused)
        l->refused = 0;
    if (lowered < restored)
        lowered = 2 * lowered < restored ? 2 * lowered : restored;
    else
        lowered += lowered / GIVE_BACK + 1;
    l->lowered = lowered >= most ? 0 : lowered;
}

static void open_circuit(struct limits *l, int64_t now_us, int64_t pause_us)
{
    l->pause_us = pause_us;
    l->outcomes = 0;
    l->open_until_us = now_us + pause_us;
    l->probe_until_us = 0;
}

/* Note an outcome; true when so many of the last have failed that the circuit is to open. */
static bool note_outcome(struct limits *l, const struct limits_rules *rules, bool failed)
{
    uint64_t word = l->outcomes, next, count;
    do {
        count = word >> 32 < OUTCOMES ? (word >> 32) + 1 : OUTCOMES;
        next = count << 32 | ((word << 1 | failed) & UINT32_MAX);
    } while (!atomic_compare_exchange_weak(&l->outcomes, &word, next));
    if (!failed || rules->circuit_least <= 0 || count < (uint64_t)rules->circuit_least)
        return false;
    return __builtin_popcountll(next & UINT32_MAX) >= rules->circuit_share * (double)count;
}

static bool end_probe(struct limits *l, const struct limits_rules *rules, int64_t now_us, bool failed)
{
    if (failed) {
        open_circuit(l, now_us,
                     later(rules->circuit_pause_us, earlier(2 * l->pause_us, rules->circuit_max_us)));
        return true;
    }
    l->outcomes = 0;
    l->probe_until_us = 0;
    l->open_until_us = 0;
    return false;
}

int64_t limits_held(const struct limits *l, const struct limits_rules *rules, int64_t now_us)
{
    return now_us < l->hold_until_us + rules->held_for_us ? l->held_us : 0;
}

static void hold(struct limits *l, const struct limits_rules *rules, int64_t now_us, int64_t hold_us)
{
    l->held_us = later(limits_held(l, rules, now_us), hold_us);
    l->hold_until_us = later(l->hold_until_us, now_us + hold_us);
}

bool limits_end(struct limits *l, const struct limits_rules *rules, int64_t now_us, bool probe,
                enum limits_outcome outcome, int64_t hold_us)
{
    bool failed = outcome == LIMITS_FAILURE;
    if (hold_us > 0)
        hold(l, rules, now_us, hold_us);
    if (outcome == LIMITS_NOTHING) {
        if (probe)
            l->probe_until_us = 0; /* somebody else may try */
        return false;
    }
    if (outcome == LIMITS_THROTTLED)
        lower(l, now_us);
    else if (outcome == LIMITS_SUCCESS)
        give_back(l);
    if (probe)
        return end_probe(l, rules, now_us, failed);
    if (l->open_until_us || !note_outcome(l, rules, failed))
        return false;
    open_circuit(l, now_us, rules->circuit_pause_us);
    return true;
}

long limits_room(const struct limits *l, int64_t now_us, int64_t ahead_us, long most)
{
    double rate = limits_rate(l), room = rate * (double)ahead_us / SECOND_US;
    if (limits_wait(l, now_us) > ahead_us)
        return 0;
    if (l->open_until_us)
        return 1;
    if (!(rate > 0) || room >= (double)most)
        return most;
    return room > 1 ? (long)room : 1;
}
