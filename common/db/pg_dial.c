/*
 * pg_dial - how a database connection comes up
 *
 * resolving -> connecting -> set-up -> preparing -> up. Each step returns to the loop; a failure of any goes through
 * pg_link_fail. Owns nothing of its own: the parts of struct pg_link that only this file uses are `options`,
 * `address`, `dial` and `preparing`.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/db/pg_link_parts.h"

enum { OPTIONS_MAX = 64 };

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
    l->proven = false;
    if (!l->flapping) { /* else said, and forgiven, with the first answer */
        l->failures = 0;
        pg_link_say_up(l);
    }
    if (l->calls->up)
        l->calls->up(l->owner, l);
}

static void prepare_all(struct pg_link *l)
{
    struct pg_request *r = &l->preparing;
    if (!PQenterPipelineMode(l->conn)) {
        pg_link_fail_by_server(l, "pipeline");
        return;
    }
    l->state = PG_PREPARING;
    memset(r, 0, sizeof *r);
    r->done = on_prepared;
    pg_link_start_request(l, r);
    for (int i = 0; i < l->settings.statement_count; i++) {
        const struct pg_statement *s = &l->settings.statements[i];
        if (!PQsendPrepare(l->conn, s->name, s->sql, s->params, s->types)) {
            pg_link_fail_by_server(l, "prepare");
            return;
        }
    }
    if (!PQpipelineSync(l->conn))
        pg_link_fail_by_server(l, "prepare");
    else
        pg_io_flush(l);
}

void pg_dial_read_setup(struct pg_link *l)
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
            pg_link_fail_by_server(l, "set-up");
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
        (int)(l->settings.timeout_s * 800), (int)(l->settings.lock_timeout_s * 1000));
    if (*l->settings.role) {
        char *quoted = PQescapeIdentifier(l->conn, l->settings.role, strlen(l->settings.role));
        mem_check(quoted != NULL);
        buf_printf(&sql, "SET ROLE %s;", quoted);
        PQfreemem(quoted);
    }
    if (l->settings.setup_sql)
        buf_add_text(&sql, l->settings.setup_sql);
    check(!sql.overflow);
    l->state = PG_SETUP;
    PQsetnonblocking(l->conn, 1);
    if (!PQsendQuery(l->conn, buf_text(&sql)))
        pg_link_fail_by_server(l, "set-up");
    else
        pg_io_flush(l);
    buf_free(&sql);
}

void pg_dial_poll(struct pg_link *l)
{
    switch (PQconnectPoll(l->conn)) {
    case PGRES_POLLING_READING:
        pg_io_want(l, EV_READ);
        break;
    case PGRES_POLLING_WRITING:
        pg_io_want(l, EV_WRITE);
        break;
    case PGRES_POLLING_OK:
        send_setup(l);
        break;
    default:
        pg_link_fail_by_server(l, "connect");
    }
}

/* Into the log and its format; libpq's own way is a raw line to standard error. */
static void on_notice(void *owner, const char *words)
{
    struct pg_link *l = owner;
    char line[300];
    snprintf(line, sizeof line, "%s", words);
    line[strcspn(line, "\n")] = 0;
    LOG(LOG_INFO, "database_notice", LOG_TEXT("link", l->settings.name), LOG_TEXT("words", line));
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
    mem_check(l->conn != NULL);
    PQsetNoticeProcessor(l->conn, on_notice, l);
    if (PQstatus(l->conn) == CONNECTION_BAD) {
        pg_link_fail_by_server(l, "connect");
        return;
    }
    l->state = PG_CONNECTING;
    pg_io_want(l, EV_WRITE);
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

void pg_dial_start(struct pg_link *l)
{
    if (l->state != PG_DOWN)
        return;
    struct timeval tick = clock_timeval(pg_link_tick(l));
    l->state = PG_RESOLVING;
    l->progress_us = clock_mono_us();
    event_add(l->watch, &tick);
    l->address[0] = 0;
    const char *host = host_to_resolve(l);
    if (host)
        l->dial = dial_resolve(l->dialer, host, l->failures, l->settings.timeout_s, on_resolved, l);
    else
        connect_now(l);
}
