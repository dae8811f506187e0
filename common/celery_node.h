#ifndef NOTIFY_CELERY_NODE_H
#define NOTIFY_CELERY_NODE_H

#include "common/base/conf.h"

/* With the NUL; .celery.pidbox behind it is a short string, too (conf_rules). */
enum { CELERY_NODE_BYTES = 181, CELERY_QUEUE_BYTES = 256 };

/* The name under which Celery's tools see the pool of this host. */
void celery_node_name(const struct conf *conf, char out[CELERY_NODE_BYTES]);
/* The queue of NODE that requests of remote control come to, as kombu names it. */
void celery_node_queue(const struct conf *conf, const char *node, char out[CELERY_QUEUE_BYTES]);

#endif
