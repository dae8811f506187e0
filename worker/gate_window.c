/*
 * gate_window - what a worker knows of an integration: a window, and what is to be reported
 *
 * A window grows with each success up to delivery.per_integration and is halved by a failure. Those that nobody uses are kept
 * for a while, for what they have learned and to spare their making.
 */
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/kind_table.h"
#include "common/base/log.h"
#include "worker/gate_parts.h"
#include "worker/shared.h"

enum {
    IDLE_WINDOWS = 1024,
    REPORT_SUCCESS_US = 60000000, /* between two notes of a success */
    SMOOTHING = 8,
};

static long least(long a, long b)
{
    return a < b ? a : b;
}

long gate_window_first(const struct gate *g)
{
    return least(g->conf->gate_window, g->conf->delivery_per_integration);
}

#define DECLARE(A, kind, rate, help) extern const struct dest dest_##kind;
KIND_TABLE(DECLARE, )

/* The setting gate.rate_KIND of a destination: one for each, or this does not compile. */
static double rate_of(const struct conf *conf, const struct dest *dest)
{
#define RATE_OF(A, kind, rate, help)                                                                         \
    if (dest == &dest_##kind)                                                                                \
        return conf->gate_rate_##kind;
    KIND_TABLE(RATE_OF, )
    return 0;
}

static uint64_t hash_of(const struct uuid *integration)
{
    return hash_bytes(integration->bytes, sizeof integration->bytes);
}

static struct gate_window *find_hashed(const struct gate *g, const struct uuid *integration, uint64_t hash)
{
    for (struct table_entry *at = table_first(&g->windows, hash); at; at = table_next(at)) {
        struct gate_window *w = list_entry(at, struct gate_window, by_integration);
        if (uuid_equal(&w->integration, integration))
            return w;
    }
    return NULL;
}

struct gate_window *gate_window_find(const struct gate *g, const struct uuid *integration)
{
    return find_hashed(g, integration, hash_of(integration));
}

void gate_window_free(struct gate *g, struct gate_window *w)
{
    table_remove(&g->windows, &w->by_integration);
    list_remove(&w->ready);
    list_remove(&w->idle);
    list_remove(&w->to_report);
    shared_gauge_add(COUNT_WINDOWS, -1);
    if (w->turn)
        event_free(w->turn);
    free(w);
}

static struct gate_window *new_window(struct gate *g, const struct gate_pass *pass, uint64_t hash)
{
    struct gate_window *w = mem_zalloc(sizeof *w);
    w->gate = g;
    w->integration = pass->integration;
    w->most = gate_window_first(g);
    list_init(&w->ready);
    list_init(&w->idle);
    list_init(&w->to_report);
    list_init(&w->waiting);
    list_init(&w->active);
    w->report.integration = pass->integration;
    w->report.workspace = pass->workspace;
    w->report.gone.at_us = GONE_NO_NEWS;
    table_insert(&g->windows, &w->by_integration, hash);
    shared_gauge_add(COUNT_WINDOWS, 1);
    return w;
}

void gate_window_find_limits(struct gate_window *w, int64_t now_us)
{
    w->limits = shared_limits(&w->integration, now_us);
    if (!w->limits->settings) /* a new place; others that differ know better */
        limits_configure(w->limits, w->rate, w->settings);
}

struct gate_window *gate_window_of(struct gate *g, const struct gate_pass *pass, int64_t now_us)
{
    uint64_t hash = hash_of(&pass->integration);
    struct gate_window *w = find_hashed(g, &pass->integration, hash);
    if (!w)
        w = new_window(g, pass, hash);
    if (!list_is_empty(&w->idle)) {
        list_remove(&w->idle);
        g->idle_count--;
    }
    w->rate = rate_of(g->conf, pass->dest);
    w->settings = pass->settings;
    gate_window_find_limits(w, now_us);
    limits_configure(w->limits, w->rate, w->settings);
    return w;
}

/* One with something to report stays until that is done. */
void gate_window_rest(struct gate *g, struct gate_window *w)
{
    if (!list_is_empty(&w->idle))
        return;
    list_append(&g->idle, &w->idle);
    g->idle_count++;
    struct gate_window *oldest = list_entry(g->idle.next, struct gate_window, idle);
    if (g->idle_count <= IDLE_WINDOWS || !list_is_empty(&oldest->to_report))
        return;
    g->idle_count--;
    if (g->last == oldest)
        g->last = NULL;
    gate_window_free(g, oldest);
}

/* One that has no answer yet says as much as one that had. */
double gate_window_service_us(const struct gate_window *w, int64_t now_us)
{
    int64_t age = 0;
    if (!list_is_empty(&w->active))
        age = now_us - list_entry(w->active.next, struct gate_pass, link)->started_us;
    return (double)(age > w->service_us ? age : w->service_us);
}

static void resize(const struct gate *g, struct gate_window *w, enum limits_outcome outcome)
{
    if (outcome == LIMITS_SUCCESS)
        w->most = least(w->most + 1, g->conf->delivery_per_integration);
    else
        w->most = w->most > 1 ? w->most / 2 : 1;
}

static void queue_report(struct gate *g, struct gate_window *w)
{
    if (list_is_empty(&w->to_report))
        list_append(&g->to_report, &w->to_report);
}

/* What people are to know of it: each failure, and a success after one or once in a while. */
static void note_report(struct gate *g, struct gate_window *w, const struct gate_end *end, int64_t now)
{
    struct limits *l = w->limits;
    if (end->outcome == LIMITS_SUCCESS) {
        if (l->reported_us && now - l->reported_us < REPORT_SUCCESS_US)
            return;
        l->reported_us = now;
        w->report.success_us = now;
    } else {
        l->reported_us = 0;
        w->report.failure_us = now;
        w->report.error = end->error;
    }
    queue_report(g, w);
}

void gate_window_learn(struct gate *g, struct gate_window *w, const struct gate_end *end, int64_t took_us,
                       int64_t now_us)
{
    w->service_us += (took_us - w->service_us) / (w->service_us ? SMOOTHING : 1);
    resize(g, w, end->outcome);
    note_report(g, w, end, now_us);
}

static void say_gone(const struct gate_window *w)
{
    char integration[UUID_TEXT];
    uuid_format(&w->integration, integration);
    shared_count(COUNT_BROKEN);
    LOG(LOG_WARN, "integration_broken", LOG_TEXT("integration", integration),
        LOG_TEXT("why",
                 "its destination says that it is gone: its deliveries are dead until it changes, or a probe "
                 "finds the destination back"));
}

static void say_back(const struct gate_window *w)
{
    char integration[UUID_TEXT];
    uuid_format(&w->integration, integration);
    LOG(LOG_INFO, "integration_works", LOG_TEXT("integration", integration));
}

void gate_window_judge_gone(struct gate *g, struct gate_window *w, const struct gate_pass *pass,
                            const struct gate_end *end, int64_t now_us)
{
    struct gone *gone = &w->limits->gone;
    bool is_back = !end->gone && end->outcome != LIMITS_NOTHING;
    if (end->gone && gone_found(gone, &g->gone_rules, pass->row, now_us)) {
        say_gone(w);
    } else if (is_back && gone_is_back(gone, pass->row, now_us)) {
        say_back(w);
    } else if (is_back && pass->in_ledger) {
        w->report.gone = (struct gone_news){.at_us = now_us};
        queue_report(g, w);
        return;
    } else if (!end->gone) {
        return;
    }
    w->report.gone = gone_known(gone, pass->row);
    w->report.row = pass->row;
    queue_report(g, w);
}

bool gate_take_report(struct gate *g, struct gate_report *out)
{
    struct list *at = list_shift(&g->to_report);
    if (!at)
        return false;
    struct gate_window *w = list_entry(at, struct gate_window, to_report);
    const struct limits *l = shared_limits(&w->integration, clock_mono_us());
    *out = w->report;
    out->open_until_us = l->open_until_us;
    out->lowered_rate = l->lowered ? limits_rate(l) : 0;
    w->report.success_us = w->report.failure_us = 0;
    w->report.error = ERROR_NONE;
    w->report.gone.at_us = GONE_NO_NEWS;
    return true;
}

bool gate_is_gone(const struct gate *g, const struct uuid *integration, uint64_t row,
                  const struct gone_news *ledger)
{
    int64_t now = clock_mono_us();
    return gone_is(&shared_limits(integration, now)->gone, &g->gone_rules, row, ledger, now);
}
