/* What the processes of one host tell each other. */
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/unit/unit.h"
#include "worker/shared.h"

static void map_once(void)
{
    static bool mapped;
    if (!mapped)
        shared_map();
    mapped = true;
}

/* Run FUNCTION in a child that has claimed SLOT; its result. */
static int in_child(int slot, int (*function)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        shared_adopt(slot);
        _exit(function());
    }
    int status = 0;
    if (waitpid(pid, &status, 0) != pid)
        return -1;
    return WEXITSTATUS(status);
}

static int take_seven(void)
{
    return shared_event_take(7777777777777ULL);
}

static void an_event_in_hand_of_another_process_is_refused_until_it_is_gone(void)
{
    map_once();
    int one = shared_slot_claim(SHARED_WORKER), two = shared_slot_claim(SHARED_WORKER);
    EXPECT_INT(in_child(one, take_seven), 1);
    EXPECT_INT(in_child(two, take_seven), 0);
    EXPECT_INT(in_child(one, take_seven), 1);
    shared_slot_release(one);
    EXPECT_INT(in_child(two, take_seven), 1);
    shared_slot_release(two);
}

static int take_and_release(void)
{
    for (uint64_t i = 1; i <= 100000; i++) {
        uint64_t hash = i * 0x9e3779b97f4a7c15ULL;
        if (!shared_event_take(hash))
            return 0;
        shared_event_release(hash);
    }
    return 1;
}

static void released_events_leave_no_trace(void)
{
    map_once();
    int slot = shared_slot_claim(SHARED_WORKER);
    EXPECT_INT(in_child(slot, take_and_release), 1);
    EXPECT_INT(in_child(slot, take_and_release), 1);
    shared_slot_release(slot);
}

static int die_handling(void)
{
    shared_handling(4711);
    _exit(1);
}

static void a_message_that_killed_three_workers_is_poison(void)
{
    map_once();
    for (int i = 1; i <= 3; i++) {
        int slot = shared_slot_claim(SHARED_WORKER);
        EXPECT(!shared_is_poison(4711));
        in_child(slot, die_handling);
        EXPECT_INT(shared_slot_release(slot), i);
    }
    EXPECT(shared_is_poison(4711));
    EXPECT(!shared_is_poison(4712));
}

static int is_poison_4713(void)
{
    return shared_is_poison(4713);
}

static int die_handling_4713(void)
{
    shared_handling(4713);
    _exit(1);
}

/* The broker gave the message to a fourth worker before the supervisor had noted the third death. */
static void a_death_that_is_not_noted_yet_counts(void)
{
    map_once();
    int slots[3], next = shared_slot_claim(SHARED_WORKER);
    for (int i = 0; i < 3; i++) {
        slots[i] = shared_slot_claim(SHARED_WORKER);
        in_child(slots[i], die_handling_4713);
        if (i < 2)
            shared_slot_release(slots[i]);
    }
    EXPECT_INT(in_child(next, is_poison_4713), 1);
    shared_slot_release(slots[2]);
    EXPECT_INT(in_child(next, is_poison_4713), 1);
    shared_slot_release(next);
}

static int count_five(void)
{
    shared_count_more(COUNT_SETTLED, 5);
    return 0;
}

static void counters_outlive_their_process(void)
{
    map_once();
    uint64_t before = shared_sum(COUNT_SETTLED);
    for (int i = 0; i < 2; i++) {
        int slot = shared_slot_claim(SHARED_WORKER);
        in_child(slot, count_five);
        shared_slot_release(slot);
    }
    EXPECT_INT(shared_sum(COUNT_SETTLED) - before, 10);
}

static void a_change_raises_the_generation_of_its_workspace(void)
{
    map_once();
    struct uuid a = {{1}}, b = {{2}};
    uint64_t before = shared_generation(&a), other = shared_generation(&b);
    shared_generation_bump(&a);
    EXPECT(shared_generation(&a) != before);
    EXPECT(shared_generation(&b) == other);
    shared_generation_bump_all();
    EXPECT(shared_generation(&b) != other);
}

static void proof_ends_by_itself(void)
{
    map_once();
    int64_t now = clock_mono_us();
    shared_proven_set(now + 1000);
    EXPECT(shared_is_proven(now));
    EXPECT(!shared_is_proven(now + 1000));
}

UNIT_MAIN(UNIT_CASE(an_event_in_hand_of_another_process_is_refused_until_it_is_gone),
          UNIT_CASE(released_events_leave_no_trace), UNIT_CASE(a_message_that_killed_three_workers_is_poison),
          UNIT_CASE(a_death_that_is_not_noted_yet_counts), UNIT_CASE(counters_outlive_their_process),
          UNIT_CASE(a_change_raises_the_generation_of_its_workspace), UNIT_CASE(proof_ends_by_itself))
