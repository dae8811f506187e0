/*
 * ctl_broker - questions to the broker, and messages of a queue one by one
 *
 * Owns one connection with one channel. A refused declaration closes the channel (AMQP 0-9-1), so the next
 * question opens it again. Messages that were got and not acknowledged go back when the channel closes, so nothing is
 * lost when this program dies. Blocking, with a bound on every step; for the command line only.
 */
#include "api/ctl/ctl_broker.h"

#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "api/ctl/ctl_dial.h"
#include "common/base/check.h"
#include "common/broker_nodes.h"
#include "worker/topology.h"

enum {
    CHANNEL = 1,
    FRAME_MAX = 131072,
    ACCESS_REFUSED = 403,
    NOT_FOUND = 404,
    PRECONDITION_FAILED = 406,
};

static const struct timeval patience = {.tv_sec = 3};

/* WHY may end in a full stop, as the broker's texts do; what follows it is ours. */
static bool fail(struct broker *b, const char *what, const char *why, size_t n)
{
    while (n && (why[n - 1] == '.' || why[n - 1] == ' '))
        n--;
    snprintf(b->why, sizeof b->why, "%s: %.*s", what, (int)n, why);
    return false;
}

static bool fail_status(struct broker *b, const char *what, int status)
{
    const char *why =
        status == AMQP_STATUS_SOCKET_ERROR && errno ? strerror(errno) : amqp_error_string2(status);
    return fail(b, what, why, strlen(why));
}

/* True when REPLY is the one that was asked for; else why says what it was, and code with which number the
 * broker refused. */
static bool replied(struct broker *b, const char *what, amqp_rpc_reply_t reply)
{
    b->code = 0;
    if (reply.reply_type == AMQP_RESPONSE_NORMAL)
        return true;
    if (reply.reply_type != AMQP_RESPONSE_SERVER_EXCEPTION)
        return fail_status(b, what, reply.library_error);
    amqp_bytes_t text = {0, NULL};
    if (reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
        const amqp_channel_close_t *close = reply.reply.decoded;
        b->code = close->reply_code;
        text = close->reply_text;
        amqp_channel_close_ok_t ok = {.dummy = 0};
        amqp_send_method(b->link, CHANNEL, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
        b->channel_open = false;
    } else if (reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
        const amqp_connection_close_t *close = reply.reply.decoded;
        b->code = close->reply_code;
        text = close->reply_text;
    }
    return fail(b, what, text.len ? text.bytes : "", text.len);
}

/* Give the link a socket that is connected to the node, over TLS if that is set. */
static bool reach(struct broker *b, const struct conf *conf, const struct broker_node *where)
{
    char what[160], why[128];
    snprintf(what, sizeof what, "%.100s:%d", where->host, where->port);
    int fd = ctl_dial(where->host, where->port, (int)patience.tv_sec * 1000, why);
    if (fd < 0)
        return fail(b, what, why, strlen(why));
    if (!b->tls) {
        amqp_socket_t *socket = amqp_tcp_socket_new(b->link);
        check(socket != NULL);
        amqp_tcp_socket_set_sockfd(socket, fd); /* the link owns it from here */
        return true;
    }
    struct broker_tls_failure failure;
    if (broker_tls_open(b->link, conf, where->host, fd, (int)patience.tv_sec, &b->peer, &failure))
        return true;
    b->untrusted = failure.lasting;
    b->advice = failure.advice;
    return fail(b, what, failure.why, strlen(failure.why));
}

static bool log_in(struct broker *b, const struct conf *conf, const struct amqp_connection_info *who,
                   const struct broker_node *where)
{
    b->untrusted = false;
    b->advice = NULL;
    if (!reach(b, conf, where))
        return false;
    errno = 0;
    amqp_set_handshake_timeout(b->link, &patience);
    amqp_set_rpc_timeout(b->link, &patience);
    amqp_rpc_reply_t reply =
        amqp_login(b->link, who->vhost, 0, FRAME_MAX, 0, AMQP_SASL_METHOD_PLAIN, who->user, who->password);
    struct broker_tls_failure failure;
    bool explained = reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION && b->tls &&
                     reply.library_error == AMQP_STATUS_SSL_ERROR && broker_tls_explain(conf, &failure);
    if (replied(b, "login", reply))
        return true;
    b->refused = b->code != 0;
    if (explained) {
        b->untrusted = failure.lasting;
        b->advice = failure.advice;
        return fail(b, "login", failure.why, strlen(failure.why));
    }
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION)
        b->advice = broker_tls_hint(b->link, conf, b->tls, reply.library_error);
    return false;
}

