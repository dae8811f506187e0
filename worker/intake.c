/*
 * intake - consumes, and settles each delivery at most once
 *
 * Owns the consuming link. Invariants: a receipt is settled at most once (it is freed by settling), and only
 * on the connection epoch that delivered it: a tag of an older connection means another message now, and
 * acknowledging it would lose that one. The only caller of basic.ack and basic.nack.
 *
 * What is settled in one turn of the loop is told to the broker at the end of it. Messages are settled nearly in
 * the order in which they came, and many in one turn, with the batch of rows that they were in. So most of them
 * are acknowledged with one `multiple`: up to the last delivery before which nothing is open. For that, `open`
 * holds all deliveries of the connection that the broker has not been told about, in the order of their tags,
 * also those that were dropped: an acknowledgement that reached over one of them would lose it. Told singly, each
 * message cost the broker a round through its queue, half of all that it did for us.
 *
 * A link that is cut takes no more once the socket's buffer is full (400 acks and more), and the library would
 * wait for it without a limit. What finds no room waits in `settled` until there is some or the connection is gone;
 * there is never more of it than the prefetch.
 */
#include "worker/intake.h"

#include <amqp.h>
#include <amqp_framing.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "worker/amqp_frames.h"
#include "worker/amqp_link.h"
#include "worker/consumers.h"
#include "worker/shared.h"
#include "worker/topology.h"

struct intake {
    const struct conf *conf;
    const struct intake_calls *calls;
    void *owner;
    struct amqp_link *link;
    struct amqp_frames frames;
    struct topology topology;
    struct consumers *consumers;
    struct list open; /* deliveries of this connection, by tag, that the broker has not been told about */
    struct list
        settled; /* those of them that it is to be told about, in the order in which they were settled */
    struct event *tell;
    bool stopped;
};

enum { SETTLING_BYTES = 64 }; /* at most, of an ack or a nack */

static void follow(struct intake *in)
{
    consumers_follow(in->consumers, in->link);
    if (amqp_link_is_up(in->link))
        shared_mine()->consuming =
            consumers_take_producers(in->consumers) ? SHARED_CONSUMING : SHARED_CONSUMING_OWN;
}

void intake_follow(struct intake *in)
{
    if (!amqp_link_is_up(in->link) || !intake_is_consuming(in) || !consumers_are_behind(in->consumers))
        return;
    follow(in);
    amqp_link_drain(in->link); /* what arrived during the RPCs lies in the library */
}

static bool on_up(void *owner, struct amqp_link *link)
{
    struct intake *in = owner;
    amqp_frames_reset(&in->frames);
    if (in->stopped)
        return true;
    if (!topology_declare(&in->topology, link, in->conf))
        return false;
    if (!consumers_begin(in->consumers, link))
        return false;
    follow(in);
    if (!amqp_link_is_up(link))
        return false;
    LOG(LOG_INFO, "worker_ready", LOG_NUM("consumers", consumers_count(in->consumers)),
        LOG_NUM("prefetch", in->conf->broker_prefetch));
    return true;
}

static void retire(struct intake_receipt *r)
{
    check(list_is_empty(&r->link));
    list_remove(&r->open);
    shared_mine()->in_hand--;
    free(r);
}

/* What the connection delivered is void: held receipts are freed when they are settled, the others now. */
static void forget_open(struct intake *in)
{
    struct list *at;
    while ((at = list_shift(&in->open))) {
        struct intake_receipt *r = list_entry(at, struct intake_receipt, open);
        if (r->state == INTAKE_HELD)
            continue;
        list_remove(&r->link);
        retire(r);
    }
}

static void on_down(void *owner, struct amqp_link *link)
{
    (void)link;
    struct intake *in = owner;
    shared_mine()->consuming = 0;
    consumers_lost(in->consumers);
    forget_open(in);
}

bool intake_is_current(const struct intake *in, const struct intake_receipt *r)
{
    return amqp_link_is_up(in->link) && r->epoch == amqp_link_epoch(in->link);
}

void intake_keep_whole(struct intake *in, size_t bytes)
{
    in->frames.whole_max = bytes;
}

/* False: it has to wait for room, or the link has failed, and with it all that was open. */
static bool tell(struct intake *in, const struct intake_receipt *r, bool multiple)
{
    if (!amqp_link_has_room(in->link, SETTLING_BYTES)) {
        event_add(in->tell, &(struct timeval){0, AMQP_LINK_ROOM_MS * 1000});
        return false;
    }
    amqp_connection_state_t connection = amqp_link_connection(in->link);
    bool requeue = r->state == INTAKE_REQUEUED;
    int status = requeue ? amqp_basic_nack(connection, AMQP_LINK_CHANNEL, r->tag, multiple, 1)
                         : amqp_basic_ack(connection, AMQP_LINK_CHANNEL, r->tag, multiple);
    return amqp_link_sent(in->link, status, requeue ? "basic.nack" : "basic.ack");
}

static void retire_told(struct intake_receipt *r)
{
    bool requeue = r->state == INTAKE_REQUEUED;
    shared_count(requeue ? COUNT_REQUEUED : COUNT_SETTLED);
    if (!requeue)
        shared_mine()->has_worked = 1;
    list_remove(&r->link);
    retire(r);
}

