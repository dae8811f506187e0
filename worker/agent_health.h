#ifndef NOTIFY_WORKER_AGENT_HEALTH_H
#define NOTIFY_WORKER_AGENT_HEALTH_H

#include "common/base/buf.h"
#include "common/base/conf.h"
#include "worker/survey.h"

/* Whether restarting the pool might help: the broker is there, and nobody has consumed for too long. */
struct agent_health;

struct agent_health *agent_health_new(const struct conf *conf);
void agent_health_free(struct agent_health *h);
/* To be called twice a second or so: looks how things stand, and logs when the answer changes. */
void agent_health_tick(struct agent_health *h);
/* As of the last tick. */
bool agent_health_is_good(const struct agent_health *h);
/* What /healthz says: a line with the answer, then why, then the state of SURVEY. */
void agent_health_describe(const struct agent_health *h, const struct survey *survey, struct buf *out);

#endif
