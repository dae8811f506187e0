/*
 * gate - a window per integration
 *
 * Owns one window per integration that has something running or waiting; it goes with its last user. Windows with
 * room stand in a line of their own and are served in turn, so a slow destination fills its own window only. Its
 * line, though, consists of messages that are not acknowledged: when it has filled the prefetch, others wait too.
 * Invariants: running <= per_integration in each window, the sum of all running <= at_a_time; a window is in
 * the line `ready` exactly when it has waiters and room.
 */
#include "worker/gate.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/hash.h"
#include "worker/shared.h"

struct gate_window {
    struct table_entry by_integration;
    struct list ready;
    struct uuid integration;
    struct list waiting;
    long running;
};

struct gate {
    long per_integration;
    long at_a_time;
    long running;
    struct table windows;
    struct list ready;
    struct event *admit;
};

static void on_admit(evutil_socket_t fd, short what, void *arg);

struct gate *gate_new(struct event_base *base, long per_integration, long at_a_time)
{
    struct gate *g = mem_zalloc(sizeof *g);
    g->per_integration = per_integration;
    g->at_a_time = at_a_time;
    table_init(&g->windows);
    list_init(&g->ready);
    g->admit = event_new(base, -1, 0, on_admit, g);
    return g;
}

void gate_free(struct gate *g)
{
    struct table_entry *at;
    if (!g)
        return;
    while ((at = table_any(&g->windows))) {
        table_remove(&g->windows, at);
        free(list_entry(at, struct gate_window, by_integration));
    }
    table_free(&g->windows);
    event_free(g->admit);
    free(g);
}

static struct gate_window *window_of(struct gate *g, const struct uuid *integration)
{
    uint64_t hash = hash_bytes(integration->bytes, sizeof integration->bytes);
    for (struct table_entry *at = table_first(&g->windows, hash); at; at = table_next(at)) {
        struct gate_window *w = list_entry(at, struct gate_window, by_integration);
        if (uuid_equal(&w->integration, integration))
            return w;
    }
    struct gate_window *w = mem_zalloc(sizeof *w);
    w->integration = *integration;
    list_init(&w->ready);
    list_init(&w->waiting);
    table_insert(&g->windows, &w->by_integration, hash);
    return w;
}

/* Put the window where it belongs after a change; free it when nobody uses it. */
static void arrange(struct gate *g, struct gate_window *w)
{
    if (w->running == 0 && list_is_empty(&w->waiting)) {
        list_remove(&w->ready);
        table_remove(&g->windows, &w->by_integration);
        free(w);
        return;
    }
    bool is_ready = !list_is_empty(&w->waiting) && w->running < g->per_integration;
    if (!is_ready)
        list_remove(&w->ready);
    else if (list_is_empty(&w->ready))
        list_append(&g->ready, &w->ready);
    if (is_ready && g->running < g->at_a_time)
        event_active(g->admit, EV_TIMEOUT, 1);
}

static void on_admit(evutil_socket_t fd, short what, void *arg)
{
    struct gate *g = arg;
    struct list *at;
    (void)fd;
    (void)what;
    while (g->running < g->at_a_time && (at = list_shift(&g->ready))) {
        struct gate_window *w = list_entry(at, struct gate_window, ready);
        struct gate_pass *pass = list_entry(list_shift(&w->waiting), struct gate_pass, link);
        w->running++;
        g->running++;
        shared_mine()->sending = (uint64_t)g->running;
        arrange(g, w);
        pass->admitted(pass);
    }
}

void gate_enter(struct gate *g, struct gate_pass *pass, const struct uuid *integration)
{
    struct gate_window *w = window_of(g, integration);
    pass->window = w;
    list_init(&pass->link);
    list_append(&w->waiting, &pass->link);
    arrange(g, w);
}

void gate_leave(struct gate *g, struct gate_pass *pass)
{
    struct gate_window *w = pass->window;
    check(w != NULL && w->running > 0);
    pass->window = NULL;
    w->running--;
    g->running--;
    shared_mine()->sending = (uint64_t)g->running;
    arrange(g, w);
    if (!list_is_empty(&g->ready))
        event_active(g->admit, EV_TIMEOUT, 1);
}
