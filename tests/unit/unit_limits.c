/* Rate, hold and circuit of one integration. */
#include "tests/unit/unit.h"
#include "worker/limits.h"

#define SECOND INT64_C(1000000)

static const struct limits_rules rules = {
    .circuit_least = 10,
    .circuit_share = 0.5,
    .circuit_pause_us = 5 * SECOND,
    .circuit_max_us = 15 * SECOND,
    .probe_us = 30 * SECOND,
    .held_for_us = 3600 * SECOND,
};

/* How many may start in the SECONDS from NOW on, asked every millisecond. */
static long started(struct limits *l, int64_t now, int64_t seconds)
{
    long count = 0;
    for (int64_t at = now; at < now + seconds * SECOND; at += 1000)
        while (limits_start(l, &rules, at) == LIMITS_MAY)
            count++;
    return count;
}

static void end_with(struct limits *l, int64_t now, enum limits_outcome outcome, int times)
{
    for (int i = 0; i < times; i++)
        limits_end(l, &rules, now, false, outcome, 0);
}

static void without_a_rate_everything_may_start(void)
{
    struct limits l = {0};
    for (int i = 0; i < 10000; i++)
        EXPECT(limits_start(&l, &rules, SECOND) == LIMITS_MAY);
    EXPECT_INT(limits_wait(&l, SECOND), 0);
    EXPECT_INT(limits_room(&l, SECOND, SECOND, 32), 32);
}

static void a_rate_is_kept_with_a_burst_of_a_fifth_of_a_second(void)
{
    struct limits l = {0};
    limits_configure(&l, 50, 1);
    long first = 0;
    while (limits_start(&l, &rules, 100 * SECOND) == LIMITS_MAY)
        first++;
    EXPECT_INT(first, 10);
    EXPECT_INT(limits_wait(&l, 100 * SECOND), SECOND / 50);
    EXPECT_INT(started(&l, 100 * SECOND + 1000, 10), 500);
    /* What was not used in a long pause is not saved up. */
    EXPECT_INT(started(&l, 1000 * SECOND, 1), 59);
}

static void a_rate_below_one_has_no_burst(void)
{
    struct limits l = {0};
    limits_configure(&l, 0.5, 1);
    EXPECT(limits_start(&l, &rules, 7 * SECOND) == LIMITS_MAY);
    EXPECT_INT(limits_wait(&l, 7 * SECOND), 2 * SECOND);
    EXPECT(limits_start(&l, &rules, 9 * SECOND - 1) == LIMITS_WAIT);
    EXPECT(limits_start(&l, &rules, 9 * SECOND) == LIMITS_MAY);
}

static void too_many_halves_the_rate_once_a_second_and_success_gives_it_back(void)
{
    struct limits l = {0};
    int64_t now = 50 * SECOND;
    limits_configure(&l, 8, 1);
    end_with(&l, now, LIMITS_THROTTLED, 5);
    EXPECT(limits_rate(&l) == 4);
    end_with(&l, now + SECOND, LIMITS_THROTTLED, 5);
    EXPECT(limits_rate(&l) == 2);
    EXPECT(!l.open_until_us); /* that is no failure */
    double before = limits_rate(&l);
    for (int i = 0; i < 200 && l.lowered; i++) {
        end_with(&l, now + 2 * SECOND, LIMITS_SUCCESS, 1);
        EXPECT(limits_rate(&l) > before);
        before = limits_rate(&l);
    }
    EXPECT_INT(l.lowered, 0);
    EXPECT(limits_rate(&l) == 8);
}

static void without_a_rate_too_many_begins_with_half_of_what_was_sent(void)
{
    struct limits l = {0};
    int64_t now = 50 * SECOND;
    for (int i = 0; i < 300; i++)
        limits_start(&l, &rules, now);
    limits_start(&l, &rules, now + SECOND);
    end_with(&l, now + SECOND, LIMITS_THROTTLED, 1);
    EXPECT(limits_rate(&l) == 150);
    end_with(&l, now + SECOND, LIMITS_SUCCESS, 200);
    EXPECT_INT(l.lowered, 0);
    EXPECT(limits_rate(&l) == 0);
}

static void a_lone_request_that_is_too_many_does_not_stop_the_rest(void)
{
    struct limits l = {0};
    limits_start(&l, &rules, SECOND);
    end_with(&l, SECOND, LIMITS_THROTTLED, 1);
    EXPECT(limits_rate(&l) == 5);
}

static void a_rate_never_falls_to_nothing(void)
{
    struct limits l = {0};
    limits_configure(&l, 1, 1);
    for (int i = 1; i < 100; i++)
        end_with(&l, i * 2 * SECOND, LIMITS_THROTTLED, 1);
    EXPECT(limits_rate(&l) == 0.05);
}

static void a_rate_that_is_configured_very_low_is_kept(void)
{
    struct limits l = {0};
    limits_configure(&l, 0.02, 1);
    end_with(&l, SECOND, LIMITS_THROTTLED, 1);
    EXPECT(limits_rate(&l) == 0.02); /* and not raised to the lowest to which it is lowered */
    limits_configure(&l, 0.0001, 2);
    EXPECT(limits_rate(&l) == 0.001);
}

