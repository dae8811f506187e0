/*
 * shared - what the processes of one host tell each other
 *
 * Owns one shared mapping, of a file in memory, so that a supervisor that executes itself anew keeps it, and begins with
 * a description for one that is of another build (shared_layout.h). Each slot has one writer; words that several write are atomics, and no
 * lock exists that a killed process could take with it. Losing all of it costs a repeat or a reload, never
 * a message.
 *
 * The table of events in hand: open addressing over hashes of event ids. An entry is one word, so that it is
 * taken and given back by one instruction: the upper 54 bits of the hash and the slot of the holder. A probe
 * looks at a few neighbours only, so that a full table costs little.
 */
#include "worker/shared.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/hash.h"
#include "worker/figure_table.h"

#define DUE_LATE_GOOD_US (600 * INT64_C(1000000))

enum {
    IN_HAND_PROBES = 16,
    IN_HAND_SLOT_BITS = 10,
    LIMITS_PROBES = 8,
    LIMITS_GROUP = 64,
    NAMES_SIZE = 524288
};
_Static_assert(SHARED_LIMITS % LIMITS_GROUP == 0, "a group must be whole");
_Static_assert(SHARED_ALL < 1 << IN_HAND_SLOT_BITS, "a slot must fit beside the hash");
/* What another build reads (shared_layout.h). Where one of these fails, raise SHARED_HEADER_VERSION. */
_Static_assert(
    offsetof(struct shared_slot, role) == 0 && offsetof(struct shared_slot, pid) == 4 &&
        offsetof(struct shared_slot, alive_us) == 8 && offsetof(struct shared_slot, handling) == 16 &&
        offsetof(struct shared_slot, has_worked) == 24 && offsetof(struct shared_slot, consuming) == 28 &&
        offsetof(struct shared_slot, database_up) == 32 && offsetof(struct shared_slot, draining) == 36 &&
        offsetof(struct shared_slot, in_hand) == 40 && offsetof(struct shared_slot, sending) == 48 &&
        offsetof(struct shared_slot, unwritten) == 56 && offsetof(struct shared_slot, broker_links) == 64 &&
        offsetof(struct shared_slot, broker_us) == 72 && offsetof(struct shared_slot, resident) == 80,
    "a slot begins as version 1 says");

struct shared {
    struct shared_header header;
    char names[NAMES_SIZE]; /* of the words of a slot */
    struct shared_slot slots[SHARED_ALL];
    _Atomic int slots_used; /* those beyond were never anybody's: nobody reads them */
    int64_t started_us;     /* wall clock */
    _Atomic uint64_t generation_all;
    _Atomic uint64_t generations[SHARED_GENERATIONS];
    _Atomic int64_t proven_until_us;
    _Atomic int64_t due_late_us; /* the peak, and when it was noted */
    _Atomic int64_t due_late_at_us;
    _Atomic uint64_t in_hand[SHARED_IN_HAND]; /* 0: free */
    struct limits limits[SHARED_LIMITS];
    _Atomic bool limits_used[SHARED_LIMITS / LIMITS_GROUP];
    struct shared_poison poison[SHARED_POISON];
    _Atomic unsigned poison_next;
    _Atomic int log_level;
    struct presence_shared presence;
};

static struct shared *shared;
static int descriptor = -1;
static int my_slot = -1;

static void describe(struct shared *s)
{
    size_t used = 0;
    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        size_t length = strlen(figure_word_name(i));
        check(length <= SHARED_NAME_MAX && used + length + 1 < sizeof s->names);
        memcpy(s->names + used, figure_word_name(i), length);
        s->names[used + length] = '\n';
        used += length + 1;
    }
    s->header = (struct shared_header){
        .magic = SHARED_MAGIC,
        .version = SHARED_HEADER_VERSION,
        .header_size = sizeof s->header,
        .size = sizeof *s,
        .layout = NOTIFY_LAYOUT,
        .build = NOTIFY_VERSION,
        .slots_at = offsetof(struct shared, slots),
        .slots = SHARED_ALL,
        .slot_stride = sizeof s->slots[0],
        .figures_at = offsetof(struct shared_slot, counters),
        .figures = COUNTER_COUNT,
        .names_at = offsetof(struct shared, names),
        .names_size = (uint32_t)used,
        .in_hand_at = offsetof(struct shared, in_hand),
        .in_hand = SHARED_IN_HAND,
        .in_hand_slot_bits = IN_HAND_SLOT_BITS,
        .poison_at = offsetof(struct shared, poison),
        .poisons = SHARED_POISON,
        .poison_stride = sizeof s->poison[0],
    };
}

