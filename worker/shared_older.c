/*
 * shared_older - the build before had another layout of the shared memory, and some of its processes still live
 *
 * Owns the mapping of that memory, and what was counted in memories that are gone. The processes there know nothing of
 * us: they count, beat and hold events in their own memory, and the supervisor does there what it always does, by the
 * offsets that the memory names. What it sees there it writes into ours, a few times a second:
 *
 * - of each of those processes, into a slot of ours (its mirror), so that agent and supervisor see one pool;
 * - the sums of its figures, by name, into the counters of slot SHARED_CARRIED. They are raised to the sum, not added to, so a
 *   supervisor that dies in between leaves nothing half, and no sum ever falls. The agent, which has the mapping from its
 *   fork, does so before it tells them.
 *
 * A figure that this build does not know is kept by name, and handed on with the next execution.
 *
 * What the two memories do not share: events in hand, limits, generations. The generations behave as two hosts do.
 */
#include "worker/shared_older.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/check.h"
#include "worker/figure_table.h"
#include "worker/shared.h"

struct carried {
    char *name;
    uint64_t value;
};

static struct {
    struct shared_header *header; /* NULL: none */
    int fd;
    int index[COUNTER_COUNT];     /* of a counter of ours there; -1: it has none of that name */
    uint64_t base[COUNTER_COUNT]; /* what was counted before theirs and ours */
    bool mirrors[SHARED_SLOTS];   /* which of our slots are */
    int homes[SHARED_SLOTS];      /* of those: the slot there */
    int living;
} older = {.fd = -1};

/* Figures that this build does not know. */
static struct carried *carried;
static size_t carried_count;

static int counter_of(const char *name, size_t length)
{
    for (int i = 0; i < COUNTER_COUNT; i++)
        if (strlen(figure_word_name((size_t)i)) == length &&
            memcmp(figure_word_name((size_t)i), name, length) == 0)
            return i;
    return -1;
}

static struct shared_slot *slot_there(const struct shared_header *h, int slot)
{
    return (struct shared_slot *)((char *)h + h->slots_at + (uint64_t)slot * h->slot_stride);
}

static _Atomic uint64_t *figures_there(const struct shared_header *h, int slot)
{
    return (_Atomic uint64_t *)((char *)slot_there(h, slot) + h->figures_at);
}

/* Of times: the latest. */
static uint64_t most_there(const struct shared_header *h, int index)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < h->slots; i++) {
        uint64_t value = atomic_load_explicit(&figures_there(h, (int)i)[index], memory_order_relaxed);
        most = value > most ? value : most;
    }
    return most;
}

static uint64_t sum_there(const struct shared_header *h, int index)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < h->slots; i++)
        sum += atomic_load_explicit(&figures_there(h, (int)i)[index], memory_order_relaxed);
    return sum;
}

static struct carried *find_carried(const char *name, size_t length)
{
    for (size_t i = 0; i < carried_count; i++)
        if (strlen(carried[i].name) == length && memcmp(carried[i].name, name, length) == 0)
            return &carried[i];
    return NULL;
}

static void carry(const char *name, size_t length, uint64_t value)
{
    struct carried *c = find_carried(name, length);
    if (!c && value) {
        carried = mem_realloc(carried, (carried_count + 1) * sizeof *carried);
        c = &carried[carried_count++];
        *c = (struct carried){.name = mem_zalloc(length + 1)};
        memcpy(c->name, name, length);
    }
    if (c)
        c->value += value;
}

static void note_index(void *owner, int index, const char *name, size_t length)
{
    int counter = counter_of(name, length);
    (void)owner;
    if (counter >= 0)
        older.index[counter] = index;
}

/* Messages that have killed go on being known. */
static void copy_poison(void)
{
    const struct shared_header *h = older.header;
    for (uint32_t i = 0; i < h->poisons; i++) {
        struct shared_poison *p =
            (struct shared_poison *)((char *)h + h->poison_at + (uint64_t)i * h->poison_stride);
        for (int kills = 0; p->hash && kills < p->kills && kills < SHARED_POISON_KILLS; kills++)
            shared_note_kill(p->hash);
    }
}

void shared_older_begin(int fd, struct shared_header *header)
{
    older.header = header;
    older.fd = fd;
    older.living = 0;
    memset(older.mirrors, 0, sizeof older.mirrors);
    for (int i = 0; i < COUNTER_COUNT; i++) {
        older.index[i] = -1;
        older.base[i] = 0;
    }
    shared_header_names(header, note_index, NULL);
    copy_poison();
}

int shared_older_descriptor(void)
{
    return older.fd;
}

int shared_older_mirror(int there, pid_t pid, int role)
{
    if (there < 0 || (uint32_t)there >= older.header->slots)
        return -1;
    int slot = shared_slot_claim((enum shared_role)role);
    if (slot < 0)
        return -1;
    shared_slot_at(slot)->pid = pid;
    if (role == SHARED_AGENT)
        presence_shared_hold(slot); /* it shows the pool until it is gone; ours waits for that */
    older.mirrors[slot] = true;
    older.homes[slot] = there;
    older.living++;
    return slot;
}

int shared_older_home(int slot)
{
    if (!older.header)
        return slot;
    return older.mirrors[slot] ? older.homes[slot] : -1;
}

