#ifndef NOTIFY_WORKER_PRESENCE_H
#define NOTIFY_WORKER_PRESENCE_H

#include <event2/event.h>

#include "common/base/conf.h"
#include "common/net/dial.h"

/*
 * Agent: what Celery's tools see of the pool, and how they steer it. NULL with celery.presence off; the others take that.
 * CONF and DIALER must outlive it.
 */
struct presence;

struct presence *presence_new(struct event_base *base, struct dialer *dialer, const struct conf *conf);
void presence_start(struct presence *p);
/* Says that the pool goes, if it does, closes and frees; 0.4 s at most. */
void presence_free(struct presence *p);

#endif
