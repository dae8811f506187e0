/*
 * topology - declares the queues and exchanges
 *
 * Owns nothing. Producers' queues belong to the producers: they are looked for first, and only made when they
 * are missing, exactly as Celery makes them (a direct exchange of the same name, no arguments); with other
 * arguments the producer's own declaration would fail. Our own queues are declared as configured; one that
 * exists with other arguments (an operator changed broker.queue_type) is used as it is, and said in the log.
 *
 * Every declaration is made on the scratch channel, because a refused one closes its channel.
 */
#include "worker/topology.h"

#include <amqp_framing.h>
#include <stdio.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/log.h"

enum { NOT_FOUND = 404, PRECONDITION_FAILED = 406, ARGUMENTS_MAX = 5 };

struct declaring {
    struct amqp_link *link;
    bool quorum;
    bool open; /* the scratch channel */
    int code;  /* of the last refusal */
};

static bool open_scratch(struct declaring *d)
{
    if (d->open)
        return true;
    if (!amqp_link_is_up(d->link))
        return false;
    amqp_channel_open(amqp_link_connection(d->link), AMQP_LINK_SCRATCH_CHANNEL);
    d->open = amqp_link_replied(d->link, AMQP_LINK_SCRATCH_CHANNEL, "channel.open", NULL);
    return d->open;
}

/* False: refused (d->code says how, the channel is closed) or the link failed. */
static bool replied(struct declaring *d, const char *what)
{
    if (amqp_link_replied(d->link, AMQP_LINK_SCRATCH_CHANNEL, what, &d->code))
        return true;
    d->open = false;
    if (d->code && d->code != NOT_FOUND && d->code != PRECONDITION_FAILED)
        LOG(LOG_ERROR, "declaration_refused", LOG_TEXT("name", what), LOG_NUM("code", d->code),
            LOG_TEXT("advice",
                     "403: the broker's user needs configure, write and read on notify.* and its queues"));
    return false;
}

static bool exchange(struct declaring *d, const char *name, const char *type)
{
    if (!open_scratch(d))
        return false;
    amqp_exchange_declare(amqp_link_connection(d->link), AMQP_LINK_SCRATCH_CHANNEL, amqp_cstring_bytes(name),
                          amqp_cstring_bytes(type), 0, 1, 0, 0, amqp_empty_table);
    if (replied(d, name))
        return true;
    if (d->code)
        LOG(LOG_ERROR, "exchange_refused", LOG_TEXT("exchange", name), LOG_TEXT("wanted", type),
            LOG_NUM("code", d->code));
    return false;
}

static bool queue_exists(struct declaring *d, const char *name)
{
    if (!open_scratch(d))
        return false;
    amqp_queue_declare(amqp_link_connection(d->link), AMQP_LINK_SCRATCH_CHANNEL, amqp_cstring_bytes(name), 1,
                       0, 0, 0, amqp_empty_table);
    return replied(d, name);
}

static bool make_queue(struct declaring *d, const char *name, amqp_table_t arguments)
{
    if (!open_scratch(d))
        return false;
    amqp_queue_declare(amqp_link_connection(d->link), AMQP_LINK_SCRATCH_CHANNEL, amqp_cstring_bytes(name), 0,
                       1, 0, 0, arguments);
    if (replied(d, name))
        return true;
    if (d->code != PRECONDITION_FAILED)
        return false;
    LOG(LOG_WARN, "queue_differs", LOG_TEXT("queue", name),
        LOG_TEXT("advice", "it exists with other arguments than configured and is used as it is"));
    return queue_exists(d, name);
}

static bool bind_queue(struct declaring *d, const char *queue, const char *from, const char *key)
{
    if (!open_scratch(d))
        return false;
    amqp_queue_bind(amqp_link_connection(d->link), AMQP_LINK_SCRATCH_CHANNEL, amqp_cstring_bytes(queue),
                    amqp_cstring_bytes(from), amqp_cstring_bytes(key), amqp_empty_table);
    return replied(d, queue);
}

static bool bind_exchange(struct declaring *d, const char *to, const char *from, const char *key)
{
    if (!open_scratch(d))
        return false;
    amqp_exchange_bind(amqp_link_connection(d->link), AMQP_LINK_SCRATCH_CHANNEL, amqp_cstring_bytes(to),
                       amqp_cstring_bytes(from), amqp_cstring_bytes(key), amqp_empty_table);
    return replied(d, to);
}

/* As Celery declares it: kombu's defaults for a queue named in task_routes. */
static bool producers_queue(struct declaring *d, const char *name)
{
    if (queue_exists(d, name))
        return true;
    if (d->code != NOT_FOUND)
        return false;
    return make_queue(d, name, amqp_empty_table) && exchange(d, name, "direct") &&
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

static bool own_queue(struct declaring *d, const char *name)
{
    amqp_table_entry_t entries[ARGUMENTS_MAX];
    amqp_table_t arguments = {0, entries};
    if (d->quorum)
        add_text(&arguments, "x-queue-type", "quorum");
    return make_queue(d, name, arguments);
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
    if (!exchange(d, name, "topic") || !make_queue(d, name, arguments))
        return false;
    level_key(level, '1', key);
    if (!bind_queue(d, name, name, key))
        return false;
    level_key(level, '0', key);
    return bind_exchange(d, below, name, key);
}

bool topology_declare(struct amqp_link *link, const struct conf *conf)
{
    struct declaring d = {.link = link, .quorum = strcmp(conf->broker_queue_type, "quorum") == 0};
    static const char *const own[] = {TOPOLOGY_DUE, TOPOLOGY_URGENT, TOPOLOGY_BULK, TOPOLOGY_DEAD};
    bool good = true;
    for (size_t i = 0; good && i < conf->broker_queues.count; i++)
        good = producers_queue(&d, conf->broker_queues.items[i]);
    for (size_t i = 0; good && i < sizeof own / sizeof own[0]; i++)
        good = own_queue(&d, own[i]);
    good = good && exchange(&d, TOPOLOGY_DEAD, "fanout") &&
           bind_queue(&d, TOPOLOGY_DEAD, TOPOLOGY_DEAD, "") && exchange(&d, TOPOLOGY_DELAY_OUT, "fanout") &&
           bind_queue(&d, TOPOLOGY_DUE, TOPOLOGY_DELAY_OUT, "");
    for (int level = 0; good && level < TOPOLOGY_LEVELS; level++)
        good = ladder_level(&d, level);
    if (d.open && amqp_link_is_up(link)) {
        amqp_channel_close(amqp_link_connection(link), AMQP_LINK_SCRATCH_CHANNEL, AMQP_REPLY_SUCCESS);
        good = amqp_link_replied(link, AMQP_LINK_CHANNEL, "channel.close", NULL) && good;
    }
    return good;
}
