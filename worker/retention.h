#ifndef NOTIFY_WORKER_RETENTION_H
#define NOTIFY_WORKER_RETENTION_H

#include <event2/event.h>

#include "common/base/conf.h"
#include "common/db/pg_link.h"

/* Deletes from the ledger what finished longer than retention.deliveries_days ago. Borrows LINK, which carries worker_statements. */
struct retention;

struct retention *retention_new(struct event_base *base, struct pg_link *link, const struct conf *conf);
void retention_start(struct retention *r);
/* No request of it may be under way: free the link first. */
void retention_free(struct retention *r);

#endif
