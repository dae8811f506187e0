#ifndef NOTIFY_API_API_H
#define NOTIFY_API_API_H

#include "common/base/conf.h"

/* Serve until told to end. Returns the exit status: 0, or 78 when it cannot listen as it is told to. */
int api_run(const struct conf *conf);

#endif
