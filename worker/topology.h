#ifndef NOTIFY_WORKER_TOPOLOGY_H
#define NOTIFY_WORKER_TOPOLOGY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/conf.h"
#include "worker/amqp_link.h"

/*
 * The queues and exchanges of architecture section 4. Names that other programs rely on; they stand here and
 * nowhere else.
 */
#define TOPOLOGY_DUE       "notify.due"
#define TOPOLOGY_URGENT    "notify.urgent"
#define TOPOLOGY_BULK      "notify.bulk"
#define TOPOLOGY_WAKE      "notify.wake"
#define TOPOLOGY_DEAD      "notify.dead"
#define TOPOLOGY_DELAY     "notify.delay"
#define TOPOLOGY_DELAY_OUT "notify.delay.out"
enum { TOPOLOGY_LEVELS = 17 }; /* delays of 1 to 2^17 - 1 seconds */

/* What one link has learned of the broker; zero at first. */
struct topology {
    uint32_t differing; /* private: our queues that exist with other arguments than configured */
};

/*
 * Declare everything, on a link that is up and has room for TOPOLOGY_BYTES. Waits for one answer and one more
 * for each producers' queue, each bounded by the RPC timeout; for some 90 when the broker refuses something
 * that it did not refuse before. False when something could not be had; the log says what.
 */
enum { TOPOLOGY_BYTES = 65536 };
bool topology_declare(struct topology *topology, struct amqp_link *link, const struct conf *conf);

/*
 * A producers' queue beside the configured ones: made, as Celery makes it, if it is missing, and allowed to be consumed. False,
 * and said in the log, when it is not; the link stays as it is. Up to five answers are waited for.
 */
bool topology_adopt(struct amqp_link *link, const char *queue);

#endif
