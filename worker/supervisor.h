#ifndef NOTIFY_WORKER_SUPERVISOR_H
#define NOTIFY_WORKER_SUPERVISOR_H

#include "common/base/conf.h"
#include "worker/handover.h"
#include "worker/shared_layout.h"

/*
 * Run the pool until it is told to end. FILE is read again on SIGHUP. Takes CONF. HANDOVER: the state of the supervisor in whose
 * place this one was executed, whose memory begins with HEADER; NULL: none, begin anew. CONF may be NULL with HANDOVER, when
 * the file is unusable: then it is read again until it is not. Returns the exit status: 0 ended as asked, 78 a child found the configuration
 * unusable.
 */
int supervisor_run(const char *file, struct conf *conf, const struct handover *handover,
                   struct shared_header *header);

#endif
