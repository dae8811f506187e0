/* Whether a destination has said that it is gone. */
#include "tests/unit/unit.h"
#include "worker/gone.h"
#include "worker/limits.h"

#define SECOND INT64_C(1000000)

static const struct gone_rules rules = {
    .pause_us = 60 * SECOND, .longest_us = 200 * SECOND, .probe_us = 30 * SECOND};
static const struct gone_news none = {.at_us = GONE_NO_NEWS};

static bool is_gone(struct gone *g, uint64_t row, int64_t seconds)
{
    return gone_is(g, &rules, row, &none, seconds * SECOND);
}

static bool says(struct gone *g, int64_t at_s, int64_t until_s, int64_t now_s)
{
    struct gone_news ledger = {at_s * SECOND, until_s * SECOND};
    return gone_is(g, &rules, 7, &ledger, now_s * SECOND);
}

static void nothing_is_sent_for_a_pause_and_then_one_probe_at_a_time(void)
{
    struct gone g = {0};
    EXPECT(!is_gone(&g, 7, 100));
    EXPECT(gone_found(&g, &rules, 7, 100 * SECOND));
    EXPECT(is_gone(&g, 7, 100));
    EXPECT(is_gone(&g, 7, 159));
    EXPECT(!is_gone(&g, 7, 160)); /* the probe */
    EXPECT(is_gone(&g, 7, 161));
    EXPECT(is_gone(&g, 7, 189));
    EXPECT(!is_gone(&g, 7, 190)); /* it was lost, or never sent: another */
}

static void each_probe_that_finds_it_gone_doubles_the_pause_up_to_the_longest(void)
{
    struct gone g = {0};
    gone_found(&g, &rules, 7, 100 * SECOND);
    EXPECT(!gone_found(&g, &rules, 7, 101 * SECOND)); /* sent before that was known */
    EXPECT(!is_gone(&g, 7, 160));
    EXPECT(!gone_found(&g, &rules, 7, 161 * SECOND));
    EXPECT(is_gone(&g, 7, 280));
    EXPECT(!is_gone(&g, 7, 281));
    EXPECT(!gone_found(&g, &rules, 7, 282 * SECOND));
    EXPECT(is_gone(&g, 7, 481));
    EXPECT(!is_gone(&g, 7, 482));
}

static void any_other_answer_ends_it(void)
{
    struct gone g = {0};
    EXPECT(!gone_is_back(&g, 7, 90 * SECOND));
    gone_found(&g, &rules, 7, 100 * SECOND);
    EXPECT(!gone_is_back(&g, 8, 101 * SECOND));
    EXPECT(gone_is_back(&g, 7, 101 * SECOND));
    EXPECT(!gone_is_back(&g, 7, 102 * SECOND));
    EXPECT(!is_gone(&g, 7, 102));
    EXPECT(gone_found(&g, &rules, 7, 300 * SECOND));
    EXPECT(!is_gone(&g, 7, 360)); /* the first pause again */
}

static void of_another_row_nothing_is_known(void)
{
    struct limits l = {0};
    gone_found(&l.gone, &rules, 7, 100 * SECOND);
    EXPECT(!is_gone(&l.gone, 8, 101));
    EXPECT(is_gone(&l.gone, 7, 101)); /* whoever has the old one still */
    EXPECT(gone_known(&l.gone, 8).at_us == GONE_NO_NEWS);
    limits_configure(&l, 5, 1); /* settings that were not known here yet */
    EXPECT(is_gone(&l.gone, 7, 101));
    EXPECT(gone_found(&l.gone, &rules, 8, 102 * SECOND));
    EXPECT(!is_gone(&l.gone, 7, 103));
    limits_forget(&l); /* the place is another integration's */
    EXPECT(!is_gone(&l.gone, 8, 103));
}

static void what_was_found_out_later_is_right_here_or_in_the_ledger(void)
{
    struct gone g = {0};
    EXPECT(!says(&g, 90, 0, 100));
    EXPECT(gone_known(&g, 7).at_us == GONE_NO_NEWS);
    EXPECT(says(&g, 95, 155, 100));  /* another host knows that it is gone */
    EXPECT(!says(&g, 101, 0, 102));  /* and that it is back */
    EXPECT(!says(&g, 95, 155, 103)); /* whoever has older rows */
    gone_found(&g, &rules, 7, 104 * SECOND);
    EXPECT(says(&g, 101, 0, 105)); /* the ledger has not been told yet */
    gone_is_back(&g, 7, 106 * SECOND);
    EXPECT(!says(&g, 104, 164, 107)); /* it was told in the wrong order */
    gone_found(&g, &rules, 7, 110 * SECOND);
    EXPECT(says(&g, 150, 270, 170)); /* another host has probed it */
    EXPECT(is_gone(&g, 7, 269));
    EXPECT(!is_gone(&g, 7, 270));
    gone_found(&g, &rules, 7, 271 * SECOND);
    EXPECT(is_gone(&g, 7, 470)); /* and the pause goes on from there: 120, 200 */
    EXPECT(!is_gone(&g, 7, 471));
}

static void a_time_of_the_ledger_that_cannot_be_does_not_end_the_pauses(void)
{
    struct gone g = {0};
    EXPECT(!says(&g, 90, 80, 100)); /* the probe was due before it was asked: it goes at once */
    EXPECT(!gone_found(&g, &rules, 7, 101 * SECOND));
    EXPECT(is_gone(&g, 7, 160));
    EXPECT(!is_gone(&g, 7, 161));
}

UNIT_MAIN(UNIT_CASE(nothing_is_sent_for_a_pause_and_then_one_probe_at_a_time),
          UNIT_CASE(each_probe_that_finds_it_gone_doubles_the_pause_up_to_the_longest),
          UNIT_CASE(any_other_answer_ends_it), UNIT_CASE(of_another_row_nothing_is_known),
          UNIT_CASE(what_was_found_out_later_is_right_here_or_in_the_ledger),
          UNIT_CASE(a_time_of_the_ledger_that_cannot_be_does_not_end_the_pauses))
