#ifndef NOTIFY_WORKER_AMQP_FRAMES_H
#define NOTIFY_WORKER_AMQP_FRAMES_H

#include <amqp.h>
#include <amqp_framing.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "worker/raw_message.h"

/*
 * Frames of one channel to whole messages: basic.deliver or basic.return, a header, body frames. Copies out
 * of the library's memory; keeps no more than the limit of a body.
 */
struct amqp_frames_message {
    bool returned; /* basic.return of our own publish; else a delivery */
    uint64_t delivery_tag;
    const char *consumer_tag;
    int return_code;
    const char *return_text;
    const char *return_exchange;
    const char *return_key;
    const char *return_correlation; /* the property that it was published with; NULL: none */
    struct raw_message raw;         /* `queue` and `from_own_queue` are left to the receiver */
};

struct amqp_frames {
    size_t body_max;
    size_t whole_max; /* one of up to so many bytes is kept whole all the same, though it counts as cut */
    bool keeps_properties; /* of deliveries: set after amqp_frames_init */
    struct arena arena;
    struct amqp_frames_message message;
    char *body;
    size_t body_room; /* bytes of it that are kept */
    uint64_t body_seen;
    struct hash_sha256_pieces *hash; /* of a body that is cut; else NULL */
    enum { FRAMES_IDLE, FRAMES_WANT_HEADER, FRAMES_WANT_BODY } state;
};

enum amqp_frames_result {
    FRAMES_MORE,   /* not whole yet */
    FRAMES_WHOLE,  /* *OUT and *ARENA are filled: the caller owns the arena that all of it lives in */
    FRAMES_OTHER,  /* a method that is no part of a message: the caller's */
    FRAMES_BROKEN, /* not a sequence that the protocol allows: close the link */
};

void amqp_frames_init(struct amqp_frames *frames, size_t body_max);
/* Forget what was begun: the connection is new. */
void amqp_frames_reset(struct amqp_frames *frames);
enum amqp_frames_result amqp_frames_take(struct amqp_frames *frames, const amqp_frame_t *frame,
                                         struct amqp_frames_message *out, struct arena *arena);

#endif
