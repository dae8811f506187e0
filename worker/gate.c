/*
 * gate - who may send now, and what is held back
 *
 * Owns a window for each integration that has something running or waiting, and for some that had lately. Windows with
 * waiters and room stand in a line and are served in turn, so a slow destination fills its own window only. A window
 * grows with each success up to delivery.per_integration and is halved by a failure: one that never answers holds two
 * connections of a worker, not all.
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
#include "worker/gate.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/destinations/dest_list.h"
#include "worker/shared.h"

enum {
    IDLE_WINDOWS = 1024,          /* kept, for what they have learned and to spare their making */
    MAILBOX_SEEN_US = 5000000,    /* a note of a mailbox is good for */
    REPORT_SUCCESS_US = 60000000, /* between two notes of a success */
    LEAST_TURN_US = 1000,
    OTHERS_US = 2000000,
    SMOOTHING = 8,
    PAUSE_MAX_S = 300 /* limits are forgotten with the host, the time of the next look is not */
};

struct gate_window {
    struct table_entry by_integration;
    struct list ready;
    struct list idle;
    struct list to_report;
    struct gate *gate;
    struct uuid integration;
    struct limits *limits; /* as find_limits left it */
    double rate;           /* as configured */
    uint64_t settings;
    struct list waiting; /* worst first */
    struct list active;  /* the longest running first */
    long waiting_count;
    long running;
    int64_t service_us; /* how long requests take, smoothed; 0: not known */
    long most;
    struct event *turn; /* when the limits let the next one start; NULL until first needed */
    struct gate_report report;
};

struct gate {
    struct event_base *base;
    const struct conf *conf;
    struct limits_rules rules;
    int64_t patience_us;
    long running;
    struct table windows;
    struct list ready;
    struct list idle; /* the longest unused first */
    size_t idle_count;
    struct list to_report;
    struct list by_age;       /* passes that wait, the oldest first */
    struct list from_mailbox; /* passes from there that wait */
    bool mailbox_closed;
    struct list held_back;
    struct event *admit;
    struct event *age;
    const struct gate_window *last; /* that somebody entered */
    int64_t others_until_us;        /* so long others count as being sent to */
};

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

static void free_window(struct gate *g, struct gate_window *w)
{
    table_remove(&g->windows, &w->by_integration);
    list_remove(&w->ready);
    list_remove(&w->idle);
    list_remove(&w->to_report);
    if (w->turn)
        event_free(w->turn);
    free(w);
}

void gate_free(struct gate *g)
{
    struct table_entry *at;
    if (!g)
        return;
    while ((at = table_any(&g->windows)))
        free_window(g, list_entry(at, struct gate_window, by_integration));
    table_free(&g->windows);
    event_free(g->admit);
    event_free(g->age);
    free(g);
}

#define DECLARE(symbol, kind) extern const struct dest symbol;
DEST_LIST(DECLARE)

/* The setting gate.rate_KIND of a destination: one for each, or this does not compile. */
static double rate_of(const struct conf *conf, const struct dest *dest)
{
#define RATE_OF(symbol, kind)                                                                                \
    if (dest == &symbol)                                                                                     \
        return conf->gate_rate_##kind;
    DEST_LIST(RATE_OF)
    return 0;
}

static uint64_t hash_of(const struct uuid *integration)
{
    return hash_bytes(integration->bytes, sizeof integration->bytes);
}

static struct gate_window *find_window(const struct gate *g, const struct uuid *integration, uint64_t hash)
{
    for (struct table_entry *at = table_first(&g->windows, hash); at; at = table_next(at)) {
        struct gate_window *w = list_entry(at, struct gate_window, by_integration);
        if (uuid_equal(&w->integration, integration))
            return w;
    }
    return NULL;
}

static long least(long a, long b)
{
    return a < b ? a : b;
}

static struct gate_window *new_window(struct gate *g, const struct gate_pass *pass, uint64_t hash)
{
    struct gate_window *w = mem_zalloc(sizeof *w);
    w->gate = g;
    w->integration = pass->integration;
    w->most = least(g->conf->gate_window, g->conf->delivery_per_integration);
    list_init(&w->ready);
    list_init(&w->idle);
    list_init(&w->to_report);
    list_init(&w->waiting);
    list_init(&w->active);
    w->report.integration = pass->integration;
    w->report.workspace = pass->workspace;
    table_insert(&g->windows, &w->by_integration, hash);
    return w;
}

/* Before each use: their place in shared memory may have become another integration's, which must not suffer for this one. */
static void find_limits(struct gate_window *w, int64_t now_us)
{
    w->limits = shared_limits(&w->integration, now_us);
    if (!w->limits->settings) /* a new place; others that differ know better */
        limits_configure(w->limits, w->rate, w->settings);
}

