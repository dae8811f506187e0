#ifndef NOTIFY_WORKER_SUPERVISOR_H
#define NOTIFY_WORKER_SUPERVISOR_H

#include "common/base/conf.h"

/*
 * Run the pool until it is told to end. FILE is read again on SIGHUP. Takes CONF. Returns the exit status:
 * 0 ended as asked, 78 a child found the configuration unusable.
 */
int supervisor_run(const char *file, struct conf *conf);

#endif
