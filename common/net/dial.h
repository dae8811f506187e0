#ifndef NOTIFY_NET_DIAL_H
#define NOTIFY_NET_DIAL_H

#include <event2/dns.h>
#include <event2/event.h>

/* Name look-up and TCP connect without blocking the loop. */
struct dialer;
struct dial;

struct dialer *dialer_new(struct event_base *base);
void dialer_free(struct dialer *dialer);

/*
 * Connect to HOST (a name or an address) and PORT: TIMEOUT_S for looking the name up, and as long again for its
 * addresses, one after the other; each gets an equal part of what is left, so that a silent one keeps nobody
 * from the next. DONE is called exactly once, later: FD is a connected, non-blocking, close-on-exec socket with TCP_NODELAY that the
 * callee owns, or -1 with WHY. After dial_cancel it is not called.
 */
struct dial *dial_start(struct dialer *dialer, const char *host, int port, double timeout_s,
                        void (*done)(void *owner, int fd, const char *why), void *owner);
void dial_cancel(struct dial *dial);

/*
 * Look HOST up. DONE is called exactly once, later: ADDRESS is one of its numeric addresses, or NULL with WHY. TRY_NUMBER
 * chooses among several (modulo their number), so that a caller who counts up comes to all of them.
 */
struct dial *dial_resolve(struct dialer *dialer, const char *host, int try_number, double timeout_s,
                          void (*done)(void *owner, const char *address, const char *why), void *owner);

#endif