void shared_map(void)
{
    descriptor = memfd_create("notifyd", MFD_CLOEXEC);
    check(descriptor >= 0 && ftruncate(descriptor, sizeof *shared) == 0);
    void *p = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    check(p != MAP_FAILED);
    shared = p;
    describe(shared);
    shared->started_us = clock_wall_us();
    my_slot = SHARED_SUPERVISOR;
}

bool shared_take(int fd, struct shared_header *header)
{
    shared_map();
    if (!shared_header_is_same(header, &shared->header))
        return false;
    munmap(shared, sizeof *shared);
    close(descriptor);
    descriptor = fd;
    shared = (struct shared *)header;
    describe(shared); /* the version may be another one */
    return true;
}

int shared_descriptor(void)
{
    return descriptor;
}

int shared_slot_claim(enum shared_role role)
{
    for (int i = 0; i < SHARED_SLOTS; i++) {
        struct shared_slot *s = &shared->slots[i];
        if (s->role != SHARED_FREE)
            continue;
        s->role = role;
        s->pid = 0;
        s->alive_us = clock_mono_us();
        s->handling = 0;
        s->has_worked = s->consuming = s->database_up = s->draining = 0;
        s->in_hand = s->sending = s->unwritten = 0;
        s->broker_us = 0;
        if (i >= shared->slots_used)
            shared->slots_used = i + 1;
        return i;
    }
    return -1;
}

static int in_hand_slot(uint64_t word)
{
    return (int)(word & ((1u << IN_HAND_SLOT_BITS) - 1));
}

static bool in_hand_is(uint64_t word, uint64_t hash)
{
    return word && (word ^ hash) >> IN_HAND_SLOT_BITS == 0;
}

int shared_note_kill(uint64_t hash)
{
    for (int i = 0; i < SHARED_POISON; i++)
        if (shared->poison[i].hash == hash)
            return atomic_fetch_add(&shared->poison[i].kills, 1) + 1;
    struct shared_poison *p = &shared->poison[shared->poison_next++ % SHARED_POISON];
    p->kills = 1;
    p->hash = hash;
    return 1;
}

static void clear_gauges(struct shared_slot *s)
{
    for (const struct figure *f = figure_table; f < figure_table + FIGURE_COUNT; f++)
        for (size_t i = 0; f->type == FIGURE_TYPE_GAUGE && i < f->cells; i++)
            s->counters[f->at + i] = 0;
    s->broker_links = s->resident = 0;
}

int shared_slot_release(int slot)
{
    struct shared_slot *s = &shared->slots[slot];
    int kills = s->handling ? shared_note_kill(s->handling) : 0;
    for (int i = 0; i < SHARED_IN_HAND; i++)
        if (shared->in_hand[i] && in_hand_slot(shared->in_hand[i]) == slot)
            shared->in_hand[i] = 0;
    s->handling = 0;
    s->in_hand = s->sending = s->unwritten = 0;
    s->consuming = s->database_up = 0;
    clear_gauges(s);
    s->pid = 0;
    s->role = SHARED_FREE;
    return kills;
}

struct shared_slot *shared_slot_at(int slot)
{
    return &shared->slots[slot];
}

int shared_slots_used(void)
{
    return shared->slots_used;
}

void shared_adopt(int slot)
{
    my_slot = slot;
    shared->slots[slot].pid = getpid();
    shared_alive();
}

struct shared_slot *shared_mine(void)
{
    return &shared->slots[my_slot];
}

int shared_my_slot(void)
{
    return my_slot;
}

void shared_alive(void)
{
    atomic_store_explicit(&shared->slots[my_slot].alive_us, clock_mono_us(), memory_order_relaxed);
}

void shared_count(enum counter counter)
{
    shared_count_more(counter, 1);
}

void shared_count_more(enum counter counter, uint64_t n)
{
    /* One writer: a plain load and store is enough and needs no locked instruction. */
    _Atomic uint64_t *word = &shared->slots[my_slot].counters[counter];
    uint64_t value = atomic_load_explicit(word, memory_order_relaxed);
    atomic_store_explicit(word, value + n, memory_order_relaxed);
}

void shared_count_cell(enum counter counter, size_t cell)
{
    shared_count_more((enum counter)(counter + cell), 1);
}

