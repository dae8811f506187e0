/*
 * worker - one worker process
 *
 * Owns the event base and the parts, in the order in which a message meets them; nothing of them existed
 * before the fork, since neither connections nor curl nor libevent survive one. Wires the parts' callbacks
 * and does nothing else with messages.
 *
 * Ends by: TERM, INT or the death of the supervisor (drain: take no more messages, finish those in hand
 * within shutdown_grace, let the broker have the rest back), QUIT (leave at once), or when it is to be
 * recycled. More of TERM and INT change nothing: a terminal sends them to the whole group beside the
 * supervisor, which decides by itself what a second one means. A worker that hangs in draining is ended by
 * SIGALRM.
 */
#include "worker/worker.h"

#include <curl/curl.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/fernet.h"
#include "common/base/log.h"
#include "common/base/process.h"
#include "common/db/pg_link.h"
#include "common/egress/transfer_settings.h"
#include "common/libraries.h"
#include "common/net/dial.h"
#include "worker/decode.h"
#include "worker/health.h"
#include "worker/log_level.h"
#include "worker/mailbox.h"
#include "worker/parts.h"
#include "worker/shadow.h"
#include "worker/shared.h"
#include "worker/statements.h"
#include "worker/trip.h"

enum { TICK_MS = 500, HAND_BACK_EVERY_S = 5, ALARM_EXTRA_S = 5, EXIT_UNFINISHED = 75 };

struct worker {
    const struct conf *conf;
    struct event_base *base;
    struct dialer *dialer;
    struct fernet_keys keys;
    struct transfer_settings transfer;
    struct pg_link *database;
    struct parts parts;
    struct trips *trips;
    struct mailboxes *mailboxes;
    struct shadows *shadows; /* NULL: the mode is to deliver */
    struct health *health;
    struct event *signals[3];
    struct event *tick;
    int64_t drain_until_us; /* 0: not draining */
    int64_t hand_back_at_us;
    uint64_t settled_at_start;
    bool leave_now;
    char owner[128];
};

static void start_draining(struct worker *w, const char *why)
{
    if (w->drain_until_us)
        return;
    LOG(LOG_INFO, "worker_draining", LOG_TEXT("why", why),
        LOG_NUM("in_hand", trips_count(w->trips) + shadows_count(w->shadows)));
    w->drain_until_us = clock_mono_us() + clock_us(w->conf->shutdown_grace);
    shared_mine()->draining = 1;
    /* The last resort, should the loop itself hang. */
    alarm((unsigned)w->conf->shutdown_grace + ALARM_EXTRA_S);
    intake_stop(w->parts.intake);
    mailboxes_stop(w->mailboxes);
    shadows_drain(w->shadows);
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
    struct worker *w = arg;
    (void)what;
    if (number == SIGQUIT)
        w->leave_now = true;
    else
        start_draining(w, number == SIGTERM ? "SIGTERM" : "SIGINT");
}

static void recycle_if_due(struct worker *w)
{
    uint64_t settled = shared_mine()->counters[COUNT_SETTLED] - w->settled_at_start;
    if (shared_workers_are_kept())
        return;
    if (w->conf->recycle_events && settled >= (uint64_t)w->conf->recycle_events)
        start_draining(w, "recycle_events");
    if (w->conf->recycle_memory && (long)(shared_mine()->resident >> 20) > w->conf->recycle_memory)
        start_draining(w, "recycle_memory");
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct worker *w = arg;
    int64_t now = clock_mono_us();
    (void)fd;
    (void)what;
    shared_mine()->resident = process_resident();
    log_level_follow();
    recycle_if_due(w);
    intake_follow(w->parts.intake);
    if (now < w->hand_back_at_us)
        return;
    w->hand_back_at_us = now + HAND_BACK_EVERY_S * 1000000LL;
    trips_hand_back(w->trips, clock_us(w->conf->held_max));
    mailboxes_hand_back(w->mailboxes, clock_us(w->conf->held_max));
    shadows_hand_back(w->shadows, clock_us(w->conf->held_max));
}

static void on_message(void *owner, struct raw_message *raw, struct arena *arena,
                       struct intake_receipt *receipt)
{
    struct worker *w = owner;
    struct uuid integration;
    int number;
    if (w->shadows) {
        shadows_begin(w->shadows, raw, arena, receipt);
        return;
    }
    if (!raw->from_own_queue || !decode_wake(raw, &integration, &number)) {
        trips_begin(w->trips, raw, arena, receipt);
        return;
    }
    arena_free(arena);
    mailboxes_wake(w->mailboxes, &integration, number, receipt);
}

static void on_database_up(void *owner, struct pg_link *link)
{
    struct worker *w = owner;
    (void)link;
    shared_mine()->database_up = 1;
    shared_count_cell(COUNT_CONNECTED, SERVER_DATABASE);
    lookups_resume(w->parts.lookups);
    refs_resume(w->parts.refs);
    rules_resume(w->parts.rules);
    ledger_resume(w->parts.ledger);
    expansions_resume(w->parts.expansions);
    mailboxes_resume(w->mailboxes);
    shadows_resume(w->shadows);
    health_resume(w->health);
    hours_resume(w->parts.hours);
}

static void on_database_down(void *owner, struct pg_link *link)
{
    shared_count_cell(COUNT_LOST, SERVER_DATABASE);
    (void)owner;
    (void)link;
    shared_mine()->database_up = 0;
}

