/*
 * Limits of an integration under any sequence of answers and times, and the retry ladder: a wait ends, who may start
 * may start, a rate stays within what is configured, and a delay through the ladder is the delay that was asked for.
 *
 * Input: a configured rate (eight bytes), a byte for the circuit's settings, then steps of three bytes: how much time
 * goes by, what happens, how long the destination asks to wait.
 */
#include <math.h>

#include "tests/fuzz/fuzz.h"
#include "worker/ladder.h"
#include "worker/limits.h"
#include "worker/topology.h"

#define SECOND_US INT64_C(1000000)
#define DAY_US    (86400 * SECOND_US)
#define RATE_MOST 100000.0 /* of gate.rate_* (conf_table.h) */

static double some_number(struct fuzz_input *in)
{
    double value = 0;
    unsigned char bytes[sizeof value];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = fuzz_byte(in);
    memcpy(&value, bytes, sizeof value);
    return value;
}

/* ---- the ladder ---- */

/* What the queues on the way hold a message for: a level of weight 2^k for each 1 in the key, from the entry down. */
static int64_t sum_of_route(const char *exchange, const char *key)
{
    int64_t sum = 0;
    int top = atoi(exchange + strlen(TOPOLOGY_DELAY) + 1);
    check(strncmp(exchange, TOPOLOGY_DELAY ".", strlen(TOPOLOGY_DELAY) + 1) == 0 && top < TOPOLOGY_LEVELS);
    check(strlen(key) == 2 * TOPOLOGY_LEVELS - 1);
    for (int level = TOPOLOGY_LEVELS - 1; level >= 0; level--, key += 2) {
        check(key[0] == '0' || (key[0] == '1' && level <= top));
        check(key[1] == (level ? '.' : 0));
        sum += (int64_t)(key[0] - '0') << level;
    }
    return sum;
}

static void check_ladder(double seconds)
{
    struct publish_message m = {0};
    struct arena a;
    arena_init(&a, 128);
    int took = ladder_put(&m, &a, seconds);
    if (!(seconds > 0)) {
        check(took == 0 && strcmp(m.exchange, TOPOLOGY_DELAY_OUT) == 0 && !*m.routing_key);
    } else {
        check(took >= 1 && took <= LADDER_MAX_SECONDS);
        check(took >= fmin(seconds, LADDER_MAX_SECONDS) && took <= fmax(1, ceil(seconds) * 9 / 8 + 1));
        check(sum_of_route(m.exchange, m.routing_key) == took && __builtin_popcount((unsigned)took) <= 17);
        check(ladder_round(took) == took);
    }
    if (seconds > 0) {
        int trip = ladder_trip_towards(seconds);
        check(trip >= 1 && trip <= LADDER_TRIP_MAX && (trip == 1 || trip - seconds < 1));
    }
    arena_free(&a);
}

/* ---- limits ---- */

struct model {
    struct limits l;
    struct limits_rules rules;
    int64_t now_us;
    double configured;
    int under_way; /* requests that did not end yet */
    bool probe;    /* one of them */
};

static void check_limits(struct model *m)
{
    double rate = limits_rate(&m->l);
    int64_t wait = limits_wait(&m->l, m->now_us);
    check(isfinite(rate) && rate >= 0);
    check(m->configured == 0 || rate <= m->configured + 0.001);
    check(wait >= 0 && wait <= 366 * DAY_US);
    long room = limits_room(&m->l, m->now_us, 2 * SECOND_US, 500);
    check(room >= 0 && room <= 500 && (room > 0 || wait > 2 * SECOND_US));
    check(limits_held(&m->l, &m->rules, m->now_us) >= 0);
}

static void start(struct model *m)
{
    int64_t wait = limits_wait(&m->l, m->now_us);
    enum limits_go go = limits_start(&m->l, &m->rules, m->now_us);
    check((go == LIMITS_WAIT) == (wait > 0));
    check(go != LIMITS_PROBE || !m->probe || m->now_us >= m->l.probe_until_us - m->rules.probe_us);
    m->under_way += go != LIMITS_WAIT;
    m->probe |= go == LIMITS_PROBE;
}

static void end(struct model *m, enum limits_outcome outcome, int64_t hold_us)
{
    if (m->under_way == 0)
        return;
    bool probe = m->probe;
    bool opened = limits_end(&m->l, &m->rules, m->now_us, probe, outcome, hold_us);
    check(!opened || (m->l.open_until_us > m->now_us && outcome == LIMITS_FAILURE));
    check(!opened || limits_start(&m->l, &m->rules, m->now_us) == LIMITS_WAIT);
    check(limits_wait(&m->l, m->now_us) >= hold_us);
    m->under_way--;
    m->probe = false;
}

/* Whatever was: after the wait that is said, some request may start, and not before. */
static void check_it_ends(struct model *m)
{
    int turns = 0;
    for (int64_t wait; (wait = limits_wait(&m->l, m->now_us)) > 0; turns++) {
        check(turns < 64);
        m->now_us += wait;
    }
    check(limits_start(&m->l, &m->rules, m->now_us) != LIMITS_WAIT);
}

static void step(struct model *m, struct fuzz_input *in)
{
    uint8_t gone = fuzz_byte(in), what = fuzz_byte(in), asked = fuzz_byte(in);
    m->now_us += INT64_C(1) << (gone % 38);
    switch (what % 6) {
    case 0:
    case 1:
        start(m);
        break;
    default:
        end(m, (enum limits_outcome)(what % 6 - 2), asked < 128 ? 0 : INT64_C(1) << (asked % 37));
    }
    check_limits(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct model m = {.now_us = 1000 * SECOND_US};
    double number = some_number(&in);
    uint8_t circuit = fuzz_byte(&in);
    check_ladder(number);
    m.configured = number >= 0 && number <= RATE_MOST ? number : 0;
    m.rules = (struct limits_rules){.circuit_least = circuit % 16,
                                    .circuit_share = (1 + (circuit >> 4)) * 0.0625,
                                    .circuit_pause_us = (1 + circuit) * SECOND_US,
                                    .circuit_max_us = 300 * SECOND_US,
                                    .probe_us = 40 * SECOND_US,
                                    .held_for_us = DAY_US};
    limits_configure(&m.l, m.configured, 1);
    for (int steps = 0; in.size > 0 && steps < 400; steps++)
        step(&m, &in);
    check_it_ends(&m);
    limits_configure(&m.l, m.configured, 2);
    check(limits_wait(&m.l, m.now_us) == 0);
    return 0;
}