void shared_count_cell_more(enum counter counter, size_t cell, uint64_t n)
{
    shared_count_more((enum counter)(counter + cell), n);
}

static void note(const struct histogram_scale *scale, enum counter counter, size_t cell, int64_t value)
{
    size_t at = counter + cell * HISTOGRAM_WORDS;
    shared_count_more((enum counter)(at + histogram_bucket(scale, value)), 1);
    if (value > 0)
        shared_count_more((enum counter)(at + HISTOGRAM_SUM), (uint64_t)value);
}

void shared_note_us(enum counter counter, size_t cell, int64_t us)
{
    note(&histogram_seconds, counter, cell, us);
}

void shared_note_items(enum counter counter, size_t cell, uint64_t items)
{
    note(&histogram_items, counter, cell, (int64_t)items);
}

void shared_gauge(enum counter counter, uint64_t value)
{
    atomic_store_explicit(&shared->slots[my_slot].counters[counter], value, memory_order_relaxed);
}

void shared_gauge_add(enum counter counter, int64_t change)
{
    shared_count_more(counter, (uint64_t)change); /* what is below zero wraps around, and back */
}

/* One slot after the other, the supervisor's and what is carried last; -1 after them. */
static int next_used(int slot)
{
    if (slot >= SHARED_SUPERVISOR)
        return slot + 1 < SHARED_ALL ? slot + 1 : -1;
    return slot + 1 < shared->slots_used ? slot + 1 : SHARED_SUPERVISOR;
}

uint64_t shared_sum(enum counter counter)
{
    uint64_t sum = 0;
    for (int i = next_used(-1); i >= 0; i = next_used(i))
        sum += atomic_load_explicit(&shared->slots[i].counters[counter], memory_order_relaxed);
    return sum;
}

uint64_t shared_sum_cells(enum figure_id figure)
{
    const struct figure *f = &figure_table[figure];
    uint64_t sum = 0;
    for (size_t i = 0; i < f->cells; i++)
        sum += shared_sum((enum counter)(f->at + i));
    return sum;
}

static uint64_t latest(size_t word)
{
    uint64_t most = 0;
    for (int i = next_used(-1); i >= 0; i = next_used(i)) {
        uint64_t value = atomic_load_explicit(&shared->slots[i].counters[word], memory_order_relaxed);
        most = value > most ? value : most;
    }
    return most;
}

void shared_keep_workers(bool keep)
{
    __atomic_store_n(&shared->header.keep_workers, keep, __ATOMIC_RELAXED);
}

bool shared_workers_are_kept(void)
{
    return __atomic_load_n(&shared->header.keep_workers, __ATOMIC_RELAXED);
}

void shared_totals(uint64_t *out)
{
    memset(out, 0, COUNTER_COUNT * sizeof *out);
    for (int i = next_used(-1); i >= 0; i = next_used(i))
        for (size_t w = 0; w < COUNTER_COUNT; w++)
            out[w] += atomic_load_explicit(&shared->slots[i].counters[w], memory_order_relaxed);
    for (const struct figure *f = figure_table; f < figure_table + FIGURE_COUNT; f++)
        if (f->type == FIGURE_TYPE_LATEST)
            out[f->at] = latest(f->at);
}

void shared_set_started(int64_t wall_us)
{
    shared->started_us = wall_us;
}

int64_t shared_started_us(void)
{
    return shared->started_us;
}

void shared_handling(uint64_t hash)
{
    shared->slots[my_slot].handling = hash;
}

void shared_handled(void)
{
    shared->slots[my_slot].handling = 0;
}

/* Others that are at it: dead ones, too, whose death the supervisor has not noted yet while the broker was quicker. */
static int others_handling(uint64_t hash)
{
    int count = 0;
    for (int i = 0; i < shared->slots_used; i++)
        count += i != my_slot && shared->slots[i].handling == hash;
    return count;
}

bool shared_is_poison(uint64_t hash)
{
    for (int i = 0; i < SHARED_POISON; i++)
        if (shared->poison[i].hash == hash)
            return shared->poison[i].kills + others_handling(hash) >= SHARED_POISON_KILLS;
    return false;
}

static _Atomic uint64_t *in_hand_at(uint64_t hash, int probe)
{
    return &shared->in_hand[((hash ^ hash >> 32) + (uint64_t)probe) % SHARED_IN_HAND];
}

