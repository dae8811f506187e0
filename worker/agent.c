/*
 * agent - what is done once per host: hears of changed integrations, sweeps, deletes what is old, answers about health
 *
 * Owns one LISTEN connection, and one for sweep.c and retention.c. Each notification raises the generation word of its workspace in shared memory,
 * before which nobody uses an older cached row again. The link is proven by a notification to itself, sent
 * twice a second through the same queue as all others: when it has come back, everything that was committed
 * before it was sent has been heard, and the words are good until PROOF_US after the sending. A link that is
 * cut without a word is so unproven after 1.5 s at most, and then workers believe cached rows for a second
 * only. After every connect all words are raised once, since nobody knows what was missed.
 *
 * Without the triggers on the table of integrations no notification would come: each ping looks whether they
 * are there, and only then proves anything.
 */
#include "worker/agent.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/process.h"
#include "common/base/uuid.h"
#include "common/db/pg_link.h"
#include "common/net/dial.h"
#include "worker/agent_health.h"
#include "worker/agent_http.h"
#include "worker/log_level.h"
#include "worker/presence.h"
#include "worker/retention.h"
#include "worker/shared.h"
#include "worker/statements.h"
#include "worker/sweep.h"

#define AGENT_CHANNEL "notify_integrations"

enum { PING_MS = 500, PROOF_US = 1500000, PING_LOST_S = 2, TRIGGERS = 4, A_TEXT_OID = 1009, TEXT_OID = 25 };

struct agent {
    const struct conf *conf;
    struct event_base *base;
    struct dialer *dialer;
    struct pg_link *link;
    struct pg_link *ledger;
    struct pg_request ping;
    struct agent_health *health;
    struct agent_http *http;
    struct sweep *sweep;
    struct retention *retention;
    struct presence *presence;
    struct event *tick;
    struct event *term;
    struct event *interrupt;
    struct event *quit;
    char me[UUID_TEXT];
    unsigned long sent_number;
    int64_t sent_us;
    bool under_way; /* the request of the last ping is not done */
    bool waiting;   /* for the echo of sent_number */
    bool triggers;  /* they were there at the last ping */
    bool said_none; /* that they are not */
    bool at_once;   /* to leave */
};

/*
 * Text and parameters apart, so that this statement, which runs all the time, does not name the table:
 * whoever looks for queries on it in the statistics should find only real ones.
 */
static const struct pg_statement agent_statements[] = {
    {"ping",
     "SELECT pg_notify($1, $2), (SELECT count(*) FROM pg_catalog.pg_trigger t WHERE t.tgrelid = "
     "to_regclass($3)"
     " AND t.tgname = ANY ($4) AND t.tgenabled IN ('O', 'A'))",
     4,
     {TEXT_OID, TEXT_OID, TEXT_OID, A_TEXT_OID}},
};

static void on_ping_result(struct pg_request *request, int index, const PGresult *res)
{
    struct agent *a = list_entry(request, struct agent, ping);
    (void)index;
    a->triggers = PQntuples(res) == 1 && atoi(PQgetvalue(res, 0, 1)) == TRIGGERS;
    if (!a->triggers && !a->said_none)
        LOG(LOG_WARN, "triggers_missing",
            LOG_TEXT("advice", "changes of integrations take effect after a second; run notifyctl migrate"));
    a->said_none = !a->triggers;
}

static void on_ping_done(struct pg_request *request)
{
    struct agent *a = list_entry(request, struct agent, ping);
    a->under_way = false;
    if (request->outcome != PG_DONE)
        a->waiting = false;
}

static void ping(struct agent *a)
{
    char payload[96];
    const char *values[] = {
        AGENT_CHANNEL, payload, "public.integrations",
        "{notify_integrations_insert,notify_integrations_update,notify_integrations_delete,"
        "notify_integrations_truncate}"};
    snprintf(payload, sizeof payload, "ping:%s:%lu", a->me, ++a->sent_number);
    a->sent_us = clock_mono_us();
    a->waiting = a->under_way = true;
    a->ping.result = on_ping_result;
    a->ping.done = on_ping_done;
    pg_link_begin(a->link, &a->ping);
    pg_link_execute(a->link, &a->ping, 0, 4, values, NULL, NULL);
    pg_link_end(a->link, &a->ping);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct agent *a = arg;
    (void)fd;
    (void)what;
    shared_alive();
    shared_mine()->resident = process_resident();
    agent_health_tick(a->health);
    log_level_follow();
    if (!pg_link_is_up(a->link))
        return;
    if (!a->waiting && !a->under_way)
        ping(a);
    else if (clock_mono_us() - a->sent_us > PING_LOST_S * 1000000LL)
        pg_link_fail(a->link, "the link for changes of integrations is silent");
}

static void on_echo(struct agent *a, const char *payload)
{
    char mine[96];
    snprintf(mine, sizeof mine, "ping:%s:%lu", a->me, a->sent_number);
    if (!a->waiting || strcmp(payload, mine) != 0)
        return; /* another agent's, or an old one */
    a->waiting = false;
    if (a->triggers)
        shared_proven_set(a->sent_us + PROOF_US);
}

