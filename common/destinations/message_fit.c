/*
 * message_fit - a message, as much of it as the vendor takes
 *
 * Pure. Lengths are certain only when everything is escaped, so the message is made, measured and, when it is too long,
 * made again without its least important part. That is rare: texts are cut to what people read before.
 */
#include "common/destinations/message_fit.h"

enum { PARTS_SIZE = 16384 };

void message_fit(const struct event *event, const struct facts *facts, message_layout *lay, int layout,
                 size_t max, struct buf *out)
{
    struct arena arena;
    struct message m;
    struct buf whole;
    arena_init(&arena, PARTS_SIZE);
    message_build(&m, &arena, event, facts);
    buf_init(&whole, max);
    lay(&m, NULL, layout, &whole);
    while (whole.overflow && message_drop(&m, false)) {
        buf_reset(&whole);
        lay(&m, message_left_out(&m, &arena), layout, &whole);
    }
    if (whole.overflow)
        out->overflow = true;
    else
        buf_add(out, whole.data, whole.len);
    buf_free(&whole);
    arena_free(&arena);
}
