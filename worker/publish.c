/*
 * publish - persistent, mandatory, confirmed publishing
 *
 * Owns the publishing link, the messages that wait, and the ring of those sent and not confirmed. A message
 * leaves in one way only: the broker's ack without a return before it. A nack, a return or a lost link puts
 * it back to be sent again (a copy may then exist twice; every reader of our queues tolerates that). After a
 * nack or a return it waits RETRY_SECONDS; after a return what should have taken it is declared again first,
 * since somebody has deleted it.
 *
 * A message at which the broker closes the connection is found (suspects.c), and waits aside while the others pass.
 *
 * Or it is given up, if its owner has written down what is owed: when the broker has blocked publishing for
 * broker.publish_patience, or has refused this message, or all that went its way, for so long (refusals.c). Then the
 * owners hear it at once, until the broker takes something again.
 *
 * A send in librabbitmq blocks without a limit once the socket's buffer is full, which happens when the
 * broker is in alarm or the link is cut. So a message is only sent when the kernel takes all of it at once,
 * and never while the broker says that it blocks, or on a link that has been silent. broker.unconfirmed_bytes
 * bounds what a lost link makes us send again; it says nothing about the socket's buffer, which depends on the
 * link. The link is drained before each burst (a publish after the receive deadline hung in this version of
 * the library).
 */
#include "worker/publish.h"

#include <amqp.h>
#include <amqp_framing.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "worker/amqp_frames.h"
#include "worker/amqp_link.h"
#include "worker/publish_foreign.h"
#include "worker/publish_wire.h"
#include "worker/refusals.h"
#include "worker/shared.h"
#include "worker/topology.h"

enum { PUBLISH_OVERHEAD = 512, RETURNED_BODY_MAX = 4096, RETRY_SECONDS = 1, SEQUENCE_DIGITS = 19 };

struct publisher {
    const struct conf *conf;
    struct amqp_link *link;
    struct amqp_frames frames;
    struct topology topology;
    struct refusals refusals;
    struct list waiting;
    struct list refused;     /* until the next turn of `retry` */
    struct list aside;       /* until their time; see suspects.h */
    struct list unconfirmed; /* in the order of their sequence numbers */
    bool alone;              /* while there is one: nothing else may be sent */
    uint64_t passed;         /* of messages of others, those that were confirmed */
    uint64_t next_sequence;  /* of the next publish on this channel; the first is 1 */
    uint64_t first_sequence; /* of the first member of `ring` */
    struct publish_message **ring;
    size_t ring_size; /* power of two */
    size_t unconfirmed_bytes;
    size_t pending;
    int64_t blocked_us; /* monotonic: the broker takes nothing since then; 0: it does */
    bool unroutable;    /* something came back since the last declaration */
    bool sending;
    bool said_given_up; /* since it is blocked */
    struct event *pump;
    struct event *retry;
    struct event *impatience; /* when it is blocked for broker.publish_patience */
};

static void pump(struct publisher *p);

static size_t weight(const struct publish_message *m)
{
    return (m->foreign ? m->foreign->raw->body_size : m->body_size) + PUBLISH_OVERHEAD;
}

static size_t wire_size(const struct publish_message *m)
{
    return m->foreign ? publish_foreign_size(m) : publish_wire_size(m);
}

static bool wire_send(struct amqp_link *link, const struct publish_message *m, uint64_t sequence)
{
    return m->foreign ? publish_foreign_send(link, m, sequence) : publish_wire_send(link, m, sequence);
}

static struct publish_message **ring_at(struct publisher *p, uint64_t sequence)
{
    return &p->ring[sequence & (p->ring_size - 1)];
}

static void ring_grow(struct publisher *p)
{
    size_t old_size = p->ring_size;
    struct publish_message **old = p->ring;
    p->ring_size = old_size * 2;
    p->ring = mem_zalloc(p->ring_size * sizeof *p->ring);
    for (uint64_t s = p->first_sequence; s < p->next_sequence; s++)
        *ring_at(p, s) = old[s & (old_size - 1)];
    free(old);
}

static void later(struct publisher *p)
{
    struct timeval tv = {RETRY_SECONDS, 0};
    if (!event_pending(p->retry, EV_TIMEOUT, NULL))
        event_add(p->retry, &tv);
}

/* On a link that is down nobody's patience is tried: with it goes the consuming one, and nothing could be settled. */
static void set_blocked(struct publisher *p, bool blocked)
{
    if (!blocked) {
        p->blocked_us = 0;
        p->said_given_up = false;
        event_del(p->impatience);
    } else if (!p->blocked_us) {
        struct timeval tv = clock_timeval(p->conf->broker_publish_patience);
        p->blocked_us = clock_mono_us();
        event_add(p->impatience, &tv);
    }
}

