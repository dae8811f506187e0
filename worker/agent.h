#ifndef NOTIFY_WORKER_AGENT_H
#define NOTIFY_WORKER_AGENT_H

#include "common/base/conf.h"

/*
 * The agent process, one per notifyd: hears of changed integrations for all workers of the host, and answers
 * for them (health, counters). SLOT is its place in the shared memory. Returns the exit status.
 */
int agent_run(const struct conf *conf, int slot);

#endif
