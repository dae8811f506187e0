#ifndef NOTIFY_WORKER_CONSUMERS_H
#define NOTIFY_WORKER_CONSUMERS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/conf.h"
#include "worker/amqp_link.h"
#include "worker/counters.h"

/*
 * What one worker consumes: the queues of the configuration, the pool's own, and those that Celery's tools have added. The
 * link is the caller's, and so is the channel's order: these are called when it is up.
 */
struct consumers;

struct consumers *consumers_new(const struct conf *conf);
void consumers_free(struct consumers *cs);

/* On a new connection, whose queues are declared: consume. False: the link has failed. */
bool consumers_begin(struct consumers *cs, struct amqp_link *link);
/* The connection is gone. */
void consumers_lost(struct consumers *cs);
/*
 * As the table of queues in shared memory says now, as far as there is room for it; what was refused, once its time has come. An
 * added queue costs three round trips, each bounded by the RPC timeout, as all declarations do.
 */
void consumers_follow(struct consumers *cs, struct amqp_link *link);
/* There is something to follow: the table has changed, was not followed to its end, or a refused queue's time has come. */
bool consumers_are_behind(const struct consumers *cs);
/* A queue of the producers is consumed: all of them may have been cancelled. */
bool consumers_take_producers(const struct consumers *cs);
/* Consume no more. What is on its way still comes. */
void consumers_cancel(struct consumers *cs, struct amqp_link *link);

/* Whose message it is, by the TAG of its delivery: its queue (owned by CS, for as long as CS lives) and the queue's class;
 * NULL when it is nobody's. */
const char *consumers_queue(const struct consumers *cs, const char *tag, enum queue_class *class);
size_t consumers_count(const struct consumers *cs);

#endif
