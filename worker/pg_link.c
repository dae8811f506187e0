/*
 * pg_link - one database connection on the loop
 *
 * Owns a PGconn, its events and the requests under way, oldest first. States: down -> resolving -> connecting
 * -> setup -> preparing -> up -> down; pg_link_fail is the one way back. Every request ends with exactly one
 * call of `done`; after a failure with PG_LINK_LOST, because an answer that did not arrive tells nothing.
 *
 * Pipeline mode: a request is its statements and one sync, which is one implicit transaction. On a lost
 * server libpq never reports the sync, only nothing for ever, so the state of the connection is looked at
 * each time. The server ends a statement at four fifths of the time after which we give up, so that a lock
 * held by somebody else costs an error, not the connection. Blocks nowhere: names are resolved by the dialer.
 */
#include "worker/pg_link.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "worker/shared.h"

enum pg_link_state { PG_DOWN, PG_RESOLVING, PG_CONNECTING, PG_SETUP, PG_PREPARING, PG_UP };

enum { OPTIONS_MAX = 64 };

struct pg_link {
    struct event_base *base;
    struct dialer *dialer;
    struct pg_link_settings settings;
    const struct pg_link_calls *calls;
    void *owner;
    enum pg_link_state state;
    PQconninfoOption *options; /* the URL, taken apart */
    struct dial *dial;
    char address[64]; /* of the host, when it is a name */
    PGconn *conn;
    struct event *io;
    short io_wanted;
    struct event *redial;
    struct event *watch;
    int failures;
    int64_t progress_us;
    struct list requests;
    struct pg_request preparing;
    bool reading;
};

static void dial(struct pg_link *l);
static void on_io(evutil_socket_t fd, short what, void *arg);

static void want(struct pg_link *l, short events)
{
    if (l->io && l->io_wanted == events && event_get_fd(l->io) == PQsocket(l->conn))
        return;
    if (l->io)
        event_free(l->io);
    l->io = event_new(l->base, PQsocket(l->conn), events | EV_PERSIST, on_io, l);
    l->io_wanted = events;
    event_add(l->io, NULL);
}

static void set_timer(struct event *timer, double seconds)
{
    struct timeval tv = {(time_t)seconds, (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6)};
    event_add(timer, &tv);
}

static double pause_before_dial(const struct pg_link *l)
{
    double pause = 0.2 * (double)(1u << (l->failures > 12 ? 12 : l->failures));
    if (pause > l->settings.reconnect_max_s)
        pause = l->settings.reconnect_max_s;
    return pause * (1 + 0.25 * ((double)(clock_mono_us() % 1000) / 1000));
}

void pg_link_fail(struct pg_link *l, const char *reason)
{
    if (l->state == PG_DOWN)
        return;
    bool was_up = l->state == PG_UP;
    LOG(LOG_WARN, "database_link_down", LOG_TEXT("link", l->settings.name), LOG_TEXT("reason", reason),
        LOG_NUM("failures", l->failures), LOG_NUM("pending", !list_is_empty(&l->requests)));
    l->state = PG_DOWN;
    event_del(l->watch);
    if (l->io) {
        event_free(l->io);
        l->io = NULL;
    }
    if (l->dial) {
        dial_cancel(l->dial);
        l->dial = NULL;
    }
    if (l->conn && !l->reading) {
        PQfinish(l->conn);
        l->conn = NULL;
    }
    set_timer(l->redial, pause_before_dial(l));
    l->failures++;
    struct list lost = LIST_HEAD_INIT(lost);
    list_splice(&lost, &l->requests);
    if (was_up) {
        shared_count(COUNT_DATABASE_DOWN);
        l->calls->down(l->owner, l);
    }
    struct list *at;
    while ((at = list_shift(&lost))) {
        struct pg_request *r = list_entry(at, struct pg_request, link);
        r->outcome = PG_LINK_LOST;
        r->done(r);
    }
}

static void fail_by_server(struct pg_link *l, const char *what)
{
    char reason[300];
    snprintf(reason, sizeof reason, "%s: %s", what, PQerrorMessage(l->conn));
    reason[strcspn(reason, "\n")] = 0;
    pg_link_fail(l, reason);
}

