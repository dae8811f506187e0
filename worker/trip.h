#ifndef NOTIFY_WORKER_TRIP_H
#define NOTIFY_WORKER_TRIP_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/model/event.h"
#include "worker/bundle.h"
#include "worker/intake.h"
#include "worker/parts.h"
#include "worker/raw_message.h"

/* One message on its way through the worker, from the broker to its acknowledgement. */
struct trips;

struct trips *trips_new(struct parts *parts);
/* Drops what is in hand, without settling it: the broker delivers it again. */
void trips_free(struct trips *t);
/* A message has come. Takes RAW's arena and the receipt. */
void trips_begin(struct trips *t, struct raw_message *raw, struct arena *arena,
                 struct intake_receipt *receipt);
/* Who has taken deliveries out of a mailbox, and wants to hear when each is through. */
struct trip_waker {
    /* STAYS: it could not start, and is in the mailbox still. */
    void (*through)(struct trip_waker *waker, bool stays);
};
/* What leaves a mailbox. */
struct trip_woken {
    const struct event *event;
    const char *queue;
    const struct uuid *integration;
    int attempt;
    struct bundle *bundle; /* that it is to join; NULL: it goes by itself */
};
/*
 * A delivery from a mailbox, as if the message of attempt ATTEMPT for INTEGRATION had come. EVENT and QUEUE are copied.
 * WAKER hears of it once, perhaps within the call.
 */
void trips_begin_woken(struct trips *t, const struct trip_woken *woken, struct trip_waker *waker);
size_t trips_count(const struct trips *t);
/* Hand back the messages that have waited for the database longer than MAX_US without having begun. */
void trips_hand_back(struct trips *t, int64_t max_us);

#endif
