/*
 * link_socket - a link's way to the broker, plain or over TLS
 *
 * Owns nothing: the socket is librabbitmq's. For amqp_link, which knows when to connect, what to send and what to do
 * after a failure; here is what differs between amqp:// and amqps://, and the words for what goes wrong because one
 * side speaks TLS and the other does not.
 */
#include "worker/link_socket.h"

#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/log.h"

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