static int64_t patience_us(const struct publisher *p)
{
    return clock_us(p->conf->broker_publish_patience);
}

static bool is_impatient(const struct publisher *p)
{
    return p->blocked_us && clock_mono_us() - p->blocked_us >= patience_us(p);
}

static void give_up_one(struct publisher *p, struct publish_message *m)
{
    p->pending--;
    shared_count(COUNT_OWED);
    m->given_up(m);
}

static void give_up_list(struct publisher *p, struct list *list)
{
    struct list *at, *next;
    list_for_each_safe (at, next, list) {
        struct publish_message *m = list_entry(at, struct publish_message, link);
        if (!m->given_up)
            continue;
        list_remove(&m->link);
        give_up_one(p, m);
    }
}

/* Those under way leave their places in the ring empty: the broker's word on them will find nobody. */
static void forget_unconfirmed(struct publisher *p)
{
    for (uint64_t s = p->first_sequence; s < p->next_sequence; s++) {
        struct publish_message **at = ring_at(p, s);
        if (*at && (*at)->given_up) {
            p->unconfirmed_bytes -= weight(*at);
            *at = NULL;
        }
    }
    while (p->first_sequence < p->next_sequence && !*ring_at(p, p->first_sequence))
        p->first_sequence++;
}

static void give_up(struct publisher *p)
{
    size_t before = p->pending;
    forget_unconfirmed(p);
    give_up_list(p, &p->unconfirmed);
    give_up_list(p, &p->waiting);
    give_up_list(p, &p->refused);
    give_up_list(p, &p->aside);
    if (p->pending < before && !p->said_given_up)
        LOG(LOG_WARN, "publishing_given_up", LOG_NUM("messages", before - p->pending),
            LOG_TEXT("advice", "the broker takes no messages; the sweep publishes them when it does"));
    p->said_given_up |= p->pending < before;
}

static void refuse(struct publisher *p, struct publish_message *m)
{
    int64_t now = clock_mono_us(), since = refusals_add(&p->refusals, m, now);
    shared_count(COUNT_RETURNED);
    p->unroutable |= m->returned;
    m->returned = false;
    if (!m->refused_us)
        m->refused_us = now;
    if (m->given_up && now - (m->refused_us < since ? m->refused_us : since) >= patience_us(p)) {
        give_up_one(p, m);
        return;
    }
    list_append(&p->refused, &m->link);
    later(p);
}

/* The broker's word on one sequence number. */
static void settle_one(struct publisher *p, uint64_t sequence, bool accepted)
{
    struct publish_message **at = ring_at(p, sequence);
    struct publish_message *m = *at;
    if (sequence < p->first_sequence || sequence >= p->next_sequence || !m)
        return;
    *at = NULL;
    while (p->first_sequence < p->next_sequence && !*ring_at(p, p->first_sequence))
        p->first_sequence++;
    list_remove(&m->link);
    p->unconfirmed_bytes -= weight(m);
    m->suspect = (struct suspect){0};
    if (!accepted || m->returned) {
        refuse(p, m);
        return;
    }
    refusals_end(&p->refusals, m);
    p->pending--;
    p->passed += m->foreign != NULL;
    shared_count(COUNT_PUBLISHED);
    shared_note_us(COUNT_CONFIRM_TIME, 0, clock_mono_us() - m->sent_us);
    m->confirmed(m);
}

static void settle(struct publisher *p, uint64_t sequence, bool multiple, bool accepted)
{
    if (!multiple) {
        settle_one(p, sequence, accepted);
        return;
    }
    for (uint64_t s = p->first_sequence; s <= sequence && s < p->next_sequence; s++)
        settle_one(p, s, accepted);
}

/* TEXT, all of it, as a number; 0 when it is none. A producer's correlation id often begins with digits. */
static uint64_t number_of(const char *text)
{
    size_t n = text ? strspn(text, "0123456789") : 0;
    return n > 0 && n <= SEQUENCE_DIGITS && !text[n] ? strtoull(text, NULL, 10) : 0;
}

/*
 * A returned message comes before its ack. Its correlation id is the sequence number that it was sent with; id
 * and way would not tell apart the retries of one event. What is passed on keeps its own correlation id, and has the
 * number in our mark.
 */
static bool mark_returned(struct publisher *p, const struct amqp_frames_message *r)
{
    const char *mark = *r->return_exchange ? NULL : raw_message_header_text(&r->raw, PUBLISH_FOREIGN_MARK);
    uint64_t sequence = number_of(mark ? mark : r->return_correlation);
    if (sequence < 1 || sequence >= p->next_sequence)
        return false;
    struct publish_message *m = sequence >= p->first_sequence ? *ring_at(p, sequence) : NULL;
    if (!m)
        return true; /* it was given up */
    if ((m->foreign != NULL) != (mark != NULL))
        return false;
    m->returned = true;
    return true;
}

