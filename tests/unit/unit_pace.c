/* So many at once, and then one each pause, for each name. */
#include <stdio.h>

#include "api/send/pace.h"
#include "tests/unit/unit.h"

enum { SECOND = 1000000 };

static void ten_at_once_and_then_one_each_pause(void)
{
    struct pace *p = pace_new(10, 4);
    for (int i = 0; i < 10; i++)
        EXPECT(pace_take(p, "a", SECOND) == 0);
    EXPECT(pace_take(p, "a", SECOND) == 4);
    EXPECT(pace_take(p, "a", 3 * SECOND) == 2);
    EXPECT(pace_take(p, "a", 5 * SECOND) == 0 && pace_take(p, "a", 5 * SECOND) == 4);
    int taken = 0;
    for (int64_t now = 5 * SECOND; now < 65 * SECOND; now += SECOND / 10)
        taken += pace_take(p, "a", now) == 0;
    EXPECT_INT(taken, 14);
    pace_free(p);
}

static void one_that_used_up_its_own_takes_nothing_from_another(void)
{
    struct pace *p = pace_new(1, 60);
    EXPECT(pace_take(p, "a", 0) == 0 && pace_take(p, "a", 0) == 60);
    EXPECT(pace_take(p, "b", 0) == 0 && pace_take(p, "a", 30 * SECOND) == 30);
    pace_free(p);
}

static void a_long_rest_is_worth_no_more_than_a_burst(void)
{
    struct pace *p = pace_new(2, 1);
    EXPECT(pace_take(p, "a", 0) == 0);
    int taken = 0;
    for (int i = 0; i < 5; i++)
        taken += pace_take(p, "a", (int64_t)3600 * SECOND) == 0;
    EXPECT_INT(taken, 2);
    pace_free(p);
}

static void who_has_rested_is_forgotten_and_there_are_never_too_many(void)
{
    char name[32];
    struct pace *p = pace_new(2, 1);
    for (int i = 0; i < 3 * PACE_MAX; i++) {
        snprintf(name, sizeof name, "%d", i);
        EXPECT(pace_take(p, name, i) == 0);
        EXPECT(pace_count(p) <= PACE_MAX);
    }
    EXPECT_INT(pace_count(p), PACE_MAX);
    EXPECT(pace_take(p, "late", 10 * SECOND) == 0);
    EXPECT_INT(pace_count(p), 1);
    pace_free(p);
}

UNIT_MAIN(UNIT_CASE(ten_at_once_and_then_one_each_pause),
          UNIT_CASE(one_that_used_up_its_own_takes_nothing_from_another),
          UNIT_CASE(a_long_rest_is_worth_no_more_than_a_burst),
          UNIT_CASE(who_has_rested_is_forgotten_and_there_are_never_too_many))
