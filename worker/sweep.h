#ifndef NOTIFY_WORKER_SWEEP_H
#define NOTIFY_WORKER_SWEEP_H

#include <event2/event.h>

#include "common/base/conf.h"
#include "common/db/pg_link.h"
#include "common/net/dial.h"

/*
 * Publishes again what the ledger says is overdue, forgotten or owed. One per host, in the agent; any number of them
 * share the work.
 */
struct sweep;

/* Borrows LINK, which carries worker_statements. */
struct sweep *sweep_new(struct event_base *base, struct dialer *dialer, struct pg_link *link,
                        const struct conf *conf);
void sweep_start(struct sweep *s);
/*
 * Drops what is under way: its rows are marked, and come up again after the grace. No request of it may be under way: free
 * the link first.
 */
void sweep_free(struct sweep *s);

#endif