/* What an error of the server means for its request (PostgreSQL's appendix of error codes). */
static enum pg_outcome classify(const char *state)
{
    static const char *const try_again[] = {"40001", "40P01", "55P03", "57014", "25006", NULL};
    static const char *const bad_data_classes[] = {"21", "22", "23", "54", "P0", "XX", NULL};
    for (int i = 0; try_again[i]; i++)
        if (strcmp(state, try_again[i]) == 0)
            return PG_TRY_AGAIN;
    if (strncmp(state, "53", 2) == 0)
        return PG_TRY_AGAIN;
    for (int i = 0; bad_data_classes[i]; i++)
        if (strncmp(state, bad_data_classes[i], 2) == 0)
            return PG_BAD_DATA;
    /* Missing rights or tables, a plan that no longer fits, a server going away: connect and prepare again.
     */
    return PG_LINK_LOST;
}

static void note_error(struct pg_request *r, const PGresult *res)
{
    const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    const char *words = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
    if (r->outcome != PG_DONE)
        return; /* the first error counts; the others are its consequence */
    snprintf(r->sqlstate, sizeof r->sqlstate, "%s", state ? state : "08000");
    snprintf(r->words, sizeof r->words, "%s", words ? words : PQresultErrorMessage(res));
    r->outcome = classify(r->sqlstate);
}

static void finish_request(struct pg_link *l, struct pg_request *r)
{
    list_remove(&r->link);
    if (r->outcome == PG_LINK_LOST) {
        char reason[300];
        snprintf(reason, sizeof reason, "%s %s", r->sqlstate, r->words);
        list_prepend(&l->requests, &r->link);
        pg_link_fail(l, reason);
        return;
    }
    r->done(r);
}

static void take_result(struct pg_link *l, PGresult *res)
{
    struct pg_request *r = list_entry(l->requests.next, struct pg_request, link);
    switch (PQresultStatus(res)) {
    case PGRES_PIPELINE_SYNC:
        finish_request(l, r);
        break;
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
        if (r->result)
            r->result(r, r->answered, res);
        r->answered++;
        break;
    case PGRES_PIPELINE_ABORTED:
        r->answered++;
        break;
    default:
        note_error(r, res);
        r->answered++;
    }
}

static void read_results(struct pg_link *l)
{
    int nothing = 0;
    l->reading = true;
    while (l->state >= PG_PREPARING && !list_is_empty(&l->requests) && !PQisBusy(l->conn)) {
        PGresult *res = PQgetResult(l->conn);
        if (!res) {
            if (++nothing > 1)
                break; /* one NULL ends a statement; two: nothing has come yet */
            continue;
        }
        nothing = 0;
        l->progress_us = clock_mono_us();
        take_result(l, res);
        PQclear(res);
    }
    l->reading = false;
    if (l->state == PG_DOWN && l->conn) {
        PQfinish(l->conn);
        l->conn = NULL;
    }
}

static void flush(struct pg_link *l)
{
    int more = PQflush(l->conn);
    if (more < 0)
        fail_by_server(l, "send");
    else
        want(l, more ? EV_READ | EV_WRITE : EV_READ);
}

static void read_notifications(struct pg_link *l)
{
    PGnotify *n;
    while (l->state != PG_DOWN && (n = PQnotifies(l->conn))) {
        if (l->calls->notified)
            l->calls->notified(l->owner, l, n->relname, n->extra);
        PQfreemem(n);
    }
}

static void on_prepared(struct pg_request *r)
{
    struct pg_link *l = list_entry(r, struct pg_link, preparing);
    if (r->outcome == PG_LINK_LOST)
        return; /* said by pg_link_fail */
    if (r->outcome != PG_DONE) {
        char reason[300];
        snprintf(reason, sizeof reason, "prepare: %s %s", r->sqlstate, r->words);
        pg_link_fail(l, reason);
        return;
    }
    l->state = PG_UP;
    l->failures = 0;
    LOG(LOG_INFO, "database_link_up", LOG_TEXT("link", l->settings.name));
    l->calls->up(l->owner, l);
}

static void start_request(struct pg_link *l, struct pg_request *r)
{
    r->statements = r->answered = 0;
    r->outcome = PG_DONE;
    r->sqlstate[0] = r->words[0] = 0;
    r->sent_us = clock_mono_us();
    if (list_is_empty(&l->requests))
        l->progress_us = r->sent_us;
    list_init(&r->link);
    list_append(&l->requests, &r->link);
}

