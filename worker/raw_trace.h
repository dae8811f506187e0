#ifndef NOTIFY_WORKER_RAW_TRACE_H
#define NOTIFY_WORKER_RAW_TRACE_H

#include "common/base/arena.h"
#include "common/model/trace.h"
#include "worker/raw_message.h"

/* The trace that the headers of RAW give; not known when there is none, or none that reads. Its state lives as long as RAW. */
struct trace raw_trace(const struct raw_message *raw);

#endif
