/*
 * ctl_queue - notifyctl queue list, add, remove: what the workers consume, over Celery's remote control
 *
 * Owns the connection of one command. Says the request to the exchange that every worker of the virtual host listens at
 * (celery.control_exchange), and waits for as long as was asked: nobody knows how many will answer. A reply is whatever
 * somebody sent, so it is parsed, and shown through ctl_output.
 *
 * Celery's own workers listen there, too, and would consume a queue of ours, whose messages they do not know and throw away. So
 * what changes something is said to nodes by name: to the one of --node, or to those that say in their `stats` that they
 * are pools of pencheff-notify.
 *
 * What a pool adds or removes lasts until it ends; broker.queues is what it starts with.
 */
#include <amqp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/ctl/ctl.h"
#include "api/ctl/ctl_broker.h"
#include "api/ctl/ctl_output.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/uuid.h"

enum {
    CHANNEL = 7,
    NAME_BYTES = 256,
    REQUEST_BYTES = 61440 /* notifyd takes 64 KB */,
    REPLY_MAX = 1048576,
    WAIT_MAX = 60
};

static const double one_second = 1; /* what Celery's own tools wait */

struct call {
    struct broker broker;
    bool json, named;          /* with --node */
    struct json_object *nodes; /* the names of those that are asked; NULL: every one */
    char exchange[NAME_BYTES], reply_exchange[NAME_BYTES], queue[NAME_BYTES];
    struct json_object *answers; /* node: reply */
    int others;                  /* nodes that are no pools of ours, and were not asked */
};

/* Notes why, in the broker's words. */
static bool replied(struct call *c, const char *what)
{
    amqp_rpc_reply_t r = amqp_get_rpc_reply(c->broker.link);
    amqp_bytes_t text = amqp_empty_bytes;
    c->broker.code = 0;
    if (r.reply_type == AMQP_RESPONSE_NORMAL)
        return true;
    if (r.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION)
        text = amqp_cstring_bytes(amqp_error_string2(r.library_error));
    if (r.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && r.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
        const amqp_channel_close_t *close = r.reply.decoded;
        c->broker.code = close->reply_code;
        text = close->reply_text;
    }
    snprintf(c->broker.why, sizeof c->broker.why, "%.90s: %.*s", what, (int)(text.len < 150 ? text.len : 150),
             (const char *)text.bytes);
    return false;
}

/* As Celery's clients declare it: other flags would be refused. */
static bool prepare(struct call *c, const struct conf *conf)
{
    amqp_connection_state_t link = c->broker.link;
    struct uuid id;
    char text[UUID_TEXT];
    uuid_random(&id);
    uuid_format(&id, text);
    snprintf(c->exchange, sizeof c->exchange, "%.64s.pidbox", conf->celery_control_exchange);
    snprintf(c->reply_exchange, sizeof c->reply_exchange, "reply.%.100s", c->exchange);
    snprintf(c->queue, sizeof c->queue, "%s.%.200s", text, c->reply_exchange);
    amqp_bytes_t queue = amqp_cstring_bytes(c->queue), replies = amqp_cstring_bytes(c->reply_exchange);
    amqp_channel_open(link, CHANNEL);
    if (!replied(c, "channel"))
        return false;
    amqp_exchange_declare(link, CHANNEL, amqp_cstring_bytes(c->exchange), amqp_cstring_bytes("fanout"), 0, 0,
                          0, 0, amqp_empty_table);
    if (!replied(c, c->exchange))
        return false;
    amqp_exchange_declare(link, CHANNEL, replies, amqp_cstring_bytes("direct"), 0, 0, 0, 0, amqp_empty_table);
    if (!replied(c, c->reply_exchange))
        return false;
    amqp_queue_declare(link, CHANNEL, queue, 0, 0, 1, 1, amqp_empty_table);
    if (!replied(c, c->queue))
        return false;
    amqp_queue_bind(link, CHANNEL, queue, replies, queue, amqp_empty_table);
    if (!replied(c, c->queue))
        return false;
    amqp_basic_consume(link, CHANNEL, queue, amqp_empty_bytes, 0, 1, 1, amqp_empty_table);
    return replied(c, c->queue);
}

