/*
 * consumers - the consumers of one worker's channel
 *
 * Owns the table of them. A consumer that is in it stays in it: messages of a queue that was cancelled are still in hand.
 *
 * The worker's prefetch is split over its consumers, so that a flood of first attempts, retries or expanded
 * findings leaves room for the others; each consumer's share is its own limit at the broker. Wakes of mailboxes have a
 * limit of their own.
 *
 * Queues that Celery's tools have added or cancelled stand in a table in shared memory, which every worker follows. An added
 * one must not cost us the others, so what may go wrong with it is tried on the scratch channel first. One that is refused is
 * asked for again after celery.retry, or when the table changes; one that was only met by a lost connection, on the next.
 */
#include "worker/consumers.h"

#include <amqp.h>
#include <amqp_framing.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "worker/shared.h"
#include "worker/topology.h"

struct consumer {
    const char *queue;
    enum queue_class class;
    bool added;         /* by Celery's tools, beside the configuration */
    bool off;           /* consumes nothing: cancelled, or not begun */
    int64_t refusal_us; /* monotonic; when the broker did not let it consume there; 0: it did not refuse */
    int prefetch;
    char tag[32];
};

struct consumers {
    const struct conf *conf;
    struct consumer *items;
    size_t count;
    size_t planned;        /* the first of them, which are configured */
    uint32_t seen_version; /* of the table of queues that Celery's tools have added and cancelled */
    bool behind;           /* the table was not followed to its end, or not on this connection */
    int64_t retry_us;      /* monotonic; when the first of the refused is asked for again; 0: none is */
};

enum {
    OWN_QUEUES = 4,
    CANCEL_BYTES = 64,
    BEGIN_BYTES = 4096 /* a queue is named ten times at most, in 255 bytes */
};

static int share_of(const struct conf *conf, double share, size_t queues)
{
    double all = conf->broker_share_producers + conf->broker_share_due + conf->broker_share_bulk +
                 conf->broker_share_urgent;
    int n = (int)((double)conf->broker_prefetch * share / all / (double)queues);
    return n < 1 ? 1 : n;
}

/* No other queues are consumed. */
static int share_alone(const struct conf *conf, size_t queues)
{
    long n = conf->broker_prefetch / (long)queues;
    return n < 1 ? 1 : (int)n;
}

/* QUEUE must outlive CS. */
static struct consumer *add(struct consumers *cs, const char *queue, enum queue_class class, int prefetch)
{
    struct consumer *c = &cs->items[cs->count];
    c->queue = queue;
    c->class = class;
    c->prefetch = prefetch;
    snprintf(c->tag, sizeof c->tag, "notify-%zu", cs->count);
    cs->count++;
    return c;
}

/* Every queue has a share of one at least, so that shares which are rounded up to it are taken off the largest. */
static void fit_shares(struct consumers *cs)
{
    for (;;) {
        struct consumer *largest = cs->items;
        int sum = 0;
        for (size_t i = 0; i < cs->count; i++) {
            sum += cs->items[i].prefetch;
            if (cs->items[i].prefetch > largest->prefetch)
                largest = &cs->items[i];
        }
        if (sum <= cs->conf->broker_prefetch || largest->prefetch == 1)
            return;
        largest->prefetch--;
    }
}

static void plan_own(struct consumers *cs)
{
    const struct conf *conf = cs->conf;
    add(cs, TOPOLOGY_DUE, QUEUE_DUE, share_of(conf, conf->broker_share_due, 1));
    add(cs, TOPOLOGY_URGENT, QUEUE_URGENT, share_of(conf, conf->broker_share_urgent, 1));
    add(cs, TOPOLOGY_BULK, QUEUE_BULK, share_of(conf, conf->broker_share_bulk, 1));
    fit_shares(cs);
    add(cs, TOPOLOGY_WAKE, QUEUE_WAKE, (int)conf->gate_wakes); /* no events: beside the prefetch */
}

struct consumers *consumers_new(const struct conf *conf)
{
    struct consumers *cs = mem_zalloc(sizeof *cs);
    size_t producers = conf->broker_queues.count;
    cs->conf = conf;
    cs->items = mem_zalloc((producers + OWN_QUEUES + PRESENCE_QUEUES) * sizeof *cs->items);
    for (size_t i = 0; i < producers; i++)
        add(cs, conf->broker_queues.items[i], QUEUE_PRODUCERS,
            conf_is_shadow(conf) ? share_alone(conf, producers)
                                 : share_of(conf, conf->broker_share_producers, producers));
    if (!conf_is_shadow(conf)) /* there, what is ours may belong to a pool that delivers */
        plan_own(cs);
    cs->planned = cs->count;
    return cs;
}

