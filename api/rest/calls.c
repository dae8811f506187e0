/*
 * calls - calls of the service on connections to the database
 *
 *   WAITING   in the line of its workspace, for a place or for the end of a pause    sent -> SENT; too late -> away
 *   SENT      in a pipeline, with others before and behind it                        answered -> over; lost, locked -> WAITING
 *
 * A workspace has a few places (api.workspace_calls), each on a connection of its own, so that what it waits for leaves
 * connections to others; nobody is put behind a call that takes long already. A call that meets a lock leaves its place and
 * comes again. Invariants: each hears once; what is reported as answered is committed; what is reported as not done was not
 * done by a try whose answer was lost.
 */
#include "api/rest/calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/table.h"
#include "common/base/uuid.h"

enum { TICK_MS = 100, LONG_US = 20000 /* many times what a call takes as a rule */ };

struct calls_link {
    struct calls *calls;
    struct pg_link *link;
    size_t sent;
    int64_t moved_us; /* when it last answered, or got the first of those that are sent */
};

/* The calls of one workspace. Lives until a tick finds that there are none. */
struct calls_line {
    struct table_entry by_workspace;
    struct list link;
    char workspace[UUID_TEXT];
    struct list waiting; /* in the order in which they came, or came again */
    struct list sent;
    int sent_count;
};

struct calls {
    const struct conf *conf;
    struct calls_link *links;
    size_t count;
    struct table by_workspace;
    struct list lines;
    struct event *tick; /* is to come while there are lines */
};

/* ---- lines ---- */

static struct calls_line *line_of(struct calls *c, const struct service_call *call)
{
    check(call->steps[0].statement == API_WORKSPACE);
    const char *workspace = call->steps[0].values[0];
    uint64_t hash = hash_text(workspace);
    for (struct table_entry *at = table_first(&c->by_workspace, hash); at; at = table_next(at)) {
        struct calls_line *line = list_entry(at, struct calls_line, by_workspace);
        if (strcmp(line->workspace, workspace) == 0)
            return line;
    }
    struct calls_line *line = mem_zalloc(sizeof *line);
    snprintf(line->workspace, sizeof line->workspace, "%s", workspace);
    list_init(&line->waiting);
    list_init(&line->sent);
    list_init(&line->link);
    list_append(&c->lines, &line->link);
    table_insert(&c->by_workspace, &line->by_workspace, hash);
    return line;
}

static void free_line(struct calls *c, struct calls_line *line)
{
    table_remove(&c->by_workspace, &line->by_workspace);
    list_remove(&line->link);
    free(line);
}

static void over(struct running_call *r, enum call_outcome outcome)
{
    r->done(r, outcome);
}

static void wait_again(struct running_call *r)
{
    r->again_us = clock_mono_us() + TICK_MS * 1000;
    list_append(&r->line->waiting, &r->link);
}

static struct running_call *first_ready(const struct calls_line *line)
{
    int64_t now = clock_mono_us();
    struct list *at;
    list_for_each (at, &line->waiting) {
        struct running_call *r = list_entry(at, struct running_call, link);
        if (now >= r->again_us)
            return r;
    }
    return NULL;
}

/* ---- connections ---- */

static bool takes_long(const struct calls_link *l)
{
    return l->sent > 0 && clock_mono_us() - l->moved_us > LONG_US;
}

static bool has_one_of(const struct calls_link *l, const struct calls_line *line)
{
    struct list *at;
    list_for_each (at, &line->sent)
        if (list_entry(at, struct running_call, link)->on == l)
            return true;
    return false;
}

/* NULL: the line has to wait. */
static struct calls_link *place_for(struct calls *c, const struct calls_line *line)
{
    struct calls_link *best = NULL;
    if (line->sent_count >= c->conf->api_workspace_calls)
        return NULL;
    for (size_t i = 0; i < c->count; i++) {
        struct calls_link *l = &c->links[i];
        if (pg_link_is_up(l->link) && (!best || l->sent < best->sent) && !takes_long(l) &&
            !has_one_of(l, line))
            best = l;
    }
    return best;
}

static void on_rows(struct pg_request *request, int index, const PGresult *rows)
{
    struct running_call *r = list_entry(request, struct running_call, request);
    service_take(&r->call, (size_t)index, rows);
}

static void on_done(struct pg_request *request);

/* May end it, and others, at once, when the connection fails. */
static void send_on(struct running_call *r, struct calls_link *on)
{
    list_remove(&r->link);
    list_append(&r->line->sent, &r->link);
    r->line->sent_count++;
    r->on = on;
    if (on->sent++ == 0)
        on->moved_us = clock_mono_us();
    r->request = (struct pg_request){.result = on_rows, .done = on_done};
    pg_link_begin(on->link, &r->request);
    for (size_t i = 0; i < r->call.step_count; i++) {
        const struct service_step *s = &r->call.steps[i];
        pg_link_execute(on->link, &r->request, (int)s->statement, s->count, s->values, NULL, NULL);
    }
    pg_link_end(on->link, &r->request);
}