static void look_at(int slot)
{
    struct shared_slot *to = shared_slot_at(slot), *from = slot_there(older.header, older.homes[slot]);
    to->alive_us = from->alive_us;
    to->has_worked = from->has_worked;
    to->consuming = from->consuming;
    to->database_up = from->database_up;
    to->draining = from->draining;
    to->in_hand = from->in_hand;
    to->sending = from->sending;
    to->unwritten = from->unwritten;
    to->broker_links = from->broker_links;
    to->broker_us = from->broker_us;
    to->resident = from->resident;
    for (int i = 0; i < COUNTER_COUNT; i++)
        if (older.index[i] >= 0 && *figure_word_name((size_t)i) == FIGURE_WORD_GAUGE)
            to->counters[i] = figures_there(older.header, older.homes[slot])[older.index[i]];
}

/* Supervisor and agent both do: the later of two sums is the greater. */
static void raise_to(_Atomic uint64_t *word, uint64_t to)
{
    uint64_t now = *word;
    while (now < to && !atomic_compare_exchange_weak(word, &now, to))
        continue;
}

void shared_older_count(void)
{
    _Atomic uint64_t *words = shared_slot_at(SHARED_CARRIED)->counters;
    for (int i = 0; older.header && i < COUNTER_COUNT; i++) {
        int there = older.index[i];
        if (*figure_word_name((size_t)i) == FIGURE_WORD_SUM)
            raise_to(&words[i], older.base[i] + (there >= 0 ? sum_there(older.header, there) : 0));
        else if (there >= 0 && *figure_word_name((size_t)i) == FIGURE_WORD_LATEST)
            raise_to(&words[i], most_there(older.header, there));
    }
}

void shared_older_look(void)
{
    if (!older.header)
        return;
    for (int i = 0; i < SHARED_SLOTS; i++)
        if (older.mirrors[i])
            look_at(i);
    shared_older_count();
}

static void carry_from_there(void *owner, int index, const char *name, size_t length)
{
    (void)owner;
    if (*name == FIGURE_WORD_SUM && counter_of(name, length) < 0)
        carry(name, length, sum_there(older.header, index));
}

/* The memory goes. What it counted of ours is in SHARED_CARRIED for good. */
static void end(void)
{
    shared_older_count();
    shared_header_names(older.header, carry_from_there, NULL);
    munmap(older.header, older.header->size);
    close(older.fd);
    older.header = NULL;
    older.fd = -1;
}

/* The others there must know it too: they take messages until a generation consumes in our memory. */
static void note_kill_there(uint64_t hash)
{
    const struct shared_header *h = older.header;
    struct shared_poison *found = NULL;
    for (uint32_t i = 0; i < h->poisons; i++) {
        struct shared_poison *p =
            (struct shared_poison *)((char *)h + h->poison_at + (uint64_t)i * h->poison_stride);
        if (p->hash == hash) {
            p->kills++;
            return;
        }
        if (!found || p->kills < found->kills)
            found = p;
    }
    if (!found)
        return;
    found->kills = 1;
    found->hash = hash;
}

static void release_there(int there)
{
    const struct shared_header *h = older.header;
    struct shared_slot *s = slot_there(h, there);
    _Atomic uint64_t *in_hand = (_Atomic uint64_t *)((char *)h + h->in_hand_at);
    uint64_t mask = (UINT64_C(1) << h->in_hand_slot_bits) - 1;
    for (uint32_t i = 0; i < h->in_hand; i++)
        if (in_hand[i] && (in_hand[i] & mask) == (uint64_t)there)
            in_hand[i] = 0;
    s->handling = 0;
    s->in_hand = s->sending = s->unwritten = 0;
    s->consuming = s->database_up = 0;
    s->broker_links = s->resident = 0;
    s->pid = 0;
    s->role = SHARED_FREE;
}

void shared_older_gone(int slot, bool killer)
{
    if (!older.header || !older.mirrors[slot])
        return;
    int there = older.homes[slot];
    uint64_t handling = killer ? slot_there(older.header, there)->handling : 0;
    look_at(slot);
    shared_slot_at(slot)->handling = handling; /* counted in ours when the mirror is released */
    if (handling)
        note_kill_there(handling);
    release_there(there);
    older.mirrors[slot] = false;
    if (--older.living == 0)
        end();
}

void shared_older_keep_workers(bool keep)
{
    if (older.header)
        __atomic_store_n(&older.header->keep_workers, keep, __ATOMIC_RELAXED);
}

void shared_older_begun(void)
{
    if (older.header && older.living == 0)
        end();
}

static void write_figure(struct buf *to, const char *name, uint64_t value)
{
    if (value)
        buf_printf(to, "figure %llu %s\n", (unsigned long long)value, name);
}

/*
 * Where processes still live in the older memory, that one is handed on, since ours has none (of two generations the
 * younger never came to consume). Then what was counted in ours goes by name.
 */
void shared_older_figures(struct buf *to)
{
    for (int i = 0; older.header && i < COUNTER_COUNT; i++)
        if (*figure_word_name((size_t)i) == FIGURE_WORD_SUM)
            write_figure(to, figure_word_name((size_t)i),
                         older.base[i] + shared_sum((enum counter)i) -
                             shared_slot_at(SHARED_CARRIED)->counters[i]);
    for (size_t i = 0; i < carried_count; i++)
        write_figure(to, carried[i].name, carried[i].value);
}

void shared_older_figure(const char *name, uint64_t value)
{
    int counter = counter_of(name, strlen(name));
    if (*name != FIGURE_WORD_SUM)
        return;
    if (counter < 0)
        carry(name, strlen(name), value);
    else if (older.header)
        older.base[counter] += value;
    else
        shared_slot_at(SHARED_CARRIED)->counters[counter] += value;
}