void consumers_free(struct consumers *cs)
{
    if (cs)
        free(cs->items);
    free(cs);
}

/*
 * An answer proves those before it, too: the broker closes the channel at one that it refuses, and *CODE (may be NULL) says
 * why, or is 0.
 */
static bool consume(struct amqp_link *link, const struct consumer *c, bool answered, int *code)
{
    amqp_connection_state_t connection = amqp_link_connection(link);
    /* global=false: the count holds for the consumers that follow on this channel. qos-ok comes as a frame. */
    amqp_basic_qos_t qos = {.prefetch_count = (uint16_t)c->prefetch};
    amqp_basic_consume_t method = {.queue = amqp_cstring_bytes(c->queue),
                                   .consumer_tag = amqp_cstring_bytes(c->tag),
                                   .nowait = !answered};
    if (!amqp_link_sent(link, amqp_send_method(connection, AMQP_LINK_CHANNEL, AMQP_BASIC_QOS_METHOD, &qos),
                        "basic.qos"))
        return false;
    if (!answered)
        return amqp_link_sent(
            link, amqp_send_method(connection, AMQP_LINK_CHANNEL, AMQP_BASIC_CONSUME_METHOD, &method),
            "basic.consume");
    amqp_simple_rpc_decoded(connection, AMQP_LINK_CHANNEL, AMQP_BASIC_CONSUME_METHOD,
                            AMQP_BASIC_CONSUME_OK_METHOD, &method);
    return amqp_link_replied(link, AMQP_LINK_CHANNEL, "basic.consume", code);
}

static bool is_cancelled(const struct consumer *c)
{
    return c->class == QUEUE_PRODUCERS && presence_shared_queue_state(c->queue) == PRESENCE_QUEUE_CANCELLED;
}

bool consumers_begin(struct consumers *cs, struct amqp_link *link)
{
    size_t last = cs->planned;
    for (size_t i = 0; i < cs->planned; i++) {
        cs->items[i].off = is_cancelled(&cs->items[i]);
        if (!cs->items[i].off)
            last = i;
    }
    for (size_t i = 0; i < cs->planned; i++)
        if (!cs->items[i].off && !consume(link, &cs->items[i], i == last, NULL))
            return false;
    return true;
}

void consumers_lost(struct consumers *cs)
{
    for (size_t i = cs->planned; i < cs->count; i++)
        cs->items[i].off = true;
    cs->behind = true;
}

/* AMQP 0-9-1 section 1.2: the code is of what was asked for, not of the connection. */
static bool is_refusal(int code)
{
    return code >= 400 && code < 500;
}

/* Consumes a queue that was added, or a configured one that was cancelled. What a lost connection cut short was not refused. */
static void begin_one(struct consumer *c, struct amqp_link *link)
{
    int code = 0;
    c->refusal_us = 0;
    if (c->added && !topology_adopt(link, c->queue)) {
        if (amqp_link_is_up(link))
            c->refusal_us = clock_mono_us();
        return;
    }
    c->off = !consume(link, c, true, &code);
    if (!c->off)
        LOG(LOG_INFO, "queue_added", LOG_TEXT("queue", c->queue), LOG_NUM("prefetch", c->prefetch));
    else if (c->added && is_refusal(code))
        c->refusal_us = clock_mono_us(); /* the channel was closed for it: not at once on the next one, too */
}

/* nowait: deliveries that are on their way are worked on as they come. */
static bool cancel(const struct consumer *c, struct amqp_link *link)
{
    amqp_basic_cancel_t method = {.consumer_tag = amqp_cstring_bytes(c->tag), .nowait = 1};
    return amqp_link_sent(
        link,
        amqp_send_method(amqp_link_connection(link), AMQP_LINK_CHANNEL, AMQP_BASIC_CANCEL_METHOD, &method),
        "basic.cancel");
}

/* NULL: there is no place for it. */
static struct consumer *consumer_of(struct consumers *cs, const char *queue)
{
    for (size_t i = 0; i < cs->count; i++)
        if (strcmp(cs->items[i].queue, queue) == 0)
            return &cs->items[i];
    if (cs->count == cs->planned + PRESENCE_QUEUES)
        return NULL;
    struct consumer *c = add(cs, queue, QUEUE_PRODUCERS, (int)cs->conf->celery_added_prefetch);
    c->added = c->off = true;
    return c;
}