static struct gate_window *window_of(struct gate *g, const struct gate_pass *pass, int64_t now_us)
{
    uint64_t hash = hash_of(&pass->integration);
    struct gate_window *w = find_window(g, &pass->integration, hash);
    if (!w)
        w = new_window(g, pass, hash);
    if (!list_is_empty(&w->idle)) {
        list_remove(&w->idle);
        g->idle_count--;
    }
    w->rate = rate_of(g->conf, pass->dest);
    w->settings = pass->settings;
    find_limits(w, now_us);
    limits_configure(w->limits, w->rate, w->settings);
    return w;
}

/* Nobody uses it: keep it for a while. One with something to report stays until that is done. */
static void rest(struct gate *g, struct gate_window *w)
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
    free_window(g, oldest);
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
        rest(g, w);
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
    find_limits(w, now);
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

/* How long requests take at present; one that has no answer yet says as much as one that had. 0: not known. */
static double service_time(const struct gate_window *w, int64_t now)
{
    int64_t age = 0;
    if (!list_is_empty(&w->active))
        age = now - list_entry(w->active.next, struct gate_pass, link)->started_us;
    return (double)(age > w->service_us ? age : w->service_us);
}

/* How long the last of the line waits for those before it. */
static double wait_in_line(const struct gate_window *w, int64_t now)
{
    return w->running < w->most ? 0 : service_time(w, now) * (double)w->waiting_count / (double)w->most;
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
    struct gate_window *w = window_of(g, pass, now);
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
    if (list_is_empty(&w->to_report))
        list_append(&g->to_report, &w->to_report);
}

static void say_open(const struct gate_window *w, int64_t now, enum error_word error)
{
    char integration[UUID_TEXT];
    uuid_format(&w->integration, integration);
    shared_count(COUNT_CIRCUITS);
    LOG(LOG_WARN, "circuit_open", LOG_TEXT("integration", integration),
        LOG_NUM("seconds", (double)(w->limits->open_until_us - now) / 1e6),
        LOG_TEXT("error", error_word_name(error)),
        LOG_TEXT("why",
                 "its requests fail; its deliveries wait in the mailbox, and one at a time probes it"));
}

static void resize(const struct gate *g, struct gate_window *w, enum limits_outcome outcome)
{
    if (outcome == LIMITS_SUCCESS)
        w->most = least(w->most + 1, g->conf->delivery_per_integration);
    else
        w->most = w->most > 1 ? w->most / 2 : 1;
}

void gate_leave(struct gate *g, struct gate_pass *pass, const struct gate_end *end)
{
    struct gate_window *w = pass->window;
    int64_t now = clock_mono_us();
    check(w != NULL && w->running > 0);
    pass->window = NULL;
    list_remove(&pass->link);
    count_running(g, w, -1);
    find_limits(w, now);
    if (limits_end(w->limits, &g->rules, now, pass->probe, end->outcome, clock_us(end->hold_s)))
        say_open(w, now, end->error);
    if (end->outcome == LIMITS_THROTTLED)
        shared_count(COUNT_THROTTLED);
    if (end->outcome != LIMITS_NOTHING) {
        int64_t took = now - pass->started_us;
        w->service_us += (took - w->service_us) / (w->service_us ? SMOOTHING : 1);
        resize(g, w, end->outcome);
        note_report(g, w, end, now);
    }
    if (has_turn_to_come(w) && limits_wait(w->limits, now) == 0)
        event_del(w->turn); /* what they waited for is over before its time: a circuit has closed */
    arrange(g, w);
    if (!list_is_empty(&g->ready))
        event_active(g->admit, EV_TIMEOUT, 1);
}

double gate_pause(const struct uuid *integration)
{
    int64_t now = clock_mono_us();
    double pause = (double)limits_wait(shared_limits(integration, now), now) / 1e6;
    return pause < PAUSE_MAX_S ? pause : PAUSE_MAX_S;
}

double gate_max_age(const struct gate *g, const struct uuid *integration)
{
    int64_t now = clock_mono_us();
    return g->conf->gate_max_age + (double)limits_held(shared_limits(integration, now), &g->rules, now) / 1e6;
}

/* So many go through the integration's window within the patience; as many as it lets run when nothing is known of it. */
static double window_room(const struct gate *g, const struct uuid *integration, int64_t now)
{
    const struct gate_window *w = find_window(g, integration, hash_of(integration));
    double running = (double)(w ? w->most : least(g->conf->gate_window, g->conf->delivery_per_integration));
    double service = w ? service_time(w, now) : 0;
    return service > 0 ? running * (1 + (double)g->patience_us / service) : running;
}

long gate_room(const struct gate *g, const struct uuid *integration, long most)
{
    int64_t now = clock_mono_us();
    double room = window_room(g, integration, now);
    return limits_room(shared_limits(integration, now), now, g->patience_us,
                       room < (double)most ? (long)room : most);
}

void gate_note_mailbox(const struct uuid *integration, bool some)
{
    int64_t now = clock_mono_us();
    shared_limits(integration, now)->mailbox_until_us = some ? now + MAILBOX_SEEN_US : 0;
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
    return true;
}
