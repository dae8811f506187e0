/*
 * ctl_broker - questions to the broker
 *
 * Owns one connection with one channel. A refused declaration closes the channel (AMQP 0-9-1), so the next
 * question opens it again. Blocking, with a bound on every step; for the command line only.
 */
#include "api/ctl/ctl_broker.h"

#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "common/base/check.h"

enum {
    CHANNEL = 1,
    FRAME_MAX = 131072,
    NOT_FOUND = 404,
    PRECONDITION_FAILED = 406,
};

static const struct timeval patience = {.tv_sec = 3};

static bool fail(struct broker *b, const char *what, const char *why)
{
    snprintf(b->why, sizeof b->why, "%s: %s", what, why);
    return false;
}

/* True when REPLY is the one that was asked for; else why says what it was, and *CODE (0: none) with which
 * number the broker refused. */
static bool replied(struct broker *b, const char *what, amqp_rpc_reply_t reply, int *code)
{
    *code = 0;
    if (reply.reply_type == AMQP_RESPONSE_NORMAL)
        return true;
    if (reply.reply_type != AMQP_RESPONSE_SERVER_EXCEPTION)
        return fail(b, what, amqp_error_string2(reply.library_error));
    amqp_bytes_t text = {0, NULL};
    if (reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
        const amqp_channel_close_t *close = reply.reply.decoded;
        *code = close->reply_code;
        text = close->reply_text;
        amqp_channel_close_ok_t ok = {.dummy = 0};
        amqp_send_method(b->link, CHANNEL, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
        b->channel_open = false;
    } else if (reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
        const amqp_connection_close_t *close = reply.reply.decoded;
        *code = close->reply_code;
        text = close->reply_text;
    }
    snprintf(b->why, sizeof b->why, "%s: %.*s", what, (int)text.len,
             text.len ? (const char *)text.bytes : "");
    return false;
}

static bool log_in(struct broker *b, const struct amqp_connection_info *where)
{
    amqp_socket_t *socket = amqp_tcp_socket_new(b->link);
    check(socket != NULL);
    struct timeval limit = patience;
    int status = amqp_socket_open_noblock(socket, where->host, where->port, &limit);
    if (status != AMQP_STATUS_OK) {
        char what[160];
        snprintf(what, sizeof what, "%.100s:%d", where->host, where->port);
        return fail(b, what, amqp_error_string2(status));
    }
    amqp_set_handshake_timeout(b->link, &patience);
    amqp_set_rpc_timeout(b->link, &patience);
    int code;
    if (replied(b, "login",
                amqp_login(b->link, where->vhost, 0, FRAME_MAX, 0, AMQP_SASL_METHOD_PLAIN, where->user,
                           where->password),
                &code))
        return true;
    b->refused = code != 0;
    return false;
}

bool broker_open(struct broker *b, const struct conf *conf)
{
    memset(b, 0, sizeof *b);
    struct amqp_connection_info where;
    char *url = mem_strdup(conf->broker_url); /* amqp_parse_url writes into it and points into it */
    size_t size = strlen(url);
    bool good = amqp_parse_url(url, &where) == AMQP_STATUS_OK && !where.ssl;
    if (good) {
        b->link = amqp_new_connection();
        check(b->link != NULL);
        good = log_in(b, &where);
    } else {
        b->refused = true;
        fail(b, "broker.url", "not of the form amqp://user:password@host:port/vhost");
    }
    explicit_bzero(url, size);
    free(url);
    return good;
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

static bool open_channel(struct broker *b)
{
    int code;
    if (b->channel_open)
        return true;
    amqp_channel_open(b->link, CHANNEL);
    b->channel_open = replied(b, "channel", amqp_get_rpc_reply(b->link), &code);
    return b->channel_open;
}

bool broker_look(struct broker *b, const char *queue, struct broker_queue *out)
{
    int code;
    memset(out, 0, sizeof *out);
    if (!open_channel(b))
        return false;
    const amqp_queue_declare_ok_t *ok =
        amqp_queue_declare(b->link, CHANNEL, amqp_cstring_bytes(queue), 1, 0, 0, 0, amqp_empty_table);
    if (!replied(b, queue, amqp_get_rpc_reply(b->link), &code))
        return code == NOT_FOUND;
    out->exists = true;
    out->messages = ok->message_count;
    out->consumers = ok->consumer_count;
    return true;
}

bool broker_fits(struct broker *b, const char *queue, bool quorum, bool *fits)
{
    int code;
    amqp_table_entry_t entry = {
        .key = amqp_cstring_bytes("x-queue-type"),
        .value = {.kind = AMQP_FIELD_KIND_UTF8, .value = {.bytes = amqp_cstring_bytes("quorum")}}};
    amqp_table_t arguments = {.num_entries = quorum ? 1 : 0, .entries = &entry};
    *fits = false;
    if (!open_channel(b))
        return false;
    amqp_queue_declare(b->link, CHANNEL, amqp_cstring_bytes(queue), 0, 1, 0, 0, arguments);
    if (!replied(b, queue, amqp_get_rpc_reply(b->link), &code))
        return code == PRECONDITION_FAILED;
    *fits = true;
    return true;
}
