#ifndef NOTIFY_WORKER_SHARED_LAYOUT_H
#define NOTIFY_WORKER_SHARED_LAYOUT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What stands at the beginning of the shared memory and says what is in the rest, so that a supervisor of another build
 * can read it: for as long as children of the build before live, it looks after them there.
 *
 * VERSION is of this header, of what a slot begins with (struct shared_slot up to `resident`), and of the words of the
 * tables that it leads to. Whoever changes one of those raises it; then a build does not take over from the other, and says
 * so before anything is changed. Everything else may change freely: it makes another layout, not another version.
 */
enum {
    SHARED_HEADER_VERSION = 1,
    SHARED_NAME_MAX = 200, /* bytes of a figure's name with its labels */
};
#define SHARED_MAGIC UINT64_C(0x0164796669746f6e) /* "notifyd" in the order of memory, and a 1 */

struct shared_header {
    uint64_t magic;
    uint32_t version;
    uint32_t header_size;
    uint64_t size;        /* bytes of the whole memory */
    char layout[32];      /* of the sources that say what is in it; NUL-terminated */
    char build[32];       /* the version, for people; NUL-terminated */
    uint64_t slots_at;    /* bytes from the beginning, like all that end so */
    uint32_t slots;       /* how many */
    uint32_t slot_stride; /* bytes from one to the next */
    uint64_t figures_at;  /* in a slot: where its figures begin, a word of 64 bits each */
    uint64_t names_at;    /* the names of the figures, in their order, each with a newline behind it */
    uint32_t figures;     /* how many */
    uint32_t names_size;  /* bytes */
    uint64_t in_hand_at;  /* words: a hash whose lowest in_hand_slot_bits are the holder's slot; 0: free */
    uint32_t in_hand;     /* how many */
    uint32_t in_hand_slot_bits;
    uint64_t poison_at; /* struct shared_poison */
    uint32_t poisons;   /* how many */
    uint32_t poison_stride;
    uint64_t keep_workers; /* atomic. Who ends by itself is not replaced: none is to be recycled */
};

/* A message that has killed. */
struct shared_poison {
    _Atomic uint64_t hash;
    _Atomic int kills;
};

/* Whether H, at the beginning of SIZE bytes, is of a version that we know, and leads nowhere outside of them. */
bool shared_header_is_sound(const struct shared_header *h, uint64_t size);
/* Whether two sound memories have the same layout, so that one build can use the other's as it is. */
bool shared_header_is_same(const struct shared_header *a, const struct shared_header *b);
/*
 * Calls EACH for the name of each figure in its order; it is not NUL-terminated and good until EACH returns. Names that
 * the text lacks are left out.
 */
void shared_header_names(const struct shared_header *h,
                         void (*each)(void *owner, int index, const char *name, size_t length), void *owner);

#endif
