#ifndef NOTIFY_WORKER_AMQP_LINK_H
#define NOTIFY_WORKER_AMQP_LINK_H

#include <amqp.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/conf.h"
#include "common/net/dial.h"

/*
 * One connection to the broker on the event loop: dials, logs in, keeps the heartbeat, hands frames up, and
 * reconnects for ever. It knows no messages. One channel is open, number AMQP_LINK_CHANNEL.
 */
enum {
    AMQP_LINK_CHANNEL = 1,
    AMQP_LINK_SCRATCH_CHANNEL = 2,
    AMQP_LINK_FRAME_MAX = 131072,    /* agreed with the broker: RabbitMQ's default */
    AMQP_LINK_FRAME_TAKEN = 1 << 24, /* bytes; what comes may be larger than agreed */
    AMQP_LINK_ROOM_MS = 20
};

struct amqp_link;

struct amqp_link_calls {
    /*
     * Logged in, the channel is open; may make RPCs, few of them, because the loop stands still (each is bounded
     * by the RPC timeout of 3 s). False: what was needed could not be had (the link has been failed, or will be
     * by the caller of this).
     */
    bool (*up)(void *owner, struct amqp_link *link);
    /* The connection is gone; everything unacknowledged or unconfirmed on it is unknown. */
    void (*down)(void *owner, struct amqp_link *link);
    /* A frame of the channel. Valid during the call only. */
    void (*frame)(void *owner, struct amqp_link *link, const amqp_frame_t *frame);
    /* The broker is in alarm and takes no publishes, or takes them again. May be NULL. */
    void (*blocked)(void *owner, struct amqp_link *link, bool blocked);
};

/*
 * NAME is for the log and the broker's list of connections. CONF (its URL was checked with the configuration), NAME
 * and CALLS must outlive the link.
 */
struct amqp_link *amqp_link_new(struct event_base *base, struct dialer *dialer, const struct conf *conf,
                                const char *name, const struct amqp_link_calls *calls, void *owner);
void amqp_link_start(struct amqp_link *link);
/* Close for good, in order (which takes as long as the broker needs to read all, but at most 0.4 s), and free. Calls no
 * callback. */
void amqp_link_free(struct amqp_link *link);

bool amqp_link_is_up(const struct amqp_link *link);
/* Grows with each connection: what belongs to an older one is void. */
uint64_t amqp_link_epoch(const struct amqp_link *link);
/* For calls of librabbitmq; valid while the link is up. */
amqp_connection_state_t amqp_link_connection(struct amqp_link *link);
/* True when something was heard within one and a half heartbeats; a publish on a silent link could hang. */
bool amqp_link_is_lively(const struct amqp_link *link);
/*
 * True when BYTES (frames and all) can be sent without blocking. To be asked before everything that is sent while messages
 * are under way; when it is false, try again after AMQP_LINK_ROOM_MS. Valid while the link is up.
 */
bool amqp_link_has_room(const struct amqp_link *link, size_t bytes);
/* Close because of REASON and dial again later. Idempotent. */
void amqp_link_fail(struct amqp_link *link, const char *reason);
/* Judge the return code of a send; on an error the link is failed and the result is false. */
bool amqp_link_sent(struct amqp_link *link, int status, const char *what);
/* Judge the reply of an RPC: as above. *CODE (may be NULL) gets the broker's code of a channel or connection
 * exception, else 0; a channel exception on the scratch channel does not fail the link. */
bool amqp_link_replied(struct amqp_link *link, amqp_channel_t channel, const char *what, int *code);
/* Read what has arrived. To be called before a publish and after RPCs. */
void amqp_link_drain(struct amqp_link *link);

#endif
