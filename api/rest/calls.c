/*
 * calls - calls of the service on connections to the database
 *
 *   WAITING   for a connection that is up, or for the pause after a refusal that passes     one is -> SENT; too late -> away
 *   SENT      in a pipeline, with others before and behind it                               answered -> over; lost -> WAITING
 *
 * A call goes to the connection with the fewest before it, so one that takes long holds up few others. Invariants: each hears
 * once; what is reported as answered is committed.
 */
#include "api/rest/calls.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"

enum { TICK_MS = 100 };

struct calls_link {
    struct calls *calls;
    struct pg_link *link;
    size_t sent;
};

struct calls {
    const struct conf *conf;
    struct calls_link *links;
    size_t count;
    struct list waiting; /* in the order in which they came */
    struct event *tick;
};

static void over(struct running_call *r, enum call_outcome outcome)
{
    r->done(r, outcome);
}

static void wait_again(struct running_call *r)
{
    struct calls *c = r->calls;
    struct timeval tv = {0, TICK_MS * 1000};
    list_append(&c->waiting, &r->link);
    if (!event_pending(c->tick, EV_TIMEOUT, NULL))
        event_add(c->tick, &tv);
}

static void on_rows(struct pg_request *request, int index, const PGresult *rows)
{
    struct running_call *r = list_entry(request, struct running_call, request);
    service_take(&r->call, (size_t)index, rows);
}

static void on_done(struct pg_request *request)
{
    struct running_call *r = list_entry(request, struct running_call, request);
    r->on->sent--;
    r->on = NULL;
    snprintf(r->words, sizeof r->words, "%s", request->words);
    snprintf(r->sqlstate, sizeof r->sqlstate, "%s", request->sqlstate);
    switch (request->outcome) {
    case PG_DONE:
        service_finish(&r->call);
        over(r, CALL_ANSWERED);
        break;
    case PG_BAD_DATA:
        over(r, CALL_REFUSED);
        break;
    case PG_TRY_AGAIN:
    case PG_LINK_LOST:
        wait_again(r);
        break;
    }
}

static struct calls_link *least_busy(struct calls *c)
{
    struct calls_link *best = NULL;
    for (size_t i = 0; i < c->count; i++)
        if (pg_link_is_up(c->links[i].link) && (!best || c->links[i].sent < best->sent))
            best = &c->links[i];
    return best;
}

static void send_on(struct running_call *r, struct calls_link *on)
{
    r->on = on;
    on->sent++;
    r->request = (struct pg_request){.result = on_rows, .done = on_done};
    pg_link_begin(on->link, &r->request);
    for (size_t i = 0; i < r->call.step_count; i++) {
        const struct service_step *s = &r->call.steps[i];
        pg_link_execute(on->link, &r->request, (int)s->statement, s->count, s->values, NULL, NULL);
    }
    pg_link_end(on->link, &r->request);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct calls *c = arg;
    struct list all, *at;
    int64_t now = clock_mono_us();
    (void)fd;
    (void)what;
    list_init(&all);
    list_splice(&all, &c->waiting);
    while ((at = list_shift(&all))) {
        struct running_call *r = list_entry(at, struct running_call, link);
        struct calls_link *on = least_busy(c);
        if (now > r->until_us)
            over(r, CALL_AWAY);
        else if (on)
            send_on(r, on);
        else
            wait_again(r);
    }
}

void calls_run(struct calls *c, struct running_call *r)
{
    struct calls_link *on = least_busy(c);
    r->calls = c;
    r->on = NULL;
    list_init(&r->link);
    r->until_us = clock_mono_us() + clock_us(c->conf->database_timeout);
    if (on)
        send_on(r, on);
    else
        wait_again(r);
}

static void on_up(void *owner, struct pg_link *link)
{
    const struct calls_link *l = owner;
    (void)link;
    event_active(l->calls->tick, EV_TIMEOUT, 1);
}

struct calls *calls_new(struct event_base *base, struct dialer *dialer, const struct conf *conf)
{
    static const struct pg_link_calls link_calls = {.up = on_up};
    struct pg_link_settings settings = {
        .name = "pencheff-notify api",
        .url = conf->database_url,
        .role = conf->api_role,
        .timeout_s = conf->database_timeout,
        .lock_timeout_s = conf->database_lock_timeout,
        .reconnect_max_s = conf->database_reconnect_max,
        .statements = api_statements,
        .statement_count = API_STATEMENT_COUNT,
    };
    struct calls *c = mem_zalloc(sizeof *c);
    c->conf = conf;
    c->count = (size_t)conf->api_database_connections;
    c->links = mem_zalloc(c->count * sizeof *c->links);
    list_init(&c->waiting);
    c->tick = event_new(base, -1, 0, on_tick, c);
    for (size_t i = 0; i < c->count; i++) {
        c->links[i].calls = c;
        c->links[i].link = pg_link_new(base, dialer, &settings, &link_calls, &c->links[i]);
        pg_link_start(c->links[i].link);
    }
    return c;
}

void calls_free(struct calls *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++)
        pg_link_free(c->links[i].link);
    event_free(c->tick);
    free(c->links);
    free(c);
}

bool calls_are_up(const struct calls *c)
{
    return calls_up(c) > 0;
}

size_t calls_up(const struct calls *c)
{
    size_t up = 0;
    for (size_t i = 0; i < c->count; i++)
        up += pg_link_is_up(c->links[i].link);
    return up;
}