static void a_hold_stops_everything_until_its_end(void)
{
    struct limits l = {0};
    limits_end(&l, &rules, SECOND, false, LIMITS_THROTTLED, 30 * SECOND);
    limits_end(&l, &rules, 2 * SECOND, false, LIMITS_THROTTLED, SECOND); /* a shorter one does not end it */
    EXPECT_INT(limits_wait(&l, SECOND), 30 * SECOND);
    EXPECT(limits_start(&l, &rules, 30 * SECOND) == LIMITS_WAIT);
    EXPECT_INT(limits_room(&l, 20 * SECOND, 2 * SECOND, 32), 0);
    EXPECT(limits_start(&l, &rules, 31 * SECOND) == LIMITS_MAY);
}

/* A window of a minute that is used up refuses everything until its end, and then allows what it did before. */
static void what_was_halved_in_a_row_comes_back_by_doubling(void)
{
    struct limits l = {0};
    int64_t now = 50 * SECOND;
    limits_configure(&l, 64, 1);
    for (int i = 0; i < 20; i++)
        end_with(&l, now + i * SECOND, LIMITS_THROTTLED, 1);
    EXPECT(limits_rate(&l) == 0.05);
    end_with(&l, now + 60 * SECOND, LIMITS_SUCCESS, 1);
    EXPECT(limits_rate(&l) == 0.1);
    end_with(&l, now + 60 * SECOND, LIMITS_SUCCESS, 9);
    EXPECT(limits_rate(&l) == 32);
    end_with(&l, now + 60 * SECOND, LIMITS_SUCCESS, 1);
    EXPECT(limits_rate(&l) > 32 && limits_rate(&l) < 33);
    /* With successes between, the next too many is news: it is doubled up to half of that only. */
    end_with(&l, now + 70 * SECOND, LIMITS_THROTTLED, 1);
    end_with(&l, now + 71 * SECOND, LIMITS_THROTTLED, 1);
    end_with(&l, now + 72 * SECOND, LIMITS_SUCCESS, 3);
    EXPECT(limits_rate(&l) > 16 && limits_rate(&l) < 18);
}

static void the_longest_hold_counts_until_those_that_waited_for_it_are_through(void)
{
    struct limits l = {0};
    EXPECT_INT(limits_held(&l, &rules, SECOND), 0);
    limits_end(&l, &rules, SECOND, false, LIMITS_THROTTLED, 30 * SECOND);
    limits_end(&l, &rules, 31 * SECOND, false, LIMITS_THROTTLED, 10 * SECOND);
    EXPECT_INT(limits_held(&l, &rules, 3640 * SECOND), 30 * SECOND);
    EXPECT_INT(limits_held(&l, &rules, 3641 * SECOND), 0);
    limits_end(&l, &rules, 3700 * SECOND, false, LIMITS_THROTTLED, SECOND);
    EXPECT_INT(limits_held(&l, &rules, 3700 * SECOND), SECOND);
}

static void the_circuit_opens_when_half_of_enough_requests_have_failed(void)
{
    struct limits l = {0};
    end_with(&l, SECOND, LIMITS_FAILURE, 9);
    EXPECT(!l.open_until_us);
    EXPECT(limits_end(&l, &rules, SECOND, false, LIMITS_FAILURE, 0));
    EXPECT_INT(limits_wait(&l, SECOND), 5 * SECOND);
    EXPECT(limits_start(&l, &rules, SECOND) == LIMITS_WAIT);

    struct limits mixed = {0};
    for (int i = 0; i < 100; i++) { /* one in three */
        end_with(&mixed, SECOND, LIMITS_SUCCESS, 2);
        end_with(&mixed, SECOND, LIMITS_FAILURE, 1);
    }
    EXPECT(!mixed.open_until_us);
    end_with(&mixed, SECOND, LIMITS_FAILURE, 16); /* of the last 32 */
    EXPECT(mixed.open_until_us);
}

static struct limits open_circuit(int64_t now)
{
    struct limits l = {0};
    end_with(&l, now, LIMITS_FAILURE, 10);
    EXPECT(l.open_until_us);
    return l;
}

static void after_the_pause_one_probe_goes_and_its_success_closes_the_circuit(void)
{
    struct limits l = open_circuit(SECOND);
    EXPECT_INT(limits_room(&l, 6 * SECOND, SECOND, 32), 1);
    EXPECT(limits_start(&l, &rules, 6 * SECOND) == LIMITS_PROBE);
    EXPECT(limits_start(&l, &rules, 6 * SECOND) == LIMITS_WAIT);
    /* What was under way when it opened has no say. */
    limits_end(&l, &rules, 6 * SECOND, false, LIMITS_SUCCESS, 0);
    EXPECT(l.open_until_us);
    EXPECT(!limits_end(&l, &rules, 6 * SECOND, true, LIMITS_SUCCESS, 0));
    EXPECT(limits_start(&l, &rules, 6 * SECOND) == LIMITS_MAY);
    EXPECT(!l.open_until_us);
}