static void on_frame(void *owner, struct amqp_link *link, const amqp_frame_t *frame)
{
    struct publisher *p = owner;
    struct amqp_frames_message message;
    struct arena arena;
    switch (amqp_frames_take(&p->frames, frame, &message, &arena)) {
    case FRAMES_MORE:
        return;
    case FRAMES_WHOLE:
        /* One that is not known would be taken for delivered at its ack; with a new link all are sent again. */
        if (message.returned && !mark_returned(p, &message))
            amqp_link_fail(link, "a message came back that is not under way");
        arena_free(&arena);
        return;
    case FRAMES_BROKEN:
        amqp_link_fail(link, "frames out of order");
        return;
    case FRAMES_OTHER:
        break;
    }
    if (frame->payload.method.id == AMQP_BASIC_ACK_METHOD) {
        const amqp_basic_ack_t *m = frame->payload.method.decoded;
        settle(p, m->delivery_tag, m->multiple, true);
    } else if (frame->payload.method.id == AMQP_BASIC_NACK_METHOD) {
        const amqp_basic_nack_t *m = frame->payload.method.decoded;
        settle(p, m->delivery_tag, m->multiple, false);
    }
    if (!list_is_empty(&p->waiting))
        event_active(p->pump, EV_TIMEOUT, 1);
}

static bool on_up(void *owner, struct amqp_link *link)
{
    struct publisher *p = owner;
    if (!topology_declare(&p->topology, link, p->conf))
        return false;
    amqp_confirm_select(amqp_link_connection(link), AMQP_LINK_CHANNEL);
    if (!amqp_link_replied(link, AMQP_LINK_CHANNEL, "confirm.select", NULL))
        return false;
    amqp_frames_reset(&p->frames);
    p->first_sequence = p->next_sequence = 1;
    p->unroutable = p->alone = false;
    event_active(p->pump, EV_TIMEOUT, 1);
    return true;
}

/* The one that was lost alone, if there is one, lets the others pass first. */
static void suspect_unconfirmed(struct publisher *p)
{
    struct list *at;
    list_for_each (at, &p->unconfirmed) {
        struct publish_message *m = list_entry(at, struct publish_message, link);
        m->returned = false;
        suspects_add(&m->suspect);
    }
    if (list_is_empty(&p->unconfirmed) || p->unconfirmed.next != p->unconfirmed.prev)
        return;
    struct publish_message *only = list_entry(p->unconfirmed.next, struct publish_message, link);
    if (!suspects_is_one(&only->suspect))
        return;
    suspects_add_alone(only, p->passed, clock_mono_us());
    list_remove(&only->link);
    list_append(&p->aside, &only->link);
    later(p);
}

/* Nobody knows which of the unconfirmed arrived: all are sent again, before what waits. */
static void on_down(void *owner, struct amqp_link *link)
{
    struct publisher *p = owner;
    (void)link;
    suspect_unconfirmed(p);
    list_splice(&p->unconfirmed, &p->refused);
    list_splice(&p->unconfirmed, &p->waiting);
    list_splice(&p->waiting, &p->unconfirmed);
    memset(p->ring, 0, p->ring_size * sizeof *p->ring);
    p->first_sequence = p->next_sequence = 1;
    p->unconfirmed_bytes = 0;
    refusals_forget(&p->refusals);
    set_blocked(p, false);
}

static void on_blocked(void *owner, struct amqp_link *link, bool blocked)
{
    struct publisher *p = owner;
    (void)link;
    LOG(LOG_WARN, blocked ? "broker_blocks_publishing" : "broker_takes_publishing",
        LOG_NUM("waiting", publisher_pending(p)));
    set_blocked(p, blocked);
    if (!blocked)
        event_active(p->pump, EV_TIMEOUT, 1);
}

static bool may_send(struct publisher *p)
{
    return amqp_link_is_up(p->link) && !p->blocked_us &&
           p->unconfirmed_bytes < (size_t)p->conf->broker_unconfirmed;
}