static bool ask(struct call *c, const char *method, const char *queue)
{
    amqp_basic_properties_t properties = {._flags = AMQP_BASIC_CONTENT_TYPE_FLAG |
                                                    AMQP_BASIC_CONTENT_ENCODING_FLAG |
                                                    AMQP_BASIC_DELIVERY_MODE_FLAG,
                                          .content_type = amqp_cstring_bytes("application/json"),
                                          .content_encoding = amqp_cstring_bytes("utf-8"),
                                          .delivery_mode = 1};
    struct buf b;
    buf_init(&b, REQUEST_BYTES);
    buf_add_char(&b, '{');
    buf_json_member(&b, "method", method);
    buf_json_open_object(&b, "arguments");
    if (queue)
        buf_json_member(&b, "queue", queue);
    buf_add_char(&b, '}');
    buf_json_key(&b, "destination");
    buf_add_text(&b, c->nodes ? json_print(c->nodes) : "null");
    buf_json_open_object(&b, "reply_to");
    buf_json_member(&b, "exchange", c->reply_exchange);
    buf_json_member(&b, "routing_key", c->queue);
    buf_add_char(&b, '}');
    buf_json_member(&b, "ticket", c->queue);
    buf_add_char(&b, '}');
    if (b.overflow) {
        snprintf(c->broker.why, sizeof c->broker.why,
                 "too many nodes for one request; name them with --node");
        buf_free(&b);
        return false;
    }
    int status = amqp_basic_publish(c->broker.link, CHANNEL, amqp_cstring_bytes(c->exchange),
                                    amqp_empty_bytes, 0, 0, &properties, amqp_cstring_bytes(buf_text(&b)));
    buf_free(&b);
    if (status != AMQP_STATUS_OK)
        snprintf(c->broker.why, sizeof c->broker.why, "%.80s: %.160s", c->exchange,
                 amqp_error_string2(status));
    return status == AMQP_STATUS_OK;
}

/* A reply from elsewhere is late, or made up. */
static bool was_asked(const struct call *c, const char *node)
{
    size_t count = c->nodes ? json_object_array_length(c->nodes) : 0;
    for (size_t i = 0; i < count; i++)
        if (strcmp(json_object_get_string(json_object_array_get_idx(c->nodes, i)), node) == 0)
            return true;
    return c->nodes == NULL;
}

static void take_reply(struct call *c, const amqp_bytes_t *body)
{
    const char *why;
    struct json_object *reply = body->len < REPLY_MAX ? json_parse(body->bytes, body->len, &why) : NULL;
    if (reply && json_object_is_type(reply, json_type_object)) {
        json_object_object_foreach(reply, node, value) if (was_asked(c, node))
            json_object_object_add(c->answers, node, json_object_get(value));
    }
    json_object_put(reply);
}

/* Until time is up, or all that were asked have answered. */
static bool collect(struct call *c, double wait)
{
    int64_t end = clock_mono_us() + clock_us(wait);
    for (int64_t left; (left = end - clock_mono_us()) > 0;) {
        struct timeval tv = clock_timeval((double)left / 1e6);
        amqp_envelope_t envelope;
        if (c->nodes && json_object_object_length(c->answers) >= (int)json_object_array_length(c->nodes))
            break;
        amqp_maybe_release_buffers(c->broker.link);
        amqp_rpc_reply_t r = amqp_consume_message(c->broker.link, &envelope, &tv, 0);
        if (r.reply_type == AMQP_RESPONSE_NORMAL) {
            take_reply(c, &envelope.message.body);
            amqp_destroy_envelope(&envelope);
        } else if (r.reply_type != AMQP_RESPONSE_LIBRARY_EXCEPTION ||
                   r.library_error != AMQP_STATUS_TIMEOUT) {
            snprintf(c->broker.why, sizeof c->broker.why, "the connection ended before the replies came");
            return false;
        }
    }
    return true;
}

/* Who is there and a pool of ours? */
static bool find_pools(struct call *c, double wait)
{
    if (!ask(c, "stats", NULL) || !collect(c, wait))
        return false;
    c->nodes = json_object_new_array();
    json_object_object_foreach(c->answers, node, stats)
    {
        struct json_object *what = json_get(json_get(stats, "pool"), "implementation");
        if (json_is_text(what) && strcmp(json_object_get_string(what), "pencheff-notify") == 0)
            json_object_array_add(c->nodes, json_object_new_string(node));
        else
            c->others++;
    }
    json_object_put(c->answers);
    c->answers = json_object_new_object();
    return true;
}

