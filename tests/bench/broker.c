/*
 * broker - a plain connection to RabbitMQ
 *
 * For programs that measure and therefore do nothing else: no reconnecting, no heartbeats (the loops that use it
 * may stand still), and an end of the process instead of errors that a caller could overlook.
 */
#include "tests/bench/broker.h"

#include <amqp_tcp_socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/check.h"

enum { FRAME_MAX = 131072 };

_Noreturn static void give_up(const char *what, const char *why)
{
    fprintf(stderr, "broker: %s: %s\n", what, why);
    exit(1);
}

void broker_must_send(int status, const char *what)
{
    if (status != AMQP_STATUS_OK)
        give_up(what, amqp_error_string2(status));
}

void broker_must(amqp_connection_state_t connection, const char *what)
{
    amqp_rpc_reply_t r = amqp_get_rpc_reply(connection);
    if (r.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION)
        give_up(what, amqp_error_string2(r.library_error));
    if (r.reply_type != AMQP_RESPONSE_NORMAL)
        give_up(what, amqp_method_name(r.reply.id) ? amqp_method_name(r.reply.id) : "no reply");
}

void broker_refuse_close(const amqp_frame_t *frame)
{
    if (frame->frame_type != AMQP_FRAME_METHOD)
        return;
    if (frame->payload.method.id == AMQP_CONNECTION_CLOSE_METHOD ||
        frame->payload.method.id == AMQP_CHANNEL_CLOSE_METHOD)
        give_up("closed by the broker", amqp_method_name(frame->payload.method.id));
}

amqp_connection_state_t broker_open(const char *url)
{
    struct amqp_connection_info where;
    char *text = mem_strdup(url);
    amqp_default_connection_info(&where);
    if (amqp_parse_url(text, &where) != AMQP_STATUS_OK || where.ssl)
        give_up("AMQP_URL", "not amqp://user:password@host:port/vhost");
    amqp_connection_state_t connection = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(connection);
    check(socket != NULL);
    broker_must_send(amqp_socket_open(socket, where.host, where.port), "connect");
    int on = 1;
    setsockopt(amqp_get_sockfd(connection), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    amqp_rpc_reply_t r = amqp_login(connection, where.vhost, 0, FRAME_MAX, 0, AMQP_SASL_METHOD_PLAIN,
                                    where.user, where.password);
    if (r.reply_type != AMQP_RESPONSE_NORMAL)
        give_up("login", where.user);
    amqp_channel_open(connection, BROKER_CHANNEL);
    broker_must(connection, "channel.open");
    free(text);
    return connection;
}