static void pump(struct publisher *p)
{
    if (p->sending || list_is_empty(&p->waiting))
        return;
    if (is_impatient(p)) {
        give_up(p);
        return;
    }
    p->sending = true;
    amqp_link_drain(p->link);
    while (may_send(p) && !list_is_empty(&p->waiting)) {
        struct publish_message *m = list_entry(p->waiting.next, struct publish_message, link);
        if (m->is_wanted && !m->is_wanted(m)) {
            list_remove(&m->link);
            p->pending--;
            m->unwanted(m);
            continue;
        }
        bool alone = suspects_is_one(&m->suspect);
        if (!list_is_empty(&p->unconfirmed) && (alone || p->alone))
            break; /* the broker's next word goes on */
        if (!amqp_link_is_lively(p->link)) {
            later(p);
            break;
        }
        if (!amqp_link_has_room(p->link, wire_size(m))) {
            event_add(p->pump, &(struct timeval){0, AMQP_LINK_ROOM_MS * 1000});
            break;
        }
        list_remove(&m->link);
        if (p->next_sequence - p->first_sequence >= p->ring_size)
            ring_grow(p);
        list_append(&p->unconfirmed, &m->link);
        p->alone = alone;
        uint64_t sequence = p->next_sequence++;
        *ring_at(p, sequence) = m;
        p->unconfirmed_bytes += weight(m);
        m->sent_us = clock_mono_us();
        if (!wire_send(p->link, m, sequence))
            break; /* the link has failed: on_down has put it back */
    }
    p->sending = false;
}

static void on_pump(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    pump(arg);
}

/* Those whose pause is over: back to the others, or out of the way. */
static void release_aside(struct publisher *p)
{
    struct list *at, *next;
    int64_t now = clock_mono_us();
    list_for_each_safe (at, next, &p->aside) {
        struct publish_message *m = list_entry(at, struct publish_message, link);
        if (m->suspect.not_before_us > now)
            continue;
        list_remove(&m->link);
        if (!m->impossible || !suspects_is_proved(&m->suspect)) {
            list_append(&p->waiting, &m->link);
            continue;
        }
        p->pending--;
        m->impossible(m); /* it may send another */
    }
    if (!list_is_empty(&p->aside))
        later(p);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    struct publisher *p = arg;
    (void)fd;
    (void)what;
    release_aside(p);
    if (p->unroutable && amqp_link_is_up(p->link)) {
        /* A broker in alarm does not even read a declaration. */
        if (p->blocked_us || !amqp_link_has_room(p->link, TOPOLOGY_BYTES)) {
            later(p);
            return;
        }
        p->unroutable = false;
        if (!topology_declare(&p->topology, p->link, p->conf)) {
            amqp_link_fail(p->link, "what is needed could not be declared");
            return;
        }
    }
    list_splice(&p->waiting, &p->refused);
    pump(p);
}

static void on_impatience(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    give_up(arg);
}

struct publisher *publisher_new(struct event_base *base, struct dialer *dialer, const struct conf *conf)
{
    static const struct amqp_link_calls calls = {on_up, on_down, on_frame, on_blocked};
    struct publisher *p = mem_zalloc(sizeof *p);
    p->conf = conf;
    list_init(&p->waiting);
    list_init(&p->refused);
    list_init(&p->aside);
    list_init(&p->unconfirmed);
    p->ring_size = 1024;
    p->ring = mem_zalloc(p->ring_size * sizeof *p->ring);
    p->first_sequence = p->next_sequence = 1;
    amqp_frames_init(&p->frames, RETURNED_BODY_MAX);
    p->pump = event_new(base, -1, 0, on_pump, p);
    p->retry = event_new(base, -1, 0, on_retry, p);
    p->impatience = event_new(base, -1, 0, on_impatience, p);
    p->link = amqp_link_new(base, dialer, conf, "pencheff-notify publisher", &calls, p);
    return p;
}

void publisher_start(struct publisher *p)
{
    amqp_link_start(p->link);
}

void publisher_free(struct publisher *p)
{
    if (!p)
        return;
    amqp_link_free(p->link);
    amqp_frames_reset(&p->frames);
    event_free(p->pump);
    event_free(p->retry);
    event_free(p->impatience);
    free(p->ring);
    free(p);
}

void publish_add_text(struct publish_message *m, const char *name, const char *text)
{
    check(m->header_count < PUBLISH_HEADERS_MAX);
    m->headers[m->header_count++] = (struct publish_header){name, text, 0};
}

void publish_add_number(struct publish_message *m, const char *name, long long number)
{
    check(m->header_count < PUBLISH_HEADERS_MAX);
    m->headers[m->header_count++] = (struct publish_header){name, NULL, number};
}

void publisher_send(struct publisher *p, struct publish_message *m)
{
    m->returned = false;
    m->refused_us = 0;
    m->suspect = (struct suspect){.lost = m->suspected ? SUSPECTS_LOST : 0};
    if (!m->content_type)
        m->content_type = "application/json";
    list_append(&p->waiting, &m->link);
    p->pending++;
    event_active(p->pump, EV_TIMEOUT, 1);
}

size_t publisher_pending(const struct publisher *p)
{
    return p->pending;
}

bool publisher_is_taking(const struct publisher *p)
{
    return amqp_link_is_up(p->link) && !p->blocked_us;
}
