/*
 * presence - the pool of this host as one Celery worker
 *
 * Owns one broker connection of the agent, and nothing of a message's trip: whatever goes wrong here is said once, tried
 * again seldom, and costs no delivery. Invariants:
 *   - one agent of a pool is shown at a time (a word in shared memory): while a new one takes over, the old one keeps
 *     the name until it is gone;
 *   - nothing here waits for the broker but declarations, which are bounded by the RPC timeout; a reply or an event that
 *     the socket has no room for is dropped, since who asks can ask again;
 *   - what is refused leaves the connection open and quiet, and is asked for again after celery.retry.
 *
 * The clock is Lamport's: one further with each event and reply, and beyond that of each request.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/celery_node.h"
#include "worker/presence_parts.h"
#include "worker/shared.h"

enum {
    DRAIN_MS = 100,
    SOON_MS = 250,           /* until another agent of this pool is looked for again */
    SHORT_LIFE_US = 5000000, /* a connection that ends before has probably done what it may not */
    SHORT_LIVES = 3,
    LOCKED = 405,
    FORBIDDEN = 403,
    PUBLISH_EXTRA = 1024, /* frames, properties and headers of a publish, at most */
};

static const double soon =
    1; /* seconds until the first refusal is tried again: our queue may be about to go */
static const double while_ours = 2.5; /* and each, while the queue may be of our own connection before */

int64_t presence_tick(struct presence *p)
{
    return ++p->clock;
}

static void schedule(struct presence *p, double seconds)
{
    struct timeval tv = clock_timeval(seconds);
    event_add(p->again, &tv);
}

static const char *advice_for(int code)
{
    switch (code) {
    case LOCKED:
        return "another pool has this node name; give celery.node another one, such as notify-2@%h";
    case PRESENCE_NATIVE:
        return "a worker of Celery's has this node name, which is one worker's only; start it with another "
               "one "
               "(celery worker -n), or set celery.node to one, such as notify@%h";
    case FORBIDDEN:
        return "the broker's user needs configure, write and read on celery.node's queue and on both "
               "exchanges "
               "of remote control and that of events; or set celery.presence = false";
    case 406:
        return "it exists with other settings than Celery gives it; delete it, or name another in "
               "celery.control_exchange or celery.event_exchange";
    default:
        return "the broker's log says why; celery.presence = false ends this";
    }
}

/*
 * Said when it is new. The first 405 is not said: an agent that has just gone leaves its queue for a moment. Nor is one soon
 * after we were shown ourselves: the broker keeps the queue of our connection before until it has noticed that this is gone.
 */
static void be_refused(struct presence *p, int code, const char *what)
{
    p->state = PRESENCE_REFUSED;
    p->refusals++;
    bool may_be_ours = code == LOCKED && clock_mono_us() < p->ours_until_us;
    bool wait_first = may_be_ours || ((code == LOCKED || code == PRESENCE_NATIVE) && p->refusals == 1);
    if (!wait_first && code != p->said_code) {
        LOG(LOG_WARN, "presence_refused", LOG_TEXT("node", p->node), LOG_TEXT("what", what),
            LOG_NUM("code", code == PRESENCE_NATIVE ? LOCKED : code), LOG_TEXT("advice", advice_for(code)));
        p->said_code = code;
    }
    double pause = may_be_ours ? while_ours : wait_first ? soon : p->conf->celery_retry;
    schedule(p, pause < p->conf->celery_retry ? pause : p->conf->celery_retry);
}

static void show(struct presence *p)
{
    const char *what = "";
    int code = presence_declare(p, &what);
    if (code < 0)
        return; /* the link failed, and comes again */
    if (code > 0) {
        be_refused(p, code, what);
        return;
    }
    p->state = PRESENCE_SHOWN;
    p->refusals = 0;
    p->shown_us = clock_mono_us();
    presence_say_worker(p, "worker-online");
    struct timeval tv = clock_timeval(p->conf->celery_heartbeat);
    event_add(p->beat, &tv);
    presence_set_events(p, shared_presence()->events_on);
    LOG(LOG_INFO, "presence_shown", LOG_TEXT("node", p->node));
}

static bool on_up(void *owner, struct amqp_link *link)
{
    struct presence *p = owner;
    (void)link;
    amqp_frames_reset(&p->frames);
    p->blocked = false;
    if (p->short_lives >= SHORT_LIVES) {
        p->short_lives = 0;
        be_refused(p, 0, "the connection");
        return true;
    }
    show(p);
    return amqp_link_is_up(p->link);
}

static void on_down(void *owner, struct amqp_link *link)
{
    struct presence *p = owner;
    (void)link;
    bool short_life = p->state == PRESENCE_SHOWN && clock_mono_us() - p->shown_us < SHORT_LIFE_US;
    p->short_lives = short_life ? p->short_lives + 1 : 0;
    if (p->state == PRESENCE_SHOWN && !short_life)
        p->said_code = -1;
    if (p->state == PRESENCE_SHOWN)
        p->ours_until_us = clock_mono_us() + clock_us(2 * (double)p->conf->broker_heartbeat);
    p->state = PRESENCE_DOWN;
    event_del(p->beat);
    event_del(p->drain);
    event_del(p->again);
}

