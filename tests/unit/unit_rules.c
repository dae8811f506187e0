/*
 * The cache of integrations, with the test as the database: what it may hold, and what a load that is refused costs.
 */
#include <malloc.h>
#include <string.h>

#include "tests/unit/link_fake.h"
#include "worker/rules.h"

enum { CACHE = 1 << 20, MANY = 20000, UUID_AT = 24 /* of the first element of an array of UUIDs */ };

static const struct conf conf = {.rules_cache_bytes = CACHE, .database_batch = 200};
static struct rules *rules;
static size_t served;
static bool served_bad;

static struct uuid workspace(unsigned n)
{
    struct uuid id = {{n >> 16 & 0xff, n >> 8 & 0xff, n & 0xff}};
    return id;
}

static void on_ready(struct rules_wait *w, struct rules_entry *entry)
{
    served++;
    served_bad |= w->workspace.bytes[15] == 0xbd;
    EXPECT_INT(rules_count(entry), 0);
    rules_release(rules, entry);
}

static void get(struct rules_wait *w, struct uuid id)
{
    *w = (struct rules_wait){.workspace = id, .ready = on_ready};
    rules_get(rules, w);
}

static enum pg_outcome all_good(struct pg_link *link)
{
    (void)link;
    return PG_DONE;
}

static void begin(enum pg_outcome (*judge)(struct pg_link *link))
{
    fake_begin(judge);
    rules = rules_new(fake.base, &fake, &conf, NULL);
    served = 0;
    served_bad = false;
}

static void end(void)
{
    rules_free(rules);
    fake_end();
}

static bool all_served(void)
{
    return served == MANY;
}

static size_t awaited;

static bool are_served(void)
{
    return served >= awaited;
}

/* Wait, with a slow machine's patience, until N are served; no more are. */
static void expect_served(size_t n)
{
    awaited = n;
    fake_loop(are_served, 10);
    EXPECT_INT(served, n);
}

static void workspaces_without_integrations_do_not_fill_memory(void)
{
    static struct rules_wait waits[MANY];
    begin(all_good);
    size_t before = mallinfo2().uordblks;
    for (unsigned n = 0; n < MANY; n++)
        get(&waits[n], workspace(n));
    EXPECT(fake_loop(all_served, 10));
    size_t held = mallinfo2().uordblks - before;
    /* The rest is the table's slots. */
    EXPECT(held < 2 * CACHE);

    int loads = fake.sent;
    get(&waits[MANY - 1], workspace(MANY - 1));
    EXPECT_INT(served, MANY + 1); /* at once: it is the last that was used */
    get(&waits[0], workspace(0));
    EXPECT_INT(served, MANY + 1); /* its place went to others */
    expect_served(MANY + 2);
    EXPECT_INT(fake.sent, loads + 1);
    end();
}

/* Refuses every load in which a workspace is bad; its last byte says so. */
static enum pg_outcome some_bad(struct pg_link *link)
{
    unsigned char count[4];
    memcpy(count, link->value + 12, sizeof count);
    for (int i = 0; i < count[3]; i++)
        if ((unsigned char)link->value[UUID_AT + 20 * i + 15] == 0xbd)
            return PG_BAD_DATA;
    return PG_DONE;
}

static void workspaces_whose_load_is_refused_pause_alone(void)
{
    struct rules_wait waits[6];
    begin(some_bad);
    for (unsigned n = 0; n < 6; n++) {
        struct uuid id = workspace(n);
        id.bytes[15] = n == 1 || n == 4 ? 0xbd : 0;
        get(&waits[n], id);
    }
    expect_served(4);
    fake_loop(NULL, 0.3);
    EXPECT_INT(served, 4);
    EXPECT(fake.sent <= 12);
    get(&waits[0], workspace(77));
    expect_served(5); /* it does not wait for the others' pause */

    int before = fake.sent;
    fake_loop(NULL, 1.5);
    EXPECT(fake.sent > before && fake.sent - before <= 4);
    EXPECT(!served_bad);
    fake.judge = all_good;
    expect_served(7);
    end();
}

/* The second question comes while the load for the first is under way, and so does a change. */
static enum pg_outcome changes_under_way(struct pg_link *link)
{
    static struct rules_wait late;
    if (link->sent == 1) {
        get(&late, workspace(1));
        struct uuid one = workspace(1);
        shared_generation_bump(&one);
        EXPECT_INT(served, 0);
    }
    return PG_DONE;
}

static void a_change_during_a_load_is_seen_by_those_who_asked_during_it(void)
{
    struct rules_wait wait;
    begin(changes_under_way);
    shared_proven_set(INT64_MAX);
    get(&wait, workspace(1));
    expect_served(2);
    EXPECT_INT(fake.sent, 2);
    get(&wait, workspace(1));
    EXPECT_INT(served, 3);
    EXPECT_INT(fake.sent, 2);
    end();
}

UNIT_MAIN(UNIT_CASE(workspaces_without_integrations_do_not_fill_memory),
          UNIT_CASE(a_change_during_a_load_is_seen_by_those_who_asked_during_it),
          UNIT_CASE(workspaces_whose_load_is_refused_pause_alone))