static void make_database(struct worker *w)
{
    static const struct pg_link_calls calls = {on_database_up, on_database_down, NULL};
    struct pg_link_settings settings = {
        .name = "pencheff-notify worker",
        .url = w->conf->database_url,
        .role = w->conf->database_role,
        .timeout_s = w->conf->database_timeout,
        .lock_timeout_s = w->conf->database_lock_timeout,
        .reconnect_max_s = w->conf->database_reconnect_max,
        .statements = worker_statements,
        .statement_count = STATEMENT_COUNT,
        .binary_rows = worker_binary_rows,
    };
    w->database = pg_link_new(w->base, w->dialer, &settings, &calls, w);
}

static void make_parts(struct worker *w)
{
    static const struct intake_calls intake_calls = {on_message};
    const struct conf *c = w->conf;
    struct parts *p = &w->parts;
    p->conf = c;
    p->lookups = lookups_new(w->base, w->database, c);
    p->refs = refs_new(w->base, w->database, c);
    p->bundles = bundles_new();
    p->rules = rules_new(w->base, w->database, c, &w->keys);
    p->ledger = ledger_new(w->base, w->database, c, w->owner);
    p->gate = gate_new(w->base, c);
    p->hours = hours_new(w->base, w->database, c);
    p->transfers = transfers_new(w->base, &w->transfer);
    p->publisher = publisher_new(w->base, w->dialer, c);
    p->expansions = expansions_new(w->base, w->database, c, p->publisher);
    p->intake = intake_new(w->base, w->dialer, c, &intake_calls, w);
    w->trips = trips_new(p);
    if (conf_is_shadow(c))
        w->shadows = shadows_new(w->base, w->database, p, &w->keys, &w->transfer);
    w->mailboxes = mailboxes_new(w->base, w->database, p, w->trips);
    w->health = health_new(w->base, w->database, c, p->gate);
}

static void watch_signals(struct worker *w)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGQUIT};
    for (size_t i = 0; i < 3; i++) {
        w->signals[i] = evsignal_new(w->base, numbers[i], on_signal, w);
        mem_check(event_add(w->signals[i], NULL) == 0);
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
}

static void make_worker(struct worker *w, const struct conf *conf)
{
    char host[64];
    size_t bad;
    w->conf = conf;
    if (gethostname(host, sizeof host) != 0)
        snprintf(host, sizeof host, "unknown");
    host[sizeof host - 1] = 0;
    snprintf(w->owner, sizeof w->owner, "%s/%d/%lld", host, (int)getpid(),
             (long long)(clock_wall_us() / 1000));
    check(fernet_keys_init(&w->keys, conf->secrets_fernet_keys.items, conf->secrets_fernet_keys.count, &bad));
    libraries_begin_curl();
    w->base = event_base_new();
    check(w->base != NULL);
    w->dialer = dialer_new(w->base);
    transfer_settings_fill(&w->transfer, conf);
    make_database(w);
    make_parts(w);
    watch_signals(w);
    w->settled_at_start = shared_mine()->counters[COUNT_SETTLED];
    w->tick = event_new(w->base, -1, EV_PERSIST, on_tick, w);
    event_add(w->tick, &(struct timeval){0, TICK_MS * 1000});
}

static void free_worker(struct worker *w)
{
    trips_free(w->trips);
    mailboxes_free(w->mailboxes);
    health_free(w->health);
    intake_free(w->parts.intake);
    publisher_free(w->parts.publisher);
    transfers_free(w->parts.transfers);
    gate_free(w->parts.gate);
    pg_link_free(w->database);
    shadows_free(w->shadows);
    expansions_free(w->parts.expansions);
    ledger_free(w->parts.ledger);
    rules_free(w->parts.rules);
    lookups_free(w->parts.lookups);
    refs_free(w->parts.refs);
    bundles_free(w->parts.bundles);
    hours_free(w->parts.hours);
    for (size_t i = 0; i < 3; i++)
        event_free(w->signals[i]);
    event_free(w->tick);
    dialer_free(w->dialer);
    event_base_free(w->base);
    fernet_keys_wipe(&w->keys);
    transfer_settings_free(&w->transfer);
    curl_global_cleanup();
}

static size_t in_hand(const struct worker *w)
{
    return trips_count(w->trips) + mailboxes_count(w->mailboxes) + shadows_count(w->shadows);
}

static bool is_finished(const struct worker *w)
{
    if (w->leave_now)
        return true;
    if (!w->drain_until_us)
        return false;
    return (in_hand(w) == 0 && hours_finish(w->parts.hours)) || clock_mono_us() >= w->drain_until_us;
}

int worker_run(const struct conf *conf, int slot)
{
    struct worker w = {0};
    char name[32];
    snprintf(name, sizeof name, "worker-%d", slot);
    log_setup(conf->log_level, strcmp(conf->log_format, "json") == 0, name);
    shared_adopt(slot);
    shared_mine()->resident = process_resident();
    log_level_follow();
    make_worker(&w, conf);
    pg_link_start(w.database);
    publisher_start(w.parts.publisher);
    intake_start(w.parts.intake);
    while (!is_finished(&w)) {
        shared_alive();
        if (event_base_loop(w.base, EVLOOP_ONCE) != 0)
            break;
    }
    size_t left = in_hand(&w);
    LOG(LOG_INFO, "worker_leaves", LOG_NUM("handed_back", left),
        LOG_NUM("settled", shared_mine()->counters[COUNT_SETTLED] - w.settled_at_start));
    if (left) {
        /* Closing the connection hands the messages back; what else is in hand is of no more use. */
        intake_free(w.parts.intake);
        log_end();
        _exit(w.leave_now ? 0 : EXIT_UNFINISHED);
    }
    free_worker(&w);
    return 0;
}
