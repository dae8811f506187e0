/*
 * When a batch leaves, with whom, and how it finds the item that spoils it; the test is the database.
 */
#include <string.h>

#include "tests/unit/link_fake.h"
#include "worker/pg_batch.h"

enum { ITEMS = 200, REQUESTS = 100 };

struct thing {
    struct pg_batch_item item;
    bool bad;    /* refused */
    bool locked; /* by somebody else, until it is false */
    int reported;
    bool refused;
};

static struct pg_batch *batch;
static struct thing things[ITEMS];
static size_t sizes[REQUESTS]; /* of the requests so far */
static struct thing *last[ITEMS];
static bool put_refused_aside;
static enum pg_outcome next; /* PG_DONE: as the things say */

static struct thing *thing_of(struct pg_batch_item *item)
{
    return list_entry(item, struct thing, item);
}

static void send_things(void *owner, struct pg_batch_item **items, size_t count)
{
    (void)owner;
    EXPECT(fake.sent <= REQUESTS);
    sizes[fake.sent - 1] = count;
    memset(last, 0, sizeof last);
    for (size_t i = 0; i < count; i++)
        last[i] = thing_of(items[i]);
    struct pg_array *columns = pg_batch_columns(batch, STATEMENT_RULES);
    (void)columns;
    pg_batch_execute(batch);
}

static void on_done(void *owner, struct pg_batch_item **items, size_t count)
{
    (void)owner;
    for (size_t i = 0; i < count; i++)
        thing_of(items[i])->reported++;
}

static void on_refused(void *owner, struct pg_batch_item *item, const struct pg_request *why)
{
    (void)owner;
    EXPECT_TEXT(why->sqlstate, "22000");
    EXPECT(thing_of(item)->bad);
    if (put_refused_aside) {
        pg_batch_put_aside(batch, item);
        return;
    }
    thing_of(item)->refused = true;
    thing_of(item)->reported++;
}

static enum pg_outcome judge(struct pg_link *link)
{
    enum pg_outcome outcome = next;
    next = PG_DONE;
    if (outcome != PG_DONE) {
        link->sqlstate = "40P01";
        return outcome;
    }
    for (size_t i = 0; i < ITEMS && last[i]; i++) {
        link->sqlstate = last[i]->bad ? "22000" : "55P03";
        if (last[i]->bad)
            return PG_BAD_DATA;
        if (last[i]->locked)
            return PG_TRY_AGAIN;
    }
    return PG_DONE;
}

static void begin(double linger)
{
    static const struct pg_batch_calls calls = {send_things, NULL, on_done, on_refused};
    struct pg_batch_settings settings = {
        .batch = BATCH_LEDGER, .most = ITEMS, .linger = linger, .enough = ITEMS / 2};
    fake_begin(judge);
    batch = pg_batch_new(fake.base, &fake, &settings, &calls, NULL);
    memset(things, 0, sizeof things);
    put_refused_aside = false;
    next = PG_DONE;
}

static void end(void)
{
    pg_batch_free(batch);
    fake_end();
}

static void add(int from, int to)
{
    for (int i = from; i < to; i++)
        pg_batch_add(batch, &things[i].item);
}

static int reported(void)
{
    int n = 0;
    for (int i = 0; i < ITEMS; i++) {
        EXPECT(things[i].reported <= 1);
        n += things[i].reported;
    }
    return n;
}

static bool all_reported(void)
{
    return reported() == ITEMS;
}

static int awaited;

static bool are_sent(void)
{
    return fake.sent >= awaited;
}

static bool are_reported(void)
{
    return reported() >= awaited;
}

/* Wait, with a slow machine's patience, until N are reported; no more are. */
static void expect_reported(int n)
{
    awaited = n;
    fake_loop(are_reported, 10);
    EXPECT_INT(reported(), n);
}