static void show(const char *node, const char *words)
{
    output_text(node);
    fputs("  ", stdout);
    output_text(words);
    putchar('\n');
}

/* A line for each queue of the node; false when it was an error. */
static bool show_queues(const char *node, struct json_object *queues)
{
    size_t count = json_object_array_length(queues);
    for (size_t i = 0; i < count; i++) {
        struct json_object *name = json_get(json_object_array_get_idx(queues, i), "name");
        show(node, json_is_text(name) ? json_object_get_string(name) : json_print(name));
    }
    if (count == 0)
        show(node, "-");
    return true;
}

static bool show_answer(const char *node, struct json_object *answer)
{
    struct json_object *ok = json_get(answer, "ok"), *error = json_get(answer, "error");
    struct json_object *words = ok ? ok : error;
    if (json_object_is_type(answer, json_type_array))
        return show_queues(node, answer);
    show(node, json_is_text(words) ? json_object_get_string(words) : json_print(answer));
    return ok != NULL;
}

static enum ctl_exit show_all(const struct call *c)
{
    bool good = true;
    if (c->json)
        printf("%s\n", json_print(c->answers));
    json_object_object_foreach(c->answers, node, answer)
    {
        if (!c->json)
            good &= show_answer(node, answer);
        else
            good &= json_get(answer, "error") == NULL;
    }
    if (json_object_object_length(c->answers) > 0)
        return good ? CTL_DONE : CTL_NO;
    fprintf(
        stderr,
        "notifyctl: no node answered%s: is notifyd running in this virtual host, celery.presence not false, "
        "and celery.control_exchange the same%s?\n",
        c->others ? " but workers of Celery's, which were not asked" : "",
        c->named ? ", and is that its node name (celery.node)" : "");
    return CTL_NO;
}

/* CHANGES: not for Celery's own workers, unless one is named. */
static bool converse(struct call *c, const char *method, const char *queue, bool changes, double wait)
{
    if (changes && !c->named && !find_pools(c, wait))
        return false;
    if (c->nodes && json_object_array_length(c->nodes) == 0) /* to none would be to all */
        return true;
    return ask(c, method, queue) && collect(c, wait);
}

static enum ctl_exit run(const struct ctl *ctl, const char *method, bool changes)
{
    const char *node = ctl_value(ctl, "--node");
    struct call c = {.named = node != NULL, .json = ctl_value(ctl, "--json") != NULL};
    double wait;
    if (!ctl_age(ctl, "--wait", &wait))
        return CTL_WRONG_USE;
    if (wait < 0)
        wait = one_second;
    if (wait > WAIT_MAX || (ctl->words[0] && strlen(ctl->words[0]) >= NAME_BYTES)) {
        fprintf(stderr, "notifyctl: --wait is at most %d seconds, and a queue's name has at most %d bytes\n",
                WAIT_MAX, NAME_BYTES - 1);
        return CTL_WRONG_USE;
    }
    if (!broker_open(&c.broker, ctl->conf)) {
        enum ctl_exit code = broker_fail(&c.broker);
        broker_close(&c.broker);
        return code;
    }
    c.answers = json_object_new_object();
    if (node) {
        c.nodes = json_object_new_array();
        json_object_array_add(c.nodes, json_object_new_string(node));
    }
    bool good = prepare(&c, ctl->conf) && converse(&c, method, ctl->words[0], changes, wait);
    enum ctl_exit code = good ? show_all(&c) : broker_fail(&c.broker);
    json_object_put(c.answers);
    json_object_put(c.nodes);
    broker_close(&c.broker);
    return code;
}

enum ctl_exit ctl_queue_list(const struct ctl *ctl)
{
    return run(ctl, "active_queues", false);
}

enum ctl_exit ctl_queue_add(const struct ctl *ctl)
{
    return run(ctl, "add_consumer", true);
}

enum ctl_exit ctl_queue_remove(const struct ctl *ctl)
{
    return run(ctl, "cancel_consumer", true);
}
