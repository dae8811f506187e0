/*
 * rest_metrics - the figures of this process, for GET /metrics
 *
 * Counts by what stands in tables: routes, methods, classes of status, reasons. Never by what was sent, so nobody can fill the
 * memory with names of their own. A request that came to no route counts for the route "none".
 */
#include "api/rest/rest_metrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/rest/rest_routes.h"
#include "common/base/check.h"
#include "common/base/figures.h"

enum { CLASSES = 5 /* 1xx to 5xx */, METHODS = 8, LIMITS = 13, FIGURES_MAX = 1 << 20 };

#define NO_ROUTE "none"

static const char *const methods[METHODS] = {"GET",   "HEAD",   "POST",    "PUT",
                                             "PATCH", "DELETE", "OPTIONS", "other"};

/* Seconds; the last bucket has no limit. */
static const double limits[LIMITS] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};

static const char *const refusals[METRICS_REFUSALS] = {
    [METRICS_UNKNOWN] = "unknown",
    [METRICS_EXPIRED] = "expired",
    [METRICS_TOO_OFTEN] = "too_often",
    [METRICS_READ_ONLY] = "read_only",
};

struct route_figures {
    const char *path;
    uint64_t answered[METHODS][CLASSES];
    uint64_t within[LIMITS + 1]; /* not those of the limits below */
    uint64_t count;
    double seconds;
};

struct rest_metrics {
    struct route_figures *routes; /* the first is for NO_ROUTE */
    size_t count;
    uint64_t refused[METRICS_REFUSALS];
};

static struct route_figures *find(const struct rest_metrics *m, const char *path)
{
    for (size_t i = 0; path && i < m->count; i++)
        if (strcmp(m->routes[i].path, path) == 0)
            return &m->routes[i];
    return m->routes;
}

static size_t method_index(const char *method)
{
    size_t i = 0;
    while (i < METHODS - 1 && strcmp(methods[i], method) != 0)
        i++;
    return i;
}

void rest_metrics_count(struct rest_metrics *m, const struct http_exchange *x, int status, double seconds)
{
    struct route_figures *r = find(m, x->route);
    size_t i = 0;
    check(status >= 100 && status < 600);
    while (i < LIMITS && seconds > limits[i])
        i++;
    r->within[i]++;
    r->count++;
    r->seconds += seconds;
    r->answered[method_index(x->method)][status / 100 - 1]++;
}

void rest_metrics_refuse(struct rest_metrics *m, enum metrics_refusal why)
{
    m->refused[why]++;
}

static void add_requests(struct buf *b, const struct rest_metrics *m)
{
    static const char name[] = "notify_api_requests_total";
    figures_begin(b, name, "counter", "requests answered");
    for (size_t r = 0; r < m->count; r++)
        for (size_t i = 0; i < METHODS; i++)
            for (size_t c = 0; c < CLASSES; c++)
                if (m->routes[r].answered[i][c])
                    buf_printf(b, "%s{route=\"%s\",method=\"%s\",status=\"%zuxx\"} %" PRIu64 "\n", name,
                               m->routes[r].path, methods[i], c + 1, m->routes[r].answered[i][c]);
}

static void add_seconds(struct buf *b, const struct rest_metrics *m)
{
    static const char name[] = "notify_api_request_seconds";
    figures_begin(b, name, "histogram", "seconds until the answer was ready");
    for (const struct route_figures *r = m->routes; r < m->routes + m->count; r++) {
        uint64_t sum = 0;
        for (size_t i = 0; r->count && i < LIMITS; i++) {
            sum += r->within[i];
            buf_printf(b, "%s_bucket{route=\"%s\",le=\"%g\"} %" PRIu64 "\n", name, r->path, limits[i], sum);
        }
        if (r->count)
            buf_printf(b,
                       "%s_bucket{route=\"%s\",le=\"+Inf\"} %" PRIu64 "\n"
                       "%s_sum{route=\"%s\"} %.6f\n%s_count{route=\"%s\"} %" PRIu64 "\n",
                       name, r->path, r->count, name, r->path, r->seconds, name, r->path, r->count);
    }
}

static void add_refusals(struct buf *b, const struct rest_metrics *m)
{
    static const char name[] = "notify_api_refused_tokens_total";
    figures_begin(b, name, "counter", "requests refused for their token");
    for (size_t i = 0; i < METRICS_REFUSALS; i++)
        buf_printf(b, "%s{reason=\"%s\"} %" PRIu64 "\n", name, refusals[i], m->refused[i]);
}

void rest_show_metrics(struct asked *a)
{
    static const char info[] = "notify_api_build_info";
    const struct rest_metrics *m = a->rest->metrics;
    struct buf b;
    buf_init(&b, FIGURES_MAX);
    add_requests(&b, m);
    add_seconds(&b, m);
    add_refusals(&b, m);
    figures_add(&b, "notify_api_connections", "gauge", "clients that are connected",
                http_open_connections(a->x));
    figures_add(&b, "notify_api_database_connections_up", "gauge",
                "connections to the database that are up, but for the one of tokens",
                calls_up(a->rest->calls));
    figures_begin(&b, info, "gauge", "the version that runs");
    buf_printf(&b, "%s{version=\"%s\"} 1\n", info, NOTIFY_VERSION);
    rest_answer(a, 200, FIGURES_TYPE, buf_text(&b));
    buf_free(&b);
}

struct rest_metrics *rest_metrics_new(const struct route *routes)
{
    struct rest_metrics *m = mem_zalloc(sizeof *m);
    size_t most = 1;
    for (const struct route *r = routes; r->method; r++)
        most++;
    m->routes = mem_zalloc(most * sizeof *m->routes);
    m->routes[m->count++].path = NO_ROUTE;
    for (const struct route *r = routes; r->method; r++)
        if (find(m, r->path) == m->routes)
            m->routes[m->count++].path = r->path;
    return m;
}

void rest_metrics_free(struct rest_metrics *m)
{
    if (!m)
        return;
    free(m->routes);
    free(m);
}
