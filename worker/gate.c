/*
 * gate - who may send now, and what is held back
 *
 * Owns a window (gate_window) for each integration that has something running or waiting, and for some that had lately.
 * Windows with waiters and room stand in a line and are served in turn, so a slow destination fills its own window only: one
 * that never answers holds two connections of a worker, not all.
 *
 * Waiting costs a part of the prefetch, which others need. So what waits is held back (its holder puts it into the
 * mailbox in the ledger):
 *   - when it has waited for gate.patience, or would, as limits, rate and the time that requests take say;
 *   - when its line is longer than gate.line while others are sent to, too: the least severe goes;
 *   - at a limited rate, when others of its integration are in the mailbox: the worst of them is to go first.
 *
 * Invariants: running <= most in each window, the sum of all running <= at_a_time; a window is in the line `ready`
 * exactly when it has waiters, room and no time to wait for; each pass hears exactly once.
 */
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "worker/figure_table.h"
#include "worker/gate_parts.h"
#include "worker/shared.h"

enum { LEAST_TURN_US = 1000, OTHERS_US = 2000000 };

static void on_admit(evutil_socket_t fd, short what, void *arg);
static void on_age(evutil_socket_t fd, short what, void *arg);

struct gate *gate_new(struct event_base *base, const struct conf *conf)
{
    struct gate *g = mem_zalloc(sizeof *g);
    g->base = base;
    g->conf = conf;
    g->rules = (struct limits_rules){
        .circuit_least = (int)conf->gate_circuit_least,
        .circuit_share = conf->gate_circuit_share,
        .circuit_pause_us = clock_us(conf->gate_circuit_pause),
        .circuit_max_us = clock_us(conf->gate_circuit_max),
        .probe_us = clock_us(2 * conf->delivery_timeout),
        .held_for_us = clock_us(conf->gate_max_age),
    };
    g->gone_rules = (struct gone_rules){
        .pause_us = clock_us(conf->gate_broken_pause),
        .longest_us = clock_us(conf->gate_broken_max),
        .probe_us = clock_us(2 * conf->delivery_timeout),
    };
    g->patience_us = clock_us(conf->gate_patience);
    table_init(&g->windows);
    list_init(&g->ready);
    list_init(&g->idle);
    list_init(&g->to_report);
    list_init(&g->by_age);
    list_init(&g->from_mailbox);
    list_init(&g->held_back);
    g->admit = event_new(base, -1, 0, on_admit, g);
    g->age = event_new(base, -1, 0, on_age, g);
    return g;
}

void gate_free(struct gate *g)
{
    struct table_entry *at;
    if (!g)
        return;
    while ((at = table_any(&g->windows)))
        gate_window_free(g, list_entry(at, struct gate_window, by_integration));
    table_free(&g->windows);
    event_free(g->admit);
    event_free(g->age);
    free(g);
}

static bool has_turn_to_come(const struct gate_window *w)
{
    return w->turn && event_pending(w->turn, EV_TIMEOUT, NULL);
}

/* Put the window where it belongs after a change. It may be gone afterwards. */
static void arrange(struct gate *g, struct gate_window *w)
{
    bool is_ready = w->waiting_count > 0 && w->running < w->most && !has_turn_to_come(w);
    if (w->running == 0 && w->waiting_count == 0) {
        list_remove(&w->ready);
        gate_window_rest(g, w);
        return;
    }
    if (!is_ready)
        list_remove(&w->ready);
    else if (list_is_empty(&w->ready))
        list_append(&g->ready, &w->ready);
    if (is_ready && g->running < g->conf->delivery_connections)
        event_active(g->admit, EV_TIMEOUT, 1);
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    struct gate_window *w = arg;
    (void)fd;
    (void)what;
    arrange(w->gate, w);
}

static void wait_for_turn(struct gate *g, struct gate_window *w, int64_t wait_us)
{
    struct timeval tv = {wait_us / 1000000, (suseconds_t)(wait_us % 1000000)};
    if (!w->turn)
        w->turn = event_new(g->base, -1, 0, on_turn, w);
    event_add(w->turn, &tv);
}