static void a_lone_item_leaves_at_once_and_those_that_come_meanwhile_leave_together(void)
{
    begin(0);
    add(0, 1);
    EXPECT_INT(fake.sent, 0); /* not before the end of the turn */
    event_base_loop(fake.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    EXPECT_INT(fake.sent, 1);
    add(1, ITEMS);
    EXPECT(fake_loop(all_reported, 10));
    EXPECT_INT(fake.sent, 2);
    EXPECT_INT(sizes[0], 1);
    EXPECT_INT(sizes[1], ITEMS - 1);
    end();
}

static void a_refused_item_is_found_by_halves_and_the_others_take_effect(void)
{
    begin(0);
    things[100].bad = true;
    add(0, ITEMS);
    EXPECT(fake_loop(all_reported, 10));
    for (int i = 0; i < ITEMS; i++)
        EXPECT(things[i].refused == (i == 100));
    EXPECT(fake.sent <= 16);
    end();
}

static void items_that_are_refused_again_and_again_pause_alone(void)
{
    begin(0);
    put_refused_aside = true;
    things[3].bad = things[7].bad = true;
    add(0, 10);
    expect_reported(8);
    int before = fake.sent;
    add(10, 20);
    expect_reported(18);
    EXPECT_INT(fake.sent, before + 1);
    awaited = before + 3;
    fake_loop(are_sent, 10);
    EXPECT_INT(fake.sent, before + 3);
    EXPECT_INT(sizes[fake.sent - 1] + sizes[fake.sent - 2], 2);
    things[3].bad = things[7].bad = false;
    add(20, ITEMS);
    EXPECT(fake_loop(all_reported, 10));
    end();
}

static void an_item_behind_a_lock_waits_aside_and_then_goes_alone(void)
{
    begin(0);
    things[5].locked = true;
    add(0, 100);
    fake_loop(NULL, 0.5);
    EXPECT_INT(reported(), 99);
    EXPECT(fake.sent <= 16);
    fake_loop(NULL, 0.7);
    EXPECT_INT(reported(), 99);
    EXPECT_INT(sizes[fake.sent - 1], 1); /* it has been tried again */
    things[5].locked = false;
    add(100, ITEMS);
    EXPECT(fake_loop(all_reported, 10));
    end();
}

static void an_urgent_item_is_not_delayed_by_lingering_and_takes_the_others_along(void)
{
    begin(30);
    add(0, 1);
    expect_reported(1); /* after a pause even one leaves at once */
    add(1, 10);
    fake_loop(NULL, 0.1);
    EXPECT_INT(reported(), 1);
    things[10].item.urgent = true;
    add(10, 11);
    expect_reported(11);
    add(11, 10 + ITEMS / 2);
    fake_loop(NULL, 0.1);
    EXPECT_INT(reported(), 11);
    add(10 + ITEMS / 2, 11 + ITEMS / 2);
    expect_reported(11 + ITEMS / 2); /* enough */
    end();
}

static void items_that_linger_leave_when_the_time_is_over(void)
{
    begin(0.3);
    fake_loop(NULL, 0.05);
    add(0, 1);
    int64_t from = clock_mono_us();
    expect_reported(1);
    add(1, 9);
    expect_reported(9);
    EXPECT(clock_mono_us() - from >= clock_us(0.25)); /* timers begin with the turn of the loop */
    EXPECT_INT(fake.sent, 2);
    end();
}

static void after_a_failure_of_the_server_the_same_request_is_made_after_a_pause(void)
{
    begin(0);
    next = PG_TRY_AGAIN;
    add(0, 50);
    fake_loop(NULL, 0.1);
    EXPECT_INT(fake.sent, 1);
    EXPECT_INT(reported(), 0);
    add(50, ITEMS);
    EXPECT(fake_loop(all_reported, 10));
    EXPECT_INT(fake.sent, 2);
    end();
}

static void what_was_under_way_when_the_link_was_lost_is_sent_first_when_it_is_up(void)
{
    begin(0);
    next = PG_LINK_LOST;
    add(0, 3);
    fake_loop(NULL, 0.02);
    EXPECT_INT(fake.sent, 1);
    fake.down = true;
    add(3, 6);
    fake_loop(NULL, 0.02);
    EXPECT_INT(fake.sent, 1);
    EXPECT(pg_batch_withdraw(batch, &things[1].item));
    fake.down = false;
    pg_batch_resume(batch);
    expect_reported(5);
    EXPECT_INT(fake.sent, 2);
    EXPECT(last[0] == &things[0] && last[1] == &things[2] && last[4] == &things[5]);
    EXPECT(!pg_batch_withdraw(batch, &things[0].item));
    end();
}

static void an_item_can_be_withdrawn_unless_it_is_under_way(void)
{
    begin(0);
    things[0].locked = true;
    add(0, 2);
    EXPECT(pg_batch_withdraw(batch, &things[1].item));
    event_base_loop(fake.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    EXPECT_INT(fake.sent, 1);
    EXPECT(!pg_batch_withdraw(batch, &things[0].item));
    fake_loop(NULL, 0.05);
    EXPECT(pg_batch_withdraw(batch, &things[0].item)); /* it was aside */
    fake_loop(NULL, 1.2);
    EXPECT_INT(fake.sent, 1);
    EXPECT_INT(reported(), 0);
    end();
}

UNIT_MAIN(UNIT_CASE(a_lone_item_leaves_at_once_and_those_that_come_meanwhile_leave_together),
          UNIT_CASE(a_refused_item_is_found_by_halves_and_the_others_take_effect),
          UNIT_CASE(items_that_are_refused_again_and_again_pause_alone),
          UNIT_CASE(an_item_behind_a_lock_waits_aside_and_then_goes_alone),
          UNIT_CASE(an_urgent_item_is_not_delayed_by_lingering_and_takes_the_others_along),
          UNIT_CASE(items_that_linger_leave_when_the_time_is_over),
          UNIT_CASE(after_a_failure_of_the_server_the_same_request_is_made_after_a_pause),
          UNIT_CASE(what_was_under_way_when_the_link_was_lost_is_sent_first_when_it_is_up),
          UNIT_CASE(an_item_can_be_withdrawn_unless_it_is_under_way))
