#ifndef NOTIFY_WORKER_LINK_SOCKET_H
#define NOTIFY_WORKER_LINK_SOCKET_H

#include <amqp.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/base/conf.h"
#include "common/broker_tls.h"

/* How a link's connection reaches the broker: over TCP as it is, or over TLS. */
struct link_socket {
    bool tls;
    struct broker_tls_peer peer; /* zero without TLS */
};

enum { LINK_SOCKET_WORDS = 640 }; /* room for a failure and what to do about it, with the NUL */

/*
 * Give CONNECTION the connected socket FD, over TLS when HOST (whom the certificate must name) is not NULL: that blocks
 * for SECONDS at most. FD is the connection's, or closed, from here on. False: WHY says why, and what to do.
 */
bool link_socket_open(struct link_socket *socket, amqp_connection_state_t connection, const struct conf *conf,
                      const char *host, int fd, int seconds, char why[LINK_SOCKET_WORDS]);
/* The words of an error of the library on that connection. To be asked at once after the failure. */
void link_socket_describe(const struct link_socket *socket, amqp_connection_state_t connection,
                          const struct conf *conf, int status, char *out, size_t size);
/* Log that a certificate ends soon (broker.cert_days). */
void link_socket_warn(const struct link_socket *socket, const struct conf *conf, const char *link,
                      const char *host);
/* Tell the broker that we go, and wait, for 0.4 s at most, until it has read all of ours. There must be room for it. */
void link_socket_close(const struct link_socket *socket, amqp_connection_state_t connection);

#endif