/* Take a pass out of its line. */
static void leave_line(struct gate_pass *pass)
{
    check(pass->window != NULL);
    list_remove(&pass->link);
    list_remove(&pass->by_age);
    pass->window->waiting_count--;
    shared_gauge_add(COUNT_GATE_WAITING, -1);
}

static void hold_back(struct gate *g, struct gate_pass *pass)
{
    struct gate_window *w = pass->window;
    leave_line(pass);
    pass->window = NULL;
    list_append(&g->held_back, &pass->link);
    gate_note_mailbox(&w->integration, true);
    event_active(g->admit, EV_TIMEOUT, 1);
}

static void hold_all_back(struct gate *g, struct gate_window *w)
{
    while (!list_is_empty(&w->waiting))
        hold_back(g, list_entry(w->waiting.next, struct gate_pass, link));
}

static void tell_held_back(struct gate *g)
{
    struct list *at;
    while ((at = list_shift(&g->held_back))) {
        struct gate_pass *pass = list_entry(at, struct gate_pass, link);
        pass->held_back(pass);
    }
}

static void count_running(struct gate *g, struct gate_window *w, long change)
{
    w->running += change;
    g->running += change;
    shared_mine()->sending = (uint64_t)g->running;
}

/* The window's turn: one starts, or all wait for what limits it, or they are held back. */
static void serve(struct gate *g, struct gate_window *w)
{
    int64_t now = clock_mono_us();
    gate_window_find_limits(w, now);
    enum limits_go go = limits_start(w->limits, &g->rules, now);
    int64_t wait = go == LIMITS_WAIT ? limits_wait(w->limits, now) : 0;
    if (wait > g->patience_us) {
        hold_all_back(g, w);
        arrange(g, w);
        return;
    }
    if (go == LIMITS_WAIT) {
        wait_for_turn(g, w, wait > LEAST_TURN_US ? wait : LEAST_TURN_US);
        return;
    }
    struct gate_pass *pass = list_entry(w->waiting.next, struct gate_pass, link);
    leave_line(pass);
    pass->probe = go == LIMITS_PROBE;
    pass->started_us = now;
    list_append(&w->active, &pass->link);
    count_running(g, w, 1);
    arrange(g, w);
    pass->admitted(pass);
}

static void on_admit(evutil_socket_t fd, short what, void *arg)
{
    struct gate *g = arg;
    struct list *at;
    (void)fd;
    (void)what;
    tell_held_back(g);
    while (g->running < g->conf->delivery_connections && (at = list_shift(&g->ready)))
        serve(g, list_entry(at, struct gate_window, ready));
    tell_held_back(g);
}

static void await_age(struct gate *g)
{
    if (list_is_empty(&g->by_age) || event_pending(g->age, EV_TIMEOUT, NULL))
        return;
    int64_t left = list_entry(g->by_age.next, struct gate_pass, by_age)->deadline_us - clock_mono_us();
    left = left > 0 ? left : 0;
    event_add(g->age, &(struct timeval){left / 1000000, (suseconds_t)(left % 1000000)});
}

static void on_age(evutil_socket_t fd, short what, void *arg)
{
    struct gate *g = arg;
    int64_t now = clock_mono_us();
    (void)fd;
    (void)what;
    while (!list_is_empty(&g->by_age)) {
        struct gate_pass *pass = list_entry(g->by_age.next, struct gate_pass, by_age);
        struct gate_window *w = pass->window;
        if (pass->deadline_us > now)
            break;
        hold_back(g, pass);
        arrange(g, w);
    }
    await_age(g);
}

/* How long the last of the line waits for those before it. */
static double wait_in_line(const struct gate_window *w, int64_t now)
{
    return w->running < w->most ? 0
                                : gate_window_service_us(w, now) * (double)w->waiting_count / (double)w->most;
}

/* As far as can be known now: would the last of the line wait for longer than is good? */
static bool would_wait(const struct gate *g, const struct gate_window *w, const struct gate_pass *pass,
                       int64_t now)
{
    double rate = limits_rate(w->limits), patience = (double)g->patience_us;
    int64_t wait = limits_wait(w->limits, now);
    if (pass->from_mailbox || wait > g->patience_us)
        return wait > g->patience_us || g->mailbox_closed;
    if (rate > 0 && (now < w->limits->mailbox_until_us ||
                     (double)wait + (double)(w->waiting_count - 1) * 1e6 / rate > patience))
        return true;
    return wait_in_line(w, now) > patience;
}

