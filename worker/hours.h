#ifndef NOTIFY_WORKER_HOURS_H
#define NOTIFY_WORKER_HOURS_H

#include <event2/event.h>
#include <stdbool.h>

#include "common/base/conf.h"
#include "common/base/uuid.h"
#include "common/db/pg_link.h"

/* Counts what becomes of deliveries, by integration and hour, for people: notify.stats_hourly. */
struct hours;

enum hours_what {
    HOURS_DELIVERED, /* a delivery that ended well */
    HOURS_FAILED,    /* an attempt that failed */
    HOURS_DEAD,      /* a delivery that was given up */
    HOURS_COUNTS
};

struct hours *hours_new(struct event_base *base, struct pg_link *link, const struct conf *conf);
/* After the link. What is not written is lost. */
void hours_free(struct hours *h);
/* The link has come up. */
void hours_resume(struct hours *h);
/* One more. It is in the ledger already. */
void hours_count(struct hours *h, const struct uuid *integration, const struct uuid *workspace,
                 enum hours_what what);
/* The worker ends: writes all that is left. False: that is under way; ask again after the next turn of the loop. */
bool hours_finish(struct hours *h);

#endif
