#ifndef NOTIFY_WORKER_DECODE_H
#define NOTIFY_WORKER_DECODE_H

#include "common/base/arena.h"
#include "common/base/conf.h"
#include "common/model/event.h"
#include "worker/raw_message.h"

enum decode_result {
    DECODE_EVENT,  /* `event` is complete */
    DECODE_REJECT, /* `reason` and `detail` say why */
};

/* What a message says. Texts are borrowed from the arena given to decode_message. */
struct decoded {
    struct event event;
    enum reason reason;
    const char *detail; /* for people; holds no more than 200 bytes of the message */
    bool has_eta;
    int64_t eta_us; /* wall clock */
    bool has_expires;
    int64_t expires_us;
    bool has_canvas;  /* callbacks, chain or chord are set: they cannot be followed from here */
    bool redelivered; /* by the broker, now or before we put it off */
    /* From our own headers, on own queues only; the defaults otherwise. */
    int attempt;          /* the attempt to be made: 1 */
    bool has_integration; /* false: the whole event */
    struct uuid integration;
    const char *origin_queue;
};

/*
 * Understand RAW: Celery protocol 2 (a `task` header), protocol 1 (a `task` member) or the plain JSON form
 * (contract section 4). Pure but for ARENA; NOW_US is the wall clock, for first_seen_us of a message that
 * does not carry it. CONF gives the size limit and the task names. Never fails otherwise than by
 * DECODE_REJECT; on a reject event.id is set when an id could be read (NULL otherwise).
 */
enum decode_result decode_message(const struct conf *conf, struct arena *arena, const struct raw_message *raw,
                                  int64_t now_us, struct decoded *out);

/*
 * Is it a wake of ours, and not an event? Then the integration whose mailbox is to be emptied, and which wake of it. To be
 * asked of messages from our own queues only.
 */
bool decode_wake(const struct raw_message *raw, struct uuid *integration, int *number);

#endif