enum ctl_exit broker_fail(const struct broker *b)
{
    fprintf(stderr, "notifyctl: broker: %s; %s\n", b->why, broker_advice(b));
    if (b->refused || b->untrusted)
        return CTL_BAD_CONF;
    return broker_is_forbidden(b) ? CTL_NO : CTL_AWAY;
}

void broker_close(struct broker *b)
{
    if (!b->link)
        return;
    if (amqp_get_sockfd(b->link) >= 0)
        amqp_connection_close(b->link, AMQP_REPLY_SUCCESS);
    amqp_destroy_connection(b->link);
    b->link = NULL;
}

bool broker_open(struct broker *b, const struct conf *conf)
{
    struct broker_nodes nodes;
    bool good = false;
    memset(b, 0, sizeof *b);
    if (!broker_nodes_read(&nodes, conf)) {
        b->refused = true;
        snprintf(b->why, sizeof b->why, "broker.url: not of the form amqp://user:password@host:port/vhost");
    }
    for (size_t i = 0; i < nodes.count && !good && !b->refused; i++) {
        broker_close(b);
        b->link = amqp_new_connection();
        check(b->link != NULL);
        snprintf(b->user, sizeof b->user, "%s", nodes.login.user);
        snprintf(b->vhost, sizeof b->vhost, "%s", nodes.login.vhost);
        b->tls = nodes.tls;
        good = log_in(b, conf, &nodes.login, &nodes.items[i]);
    }
    broker_nodes_free(&nodes);
    return good;
}

bool broker_is_forbidden(const struct broker *b)
{
    return b->code == ACCESS_REFUSED && !b->refused;
}

const char *broker_advice(const struct broker *b)
{
    if (b->refused)
        return "correct user, password or virtual host in broker.url";
    if (b->advice)
        return b->advice;
    if (broker_is_forbidden(b))
        return "give the user of broker.url that right; notifyctl check prints the command";
    return "is it up, and is broker.url right?";
}

static bool open_channel(struct broker *b)
{
    if (b->channel_open)
        return true;
    amqp_channel_open(b->link, CHANNEL);
    b->channel_open = replied(b, "channel", amqp_get_rpc_reply(b->link));
    return b->channel_open;
}

bool broker_look(struct broker *b, const char *queue, struct broker_queue *out)
{
    memset(out, 0, sizeof *out);
    if (!open_channel(b))
        return false;
    const amqp_queue_declare_ok_t *ok =
        amqp_queue_declare(b->link, CHANNEL, amqp_cstring_bytes(queue), 1, 0, 0, 0, amqp_empty_table);
    if (!replied(b, queue, amqp_get_rpc_reply(b->link)))
        return b->code == NOT_FOUND;
    out->exists = true;
    out->messages = ok->message_count;
    out->consumers = ok->consumer_count;
    return true;
}

const char *broker_queue_name(const struct conf *conf, size_t index)
{
    static const char *const own[] = {TOPOLOGY_DUE, TOPOLOGY_URGENT, TOPOLOGY_BULK, TOPOLOGY_WAKE,
                                      TOPOLOGY_DEAD};
    const struct conf_texts *producers = &conf->broker_queues;
    if (index < producers->count)
        return producers->items[index];
    index -= producers->count;
    return index < sizeof own / sizeof own[0] ? own[index] : NULL;
}

bool broker_fits(struct broker *b, const char *queue, bool quorum, bool *fits)
{
    amqp_table_entry_t entry = {
        .key = amqp_cstring_bytes("x-queue-type"),
        .value = {.kind = AMQP_FIELD_KIND_UTF8, .value = {.bytes = amqp_cstring_bytes("quorum")}}};
    amqp_table_t arguments = {.num_entries = quorum ? 1 : 0, .entries = &entry};
    *fits = false;
    if (!open_channel(b))
        return false;
    amqp_queue_declare(b->link, CHANNEL, amqp_cstring_bytes(queue), 0, 1, 0, 0, arguments);
    if (!replied(b, queue, amqp_get_rpc_reply(b->link)))
        return b->code == PRECONDITION_FAILED;
    *fits = true;
    return true;
}

/* The next frame of our channel, within the patience. */
static bool read_frame(struct broker *b, const char *queue, amqp_frame_t *frame)
{
    struct timeval wait = patience;
    int status = amqp_simple_wait_frame_noblock(b->link, frame, &wait);
    if (status != AMQP_STATUS_OK)
        return fail_status(b, queue, status);
    return true;
}

