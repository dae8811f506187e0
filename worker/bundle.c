/*
 * bundle - many deliveries in one conversation
 *
 *   GATHERING   members join, or do not                     the last one -> WAITING; nobody came -> gone
 *   WAITING     the gate has to let it start; one that      admitted -> TAKING; held back -> ENDED
 *               nobody gathers may still be joined
 *   TAKING      each member takes its row                   all have answered -> TALKING; none is left -> ENDED
 *   TALKING     requests and answers                        concluded -> ENDED
 *   ENDED       members still use what it has               the last is released -> gone
 *
 * Invariants: it holds one place at the gate; each member hears exactly once of each step; what members need of the
 * conversation lives until the last of them is released.
 *
 * Knows neither rows nor messages.
 */
#include "worker/bundle.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/base/check.h"
#include "common/base/hash.h"
#include "common/base/table.h"
#include "worker/shared.h"

enum { ARENA_BLOCK = 16384 };

struct bundle {
    struct parts *parts;
    struct talk talk;
    struct arena arena;
    struct dest_body_cache bodies;
    struct uuid id;
    struct list members; /* that have joined and are not released */
    struct bundle_member **ready;
    size_t expected;         /* of them neither joined nor missed */
    struct bundles *open_in; /* may be joined; NULL: not, or by those only that are to come */
    struct table_entry by_integration;
    size_t count; /* joined */
    size_t held;  /* joined and not released, and one while it is going on */
    size_t answering;
    size_t ready_count;
};

struct bundles {
    struct table by_integration; /* that may be joined */
};

struct bundle *bundle_new(struct parts *parts, size_t count)
{
    struct bundle *b = mem_zalloc(sizeof *b);
    b->parts = parts;
    b->expected = count;
    b->held = 1;
    list_init(&b->members);
    arena_init(&b->arena, ARENA_BLOCK);
    dest_body_cache_init(&b->bodies, (size_t)parts->conf->delivery_max_request);
    check(getrandom(b->id.bytes, sizeof b->id.bytes, 0) == (ssize_t)sizeof b->id.bytes);
    return b;
}

static void let_go(struct bundle *b)
{
    if (--b->held > 0)
        return;
    dest_body_cache_free(&b->bodies);
    arena_wipe(&b->arena);
    free(b);
}

const struct uuid *bundle_id(const struct bundle_member *m)
{
    return m->bundle && m->bundle->count > 1 ? &m->bundle->id : NULL;
}

void bundle_release(struct bundle_member *m)
{
    struct bundle *b = m->bundle;
    m->bundle = NULL;
    list_remove(&m->link);
    let_go(b);
}

/* ---- the conversation ---- */

static void on_concluded(struct talk *t)
{
    struct bundle *b = list_entry(t, struct bundle, talk);
    for (size_t i = 0; i < b->ready_count; i++) {
        struct bundle_member *m = b->ready[i];
        m->item->verdict = t->conversation.jobs[i].verdict;
        m->talk->converse.result = t->converse.result;
        if (b->ready_count == 1)
            m->talk->conversation.reference = t->conversation.reference;
        m->concluded(m);
    }
    let_go(b);
}

/* Whoever it was like when it was admitted may have left, and taken along what was his. */
static void follow(struct bundle *b, const struct talk *like)
{
    b->talk.event_id = like->event_id;
    b->talk.is_claimed = like->is_claimed;
    b->talk.conversation.config = like->conversation.config;
    b->talk.conversation.attempt = like->conversation.attempt;
    if (b->ready_count == 1) /* it is one of its own, after all */
        b->talk.conversation.reference = like->conversation.reference;
}

static void begin(struct bundle *b)
{
    struct conversation *c = &b->talk.conversation;
    if (b->ready_count == 0) {
        talk_leave(&b->talk);
        let_go(b);
        return;
    }
    follow(b, b->ready[0]->talk);
    c->jobs = arena_alloc(&b->arena, b->ready_count * sizeof *c->jobs);
    c->job_count = b->ready_count;
    for (size_t i = 0; i < b->ready_count; i++)
        c->jobs[i] = *b->ready[i]->item;
    talk_begin(&b->talk);
}

static void answered(struct bundle *b)
{
    if (--b->answering == 0)
        begin(b);
}

void bundle_ready(struct bundle_member *m)
{
    struct bundle *b = m->bundle;
    b->ready[b->ready_count++] = m;
    answered(b);
}