/* Shadow mode passes everything on to this queue, for another worker: a table from before may have it. */
static bool is_forward(const struct consumers *cs, const char *queue)
{
    return conf_is_shadow(cs->conf) && strcmp(queue, cs->conf->forward) == 0;
}

static bool is_wanted(const struct consumers *cs, const struct consumer *c, enum presence_queue_state state)
{
    if (c->added)
        return state == PRESENCE_QUEUE_ADDED && !is_forward(cs, c->queue);
    return state != PRESENCE_QUEUE_CANCELLED;
}

static int64_t retry_of(const struct consumers *cs, const struct consumer *c)
{
    return c->refusal_us + clock_us(cs->conf->celery_retry);
}

/* False: there is no room, or no connection. */
static bool follow_one(struct consumers *cs, struct consumer *c, bool wanted, struct amqp_link *link,
                       bool asked_again)
{
    bool may_ask = asked_again || !c->refusal_us || clock_mono_us() >= retry_of(cs, c);
    if (wanted != c->off || (wanted && !may_ask))
        return true;
    if (!amqp_link_is_up(link) || !amqp_link_has_room(link, wanted ? BEGIN_BYTES : CANCEL_BYTES))
        return false;
    if (wanted) {
        begin_one(c, link);
    } else if (cancel(c, link)) {
        c->off = true;
        LOG(LOG_INFO, "queue_cancelled", LOG_TEXT("queue", c->queue));
    }
    return amqp_link_is_up(link);
}

static void schedule_retry(struct consumers *cs)
{
    const struct presence_shared *p = shared_presence();
    cs->retry_us = 0;
    for (uint32_t i = 0; i < p->queue_count; i++) {
        const struct consumer *c = consumer_of(cs, p->queues[i].name);
        if (c && c->off && c->refusal_us && p->queues[i].state == PRESENCE_QUEUE_ADDED &&
            (!cs->retry_us || retry_of(cs, c) < cs->retry_us))
            cs->retry_us = retry_of(cs, c);
    }
}

void consumers_follow(struct consumers *cs, struct amqp_link *link)
{
    struct presence_shared *p = shared_presence();
    uint32_t version = p->queue_version;
    bool asked_again = version != cs->seen_version;
    cs->behind = true;
    for (uint32_t i = 0; i < p->queue_count; i++) {
        struct consumer *c = consumer_of(cs, p->queues[i].name);
        enum presence_queue_state state = (enum presence_queue_state)p->queues[i].state;
        if (!c || c->class != QUEUE_PRODUCERS)
            continue;
        if (asked_again && state == PRESENCE_QUEUE_ADDED && is_forward(cs, c->queue))
            LOG(LOG_WARN, "queue_not_added", LOG_TEXT("queue", c->queue),
                LOG_TEXT("why", "shadow mode forwards to it: its messages are another worker's"));
        if (!follow_one(cs, c, is_wanted(cs, c, state), link, asked_again))
            return;
    }
    cs->behind = false;
    cs->seen_version = version;
    schedule_retry(cs);
}

bool consumers_are_behind(const struct consumers *cs)
{
    return cs->behind || shared_presence()->queue_version != cs->seen_version ||
           (cs->retry_us && clock_mono_us() >= cs->retry_us);
}

bool consumers_take_producers(const struct consumers *cs)
{
    for (size_t i = 0; i < cs->count; i++)
        if (cs->items[i].class == QUEUE_PRODUCERS && !cs->items[i].off)
            return true;
    return false;
}

void consumers_cancel(struct consumers *cs, struct amqp_link *link)
{
    for (size_t i = 0; i < cs->count && amqp_link_is_up(link); i++)
        if (!cs->items[i].off && (!amqp_link_has_room(link, CANCEL_BYTES) || !cancel(&cs->items[i], link)))
            return; /* the link is as good as gone */
}

const char *consumers_queue(const struct consumers *cs, const char *tag, enum queue_class *class)
{
    for (size_t i = 0; i < cs->count; i++)
        if (strcmp(cs->items[i].tag, tag) == 0) {
            *class = cs->items[i].class;
            return cs->items[i].queue;
        }
    return NULL;
}

size_t consumers_count(const struct consumers *cs)
{
    return cs->count;
}
