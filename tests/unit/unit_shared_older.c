/* The shared memory of another build, whose processes still live in it. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/check.h"
#include "tests/unit/unit.h"
#include "worker/shared.h"
#include "worker/shared_older.h"

enum { THEIR_SLOTS = 8, THEIR_IN_HAND = 64, THEIR_BITS = 5 };

/* As another build may have it: figures in another order, another size of everything. */
struct their_slot {
    struct shared_slot common; /* of ours; what counts is that it begins so */
    uint64_t between;
    _Atomic uint64_t figures[3];
};

struct theirs {
    struct shared_header header;
    char names[128];
    _Atomic uint64_t in_hand[THEIR_IN_HAND];
    struct their_slot slots[THEIR_SLOTS];
    struct shared_poison poison[2];
};

static const char their_names[] =
    "+of_theirs\n+notify_messages_settled_total\n+notify_messages_requeued_total\n";

static struct theirs *make_theirs(int *fd)
{
    *fd = memfd_create("theirs", MFD_CLOEXEC);
    check(ftruncate(*fd, sizeof(struct theirs)) == 0);
    struct theirs *t = mmap(NULL, sizeof *t, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
    check(t != MAP_FAILED);
    memcpy(t->names, their_names, sizeof their_names);
    t->header = (struct shared_header){
        .magic = SHARED_MAGIC,
        .version = SHARED_HEADER_VERSION,
        .header_size = sizeof t->header,
        .size = sizeof *t,
        .layout = "theirs",
        .build = "9.9",
        .slots_at = offsetof(struct theirs, slots),
        .slots = THEIR_SLOTS,
        .slot_stride = sizeof t->slots[0],
        .figures_at = offsetof(struct their_slot, figures),
        .names_at = offsetof(struct theirs, names),
        .figures = 3,
        .names_size = sizeof their_names - 1,
        .in_hand_at = offsetof(struct theirs, in_hand),
        .in_hand = THEIR_IN_HAND,
        .in_hand_slot_bits = THEIR_BITS,
        .poison_at = offsetof(struct theirs, poison),
        .poisons = 2,
        .poison_stride = sizeof t->poison[0],
    };
    return t;
}

struct pair {
    struct theirs *t;
    int fd;
    int one, two; /* our slots for their 1 and 2 */
};

static struct pair begin_pair(void)
{
    struct pair p;
    p.t = make_theirs(&p.fd);
    p.t->slots[1].figures[0] = 3; /* of_theirs */
    p.t->slots[1].figures[1] = 40;
    p.t->slots[2].figures[1] = 2;
    p.t->slots[2].figures[2] = 50;
    EXPECT(!shared_take(p.fd, &p.t->header));
    shared_older_begin(p.fd, &p.t->header);
    p.one = shared_older_mirror(1, 111, SHARED_WORKER);
    p.two = shared_older_mirror(2, 222, SHARED_AGENT);
    shared_older_figure("+notify_messages_settled_total", 100); /* of a memory before theirs */
    shared_older_look();
    return p;
}

static void end_pair(const struct pair *p)
{
    shared_older_gone(p->one, true);
    shared_slot_release(p->one);
    shared_older_gone(p->two, true);
    shared_slot_release(p->two);
}

static void expect_handed_on(const char *lines)
{
    struct buf text;
    buf_init(&text, 4096);
    shared_older_figures(&text);
    EXPECT_TEXT(buf_text(&text), lines);
    buf_free(&text);
}

static void figures_are_added_by_name_and_stay_when_the_memory_goes(void)
{
    struct pair p = begin_pair();
    EXPECT_INT(shared_sum(COUNT_SETTLED), 142);
    EXPECT_INT(shared_sum(COUNT_REQUEUED), 50);
    expect_handed_on("figure 100 +notify_messages_settled_total\n"); /* theirs goes on, and lacks only that */
    p.t->slots[1].figures[1] = 41;                                   /* the last that it counted */
    end_pair(&p);
    EXPECT_INT(shared_older_descriptor(), -1);
    EXPECT_INT(shared_sum(COUNT_SETTLED), 143);
    EXPECT_INT(shared_sum(COUNT_REQUEUED), 50);
    expect_handed_on("figure 3 +of_theirs\n"); /* ours goes on, and lacks what we do not know */
}

static void a_process_there_is_seen_in_a_slot_of_ours(void)
{
    struct pair p = begin_pair();
    EXPECT(p.one >= 0 && p.two >= 0 && shared_older_home(p.one) == 1 && shared_older_home(p.two) == 2);
    EXPECT_INT(shared_older_mirror(THEIR_SLOTS, 333, SHARED_WORKER), -1);
    EXPECT_INT(shared_older_home(shared_slot_claim(SHARED_WORKER)), -1);
    p.t->slots[1].common.consuming = 1;
    p.t->slots[1].common.alive_us = 12345;
    shared_older_look();
    EXPECT(shared_slot_at(p.one)->consuming == 1 && shared_slot_at(p.one)->alive_us == 12345);
    EXPECT(shared_slot_at(p.one)->pid == 111 && shared_slot_at(p.two)->role == SHARED_AGENT);
    end_pair(&p);
}

static void who_is_gone_there_leaves_nothing_in_hand(void)
{
    struct pair p = begin_pair();
    struct theirs *t = p.t;
    t->in_hand[5] = (UINT64_C(9) << THEIR_BITS) | 1;
    t->in_hand[6] = (UINT64_C(9) << THEIR_BITS) | 2;
    shared_older_gone(p.one, true);
    EXPECT(shared_slot_release(p.one) == 0 && t->in_hand[5] == 0 && t->in_hand[6] != 0);
    EXPECT(t->slots[1].common.role == SHARED_FREE && shared_older_descriptor() == p.fd);
    t->slots[2].common.handling = 77;
    shared_older_gone(p.two, true);
    EXPECT_INT(shared_slot_release(p.two), 1); /* the message that it was handling has killed */
}

static void a_message_that_killed_there_is_known_here(void)
{
    int fd;
    struct theirs *t = make_theirs(&fd);
    t->poison[1].hash = 4711;
    t->poison[1].kills = 2;
    EXPECT(!shared_take(fd, &t->header));
    shared_older_begin(fd, &t->header);
    int slot = shared_older_mirror(0, 111, SHARED_WORKER);
    EXPECT(!shared_is_poison(4711));
    t->slots[0].common.handling = 4711;
    int other = shared_older_mirror(3, 222, SHARED_WORKER);
    shared_older_gone(slot, true);
    EXPECT_INT(t->poison[1].kills, 3); /* those who still take messages there must know it, too */
    EXPECT_INT(shared_slot_release(slot), 3);
    EXPECT(shared_is_poison(4711));
    shared_older_gone(other, false);
    shared_slot_release(other);
}

/* Each alone; the first bytes of VALUE, as the machine has them. */
static const struct {
    size_t at, size;
    uint64_t value;
} bad[] = {
    {offsetof(struct shared_header, magic), sizeof(((struct shared_header *)0)->magic), 1},
    {offsetof(struct shared_header, version), sizeof(((struct shared_header *)0)->version),
     SHARED_HEADER_VERSION + 1},
    {offsetof(struct shared_header, header_size), sizeof(((struct shared_header *)0)->header_size), 8},
    {offsetof(struct shared_header, slots_at), sizeof(((struct shared_header *)0)->slots_at),
     sizeof(struct theirs)},
    {offsetof(struct shared_header, slots_at), sizeof(((struct shared_header *)0)->slots_at), UINT64_MAX - 7},
    {offsetof(struct shared_header, slots_at), sizeof(((struct shared_header *)0)->slots_at),
     offsetof(struct theirs, slots) + 4},
    {offsetof(struct shared_header, slots), sizeof(((struct shared_header *)0)->slots), 33},
    {offsetof(struct shared_header, slots), sizeof(((struct shared_header *)0)->slots), 0},
    {offsetof(struct shared_header, slot_stride), sizeof(((struct shared_header *)0)->slot_stride),
     UINT32_MAX - 7},
    {offsetof(struct shared_header, slot_stride), sizeof(((struct shared_header *)0)->slot_stride), 8},
    {offsetof(struct shared_header, figures_at), sizeof(((struct shared_header *)0)->figures_at), 8},
    {offsetof(struct shared_header, figures), sizeof(((struct shared_header *)0)->figures), 4},
    {offsetof(struct shared_header, names_at), sizeof(((struct shared_header *)0)->names_at),
     sizeof(struct theirs) - 1},
    {offsetof(struct shared_header, names_size), sizeof(((struct shared_header *)0)->names_size), UINT32_MAX},
    {offsetof(struct shared_header, in_hand), sizeof(((struct shared_header *)0)->in_hand), UINT32_MAX},
    {offsetof(struct shared_header, in_hand_slot_bits),
     sizeof(((struct shared_header *)0)->in_hand_slot_bits), 0},
    {offsetof(struct shared_header, in_hand_slot_bits),
     sizeof(((struct shared_header *)0)->in_hand_slot_bits), 40},
    {offsetof(struct shared_header, poison_at), sizeof(((struct shared_header *)0)->poison_at),
     sizeof(struct theirs) - 8},
    {offsetof(struct shared_header, poison_stride), sizeof(((struct shared_header *)0)->poison_stride), 8},
    {offsetof(struct shared_header, layout[31]), sizeof(((struct shared_header *)0)->layout[31]), 'x'},
};

static void a_header_that_leads_outside_is_not_sound(void)
{
    int fd;
    struct theirs *t = make_theirs(&fd);
    struct shared_header good = t->header;
    EXPECT(shared_header_is_sound(&t->header, sizeof *t));
    EXPECT(!shared_header_is_sound(&t->header, sizeof *t - 8) && !shared_header_is_sound(&t->header, 8));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        memcpy((char *)&t->header + bad[i].at, &bad[i].value, bad[i].size);
        if (shared_header_is_sound(&t->header, sizeof *t))
            unit_fail(__FILE__, __LINE__, "row %zu is sound", i);
        t->header = good;
    }
    close(fd);
}