/* The last of those at the front of `open` that are all acknowledged; NULL when the first is not. */
static struct intake_receipt *last_of_front(struct intake *in)
{
    struct intake_receipt *last = NULL;
    struct list *at;
    list_for_each (at, &in->open) {
        struct intake_receipt *r = list_entry(at, struct intake_receipt, open);
        if (r->state != INTAKE_ACKNOWLEDGED)
            break;
        last = r;
    }
    return last;
}

static bool tell_front(struct intake *in)
{
    struct intake_receipt *last = last_of_front(in);
    if (!last)
        return true;
    const struct list *behind = last->open.next;
    if (!tell(in, last, in->open.next != &last->open))
        return false;
    while (in->open.next != behind)
        retire_told(list_entry(list_shift(&in->open), struct intake_receipt, open));
    return true;
}

static void tell_all(struct intake *in)
{
    if (!amqp_link_is_up(in->link) || !tell_front(in))
        return;
    while (!list_is_empty(&in->settled)) {
        struct intake_receipt *r = list_entry(in->settled.next, struct intake_receipt, link);
        /* The analyzer forgets that what was retired is out of the list. NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
        if (!tell(in, r, false))
            return;
        retire_told(r);
    }
}

static void on_tell(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    tell_all(arg);
}

static void settle(struct intake *in, struct intake_receipt *r, enum intake_state state)
{
    check(list_is_empty(&r->link) && r->state == INTAKE_HELD);
    r->state = state;
    if (!intake_is_current(in, r)) {
        retire(r);
        return;
    }
    list_append(&in->settled, &r->link);
    event_active(in->tell, EV_TIMEOUT, 1);
}

static void take_message(struct intake *in, struct amqp_link *link, struct amqp_frames_message *m,
                         struct arena *arena)
{
    if (m->returned) {
        arena_free(arena);
        return;
    }
    enum queue_class class;
    m->raw.queue = consumers_queue(in->consumers, m->consumer_tag, &class);
    if (m->raw.queue) {
        m->raw.from_own_queue = class != QUEUE_PRODUCERS;
        shared_count_cell(COUNT_RECEIVED, class);
    }
    struct intake_receipt *receipt = mem_zalloc(sizeof *receipt);
    list_init(&receipt->link);
    list_append(&in->open, &receipt->open);
    receipt->tag = m->delivery_tag;
    receipt->epoch = amqp_link_epoch(link);
    receipt->received_us = clock_mono_us();
    shared_gauge(COUNT_LAST_RECEIVED, (uint64_t)receipt->received_us);
    shared_mine()->in_hand++;
    if (in->stopped || !m->raw.queue) {
        arena_free(arena);
        intake_requeue(in, receipt);
        return;
    }
    in->calls->message(in->owner, &m->raw, arena, receipt);
}

static void on_frame(void *owner, struct amqp_link *link, const amqp_frame_t *frame)
{
    struct intake *in = owner;
    struct amqp_frames_message message;
    struct arena arena;
    switch (amqp_frames_take(&in->frames, frame, &message, &arena)) {
    case FRAMES_MORE:
        return;
    case FRAMES_WHOLE:
        take_message(in, link, &message, &arena);
        return;
    case FRAMES_BROKEN:
        amqp_link_fail(link, "frames out of order");
        return;
    case FRAMES_OTHER:
        break;
    }
    /* The queue was deleted or its leader moved: connect again, which declares and consumes again. */
    if (frame->payload.method.id == AMQP_BASIC_CANCEL_METHOD && !in->stopped)
        amqp_link_fail(link, "the broker cancelled a consumer");
}

struct intake *intake_new(struct event_base *base, struct dialer *dialer, const struct conf *conf,
                          const struct intake_calls *calls, void *owner)
{
    static const struct amqp_link_calls link_calls = {on_up, on_down, on_frame, NULL};
    struct intake *in = mem_zalloc(sizeof *in);
    in->conf = conf;
    in->calls = calls;
    in->owner = owner;
    list_init(&in->open);
    list_init(&in->settled);
    in->tell = event_new(base, -1, 0, on_tell, in);
    in->consumers = consumers_new(conf);
    amqp_frames_init(&in->frames, (size_t)conf->limits_message_bytes);
    in->frames.keeps_properties = conf_is_shadow(conf);
    in->link = amqp_link_new(base, dialer, conf, "pencheff-notify consumer", &link_calls, in);
    return in;
}

void intake_start(struct intake *in)
{
    amqp_link_start(in->link);
}

void intake_free(struct intake *in)
{
    if (!in)
        return;
    tell_all(in);
    amqp_link_free(in->link);
    forget_open(in);
    event_free(in->tell);
    amqp_frames_reset(&in->frames);
    consumers_free(in->consumers);
    free(in);
}

void intake_ack(struct intake *in, struct intake_receipt *r)
{
    settle(in, r, INTAKE_ACKNOWLEDGED);
}

void intake_requeue(struct intake *in, struct intake_receipt *r)
{
    settle(in, r, INTAKE_REQUEUED);
}

void intake_drop(struct intake *in, struct intake_receipt *r)
{
    if (intake_is_current(in, r))
        r->state = INTAKE_DROPPED; /* stays open, until the connection goes */
    else
        retire(r);
}

void intake_stop(struct intake *in)
{
    if (in->stopped)
        return;
    in->stopped = true;
    shared_mine()->consuming = 0;
    consumers_cancel(in->consumers, in->link); /* what still comes is handed back */
}

bool intake_is_consuming(const struct intake *in)
{
    return shared_mine()->consuming && !in->stopped;
}
