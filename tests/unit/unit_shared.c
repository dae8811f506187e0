/*
 * The memory that the processes of a host share: who has an event in hand, and the generations of workspaces.
 */
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "tests/unit/unit.h"
#include "worker/shared.h"

enum { CONTENDERS = 3, ROUNDS = 10000 };

struct contest {
    _Atomic long arrived;
    _Atomic long begun[CONTENDERS]; /* round: what each may start with */
    _Atomic int holders;
    _Atomic long both;   /* rounds in which two had it */
    _Atomic long nobody; /* rounds in which all were refused */
    _Atomic int took;
};

static void *share(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    EXPECT(p != MAP_FAILED);
    return p;
}

/* All contenders are here; the last one to come opens the gate for all. */
static void meet(struct contest *c, long *meeting)
{
    long all = ++*meeting * CONTENDERS;
    atomic_fetch_add(&c->arrived, 1);
    for (int spins = 0; c->arrived < all; spins++)
        if (spins > 200)
            sched_yield(); /* fewer processors than contenders */
}

/* In every round all want the same event at the same moment. */
static void contend(struct contest *c, int me)
{
    long meeting = 0;
    shared_adopt(me);
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        uint64_t hash = hash_bytes(&round, sizeof round);
        meet(c, &meeting);
        bool mine = shared_event_take(hash);
        if (mine && atomic_fetch_add(&c->holders, 1) > 0)
            atomic_fetch_add(&c->both, 1);
        meet(c, &meeting);
        if (me == 0) {
            c->nobody += c->holders == 0;
            c->holders = 0;
        }
        if (mine)
            shared_event_release(hash);
    }
}

static void an_event_that_several_want_at_once_goes_to_one_of_them(void)
{
    struct contest *c = share(sizeof *c);
    shared_map();
    for (int i = 0; i < CONTENDERS; i++) {
        EXPECT_INT(shared_slot_claim(SHARED_WORKER), i);
        pid_t pid = fork();
        EXPECT(pid >= 0);
        if (pid == 0) {
            contend(c, i);
            _exit(0);
        }
    }
    for (int i = 0, status; i < CONTENDERS; i++)
        EXPECT(wait(&status) > 0 && status == 0);
    EXPECT_INT(c->both, 0);
    /* Refusing all is allowed, they come again later, but must be rare. */
    EXPECT(c->nobody < ROUNDS / 10);
}

static void a_bump_changes_the_generation_of_its_workspace_and_of_all_when_asked(void)
{
    struct uuid one, other;
    uuid_random(&one);
    do
        uuid_random(&other);
    while (hash_bytes(one.bytes, sizeof one.bytes) % SHARED_GENERATIONS ==
           hash_bytes(other.bytes, sizeof other.bytes) % SHARED_GENERATIONS);
    shared_map();
    uint64_t of_one = shared_generation(&one), of_other = shared_generation(&other);
    shared_generation_bump(&one);
    EXPECT(shared_generation(&one) != of_one && shared_generation(&other) == of_other);
    of_one = shared_generation(&one);
    shared_generation_bump_all();
    EXPECT(shared_generation(&one) != of_one && shared_generation(&other) != of_other);
}

static int64_t minutes;

static int64_t at_minutes(void)
{
    return (minutes + 100) * 60000000;
}

static void the_greatest_lateness_of_the_last_ten_minutes_is_kept(void)
{
    static const struct clock_table by_the_minute = {at_minutes, at_minutes};
    const struct clock_table *before = clock_in_use;
    clock_in_use = &by_the_minute;
    shared_map();
    EXPECT(shared_due_lateness() == 0);
    shared_due_late(3);
    shared_due_late(2);
    EXPECT(shared_due_lateness() == 3);
    minutes = 9;
    shared_due_late(7);
    EXPECT(shared_due_lateness() == 7);
    minutes = 18;
    shared_due_late(1);
    EXPECT(shared_due_lateness() == 7);
    minutes = 19;
    EXPECT(shared_due_lateness() == 0);
    shared_due_late(1);
    EXPECT(shared_due_lateness() == 1);
    clock_in_use = before;
}

UNIT_MAIN(UNIT_CASE(the_greatest_lateness_of_the_last_ten_minutes_is_kept),
          UNIT_CASE(an_event_that_several_want_at_once_goes_to_one_of_them),
          UNIT_CASE(a_bump_changes_the_generation_of_its_workspace_and_of_all_when_asked))