static void on_frame(void *owner, struct amqp_link *link, const amqp_frame_t *frame)
{
    struct presence *p = owner;
    struct amqp_frames_message message;
    struct arena arena;
    switch (amqp_frames_take(&p->frames, frame, &message, &arena)) {
    case FRAMES_MORE:
        return;
    case FRAMES_WHOLE:
        if (!message.returned)
            presence_take_request(p, &message.raw);
        arena_free(&arena);
        return;
    case FRAMES_BROKEN:
        amqp_link_fail(link, "frames out of order");
        return;
    case FRAMES_OTHER:
        break;
    }
    if (frame->payload.method.id == AMQP_BASIC_CANCEL_METHOD)
        amqp_link_fail(link, "somebody deleted our queue");
}

static void on_blocked(void *owner, struct amqp_link *link, bool blocked)
{
    struct presence *p = owner;
    (void)link;
    p->blocked = blocked;
}

bool presence_publish(struct presence *p, const char *exchange, const char *key, amqp_table_t headers,
                      const struct buf *body)
{
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_CONTENT_ENCODING_FLAG |
                  AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_PRIORITY_FLAG | AMQP_BASIC_HEADERS_FLAG,
        .content_type = amqp_cstring_bytes("application/json"),
        .content_encoding = amqp_cstring_bytes("utf-8"),
        .delivery_mode = 1,
        .headers = headers,
    };
    amqp_bytes_t bytes = {body->len, body->data};
    if (body->overflow || p->blocked || !amqp_link_is_up(p->link) ||
        !amqp_link_has_room(p->link, body->len + PUBLISH_EXTRA))
        return false;
    /* Not mandatory: a reply that nobody waits for any more is nobody's. */
    return amqp_link_sent(p->link,
                          amqp_basic_publish(amqp_link_connection(p->link), AMQP_LINK_CHANNEL,
                                             amqp_cstring_bytes(exchange), amqp_cstring_bytes(key), 0, 0,
                                             &properties, bytes),
                          "basic.publish");
}

static void on_beat(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    presence_shared_tidy_tasks();
    presence_say_worker(arg, "worker-heartbeat");
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
    struct presence *p = arg;
    (void)fd;
    (void)what;
    if (p->state == PRESENCE_REFUSED) {
        show(p);
        amqp_link_drain(p->link); /* what arrived during the RPCs lies in the library */
        return;
    }
    if (p->state != PRESENCE_WAITING)
        return;
    if (!presence_shared_hold(shared_my_slot())) {
        schedule(p, SOON_MS / 1000.0);
        return;
    }
    p->state = PRESENCE_DOWN;
    amqp_link_start(p->link);
}

static void on_drain(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    presence_drain_events(arg);
}

void presence_set_events(struct presence *p, bool on)
{
    shared_presence()->events_on = on;
    presence_shared_skip_events(&p->reader);
    if (on)
        event_add(p->drain, &(struct timeval){0, DRAIN_MS * 1000});
    else
        event_del(p->drain);
}

struct presence *presence_new(struct event_base *base, struct dialer *dialer, const struct conf *conf)
{
    static const struct amqp_link_calls calls = {on_up, on_down, on_frame, on_blocked};
    if (!conf->celery_presence)
        return NULL;
    struct presence *p = mem_zalloc(sizeof *p);
    p->conf = conf;
    p->supervisor = getppid();
    p->said_code = -1;
    p->begun_us = clock_mono_us();
    p->tokens = conf->celery_requests;
    celery_node_name(conf, p->node);
    snprintf(p->control, sizeof p->control, "%s.pidbox", conf->celery_control_exchange);
    snprintf(p->reply, sizeof p->reply, "reply.%s.pidbox", conf->celery_control_exchange);
    celery_node_queue(conf, p->node, p->queue);
    amqp_frames_init(&p->frames, PRESENCE_REQUEST_BYTES);
    p->beat = event_new(base, -1, EV_PERSIST, on_beat, p);
    p->again = event_new(base, -1, 0, on_again, p);
    p->drain = event_new(base, -1, EV_PERSIST, on_drain, p);
    p->link = amqp_link_new(base, dialer, conf, "pencheff-notify presence", &calls, p);
    return p;
}

void presence_start(struct presence *p)
{
    if (p)
        schedule(p, 0);
}

void presence_free(struct presence *p)
{
    if (!p)
        return;
    if (p->state == PRESENCE_SHOWN && (shared_presence()->ending || getppid() != p->supervisor))
        presence_say_worker(p, "worker-offline");
    amqp_link_free(p->link);
    presence_shared_let_go(shared_my_slot());
    event_free(p->beat);
    event_free(p->again);
    event_free(p->drain);
    amqp_frames_reset(&p->frames);
    free(p);
}
