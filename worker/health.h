#ifndef NOTIFY_WORKER_HEALTH_H
#define NOTIFY_WORKER_HEALTH_H

#include <event2/event.h>

#include "common/base/conf.h"
#include "common/db/pg_link.h"
#include "worker/gate.h"

/* Writes down how integrations fare, for people and other hosts: notify.integration_state. */
struct health;

struct health *health_new(struct event_base *base, struct pg_link *link, const struct conf *conf,
                          struct gate *gate);
void health_free(struct health *h);
/* The link has come up. */
void health_resume(struct health *h);

#endif
