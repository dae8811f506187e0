#ifndef NOTIFY_WORKER_LINK_PROBE_H
#define NOTIFY_WORKER_LINK_PROBE_H

#include <event2/event.h>
#include <stdbool.h>

/* Does a server that takes connections also speak? Asked without blocking the loop, as librabbitmq cannot. */
struct link_probe;

/*
 * Say the first words of AMQP on FD, or of TLS with HOST as the name that is asked for (NULL: no TLS), and wait for any
 * answer, SECONDS at most. FD, connected and non-blocking, is taken and closed: a connection that has heard these words is
 * of no more use. DONE is called exactly once, later, unless the probe was cancelled before.
 */
struct link_probe *link_probe_start(struct event_base *base, int fd, const char *host, int seconds,
                                    void (*done)(void *owner, bool answers), void *owner);
void link_probe_cancel(struct link_probe *probe);

#endif
