/* The way of a delay through the levels, and what follows from a verdict. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "worker/ladder.h"
#include "worker/outcome.h"
#include "worker/topology.h"

static int significant_bits(int seconds)
{
    while (seconds && seconds % 2 == 0)
        seconds /= 2;
    int bits = 0;
    for (; seconds; seconds /= 2)
        bits++;
    return bits;
}

static void a_delay_is_rounded_up_to_four_significant_bits(void)
{
    for (int s = 1; s < LADDER_MAX_SECONDS; s += s < 1000 ? 1 : 37) {
        int rounded = ladder_round(s);
        EXPECT(rounded >= s);
        EXPECT(rounded <= s + s / 8 + 1);
        EXPECT(significant_bits(rounded) <= 4 || rounded == LADDER_MAX_SECONDS);
    }
    EXPECT_INT(ladder_round(0.2), 1);
    EXPECT_INT(ladder_round(2.1), 3);
    EXPECT_INT(ladder_round(1e9), LADDER_MAX_SECONDS);
}

/* Walk the levels as the bindings do and add up the waits. */
static void the_route_of_a_delay_waits_exactly_that_long(void)
{
    static const int delays[] = {1, 2, 3, 5, 15, 60, 72, 1024, 21600 + 928, LADDER_MAX_SECONDS};
    for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
        char exchange[32], key[LADDER_KEY];
        int level = -1, waited = 0;
        ladder_route(delays[i], exchange, key);
        EXPECT_INT(strlen(key), 2 * TOPOLOGY_LEVELS - 1);
        EXPECT(sscanf(exchange, TOPOLOGY_DELAY ".%d", &level) == 1);
        EXPECT(key[2 * (TOPOLOGY_LEVELS - 1 - level)] == '1');
        for (; level >= 0; level--)
            if (key[2 * (TOPOLOGY_LEVELS - 1 - level)] == '1')
                waited += 1 << level;
        EXPECT_INT(waited, delays[i]);
    }
}

static struct conf settings(void)
{
    return (struct conf){
        .retry_base = 5,
        .retry_factor = 3,
        .retry_max_delay = 21600,
        .retry_max_attempts = 12,
        .retry_jitter = 0.2,
        .retry_max_retry_after = 86400,
    };
}

static void pauses_grow_by_the_factor_up_to_the_maximum(void)
{
    struct conf conf = settings();
    struct verdict v = {.kind = VERDICT_RETRY, .error = ERROR_TIMEOUT};
    EXPECT_INT(outcome_decide(&conf, &v, 1, 0).delay_s, 5);
    EXPECT_INT(outcome_decide(&conf, &v, 2, 0).delay_s, 15);
    EXPECT_INT(outcome_decide(&conf, &v, 3, 0).delay_s, 45);
    EXPECT_INT(outcome_decide(&conf, &v, 11, 0).delay_s, 21600);
    EXPECT_INT(outcome_decide(&conf, &v, 2, 0.5).delay_s * 10, 165);
    EXPECT(outcome_decide(&conf, &v, 1, 0).state == DELIVERY_WAITING);
}

static void a_destination_may_ask_for_more_time_up_to_the_cap(void)
{
    struct conf conf = settings();
    struct verdict v = {.kind = VERDICT_RETRY, .error = ERROR_HTTP_STATUS, .not_before = 100};
    EXPECT_INT(outcome_decide(&conf, &v, 1, 0).delay_s, 100);
    v.not_before = 3;
    EXPECT_INT(outcome_decide(&conf, &v, 1, 0).delay_s, 5);
    v.not_before = 31536000;
    EXPECT_INT(outcome_decide(&conf, &v, 1, 0).delay_s, 86400);
}

static void the_last_attempt_that_fails_is_the_end(void)
{
    struct conf conf = settings();
    struct verdict v = {.kind = VERDICT_RETRY, .error = ERROR_HTTP_STATUS};
    EXPECT(outcome_decide(&conf, &v, 11, 0).state == DELIVERY_WAITING);
    struct outcome o = outcome_decide(&conf, &v, 12, 0);
    EXPECT(o.state == DELIVERY_DEAD && o.reason == REASON_ATTEMPTS_EXHAUSTED && o.error == ERROR_HTTP_STATUS);
}

static void a_refusal_keeps_its_reason(void)
{
    struct conf conf = settings();
    struct verdict v = {.kind = VERDICT_REJECTED, .reason = REASON_GONE, .error = ERROR_HTTP_STATUS};
    struct outcome o = outcome_decide(&conf, &v, 1, 0);
    EXPECT(o.state == DELIVERY_DEAD && o.reason == REASON_GONE);
}

UNIT_MAIN(UNIT_CASE(a_delay_is_rounded_up_to_four_significant_bits),
          UNIT_CASE(the_route_of_a_delay_waits_exactly_that_long),
          UNIT_CASE(pauses_grow_by_the_factor_up_to_the_maximum),
          UNIT_CASE(a_destination_may_ask_for_more_time_up_to_the_cap),
          UNIT_CASE(the_last_attempt_that_fails_is_the_end), UNIT_CASE(a_refusal_keeps_its_reason))