static bool is_of_another(uint64_t word, uint64_t hash)
{
    return in_hand_is(word, hash) && in_hand_slot(word) != my_slot;
}

static bool another_has(uint64_t hash)
{
    for (int i = 0; i < IN_HAND_PROBES; i++)
        if (is_of_another(*in_hand_at(hash, i), hash))
            return true;
    return false;
}

static uint64_t my_word(uint64_t hash)
{
    return (hash >> IN_HAND_SLOT_BITS << IN_HAND_SLOT_BITS) | (uint64_t)my_slot;
}

bool shared_event_take(uint64_t hash)
{
    if (another_has(hash))
        return false;
    for (int i = 0; i < IN_HAND_PROBES; i++) {
        uint64_t found = 0;
        if (atomic_compare_exchange_strong(in_hand_at(hash, i), &found, my_word(hash)))
            break;
        if (is_of_another(found, hash))
            return false; /* it came at the same moment and was first */
    }
    /*
     * A place may have become free between the two of us, so that both have put a word down. Each looks after
     * it has put down its own, so at least one sees the other. Whoever does gives way, for the other may have
     * looked already and gone on; if both do, both come again later.
     */
    if (another_has(hash)) {
        shared_event_release(hash);
        return false;
    }
    return true;
}

void shared_event_release(uint64_t hash)
{
    for (int i = 0; i < IN_HAND_PROBES; i++) {
        uint64_t expected = my_word(hash);
        if (atomic_compare_exchange_strong(in_hand_at(hash, i), &expected, 0))
            return;
    }
}

static _Atomic uint64_t *generation_word(const struct uuid *workspace)
{
    return &shared->generations[hash_bytes(workspace->bytes, sizeof workspace->bytes) % SHARED_GENERATIONS];
}

/* Two words that are not written as one: a mixture of two peaks is a peak that was there. */
void shared_due_late(double seconds)
{
    int64_t late = clock_us(seconds), now = clock_mono_us();
    if (late < shared->due_late_us && now - shared->due_late_at_us < DUE_LATE_GOOD_US)
        return;
    shared->due_late_us = late;
    shared->due_late_at_us = now;
}

double shared_due_lateness(void)
{
    if (clock_mono_us() - shared->due_late_at_us >= DUE_LATE_GOOD_US)
        return 0;
    return (double)shared->due_late_us / 1e6;
}

/* Two workers that want a place at the same moment may get two, or one that the other loses: it then begins anew. */
struct limits *shared_limits(const struct uuid *integration, int64_t now_us)
{
    uint64_t hash = hash_bytes(integration->bytes, sizeof integration->bytes), key = hash ? hash : 1;
    struct limits *oldest = NULL;
    size_t at = 0;
    for (size_t i = 0; i < LIMITS_PROBES; i++) {
        size_t place = ((hash ^ hash >> 32) + i) % SHARED_LIMITS;
        struct limits *l = &shared->limits[place];
        if (l->key == key) {
            l->used_us = now_us;
            return l;
        }
        if (!oldest || (oldest->key && (!l->key || l->used_us < oldest->used_us))) {
            oldest = l;
            at = place;
        }
    }
    shared->limits_used[at / LIMITS_GROUP] = true;
    limits_forget(oldest);
    oldest->key = key;
    oldest->used_us = now_us;
    return oldest;
}

void shared_limits_each(void (*seen)(void *owner, const struct limits *limits), void *owner)
{
    for (size_t i = 0; i < SHARED_LIMITS; i++)
        if (shared->limits_used[i / LIMITS_GROUP] && shared->limits[i].key)
            seen(owner, &shared->limits[i]);
}

uint64_t shared_generation(const struct uuid *workspace)
{
    /* Both only ever grow, so an equal sum means that neither changed. */
    return *generation_word(workspace) + shared->generation_all;
}

struct presence_shared *shared_presence(void)
{
    return &shared->presence;
}

void shared_generation_bump(const struct uuid *workspace)
{
    atomic_fetch_add(generation_word(workspace), 1);
}

void shared_generation_bump_all(void)
{
    atomic_fetch_add(&shared->generation_all, 1);
}

void shared_proven_set(int64_t until_us)
{
    shared->proven_until_us = until_us;
}

bool shared_is_proven(int64_t now_us)
{
    return now_us < shared->proven_until_us;
}

void shared_log_level_set(int word)
{
    shared->log_level = word;
}

int shared_log_level(void)
{
    return shared->log_level;
}