/* Send what may be sent. */
static void serve(struct calls *c, struct calls_line *line)
{
    struct running_call *r;
    struct calls_link *on;
    while ((r = first_ready(line)) && (on = place_for(c, line)))
        send_on(r, on);
}

/* ---- answers ---- */

static void judge(struct running_call *r, enum pg_outcome outcome)
{
    switch (outcome) {
    case PG_DONE:
        service_finish(&r->call);
        over(r, r->maybe_done && service_is_doubtful(&r->call) ? CALL_AWAY : CALL_ANSWERED);
        break;
    case PG_BAD_DATA:
        over(r, r->maybe_done ? CALL_AWAY : CALL_REFUSED);
        break;
    case PG_TRY_AGAIN:
        if (strcmp(r->sqlstate, "57014") == 0) /* it would take as long again */
            over(r, r->maybe_done ? CALL_AWAY : CALL_SLOW);
        else
            wait_again(r);
        break;
    case PG_LINK_LOST:
        /* What the server has said an error of has had no effect. */
        r->maybe_done |= !r->sqlstate[0] || strncmp(r->sqlstate, "08", 2) == 0;
        wait_again(r);
        break;
    }
}

static void on_done(struct pg_request *request)
{
    struct running_call *r = list_entry(request, struct running_call, request);
    struct calls *c = r->calls;
    struct calls_line *line = r->line;
    if (takes_long(r->on))
        event_active(c->tick, EV_TIMEOUT, 1); /* those of all lines may have waited for this one */
    r->on->sent--;
    r->on->moved_us = clock_mono_us();
    r->on = NULL;
    list_remove(&r->link);
    line->sent_count--;
    snprintf(r->words, sizeof r->words, "%s", request->words);
    snprintf(r->sqlstate, sizeof r->sqlstate, "%s", request->sqlstate);
    judge(r, request->outcome);
    serve(c, line);
}

/* ---- ---- */

static void give_up_late(struct calls_line *line)
{
    struct list *at, *next;
    int64_t now = clock_mono_us();
    list_for_each_safe (at, next, &line->waiting) {
        struct running_call *r = list_entry(at, struct running_call, link);
        if (now <= r->until_us)
            continue;
        list_remove(at);
        over(r, CALL_AWAY);
    }
}

static void expect_tick(struct calls *c)
{
    struct timeval tv = {0, TICK_MS * 1000};
    if (!list_is_empty(&c->lines) && !event_pending(c->tick, EV_TIMEOUT, NULL))
        event_add(c->tick, &tv);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct calls *c = arg;
    struct list all, *at;
    (void)fd;
    (void)what;
    list_init(&all);
    list_splice(&all, &c->lines);
    if ((at = list_shift(&all)))
        list_append(&all, at); /* each is the first in its turn */
    while ((at = list_shift(&all))) {
        struct calls_line *line = list_entry(at, struct calls_line, link);
        list_append(&c->lines, at);
        give_up_late(line);
        serve(c, line);
        if (list_is_empty(&line->waiting) && !line->sent_count)
            free_line(c, line);
    }
    expect_tick(c);
}

void calls_run(struct calls *c, struct running_call *r)
{
    r->calls = c;
    r->line = line_of(c, &r->call);
    r->on = NULL;
    r->maybe_done = false;
    r->again_us = 0;
    r->until_us = clock_mono_us() + clock_us(c->conf->database_timeout);
    list_init(&r->link);
    list_append(&r->line->waiting, &r->link);
    serve(c, r->line);
    expect_tick(c);
}

static void on_up(void *owner, struct pg_link *link)
{
    const struct calls_link *l = owner;
    (void)link;
    event_active(l->calls->tick, EV_TIMEOUT, 1);
}

struct pg_link_settings calls_link_settings(const struct conf *conf, const char *name)
{
    return (struct pg_link_settings){
        .name = name,
        .url = conf->database_url,
        .role = conf->api_role,
        .timeout_s = conf->database_timeout,
        .lock_timeout_s = conf->api_lock_timeout,
        .reconnect_max_s = conf->database_reconnect_max,
        .of_many = true,
    };
}

struct calls *calls_new(struct event_base *base, struct dialer *dialer, const struct conf *conf)
{
    static const struct pg_link_calls link_calls = {.up = on_up};
    struct pg_link_settings settings = calls_link_settings(conf, "pencheff-notify api");
    settings.statements = api_statements;
    settings.statement_count = API_STATEMENT_COUNT;
    struct calls *c = mem_zalloc(sizeof *c);
    c->conf = conf;
    c->count = (size_t)conf->api_database_connections;
    c->links = mem_zalloc(c->count * sizeof *c->links);
    table_init(&c->by_workspace);
    list_init(&c->lines);
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
    while (!list_is_empty(&c->lines))
        free_line(c, list_entry(c->lines.next, struct calls_line, link));
    table_free(&c->by_workspace);
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