static void prepare_all(struct pg_link *l)
{
    struct pg_request *r = &l->preparing;
    if (!PQenterPipelineMode(l->conn)) {
        fail_by_server(l, "pipeline");
        return;
    }
    l->state = PG_PREPARING;
    memset(r, 0, sizeof *r);
    r->done = on_prepared;
    start_request(l, r);
    for (int i = 0; i < l->settings.statement_count; i++) {
        const struct pg_statement *s = &l->settings.statements[i];
        if (!PQsendPrepare(l->conn, s->name, s->sql, s->params, s->types)) {
            fail_by_server(l, "prepare");
            return;
        }
    }
    if (!PQpipelineSync(l->conn))
        fail_by_server(l, "prepare");
    else
        flush(l);
}

static void read_setup(struct pg_link *l)
{
    while (!PQisBusy(l->conn)) {
        PGresult *res = PQgetResult(l->conn);
        if (!res) {
            prepare_all(l);
            return;
        }
        ExecStatusType status = PQresultStatus(res);
        PQclear(res);
        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
            fail_by_server(l, "set-up");
            return;
        }
    }
}

static void send_setup(struct pg_link *l)
{
    struct buf sql;
    buf_init(&sql, 4096);
    /* Everything is a look-up by key, in batches, planned once. A plan made while a table was small, or from
     * a stale statistic, would else read all of it for each element of a batch, for as long as it is cached.
     */
    buf_printf(
        &sql,
        "SET statement_timeout = %d; SET lock_timeout = %d; SET enable_seqscan = off;"
        "SET enable_hashjoin = off; SET enable_mergejoin = off; SET plan_cache_mode = force_generic_plan;"
        "SET jit = off; SET client_encoding = 'UTF8'; SET timezone = 'UTC'; SET synchronous_commit = on;",
        (int)(l->settings.timeout_s * 800), (int)(l->settings.timeout_s * 400));
    if (*l->settings.role) {
        char *quoted = PQescapeIdentifier(l->conn, l->settings.role, strlen(l->settings.role));
        check(quoted != NULL);
        buf_printf(&sql, "SET ROLE %s;", quoted);
        PQfreemem(quoted);
    }
    if (l->settings.setup_sql)
        buf_add_text(&sql, l->settings.setup_sql);
    check(!sql.overflow);
    l->state = PG_SETUP;
    PQsetnonblocking(l->conn, 1);
    if (!PQsendQuery(l->conn, buf_text(&sql)))
        fail_by_server(l, "set-up");
    else
        flush(l);
    buf_free(&sql);
}

static void poll_connect(struct pg_link *l)
{
    switch (PQconnectPoll(l->conn)) {
    case PGRES_POLLING_READING:
        want(l, EV_READ);
        break;
    case PGRES_POLLING_WRITING:
        want(l, EV_WRITE);
        break;
    case PGRES_POLLING_OK:
        send_setup(l);
        break;
    default:
        fail_by_server(l, "connect");
    }
}

static void on_io(evutil_socket_t fd, short what, void *arg)
{
    struct pg_link *l = arg;
    (void)fd;
    (void)what;
    if (l->state == PG_CONNECTING) {
        /* The socket may change between two polls: look at it afresh each time. */
        event_free(l->io);
        l->io = NULL;
        poll_connect(l);
        return;
    }
    if (!PQconsumeInput(l->conn)) {
        fail_by_server(l, "connection");
        return;
    }
    if (l->state == PG_SETUP)
        read_setup(l);
    else
        read_results(l);
    if (l->state == PG_DOWN)
        return;
    if (PQstatus(l->conn) == CONNECTION_BAD) {
        fail_by_server(l, "connection");
        return;
    }
    read_notifications(l);
    if (l->state != PG_DOWN)
        flush(l);
}

static void on_watch(evutil_socket_t fd, short what, void *arg)
{
    struct pg_link *l = arg;
    int64_t silent = clock_mono_us() - l->progress_us;
    (void)fd;
    (void)what;
    if ((l->state != PG_UP || !list_is_empty(&l->requests)) && silent > clock_us(l->settings.timeout_s))
        pg_link_fail(l, "no answer within database.timeout");
}

