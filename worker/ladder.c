/*
 * ladder - a delay as a way through queues
 *
 * Pure: turns a delay into an exchange and a routing key. Level k holds a message for 2^k seconds; the routing key
 * is the delay in binary, one word per level, highest first, and each level's exchange either lets a message wait
 * or passes it on (topology.c). Entering at the level of the highest set bit spares the broker the way down from
 * the top: a delay of 5 s costs a twelfth.
 */
#include "worker/ladder.h"

#include <math.h>
#include <stdio.h>

#include "worker/topology.h"

int ladder_round(double seconds)
{
    if (!(seconds > 1))
        return 1;
    if (seconds >= LADDER_MAX_SECONDS)
        return LADDER_MAX_SECONDS;
    int whole = (int)ceil(seconds);
    int step = 1;
    while (whole / step >= 16)
        step *= 2;
    whole = (whole + step - 1) / step * step;
    return whole > LADDER_MAX_SECONDS ? LADDER_MAX_SECONDS : whole;
}

int ladder_trip_towards(double seconds)
{
    int whole = seconds < LADDER_TRIP_MAX ? (int)ceil(seconds) : LADDER_TRIP_MAX;
    int step = 1;
    while (whole / step >= 16)
        step *= 2;
    return whole > 1 ? whole / step * step : 1;
}

void ladder_route(int seconds, char exchange[32], char key[LADDER_KEY])
{
    int top = 0;
    for (int level = 0; level < TOPOLOGY_LEVELS; level++)
        if (seconds >> level & 1)
            top = level;
    snprintf(exchange, 32, "%s.%d", TOPOLOGY_DELAY, top);
    char *p = key;
    for (int level = TOPOLOGY_LEVELS - 1; level >= 0; level--) {
        *p++ = seconds >> level & 1 ? '1' : '0';
        *p++ = level ? '.' : 0;
    }
}

int ladder_put(struct publish_message *m, struct arena *arena, double delay_s)
{
    if (!(delay_s > 0)) {
        m->exchange = TOPOLOGY_DELAY_OUT; /* not the default exchange: that would want a right of its own */
        m->routing_key = "";
        return 0;
    }
    char *exchange = arena_alloc(arena, 32), *key = arena_alloc(arena, LADDER_KEY);
    int seconds = ladder_round(delay_s);
    ladder_route(seconds, exchange, key);
    m->exchange = exchange;
    m->routing_key = key;
    return seconds;
}
