#ifndef NOTIFY_WORKER_AGENT_HTTP_H
#define NOTIFY_WORKER_AGENT_HTTP_H

#include <event2/event.h>

#include "worker/agent_health.h"

/* Health and counters of the host's processes over HTTP (contract section 7). */
struct agent_http;

/* HEALTH outlives it. LISTEN: "address:port"; "" for none. A port that is taken is tried again every few seconds. */
struct agent_http *agent_http_new(struct event_base *base, const char *listen,
                                  const struct agent_health *health);
/*
 * Accept no more, and answer who has just connected: the next agent gets the others, from the same socket. Runs the loop
 * for a tenth of a second at most, and not at all when nobody has.
 */
void agent_http_finish(struct agent_http *http, struct event_base *base);
void agent_http_free(struct agent_http *http);

#endif