static void each_probe_that_fails_doubles_the_pause_up_to_the_longest(void)
{
    struct limits l = open_circuit(0);
    int64_t now = 0;
    static const int pauses[] = {5, 10, 15, 15};
    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
        EXPECT_INT(limits_wait(&l, now), pauses[i] * SECOND);
        now += pauses[i] * SECOND;
        EXPECT(limits_start(&l, &rules, now) == LIMITS_PROBE);
        EXPECT(limits_end(&l, &rules, now, true, LIMITS_FAILURE, 0));
    }
}

static void a_probe_that_says_nothing_or_is_lost_lets_another_try(void)
{
    struct limits l = open_circuit(SECOND);
    EXPECT(limits_start(&l, &rules, 6 * SECOND) == LIMITS_PROBE);
    limits_end(&l, &rules, 6 * SECOND, true, LIMITS_NOTHING, 0);
    EXPECT(limits_start(&l, &rules, 6 * SECOND) == LIMITS_PROBE);
    EXPECT(limits_wait(&l, 6 * SECOND) <= SECOND); /* it may be answered soon */
    EXPECT(limits_start(&l, &rules, 35 * SECOND) == LIMITS_WAIT);
    EXPECT(limits_start(&l, &rules, 36 * SECOND) == LIMITS_PROBE);
}

static void a_probe_of_what_was_forgotten_meanwhile_opens_the_circuit_for_the_first_pause(void)
{
    struct limits l = open_circuit(SECOND);
    EXPECT(limits_start(&l, &rules, 6 * SECOND) == LIMITS_PROBE);
    limits_configure(&l, 0, 2);
    EXPECT(limits_end(&l, &rules, 7 * SECOND, true, LIMITS_FAILURE, 0));
    EXPECT_INT(limits_wait(&l, 7 * SECOND), 5 * SECOND);
}

static void a_circuit_that_may_not_open_does_not(void)
{
    struct limits l = {0};
    struct limits_rules never = rules;
    never.circuit_least = 0;
    for (int i = 0; i < 1000; i++)
        EXPECT(!limits_end(&l, &never, SECOND, false, LIMITS_FAILURE, 0));
    EXPECT(limits_start(&l, &never, SECOND) == LIMITS_MAY);
}

static void other_settings_begin_anew(void)
{
    struct limits l = open_circuit(SECOND);
    l.key = 7;
    limits_configure(&l, 0, 1); /* the first that are known of */
    limits_end(&l, &rules, SECOND, false, LIMITS_THROTTLED, 3600 * SECOND);
    limits_configure(&l, 0, 1);
    EXPECT_INT(limits_wait(&l, SECOND), 3600 * SECOND);
    limits_configure(&l, 0, 2);
    EXPECT_INT(limits_wait(&l, SECOND), 0);
    EXPECT_INT(l.key, 7);
}

static void room_is_what_the_rate_allows_soon(void)
{
    struct limits l = {0};
    limits_configure(&l, 10, 1);
    EXPECT_INT(limits_room(&l, SECOND, 2 * SECOND, 32), 20);
    EXPECT_INT(limits_room(&l, SECOND, 2 * SECOND, 8), 8);
    limits_configure(&l, 0.2, 1);
    EXPECT_INT(limits_room(&l, SECOND, 2 * SECOND, 32), 1);
    limits_start(&l, &rules, SECOND);
    EXPECT_INT(limits_room(&l, SECOND, 2 * SECOND, 32), 0);
}

UNIT_MAIN(UNIT_CASE(without_a_rate_everything_may_start),
          UNIT_CASE(a_rate_is_kept_with_a_burst_of_a_fifth_of_a_second),
          UNIT_CASE(a_rate_below_one_has_no_burst),
          UNIT_CASE(too_many_halves_the_rate_once_a_second_and_success_gives_it_back),
          UNIT_CASE(without_a_rate_too_many_begins_with_half_of_what_was_sent),
          UNIT_CASE(a_lone_request_that_is_too_many_does_not_stop_the_rest),
          UNIT_CASE(a_rate_never_falls_to_nothing), UNIT_CASE(a_rate_that_is_configured_very_low_is_kept),
          UNIT_CASE(a_hold_stops_everything_until_its_end),
          UNIT_CASE(what_was_halved_in_a_row_comes_back_by_doubling),
          UNIT_CASE(the_longest_hold_counts_until_those_that_waited_for_it_are_through),
          UNIT_CASE(the_circuit_opens_when_half_of_enough_requests_have_failed),
          UNIT_CASE(after_the_pause_one_probe_goes_and_its_success_closes_the_circuit),
          UNIT_CASE(each_probe_that_fails_doubles_the_pause_up_to_the_longest),
          UNIT_CASE(a_probe_that_says_nothing_or_is_lost_lets_another_try),
          UNIT_CASE(a_probe_of_what_was_forgotten_meanwhile_opens_the_circuit_for_the_first_pause),
          UNIT_CASE(a_circuit_that_may_not_open_does_not), UNIT_CASE(other_settings_begin_anew),
          UNIT_CASE(room_is_what_the_rate_allows_soon))