/* Behind all that are as severe. */
static void stand_in_line(struct gate_window *w, struct gate_pass *pass)
{
    struct list *at = w->waiting.prev;
    while (at != &w->waiting && list_entry(at, struct gate_pass, link)->rank < pass->rank)
        at = at->prev;
    list_prepend(at, &pass->link); /* after AT */
    w->waiting_count++;
    shared_gauge_add(COUNT_GATE_WAITING, 1);
}

/* The least severe of a line that is too long, the youngest first; what comes from the mailbox has its own bounds. */
static void shorten_line(struct gate *g, struct gate_window *w, int64_t now)
{
    struct list *at = w->waiting.prev;
    if (w->waiting_count <= g->conf->gate_line || now >= g->others_until_us)
        return;
    while (at != &w->waiting && list_entry(at, struct gate_pass, link)->from_mailbox)
        at = at->prev;
    if (at != &w->waiting)
        hold_back(g, list_entry(at, struct gate_pass, link));
}

void gate_enter(struct gate *g, struct gate_pass *pass)
{
    int64_t now = clock_mono_us();
    struct gate_window *w = gate_window_of(g, pass, now);
    if (g->last && g->last != w)
        g->others_until_us = now + OTHERS_US;
    g->last = w;
    pass->window = w;
    pass->probe = false;
    list_init(&pass->link);
    list_init(&pass->by_age);
    stand_in_line(w, pass);
    if (would_wait(g, w, pass, now)) {
        hold_back(g, pass);
    } else if (pass->from_mailbox) {
        list_append(&g->from_mailbox, &pass->by_age);
    } else {
        pass->deadline_us = now + g->patience_us;
        list_append(&g->by_age, &pass->by_age);
        shorten_line(g, w, now);
        await_age(g);
    }
    arrange(g, w);
}

void gate_close_mailbox(struct gate *g)
{
    g->mailbox_closed = true;
    while (!list_is_empty(&g->from_mailbox)) {
        struct gate_pass *pass = list_entry(g->from_mailbox.next, struct gate_pass, by_age);
        struct gate_window *w = pass->window;
        hold_back(g, pass);
        arrange(g, w);
    }
}

static void say_open(const struct gate_window *w, const struct dest *dest, int64_t now, enum error_word error)
{
    char integration[UUID_TEXT];
    uuid_format(&w->integration, integration);
    shared_count_cell(COUNT_CIRCUITS, figure_kind(dest));
    LOG(LOG_WARN, "circuit_open", LOG_TEXT("integration", integration),
        LOG_NUM("seconds", (double)(w->limits->open_until_us - now) / 1e6),
        LOG_TEXT("error", error_word_name(error)),
        LOG_TEXT("why",
                 "its requests fail; its deliveries wait in the mailbox, and one at a time probes it"));
}

void gate_begin(const struct gate_pass *pass)
{
    int64_t now = clock_mono_us();
    limits_began(shared_limits(&pass->integration, now), now);
}

void gate_leave(struct gate *g, struct gate_pass *pass, const struct gate_end *end)
{
    struct gate_window *w = pass->window;
    int64_t now = clock_mono_us();
    check(w != NULL && w->running > 0);
    pass->window = NULL;
    list_remove(&pass->link);
    count_running(g, w, -1);
    gate_window_find_limits(w, now);
    if (limits_end(w->limits, &g->rules, now, pass->probe, end->outcome, clock_us(end->hold_s)))
        say_open(w, pass->dest, now, end->error);
    if (end->outcome == LIMITS_THROTTLED)
        shared_count_cell(COUNT_THROTTLED, figure_kind(pass->dest));
    if (end->outcome != LIMITS_NOTHING)
        gate_window_learn(g, w, end, now - pass->started_us, now);
    gate_window_judge_gone(g, w, pass, end, now);
    if (has_turn_to_come(w) && limits_wait(w->limits, now) == 0)
        event_del(w->turn); /* what they waited for is over before its time: a circuit has closed */
    arrange(g, w);
    if (!list_is_empty(&g->ready))
        event_active(g->admit, EV_TIMEOUT, 1);
}