static bool read_body(struct broker *b, const char *queue, struct broker_message *out)
{
    amqp_frame_t frame;
    if (!read_frame(b, queue, &frame))
        return false;
    bool good = frame.frame_type == AMQP_FRAME_HEADER;
    uint64_t left = good ? frame.payload.properties.body_size : 0;
    out->properties = good ? frame.payload.properties.decoded : NULL;
    while (good && left) {
        if (!read_frame(b, queue, &frame))
            return false;
        good = frame.frame_type == AMQP_FRAME_BODY && frame.payload.body_fragment.len <= left;
        if (good)
            buf_add(&out->body, frame.payload.body_fragment.bytes, frame.payload.body_fragment.len);
        left -= good ? frame.payload.body_fragment.len : 0;
    }
    const char why[] = "the broker sent something else than the rest of a message";
    return good || fail(b, queue, why, strlen(why));
}

bool broker_get(struct broker *b, const char *queue, struct broker_message *out, bool *any)
{
    *any = false;
    if (!open_channel(b))
        return false;
    if (!out->body.max)
        buf_init(&out->body, BROKER_BODY_MAX);
    buf_reset(&out->body);
    out->properties = NULL;
    amqp_maybe_release_buffers_on_channel(b->link, CHANNEL);
    amqp_rpc_reply_t reply = amqp_basic_get(b->link, CHANNEL, amqp_cstring_bytes(queue), 0);
    if (!replied(b, queue, reply))
        return b->code == NOT_FOUND;
    if (reply.reply.id != AMQP_BASIC_GET_OK_METHOD)
        return true;
    out->tag = ((const amqp_basic_get_ok_t *)reply.reply.decoded)->delivery_tag;
    *any = read_body(b, queue, out);
    return *any;
}

bool broker_ack(struct broker *b, const struct broker_message *message)
{
    int status = amqp_basic_ack(b->link, CHANNEL, message->tag, 0);
    return status == AMQP_STATUS_OK || fail_status(b, "ack", status);
}

bool broker_put_back(struct broker *b)
{
    if (!b->channel_open)
        return true;
    b->channel_open = false;
    return replied(b, "channel", amqp_channel_close(b->link, CHANNEL, AMQP_REPLY_SUCCESS));
}

/* What became of a question about a right: the user has it unless the broker refused the access; any other
 * refusal comes after that. False when there was no answer. */
static bool is_allowed(struct broker *b, const char *what, bool *may)
{
    *may = replied(b, what, amqp_get_rpc_reply(b->link)) || (b->code && b->code != ACCESS_REFUSED);
    return *may || b->code == ACCESS_REFUSED;
}

/*
 * RabbitMQ looks at the right before it looks at the arguments, so a consumer whose priority is no number is
 * refused as forbidden, or as impossible, and never gets a message. basic.get would take one, and giving it
 * back marks it as redelivered and counts towards a quorum queue's limit. A broker that made a consumer of it
 * all the same would send one message at most, which the closing of the channel puts back.
 */
bool broker_may_read(struct broker *b, const char *queue, bool *may)
{
    amqp_table_entry_t entry = {
        .key = amqp_cstring_bytes("x-priority"),
        .value = {.kind = AMQP_FIELD_KIND_UTF8, .value = {.bytes = amqp_cstring_bytes("only a question")}}};
    amqp_table_t arguments = {.num_entries = 1, .entries = &entry};
    *may = false;
    if (!open_channel(b))
        return false;
    amqp_basic_qos(b->link, CHANNEL, 0, 1, 0);
    if (!replied(b, queue, amqp_get_rpc_reply(b->link)))
        return false;
    amqp_basic_consume(b->link, CHANNEL, amqp_cstring_bytes(queue), amqp_empty_bytes, 0, 0, 0, arguments);
    if (!is_allowed(b, queue, may))
        return false;
    return broker_put_back(b);
}

/* Removing a binding needs to write to the queue and to read the exchange (which is for broker_may_read to find);
 * one that is not there may be removed for ever. */
bool broker_may_write(struct broker *b, const char *queue, bool *may)
{
    *may = false;
    if (!open_channel(b))
        return false;
    amqp_queue_unbind(b->link, CHANNEL, amqp_cstring_bytes(queue), amqp_cstring_bytes(TOPOLOGY_DELAY_OUT),
                      amqp_cstring_bytes("notifyctl check: a key that nobody binds"), amqp_empty_table);
    if (!is_allowed(b, queue, may))
        return false;
    /* "access to exchange 'x' in vhost ...": the queue, which comes first, was no obstacle. */
    if (!*may && strstr(b->why, "access to exchange '"))
        *may = true;
    return true;
}
