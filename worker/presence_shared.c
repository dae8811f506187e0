/*
 * presence_shared - what Celery's tools see and ask for, between the processes of one host
 *
 * Owns nothing; works on the part of the shared memory that is for it. No lock: a killed process can leave a half
 * written place behind, never one that is taken for good.
 *
 * Messages in hand: a place is taken by changing its word from 0, filled, and shown by changing the word again. A reader
 * copies the record between two looks at the word. Events: writers draw a number and write into the place of that number; the
 * reader knows from the place's sequence whether it is whole, still written, or of a later round, which means that
 * the agent was too slow and events are lost.
 */
#include "worker/presence_shared.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "worker/shared.h"

enum { TASK_PROBES = 16, STATE_SHIFT = 16, STRIDE = 61, HALF_WRITTEN_US = 1000000 };
_Static_assert(SHARED_SLOTS < 1 << STATE_SHIFT, "a slot must fit below the state");

bool presence_shared_hold(int slot)
{
    struct presence_shared *p = shared_presence();
    int held = p->shown_by;
    if (held == slot + 1)
        return true;
    if (held && shared_slot_at(held - 1)->role == SHARED_AGENT && shared_slot_at(held - 1)->pid)
        return false;
    return atomic_compare_exchange_strong(&p->shown_by, &held, slot + 1);
}

void presence_shared_let_go(int slot)
{
    int held = slot + 1;
    atomic_compare_exchange_strong(&shared_presence()->shown_by, &held, 0);
}

int presence_shared_take_change(void)
{
    struct presence_shared *p = shared_presence();
    return p->workers_change ? atomic_exchange(&p->workers_change, 0) : 0;
}

static uint32_t word_of(int slot, enum presence_task_state state)
{
    return (uint32_t)(slot + 1) | (uint32_t)state << STATE_SHIFT;
}

int presence_shared_put_task(const struct presence_task *task)
{
    static int cursor = -1;
    struct presence_shared *p = shared_presence();
    if (cursor < 0)
        cursor = shared_my_slot() * STRIDE % PRESENCE_TASKS; /* so that workers do not meet at one place */
    for (int i = 0; i < TASK_PROBES; i++) {
        uint32_t free_word = 0;
        int place = cursor;
        cursor = (cursor + 1) % PRESENCE_TASKS;
        if (!atomic_compare_exchange_strong(&p->task_words[place], &free_word,
                                            word_of(shared_my_slot(), PRESENCE_FILLING)))
            continue;
        p->tasks[place] = *task;
        atomic_store_explicit(&p->task_words[place], word_of(shared_my_slot(), PRESENCE_RESERVED),
                              memory_order_release);
        return place;
    }
    return -1;
}

void presence_shared_move_task(int place, enum presence_task_state state)
{
    atomic_store_explicit(&shared_presence()->task_words[place], word_of(shared_my_slot(), state),
                          memory_order_release);
}

void presence_shared_start_task(int place, int64_t wall_us)
{
    if (!shared_presence()->tasks[place].started_us)
        shared_presence()->tasks[place].started_us = wall_us;
    presence_shared_move_task(place, PRESENCE_ACTIVE);
}

void presence_shared_free_task(int place)
{
    atomic_store_explicit(&shared_presence()->task_words[place], 0, memory_order_release);
}

static void end_texts(struct presence_task *t)
{
    t->id[sizeof t->id - 1] = t->name[sizeof t->name - 1] = t->queue[sizeof t->queue - 1] = 0;
}

enum presence_task_state presence_shared_get_task(int place, struct presence_task *out)
{
    struct presence_shared *p = shared_presence();
    uint32_t word = atomic_load_explicit(&p->task_words[place], memory_order_acquire);
    enum presence_task_state state = (enum presence_task_state)(word >> STATE_SHIFT);
    if (!word)
        return PRESENCE_FREE;
    int slot = (int)(word & ((1u << STATE_SHIFT) - 1)) - 1;
    *out = p->tasks[place];
    end_texts(out);
    atomic_thread_fence(memory_order_acquire);
    if (slot < 0 || slot >= SHARED_SLOTS || shared_slot_at(slot)->role != SHARED_WORKER ||
        (state != PRESENCE_FILLING && shared_slot_at(slot)->pid != out->pid)) {
        atomic_compare_exchange_strong(&p->task_words[place], &word, 0);
        return PRESENCE_FREE;
    }
    bool same = p->task_words[place] == word;
    return same && (state == PRESENCE_RESERVED || state == PRESENCE_ACTIVE) ? state : PRESENCE_FREE;
}

