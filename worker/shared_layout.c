/*
 * shared_layout - the description at the beginning of the shared memory
 *
 * Pure: reads what another build has written and believes none of it before it is checked. What is sound can be walked
 * with the offsets that it names; the contents may be anything.
 */
#include "worker/shared_layout.h"

#include <string.h>

#include "worker/shared.h"

/* COUNT things of STRIDE bytes from AT on lie within SIZE, aligned for words. */
static bool fits(uint64_t at, uint64_t count, uint64_t stride, uint64_t size)
{
    return at % 8 == 0 && stride % 8 == 0 && at <= size && count * stride <= size - at;
}

bool shared_header_is_sound(const struct shared_header *h, uint64_t size)
{
    if (size < sizeof *h || h->magic != SHARED_MAGIC || h->version != SHARED_HEADER_VERSION ||
        h->header_size != sizeof *h || h->size != size || h->layout[sizeof h->layout - 1] ||
        h->build[sizeof h->build - 1])
        return false;
    return h->slots > 0 && h->in_hand_slot_bits > 0 && h->in_hand_slot_bits < 32 &&
           h->slots <= UINT32_C(1) << h->in_hand_slot_bits &&
           h->figures_at >= offsetof(struct shared_slot, resident) + sizeof(uint64_t) &&
           fits(h->figures_at, h->figures, sizeof(uint64_t), h->slot_stride) &&
           fits(h->slots_at, h->slots, h->slot_stride, size) && h->names_at <= size &&
           h->names_size <= size - h->names_at && fits(h->in_hand_at, h->in_hand, sizeof(uint64_t), size) &&
           h->poison_stride >= sizeof(struct shared_poison) &&
           fits(h->poison_at, h->poisons, h->poison_stride, size);
}

static const char *names_of(const struct shared_header *h)
{
    return (const char *)h + h->names_at;
}

bool shared_header_is_same(const struct shared_header *a, const struct shared_header *b)
{
    struct shared_header one = *a, other = *b;
    memset(one.build, 0, sizeof one.build); /* a version may be raised without another layout */
    memset(other.build, 0, sizeof other.build);
    one.keep_workers = other.keep_workers = 0;
    return memcmp(&one, &other, sizeof one) == 0 && memcmp(names_of(a), names_of(b), a->names_size) == 0;
}

void shared_header_names(const struct shared_header *h,
                         void (*each)(void *owner, int index, const char *name, size_t length), void *owner)
{
    const char *at = names_of(h), *end = at + h->names_size;
    for (uint32_t i = 0; i < h->figures; i++) {
        const char *newline = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
        if (!newline)
            return;
        if (newline > at && newline - at <= SHARED_NAME_MAX)
            each(owner, (int)i, at, (size_t)(newline - at));
        at = newline + 1;
    }
}