static void connect_now(struct pg_link *l)
{
    const char *keys[OPTIONS_MAX], *values[OPTIONS_MAX];
    char user_timeout[16];
    int n = 0;
    snprintf(user_timeout, sizeof user_timeout, "%d", (int)(l->settings.timeout_s * 1000));
    const char *extra[][2] = {
        {"application_name", l->settings.name}, {"keepalives_idle", "10"},
        {"keepalives_interval", "5"},           {"keepalives_count", "3"},
        {"tcp_user_timeout", user_timeout},
    };
    for (size_t i = 0; i < sizeof extra / sizeof extra[0]; i++, n++) {
        keys[n] = extra[i][0];
        values[n] = extra[i][1];
    }
    for (PQconninfoOption *o = l->options; o->keyword && n < OPTIONS_MAX - 2; o++) {
        if (!o->val || !*o->val)
            continue;
        keys[n] = o->keyword;
        values[n++] = o->val; /* later entries win: the URL may set any of the above */
    }
    if (*l->address) {
        keys[n] = "hostaddr";
        values[n++] = l->address;
    }
    keys[n] = values[n] = NULL;
    l->conn = PQconnectStartParams(keys, values, 0);
    check(l->conn != NULL);
    if (PQstatus(l->conn) == CONNECTION_BAD) {
        fail_by_server(l, "connect");
        return;
    }
    l->state = PG_CONNECTING;
    want(l, EV_WRITE);
}

static void on_resolved(void *owner, const char *address, const char *why)
{
    struct pg_link *l = owner;
    l->dial = NULL;
    if (!address) {
        pg_link_fail(l, why);
        return;
    }
    snprintf(l->address, sizeof l->address, "%s", address);
    connect_now(l);
}

static const char *option(const struct pg_link *l, const char *keyword)
{
    for (PQconninfoOption *o = l->options; o && o->keyword; o++)
        if (strcmp(o->keyword, keyword) == 0 && o->val && *o->val)
            return o->val;
    return NULL;
}

/* The host when it is one name; sockets, addresses and lists of hosts need no look-up by us or get libpq's.
 */
static const char *host_to_resolve(const struct pg_link *l)
{
    unsigned char bytes[16];
    const char *host = option(l, "host");
    if (!host || option(l, "hostaddr") || *host == '/' || *host == '@' || strchr(host, ','))
        return NULL;
    if (inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1)
        return NULL;
    return host;
}

static void dial(struct pg_link *l)
{
    if (l->state != PG_DOWN)
        return;
    struct timeval tick = {0, 250000};
    l->state = PG_RESOLVING;
    l->progress_us = clock_mono_us();
    event_add(l->watch, &tick);
    l->address[0] = 0;
    const char *host = host_to_resolve(l);
    if (host)
        l->dial = dial_resolve(l->dialer, host, l->settings.timeout_s, on_resolved, l);
    else
        connect_now(l);
}

static void on_redial(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    dial(arg);
}

struct pg_link *pg_link_new(struct event_base *base, struct dialer *dialer,
                            const struct pg_link_settings *settings, const struct pg_link_calls *calls,
                            void *owner)
{
    struct pg_link *l = mem_zalloc(sizeof *l);
    char *error = NULL;
    l->base = base;
    l->dialer = dialer;
    l->settings = *settings;
    l->calls = calls;
    l->owner = owner;
    l->options = PQconninfoParse(settings->url, &error);
    check(l->options != NULL); /* the URL was checked with the configuration */
    list_init(&l->requests);
    l->redial = event_new(base, -1, 0, on_redial, l);
    l->watch = event_new(base, -1, EV_PERSIST, on_watch, l);
    return l;
}

void pg_link_start(struct pg_link *l)
{
    dial(l);
}

void pg_link_free(struct pg_link *l)
{
    if (!l)
        return;
    if (l->dial)
        dial_cancel(l->dial);
    if (l->io)
        event_free(l->io);
    if (l->conn)
        PQfinish(l->conn);
    event_free(l->redial);
    event_free(l->watch);
    PQconninfoFree(l->options);
    free(l);
}

bool pg_link_is_up(const struct pg_link *l)
{
    return l->state == PG_UP;
}

void pg_link_begin(struct pg_link *l, struct pg_request *r)
{
    check(l->state == PG_UP);
    start_request(l, r);
}

void pg_link_execute(struct pg_link *l, struct pg_request *r, int statement, int count,
                     const char *const *values, const int *lengths, const int *formats)
{
    const struct pg_statement *s = &l->settings.statements[statement];
    check(count == s->params);
    if (l->state != PG_UP)
        return; /* failed since begin: done has been called or will be by end */
    r->statements++;
    if (!PQsendQueryPrepared(l->conn, s->name, count, values, lengths, formats, 0))
        fail_by_server(l, s->name);
}

void pg_link_end(struct pg_link *l, struct pg_request *r)
{
    (void)r;
    if (l->state != PG_UP)
        return;
    if (!PQpipelineSync(l->conn))
        fail_by_server(l, "sync");
    else
        flush(l);
}
