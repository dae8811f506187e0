#ifndef NOTIFY_WORKER_TOPOLOGY_H
#define NOTIFY_WORKER_TOPOLOGY_H

#include <stdbool.h>

#include "common/base/conf.h"
#include "worker/amqp_link.h"

/*
 * The queues and exchanges of architecture section 4. Names that other programs rely on; they stand here and
 * nowhere else.
 */
#define TOPOLOGY_DUE       "notify.due"
#define TOPOLOGY_URGENT    "notify.urgent"
#define TOPOLOGY_BULK      "notify.bulk"
#define TOPOLOGY_DEAD      "notify.dead"
#define TOPOLOGY_DELAY     "notify.delay"
#define TOPOLOGY_DELAY_OUT "notify.delay.out"
enum { TOPOLOGY_LEVELS = 17 }; /* delays of 1 to 2^17 - 1 seconds */

/*
 * Declare everything, on a link that is up. RPCs: about 90 for a worker's first connection, each bounded by
 * the RPC timeout; about 60 ms in all on a healthy broker. False when something could not be had; the link
 * says why in the log.
 */
bool topology_declare(struct amqp_link *link, const struct conf *conf);

#endif
