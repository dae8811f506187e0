#ifndef NOTIFY_API_REST_METRICS_H
#define NOTIFY_API_REST_METRICS_H

#include "api/rest/rest_parts.h"

/* What this process has answered since it was started, and how it fares. */
struct rest_metrics;

enum metrics_refusal {
    METRICS_UNKNOWN,
    METRICS_EXPIRED,
    METRICS_TOO_OFTEN,
    METRICS_READ_ONLY,
    METRICS_REFUSALS
};

/* ROUTES: the table, which ends with a NULL method. */
struct rest_metrics *rest_metrics_new(const struct route *routes);
void rest_metrics_free(struct rest_metrics *metrics);
/* X is answered with STATUS, SECONDS after it had arrived whole. */
void rest_metrics_count(struct rest_metrics *metrics, const struct http_exchange *x, int status,
                        double seconds);
/* A request was refused for its token. */
void rest_metrics_refuse(struct rest_metrics *metrics, enum metrics_refusal why);

/* Handler of GET /metrics. */
void rest_show_metrics(struct asked *asked);

#endif