static void our_own_layout_is_used_as_it_is(void)
{
    shared_map();
    int fd = dup(shared_descriptor());
    int slot = shared_slot_claim(SHARED_WORKER);
    shared_slot_at(slot)->counters[COUNT_SETTLED] = 5;
    struct shared_header probe;
    check(pread(fd, &probe, sizeof probe, 0) == sizeof probe);
    struct shared_header *h = mmap(NULL, probe.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    EXPECT(shared_header_is_sound(h, probe.size));
    memcpy(h->build, "other", 6); /* a version alone makes no other layout */
    EXPECT(shared_take(fd, h));
    EXPECT_INT(shared_sum(COUNT_SETTLED), 5);
    EXPECT_INT(shared_descriptor(), fd);
    EXPECT_TEXT(h->build, NOTIFY_VERSION);
}

UNIT_MAIN(UNIT_CASE(figures_are_added_by_name_and_stay_when_the_memory_goes),
          UNIT_CASE(a_process_there_is_seen_in_a_slot_of_ours),
          UNIT_CASE(who_is_gone_there_leaves_nothing_in_hand),
          UNIT_CASE(a_message_that_killed_there_is_known_here),
          UNIT_CASE(a_header_that_leads_outside_is_not_sound), UNIT_CASE(our_own_layout_is_used_as_it_is))