void bundle_leave(struct bundle_member *m)
{
    answered(m->bundle);
    bundle_release(m);
}

/* ---- the gate ---- */

/* Nobody joins it any more. */
static void shut(struct bundle *b)
{
    if (b->open_in)
        table_remove(&b->open_in->by_integration, &b->by_integration);
    b->open_in = NULL;
}

static void on_admitted(struct talk *t)
{
    struct bundle *b = list_entry(t, struct bundle, talk);
    struct list *at, *next;
    shut(b);
    b->ready = arena_alloc(&b->arena, b->count * sizeof(struct bundle_member *));
    b->answering = b->count + 1; /* and one while they are asked */
    list_for_each_safe (at, next, &b->members) {
        struct bundle_member *m = list_entry(at, struct bundle_member, link);
        m->admitted(m);
    }
    answered(b);
}

static void on_held_back(struct talk *t)
{
    struct bundle *b = list_entry(t, struct bundle, talk);
    struct list *at, *next;
    shut(b);
    list_for_each_safe (at, next, &b->members) {
        struct bundle_member *m = list_entry(at, struct bundle_member, link);
        m->held_back(m);
    }
    let_go(b);
}

/* Its place at the gate is like that of any member. */
static void enter(struct bundle *b)
{
    const struct talk *like = list_entry(b->members.prev, struct bundle_member, link)->talk;
    struct list *at;
    b->talk = *like;
    b->talk.arena = &b->arena;
    b->talk.conversation.cache = &b->bodies;
    b->talk.admitted = on_admitted;
    b->talk.held_back = on_held_back;
    b->talk.concluded = on_concluded;
    list_for_each (at, &b->members) {
        int rank = list_entry(at, struct bundle_member, link)->talk->rank;
        b->talk.rank = rank > b->talk.rank ? rank : b->talk.rank;
    }
    talk_enter(&b->talk);
}

static void gathered(struct bundle *b)
{
    if (b->expected > 0)
        return;
    if (b->count > 0)
        enter(b);
    else
        let_go(b);
}

static void add(struct bundle *b, struct bundle_member *m)
{
    m->bundle = b;
    list_init(&m->link);
    list_append(&b->members, &m->link);
    b->count++;
    b->held++;
}

/* The same kind with the same settings. */
static bool is_alike(const struct talk *a, const struct talk *b)
{
    return a->dest == b->dest && a->row == b->row && a->settings == b->settings;
}

bool bundle_join(struct bundle *b, struct bundle_member *m)
{
    bool alike =
        b->count == 0 || is_alike(list_entry(b->members.next, struct bundle_member, link)->talk, m->talk);
    check(b->expected > 0);
    if (alike && m->talk->dest->together_max > 1)
        add(b, m);
    else
        alike = false;
    b->expected--;
    gathered(b);
    return alike;
}

void bundle_miss(struct bundle *b)
{
    check(b->expected > 0);
    b->expected--;
    gathered(b);
}

/* ---- those that nobody gathers ---- */

struct bundles *bundles_new(void)
{
    struct bundles *all = mem_zalloc(sizeof *all);
    table_init(&all->by_integration);
    return all;
}

void bundles_free(struct bundles *all)
{
    if (!all)
        return;
    table_free(&all->by_integration);
    free(all);
}

static struct bundle *find_open(const struct bundles *all, const struct talk *like, uint64_t hash)
{
    for (struct table_entry *at = table_first(&all->by_integration, hash); at; at = table_next(at)) {
        struct bundle *b = list_entry(at, struct bundle, by_integration);
        if (uuid_equal(&b->talk.integration, &like->integration) && is_alike(&b->talk, like) &&
            b->talk.from_mailbox == like->from_mailbox) /* what waits in line for how long depends on that */
            return b;
    }
    return NULL;
}

void bundles_join(struct bundles *all, struct bundle_member *m, size_t most)
{
    uint64_t hash = hash_bytes(m->talk->integration.bytes, sizeof m->talk->integration.bytes);
    struct bundle *b = find_open(all, m->talk, hash);
    if (b) {
        add(b, m);
        if (b->count >= most)
            shut(b);
        return;
    }
    b = bundle_new(m->talk->parts, 0);
    add(b, m);
    b->open_in = all;
    b->talk.integration = m->talk->integration;
    table_insert(&all->by_integration, &b->by_integration, hash);
    enter(b);
}
