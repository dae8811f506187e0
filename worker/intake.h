#ifndef NOTIFY_WORKER_INTAKE_H
#define NOTIFY_WORKER_INTAKE_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/conf.h"
#include "common/base/list.h"
#include "common/net/dial.h"
#include "worker/raw_message.h"

/*
 * The consuming side: one connection, its consumers, and the receipts of messages that are not settled yet.
 * Nothing else acknowledges or hands back a message.
 */
struct intake;

enum intake_state { INTAKE_HELD, INTAKE_ACKNOWLEDGED, INTAKE_REQUEUED, INTAKE_DROPPED };

/* One delivery of one message; the right to settle it once, on the connection that delivered it. */
struct intake_receipt {
    struct list link; /* for the holder */
    struct list open; /* private: by tag */
    uint64_t tag;
    uint64_t epoch;
    int64_t received_us;     /* monotonic */
    enum intake_state state; /* private: what its holder has said */
};

struct intake_calls {
    /* A whole message. ARENA (by value: the callee owns it now) holds all of RAW; the callee owns RECEIPT. */
    void (*message)(void *owner, struct raw_message *raw, struct arena *arena,
                    struct intake_receipt *receipt);
};

struct intake *intake_new(struct event_base *base, struct dialer *dialer, const struct conf *conf,
                          const struct intake_calls *calls, void *owner);
void intake_start(struct intake *in);
void intake_free(struct intake *in);

/*
 * Settle the receipt, which is gone for the holder. The broker is told at the end of this turn of the loop. On an older
 * connection it is void: the broker has taken the message back.
 */
void intake_ack(struct intake *in, struct intake_receipt *receipt);
/* Hand the message back to its queue. */
void intake_requeue(struct intake *in, struct intake_receipt *receipt);
/* Forget it without a word to the broker, which gives it to another when this connection ends. */
void intake_drop(struct intake *in, struct intake_receipt *receipt);
/* Take no more messages; what is held can still be settled. */
void intake_stop(struct intake *in);
/* The broker still counts on RECEIPT being settled: it has not given the message to somebody else. */
bool intake_is_current(const struct intake *in, const struct intake_receipt *receipt);
/* Messages of up to BYTES, beyond limits.message_bytes, are given whole as well, though as cut; from the next one on. */
void intake_keep_whole(struct intake *in, size_t bytes);
/* Consume what Celery's tools have added, and what they have cancelled no more; to be called now and then. */
void intake_follow(struct intake *in);
bool intake_is_consuming(const struct intake *in);

#endif
