/*
 * link_socket - a link's way to the broker, plain or over TLS
 *
 * Owns nothing: the socket is librabbitmq's. For amqp_link, which knows when to connect, what to send and what to do
 * after a failure; here is what differs between amqp:// and amqps://, and the words for what goes wrong because one
 * side speaks TLS and the other does not.
 */
#include "worker/link_socket.h"

#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"

enum { CLOSE_MS = 400 };

bool link_socket_open(struct link_socket *socket, amqp_connection_state_t connection, const struct conf *conf,
                      const char *host, int fd, int seconds, char why[LINK_SOCKET_WORDS])
{
    struct broker_tls_failure failure;
    memset(socket, 0, sizeof *socket);
    socket->tls = host != NULL;
    if (!host) {
        amqp_socket_t *plain = amqp_tcp_socket_new(connection);
        mem_check(plain != NULL);
        amqp_tcp_socket_set_sockfd(plain, fd);
        return true;
    }
    if (broker_tls_open(connection, conf, host, fd, seconds, &socket->peer, &failure))
        return true;
    snprintf(why, LINK_SOCKET_WORDS, "%s; %s", failure.why, failure.advice);
    return false;
}

void link_socket_describe(const struct link_socket *socket, amqp_connection_state_t connection,
                          const struct conf *conf, int status, char *out, size_t size)
{
    struct broker_tls_failure failure = {.why = "the connection is broken"};
    const char *words = amqp_error_string2(status);
    const char *advice = broker_tls_hint(connection, conf, socket->tls, status);
    if (socket->tls && status == AMQP_STATUS_SSL_ERROR) {
        if (broker_tls_explain(conf, &failure) && failure.lasting)
            advice = failure.advice;
        words = failure.why;
    }
    snprintf(out, size, "%s%s%s", words, advice ? "; " : "", advice ? advice : "");
}

static void warn(const struct conf *conf, const char *link, const char *host, const char *whose,
                 int64_t until_s)
{
    int64_t days = broker_tls_days_left(until_s);
    if (until_s && conf->broker_cert_days && days < conf->broker_cert_days)
        LOG(LOG_WARN, "broker_certificate_ends", LOG_TEXT("link", link), LOG_TEXT("host", host),
            LOG_TEXT("whose", whose), LOG_NUM("days", days));
}

void link_socket_warn(const struct link_socket *socket, const struct conf *conf, const char *link,
                      const char *host)
{
    warn(conf, link, host, "broker", socket->peer.until_s);
    warn(conf, link, host, "ours", socket->peer.own_until_s);
}

/*
 * Until the broker has closed its side, which it does when it has read all of ours, or time is up. A socket that is
 * closed before is reset by whatever still comes for it, and a broker that then fails to send reads nothing more:
 * acknowledgements would be lost.
 */
static void wait_for_end(int fd, int64_t end_us)
{
    for (int64_t left_us; (left_us = end_us - clock_mono_us()) > 0;) {
        char unread[4096];
        struct pollfd one = {.fd = fd, .events = POLLIN};
        poll(&one, 1, (int)(left_us / 1000) + 1);
        ssize_t got = recv(fd, unread, sizeof unread, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            return;
    }
}

/*
 * The same over TLS, where half of a connection cannot be closed: until the broker says that it has read our close. To
 * RabbitMQ the end of the socket alone is an end in the middle, and it reads no further.
 */
static void wait_for_close_ok(amqp_connection_state_t connection, int64_t end_us)
{
    amqp_frame_t frame;
    for (int64_t left_us; (left_us = end_us - clock_mono_us()) > 0;) {
        struct timeval limit = {left_us / 1000000, left_us % 1000000};
        if (amqp_simple_wait_frame_noblock(connection, &frame, &limit) != AMQP_STATUS_OK)
            return;
        if (frame.frame_type == AMQP_FRAME_METHOD &&
            frame.payload.method.id == AMQP_CONNECTION_CLOSE_OK_METHOD)
            return;
        amqp_maybe_release_buffers_on_channel(connection, frame.channel);
    }
}

void link_socket_close(const struct link_socket *socket, amqp_connection_state_t connection)
{
    amqp_connection_close_t method = {.reply_code = AMQP_REPLY_SUCCESS};
    int fd = amqp_get_sockfd(connection);
    int64_t end_us = clock_mono_us() + CLOSE_MS * 1000LL;
    if (amqp_send_method(connection, 0, AMQP_CONNECTION_CLOSE_METHOD, &method) != AMQP_STATUS_OK)
        return;
    if (socket->tls)
        wait_for_close_ok(connection, end_us);
    else if (shutdown(fd, SHUT_WR) == 0)
        wait_for_end(fd, end_us);
}
