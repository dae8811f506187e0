#ifndef NOTIFY_WORKER_WORKER_H
#define NOTIFY_WORKER_WORKER_H

#include "common/base/conf.h"

/*
 * The life of a worker process, after the fork: make the parts, run the loop, drain, leave. SLOT is its place
 * in the shared memory. Returns the exit status: 0 drained, 75 not everything was finished in time.
 */
int worker_run(const struct conf *conf, int slot);

#endif