static void on_notified(void *owner, struct pg_link *link, const char *channel, const char *payload)
{
    struct uuid workspace;
    (void)link;
    if (strcmp(channel, AGENT_CHANNEL) != 0)
        return;
    if (strncmp(payload, "ping:", 5) == 0)
        on_echo(owner, payload);
    else if (uuid_parse(&workspace, payload))
        shared_generation_bump(&workspace);
    else
        shared_generation_bump_all(); /* "*", or a word of a later version */
}

static void on_up(void *owner, struct pg_link *link)
{
    struct agent *a = owner;
    (void)link;
    a->waiting = false;
    shared_generation_bump_all();
    shared_mine()->database_up = 1;
    shared_count_cell(COUNT_CONNECTED, SERVER_DATABASE);
    ping(a);
}

static void on_down(void *owner, struct pg_link *link)
{
    (void)owner;
    (void)link;
    shared_mine()->database_up = 0;
    shared_count_cell(COUNT_LOST, SERVER_DATABASE);
}

static void on_ledger_up(void *owner, struct pg_link *link)
{
    (void)owner;
    (void)link;
    shared_count_cell(COUNT_CONNECTED, SERVER_DATABASE);
}

static void on_ledger_down(void *owner, struct pg_link *link)
{
    (void)owner;
    (void)link;
    shared_count_cell(COUNT_LOST, SERVER_DATABASE);
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
    struct agent *a = arg;
    (void)what;
    a->at_once |= number == SIGQUIT;
    event_base_loopbreak(a->base);
}

static struct event *watch_signal(struct agent *a, int number)
{
    struct event *e = evsignal_new(a->base, number, on_signal, a);
    mem_check(event_add(e, NULL) == 0);
    return e;
}

/* What is done to the ledger must not hold up the notifications. */
static struct pg_link *ledger_link(struct agent *a)
{
    static const struct pg_link_calls calls = {.up = on_ledger_up, .down = on_ledger_down};
    struct pg_link_settings settings = {
        .name = "pencheff-notify sweep",
        .url = a->conf->database_url,
        .role = a->conf->database_role,
        .timeout_s = a->conf->database_timeout,
        .lock_timeout_s = a->conf->database_lock_timeout,
        .reconnect_max_s = a->conf->database_reconnect_max,
        .statements = worker_statements,
        .statement_count = STATEMENT_COUNT,
    };
    return pg_link_new(a->base, a->dialer, &settings, &calls, a);
}

static void make_agent(struct agent *a)
{
    static const struct pg_link_calls calls = {on_up, on_down, on_notified};
    struct pg_link_settings settings = {
        .name = "pencheff-notify agent",
        .url = a->conf->database_url,
        .role = a->conf->database_role,
        .setup_sql = "LISTEN " AGENT_CHANNEL ";",
        .timeout_s = a->conf->database_timeout,
        .lock_timeout_s = a->conf->database_lock_timeout,
        .reconnect_max_s = 1, /* every second without proof costs a query per workspace and worker */
        .statements = agent_statements,
        .statement_count = 1,
    };
    struct uuid me;
    uuid_random(&me);
    uuid_format(&me, a->me);
    a->base = event_base_new();
    check(a->base != NULL);
    a->dialer = dialer_new(a->base);
    a->link = pg_link_new(a->base, a->dialer, &settings, &calls, a);
    a->health = agent_health_new(a->conf);
    a->http = agent_http_new(a->base, a->conf->agent_listen, a->health);
    a->ledger = ledger_link(a);
    a->sweep = sweep_new(a->base, a->dialer, a->ledger, a->conf);
    a->retention = retention_new(a->base, a->ledger, a->conf);
    a->presence = presence_new(a->base, a->dialer, a->conf);
    a->tick = event_new(a->base, -1, EV_PERSIST, on_tick, a);
    event_add(a->tick, &(struct timeval){0, PING_MS * 1000});
    a->term = watch_signal(a, SIGTERM);
    a->interrupt = watch_signal(a, SIGINT);
    a->quit = watch_signal(a, SIGQUIT);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
}

static void free_agent(struct agent *a)
{
    presence_free(a->presence);
    pg_link_free(a->ledger); /* before: requests under way belong to the next two */
    retention_free(a->retention);
    sweep_free(a->sweep);
    agent_http_free(a->http);
    agent_health_free(a->health);
    pg_link_free(a->link);
    event_free(a->tick);
    event_free(a->term);
    event_free(a->interrupt);
    event_free(a->quit);
    dialer_free(a->dialer);
    event_base_free(a->base);
}

int agent_run(const struct conf *conf, int slot)
{
    struct agent a = {.conf = conf};
    log_setup(conf->log_level, strcmp(conf->log_format, "json") == 0, "agent");
    shared_adopt(slot);
    shared_mine()->resident = process_resident();
    log_level_follow();
    make_agent(&a);
    pg_link_start(a.link);
    pg_link_start(a.ledger);
    if (!conf_is_shadow(conf)) /* what is overdue belongs to a pool that delivers */
        sweep_start(a.sweep);
    retention_start(a.retention);
    presence_start(a.presence);
    shared_mine()->has_worked = 1; /* the agent of the generation before may leave */
    event_base_dispatch(a.base);
    if (!a.at_once)
        agent_http_finish(a.http, a.base);
    free_agent(&a);
    return 0;
}
