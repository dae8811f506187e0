/*
 * topology - declares the queues and exchanges
 *
 * Owns nothing. Producers' queues belong to the producers: they are looked for first, and only made when they
 * are missing, exactly as Celery makes them (a direct exchange of the same name, no arguments); with other
 * arguments the producer's own declaration would fail. Our own queues are declared as configured; one that
 * exists with other arguments (an operator changed broker.queue_type) is used as it is, and said in the log.
 *
 * The worker's loop stands still meanwhile, so nearly everything is sent without waiting for an answer (nowait).
 * The broker closes the channel at the first declaration that it refuses, so one answer at the end, to the
 * closing of the channel, proves them all: a round trip for each producers' queue and one for the rest. Only
 * when something was refused is all of it declared again one by one, which finds out what it was. A queue that
 * differs is remembered, so that the next time it is only looked for and refuses nothing.
 *
 * Every declaration is made on the scratch channel, because a refused one closes its channel.
 */
#include "worker/topology.h"

#include <amqp_framing.h>
#include <stdio.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/log.h"

enum { NOT_FOUND = 404, PRECONDITION_FAILED = 406, ARGUMENTS_MAX = 5, FIRST_LEVEL = 5, NOT_OURS = -1 };
_Static_assert(FIRST_LEVEL + TOPOLOGY_LEVELS <= 32, "a bit for each of our queues");

struct declaring {
    struct amqp_link *link;
    struct topology *topology;
    bool quorum;
    bool one_by_one; /* each is answered before the next is sent */
    bool open;       /* the scratch channel */
    int code;        /* of the last refusal */
};

/* Sent only: when it is refused, the answer to what follows tells. */
static bool open_scratch(struct declaring *d)
{
    amqp_channel_open_t method = {.out_of_band = amqp_empty_bytes};
    if (!amqp_link_is_up(d->link))
        return false;
    if (!d->open)
        d->open = amqp_link_sent(d->link,
                                 amqp_send_method(amqp_link_connection(d->link), AMQP_LINK_SCRATCH_CHANNEL,
                                                  AMQP_CHANNEL_OPEN_METHOD, &method),
                                 "channel.open");
    return d->open;
}

/* False: refused (d->code says how, the channel is closed) or the link failed. */
static bool ask(struct declaring *d, const char *what, amqp_method_number_t id, amqp_method_number_t answer,
                void *method)
{
    if (!open_scratch(d))
        return false;
    amqp_simple_rpc_decoded(amqp_link_connection(d->link), AMQP_LINK_SCRATCH_CHANNEL, id, answer, method);
    if (amqp_link_replied(d->link, AMQP_LINK_SCRATCH_CHANNEL, what, &d->code))
        return true;
    d->open = false;
    return false;
}

/* METHOD has its `nowait` set unless it is to be answered. False: as above. */
static bool declare(struct declaring *d, const char *name, amqp_method_number_t id,
                    amqp_method_number_t answer, void *method)
{
    if (!d->one_by_one)
        return open_scratch(d) && amqp_link_sent(d->link,
                                                 amqp_send_method(amqp_link_connection(d->link),
                                                                  AMQP_LINK_SCRATCH_CHANNEL, id, method),
                                                 name);
    if (ask(d, name, id, answer, method))
        return true;
    if (d->code && d->code != NOT_FOUND && d->code != PRECONDITION_FAILED)
        LOG(LOG_ERROR, "declaration_refused", LOG_TEXT("name", name), LOG_NUM("code", d->code),
            LOG_TEXT("advice",
                     "403: the broker's user needs configure, write and read on notify.* and its queues"));
    return false;
}

static bool exchange(struct declaring *d, const char *name, const char *type)
{
    amqp_exchange_declare_t method = {
        .exchange = amqp_cstring_bytes(name),
        .type = amqp_cstring_bytes(type),
        .durable = 1,
        .nowait = !d->one_by_one,
    };
    if (declare(d, name, AMQP_EXCHANGE_DECLARE_METHOD, AMQP_EXCHANGE_DECLARE_OK_METHOD, &method))
        return true;
    if (d->code)
        LOG(LOG_ERROR, "exchange_refused", LOG_TEXT("exchange", name), LOG_TEXT("wanted", type),
            LOG_NUM("code", d->code));
    return false;
}

/* Always answered: what follows depends on it. */
static bool queue_exists(struct declaring *d, const char *name)
{
    amqp_queue_declare_t method = {.queue = amqp_cstring_bytes(name), .passive = 1};
    return ask(d, name, AMQP_QUEUE_DECLARE_METHOD, AMQP_QUEUE_DECLARE_OK_METHOD, &method);
}

static bool differs(const struct declaring *d, int number)
{
    return number != NOT_OURS && d->topology->differing >> number & 1;
}

