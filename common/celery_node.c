/*
 * celery_node - the pool's name among Celery's workers
 *
 * Pure but for the host's name. A pool that delivers takes the place of the Python worker, and has by default the name that
 * this one has by default, which probes in use expect. In shadow mode the Python worker runs beside it, often on the
 * same host, and one name is for one worker: with ours in use, Celery's would end at its start.
 */
#include "common/celery_node.h"

#include <stdio.h>
#include <unistd.h>

#include "common/base/check.h"

static const char *pattern_of(const struct conf *conf)
{
    if (conf->celery_node[0])
        return conf->celery_node;
    return conf_is_shadow(conf) ? "notify@%h" : "celery@%h";
}

/* "%h" is the host, as in `celery worker -n`. */
void celery_node_name(const struct conf *conf, char out[CELERY_NODE_BYTES])
{
    char host[65];
    size_t n = 0;
    if (gethostname(host, sizeof host) != 0)
        snprintf(host, sizeof host, "localhost");
    host[sizeof host - 1] = 0;
    for (const char *at = pattern_of(conf); *at && n + sizeof host <= CELERY_NODE_BYTES; at++) {
        if (at[0] != '%' || at[1] != 'h') {
            out[n++] = *at;
            continue;
        }
        n += (size_t)snprintf(out + n, sizeof host, "%s", host);
        at++;
    }
    out[n] = 0;
}

void celery_node_queue(const struct conf *conf, const char *node, char out[CELERY_QUEUE_BYTES])
{
    int n = snprintf(out, CELERY_QUEUE_BYTES, "%s.%s.pidbox", node, conf->celery_control_exchange);
    check(n > 0 && n < CELERY_QUEUE_BYTES); /* conf_rules */
}