void presence_shared_tidy_tasks(void)
{
    struct presence_task ignored;
    for (int i = 0; i < PRESENCE_TASKS; i++)
        presence_shared_get_task(i, &ignored);
}

void presence_shared_put_event(const struct presence_event *event)
{
    struct presence_shared *p = shared_presence();
    uint64_t n = atomic_fetch_add_explicit(&p->events_begun, 1, memory_order_relaxed);
    struct presence_place *place = &p->events[n % PRESENCE_EVENTS];
    atomic_store_explicit(&place->sequence, 2 * n + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release); /* nobody sees what is written next under the old sequence */
    place->event = *event;
    atomic_store_explicit(&place->sequence, 2 * n + 2, memory_order_release);
}

void presence_shared_skip_events(struct presence_reader *r)
{
    r->next = shared_presence()->events_begun;
    r->waiting_us = 0;
}

static void skip(struct presence_reader *r, uint64_t n)
{
    r->lost += n;
    r->next += n;
    r->waiting_us = 0;
}

/* True when what NEXT stands for will not come any more: its writer died, or was too slow. */
static bool gave_up_waiting(struct presence_reader *r, int64_t now_us)
{
    if (!r->waiting_us)
        r->waiting_us = now_us;
    return now_us - r->waiting_us > HALF_WRITTEN_US;
}

bool presence_shared_get_event(struct presence_reader *r, int64_t now_us, struct presence_event *out)
{
    struct presence_shared *p = shared_presence();
    for (;;) {
        uint64_t begun = p->events_begun;
        if (r->next >= begun)
            return false;
        if (begun - r->next > PRESENCE_EVENTS)
            skip(r, begun - r->next - PRESENCE_EVENTS);
        struct presence_place *place = &p->events[r->next % PRESENCE_EVENTS];
        uint64_t whole = 2 * r->next + 2,
                 sequence = atomic_load_explicit(&place->sequence, memory_order_acquire);
        if (sequence < whole && !gave_up_waiting(r, now_us))
            return false;
        if (sequence == whole) {
            *out = place->event;
            end_texts(&out->task);
            atomic_thread_fence(memory_order_acquire);
            if (place->sequence == whole) {
                r->next++;
                r->waiting_us = 0;
                return true;
            }
        }
        skip(r, 1);
    }
}

static struct presence_queue *find_queue(const char *name)
{
    struct presence_shared *p = shared_presence();
    for (uint32_t i = 0; i < p->queue_count && i < PRESENCE_QUEUES; i++)
        if (strcmp(p->queues[i].name, name) == 0)
            return &p->queues[i];
    return NULL;
}

bool presence_shared_set_queue(const char *name, enum presence_queue_state state)
{
    struct presence_shared *p = shared_presence();
    struct presence_queue *q = find_queue(name);
    size_t size = strlen(name);
    check(size > 0 && size < PRESENCE_QUEUE_BYTES);
    if (!q && state != PRESENCE_QUEUE_AS_CONFIGURED) {
        uint32_t n = p->queue_count;
        if (n >= PRESENCE_QUEUES)
            return false;
        q = &p->queues[n];
        memcpy(q->name, name, size + 1);
        q->state = PRESENCE_QUEUE_AS_CONFIGURED;
        p->queue_count = n + 1; /* with the name in its place: the store is ordered */
    }
    if (q)
        q->state = state;
    atomic_fetch_add(&p->queue_version, 1);
    return true;
}

int presence_shared_queues_in(enum presence_queue_state state)
{
    const struct presence_shared *p = shared_presence();
    int n = 0;
    for (uint32_t i = 0; i < p->queue_count && i < PRESENCE_QUEUES; i++)
        n += p->queues[i].state == (int)state;
    return n;
}

enum presence_queue_state presence_shared_queue_state(const char *name)
{
    const struct presence_queue *q = find_queue(name);
    return q ? (enum presence_queue_state)q->state : PRESENCE_QUEUE_AS_CONFIGURED;
}