static void note_difference(struct declaring *d, int number, const char *name, bool it_differs)
{
    if (it_differs && !differs(d, number))
        LOG(LOG_WARN, "queue_differs", LOG_TEXT("queue", name),
            LOG_TEXT("advice", "it exists with other arguments than configured and is used as it is"));
    if (number == NOT_OURS)
        return;
    d->topology->differing &= ~(1u << number);
    d->topology->differing |= (uint32_t)it_differs << number;
}

/* NUMBER: which of our queues it is, or NOT_OURS. */
static bool make_queue(struct declaring *d, const char *name, amqp_table_t arguments, int number)
{
    amqp_queue_declare_t method = {
        .queue = amqp_cstring_bytes(name),
        .passive = !d->one_by_one && differs(d, number),
        .durable = 1,
        .nowait = !d->one_by_one,
        .arguments = arguments,
    };
    bool made = declare(d, name, AMQP_QUEUE_DECLARE_METHOD, AMQP_QUEUE_DECLARE_OK_METHOD, &method);
    if (!d->one_by_one || (!made && d->code != PRECONDITION_FAILED))
        return made;
    note_difference(d, number, name, !made);
    return made || queue_exists(d, name);
}

static bool bind_queue(struct declaring *d, const char *queue, const char *from, const char *key)
{
    amqp_queue_bind_t method = {
        .queue = amqp_cstring_bytes(queue),
        .exchange = amqp_cstring_bytes(from),
        .routing_key = amqp_cstring_bytes(key),
        .nowait = !d->one_by_one,
    };
    return declare(d, queue, AMQP_QUEUE_BIND_METHOD, AMQP_QUEUE_BIND_OK_METHOD, &method);
}

static bool bind_exchange(struct declaring *d, const char *to, const char *from, const char *key)
{
    amqp_exchange_bind_t method = {
        .destination = amqp_cstring_bytes(to),
        .source = amqp_cstring_bytes(from),
        .routing_key = amqp_cstring_bytes(key),
        .nowait = !d->one_by_one,
    };
    return declare(d, to, AMQP_EXCHANGE_BIND_METHOD, AMQP_EXCHANGE_BIND_OK_METHOD, &method);
}

/* As Celery declares it: kombu's defaults for a queue named in task_routes. */
static bool producers_queue(struct declaring *d, const char *name)
{
    if (queue_exists(d, name))
        return true;
    if (d->code != NOT_FOUND)
        return false;
    return make_queue(d, name, amqp_empty_table, NOT_OURS) && exchange(d, name, "direct") &&
           bind_queue(d, name, name, name);
}

static void add_text(amqp_table_t *t, const char *key, const char *value)
{
    check(t->num_entries < ARGUMENTS_MAX);
    amqp_table_entry_t *e = &t->entries[t->num_entries++];
    e->key = amqp_cstring_bytes(key);
    e->value.kind = AMQP_FIELD_KIND_UTF8;
    e->value.value.bytes = amqp_cstring_bytes(value);
}

static void add_int(amqp_table_t *t, const char *key, int value)
{
    check(t->num_entries < ARGUMENTS_MAX);
    amqp_table_entry_t *e = &t->entries[t->num_entries++];
    e->key = amqp_cstring_bytes(key);
    e->value.kind = AMQP_FIELD_KIND_I32;
    e->value.value.i32 = value;
}

static bool own_queue(struct declaring *d, const char *name, int number)
{
    amqp_table_entry_t entries[ARGUMENTS_MAX];
    amqp_table_t arguments = {0, entries};
    if (d->quorum)
        add_text(&arguments, "x-queue-type", "quorum");
    return make_queue(d, name, arguments, number);
}

/* "*.*.1.#": the word of LEVEL in a routing key whose first word is the highest level's. */
static void level_key(int level, char bit, char out[64])
{
    size_t n = 0;
    for (int i = TOPOLOGY_LEVELS - 1; i > level; i--) {
        out[n++] = '*';
        out[n++] = '.';
    }
    out[n++] = bit;
    if (level > 0) {
        out[n++] = '.';
        out[n++] = '#';
    }
    out[n] = 0;
}

static void level_name(int level, char out[32])
{
    if (level < 0)
        snprintf(out, 32, "%s", TOPOLOGY_DELAY_OUT);
    else
        snprintf(out, 32, "%s.%d", TOPOLOGY_DELAY, level);
}

