#ifndef NOTIFY_WORKER_SWEEP_H
#define NOTIFY_WORKER_SWEEP_H

#include <event2/event.h>

#include "common/base/conf.h"
#include "worker/dial.h"

/*
 * Publishes again what the ledger says is overdue, forgotten or owed. One per host, in the agent; any number of them
 * share the work.
 */
struct sweep;

struct sweep *sweep_new(struct event_base *base, struct dialer *dialer, const struct conf *conf);
void sweep_start(struct sweep *s);
/* Drops what is under way: its rows are marked, and come up again after the grace. */
void sweep_free(struct sweep *s);

#endif