/* A level: wait here when the bit is 1, fall to the next when it is 0. Declared from the bottom up. */
static bool ladder_level(struct declaring *d, int level)
{
    char name[32], below[32], key[64];
    amqp_table_entry_t entries[ARGUMENTS_MAX];
    amqp_table_t arguments = {0, entries};
    check(level >= 0 && level < TOPOLOGY_LEVELS);
    level_name(level, name);
    level_name(level - 1, below);
    add_int(&arguments, "x-message-ttl", (1 << level) * 1000);
    add_text(&arguments, "x-dead-letter-exchange", below);
    if (d->quorum) {
        add_text(&arguments, "x-queue-type", "quorum");
        add_text(&arguments, "x-dead-letter-strategy", "at-least-once");
        add_text(&arguments, "x-overflow", "reject-publish");
    }
    if (!exchange(d, name, "topic") || !make_queue(d, name, arguments, FIRST_LEVEL + level))
        return false;
    level_key(level, '1', key);
    if (!bind_queue(d, name, name, key))
        return false;
    level_key(level, '0', key);
    return bind_exchange(d, below, name, key);
}

static bool declare_all(struct declaring *d, const struct conf *conf)
{
    static const char *const own[FIRST_LEVEL] = {TOPOLOGY_DUE, TOPOLOGY_URGENT, TOPOLOGY_BULK, TOPOLOGY_WAKE,
                                                 TOPOLOGY_DEAD};
    bool good = true;
    for (size_t i = 0; good && i < conf->broker_queues.count; i++)
        good = producers_queue(d, conf->broker_queues.items[i]);
    if (conf_is_shadow(conf)) /* nothing else is used; the queue forward is somebody else's, and never made */
        return good && own_queue(d, TOPOLOGY_DEAD, FIRST_LEVEL - 1) && exchange(d, TOPOLOGY_DEAD, "fanout") &&
               bind_queue(d, TOPOLOGY_DEAD, TOPOLOGY_DEAD, "");
    for (int i = 0; good && i < FIRST_LEVEL; i++)
        good = own_queue(d, own[i], i);
    good = good && exchange(d, TOPOLOGY_DEAD, "fanout") && bind_queue(d, TOPOLOGY_DEAD, TOPOLOGY_DEAD, "") &&
           exchange(d, TOPOLOGY_DELAY_OUT, "fanout") && bind_queue(d, TOPOLOGY_DUE, TOPOLOGY_DELAY_OUT, "") &&
           exchange(d, TOPOLOGY_URGENT, "fanout") && bind_queue(d, TOPOLOGY_URGENT, TOPOLOGY_URGENT, "") &&
           exchange(d, TOPOLOGY_BULK, "fanout") && bind_queue(d, TOPOLOGY_BULK, TOPOLOGY_BULK, "") &&
           exchange(d, TOPOLOGY_WAKE, "fanout") && bind_queue(d, TOPOLOGY_WAKE, TOPOLOGY_WAKE, "");
    for (int level = 0; good && level < TOPOLOGY_LEVELS; level++)
        good = ladder_level(d, level);
    return good;
}

/* Answered with an exception when something that was sent without waiting has been refused. */
static bool close_scratch(struct declaring *d)
{
    amqp_channel_close_t method = {.reply_code = AMQP_REPLY_SUCCESS, .reply_text = amqp_empty_bytes};
    if (!d->open || !amqp_link_is_up(d->link))
        return amqp_link_is_up(d->link);
    bool good = ask(d, "channel.close", AMQP_CHANNEL_CLOSE_METHOD, AMQP_CHANNEL_CLOSE_OK_METHOD, &method);
    d->open = false;
    return good;
}

bool topology_declare(struct topology *topology, struct amqp_link *link, const struct conf *conf)
{
    struct declaring d = {
        .link = link, .topology = topology, .quorum = strcmp(conf->broker_queue_type, "quorum") == 0};
    if (declare_all(&d, conf) && close_scratch(&d))
        return true;
    d.one_by_one = true;
    return amqp_link_is_up(link) && declare_all(&d, conf) && close_scratch(&d);
}

/* Whoever may not read a queue is told so before the broker looks at the arguments, which it refuses: no message moves. */
static bool may_consume(struct declaring *d, const char *queue)
{
    amqp_table_entry_t entries[ARGUMENTS_MAX];
    amqp_table_t arguments = {0, entries};
    add_text(&arguments, "x-priority", "only a question");
    amqp_basic_consume_t method = {.queue = amqp_cstring_bytes(queue), .arguments = arguments};
    d->code = 0;
    return ask(d, queue, AMQP_BASIC_CONSUME_METHOD, AMQP_BASIC_CONSUME_OK_METHOD, &method) ||
           d->code == PRECONDITION_FAILED;
}

bool topology_adopt(struct amqp_link *link, const char *queue)
{
    struct declaring d = {.link = link, .one_by_one = true};
    bool good = producers_queue(&d, queue) && may_consume(&d, queue);
    if (!good)
        LOG(LOG_ERROR, "queue_refused", LOG_TEXT("queue", queue), LOG_NUM("code", d.code),
            LOG_TEXT("advice", "403: the broker's user needs configure, write and read on it; 405: it is "
                               "exclusive to another connection. Repair that, then add it again"));
    return close_scratch(&d) && good;
}
