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
 * held by somebody else costs an error, not the connection. Names are resolved by the
 * dialer; only a list of hosts goes to libpq, whose look-up blocks as long as the resolver takes.
 */
#include "common/db/pg_link_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/db/pg_advice.h"
#include "common/db/pg_tls.h"

enum { SAY_EVERY_S = 60 };

#define UNDEFINED_OBJECT "42704"

static void on_io(evutil_socket_t fd, short what, void *arg);

void pg_io_want(struct pg_link *l, short events)
{
    if (l->io && l->io_wanted == events && event_get_fd(l->io) == PQsocket(l->conn))
        return;
    if (l->io)
        event_free(l->io);
    l->io = event_new(l->base, PQsocket(l->conn), events | EV_PERSIST, on_io, l);
    l->io_wanted = events;
    if (event_add(l->io, NULL) != 0)
        pg_link_fail(l, "the kernel watches no more sockets");
}

static void set_timer(struct event *timer, double seconds)
{
    struct timeval tv = clock_timeval(seconds);
    event_add(timer, &tv);
}

static double pause_before_dial(const struct pg_link *l)
{
    double pause = 0.2 * (double)(1u << (l->failures > 12 ? 12 : l->failures));
    if (pause > l->settings.reconnect_max_s)
        pause = l->settings.reconnect_max_s;
    return pause * (1 + 0.25 * ((double)(clock_mono_us() % 1000) / 1000));
}

void pg_link_say_up(const struct pg_link *l)
{
    LOG(LOG_INFO, "database_link_up", LOG_TEXT("link", l->settings.name));
}

/*
 * A link that was up is missed each time; one that does not come up is said after 1, 2, 4, 8 … attempts and then
 * once a minute, or a night without the database would be thousands of equal lines.
 */
static void say_failure(struct pg_link *l, const char *reason, const char *advice)
{
    int64_t now = clock_mono_us();
    bool news = (l->failures & (l->failures - 1)) == 0 || now - l->said_us >= SAY_EVERY_S * 1000000LL;
    if ((l->state != PG_UP || l->flapping) && !news)
        return;
    l->said_us = now;
    LOG(advice ? LOG_ERROR : LOG_WARN, l->state == PG_UP ? "database_link_down" : "database_unreachable",
        LOG_TEXT("link", l->settings.name), LOG_TEXT("reason", reason), LOG_TEXT("advice", advice),
        LOG_NUM("failures", l->failures), LOG_NUM("pending", !list_is_empty(&l->requests)));
}

static void fail(struct pg_link *l, const char *reason, const char *advice)
{
    if (l->state == PG_DOWN)
        return;
    bool was_up = l->state == PG_UP;
    say_failure(l, reason, advice);
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
    if (was_up && l->calls->down)
        l->calls->down(l->owner, l);
    struct list *at;
    while ((at = list_shift(&lost))) {
        struct pg_request *r = list_entry(at, struct pg_request, link);
        r->outcome = PG_LINK_LOST;
        r->done(r);
    }
}

void pg_link_fail(struct pg_link *l, const char *reason)
{
    fail(l, reason, NULL);
}

void pg_link_fail_by_server(struct pg_link *l, const char *what)
{
    char reason[300];
    snprintf(reason, sizeof reason, "%s: %s", what, PQerrorMessage(l->conn));
    reason[strcspn(reason, "\n")] = 0;
    /* A server that answers and refuses the login; libpq 15 does not give the error's code here. */
    bool refused = l->state != PG_UP && (strstr(reason, "FATAL:") || strstr(reason, "ERROR:"));
    const char *advice = l->state != PG_UP ? pg_tls_advice(PQerrorMessage(l->conn)) : NULL;
    if (!advice && refused)
        advice = "if it stays so: notifyctl check says what is wrong";
    fail(l, reason, advice);
}

static bool begins_with_any(const char *text, const char *const *beginnings)
{
    for (; *beginnings; beginnings++)
        if (strncmp(text, *beginnings, strlen(*beginnings)) == 0)
            return true;
    return false;
}

/* What an error of the server means for its request (PostgreSQL's appendix of error codes). */
static enum pg_outcome classify(const struct pg_link *l, const char *state, bool of_first)
{
    static const char *const try_again[] = {"40001", "40P01", "55P03", "57014", "25006", NULL};
    static const char *const bad_data_classes[] = {"21", "22", "23", "54", "P0", "XX", NULL};
    /* The way to the server, what is prepared there, and the server itself. */
    static const char *const link_classes[] = {"08", "0A000", "26", "57P", "58", NULL};
    for (int i = 0; try_again[i]; i++)
        if (strcmp(state, try_again[i]) == 0)
            return PG_TRY_AGAIN;
    if (strncmp(state, "53", 2) == 0)
        return PG_TRY_AGAIN;
    if (begins_with_any(state, bad_data_classes))
        return PG_BAD_DATA;
    bool lost_role = of_first && *l->settings.role && strcmp(state, UNDEFINED_OBJECT) == 0;
    if (l->settings.of_many && l->state == PG_UP && !lost_role && !begins_with_any(state, link_classes))
        return PG_BAD_DATA;
    /* Missing rights or tables, a plan that no longer fits, a server going away: connect and prepare again.
     */
    return PG_LINK_LOST;
}

static void note_error(const struct pg_link *l, struct pg_request *r, const PGresult *res)
{
    const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    const char *words = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
    if (r->outcome != PG_DONE)
        return; /* the first error counts; the others are its consequence */
    snprintf(r->sqlstate, sizeof r->sqlstate, "%s", state ? state : "08000");
    snprintf(r->words, sizeof r->words, "%s", words ? words : PQresultErrorMessage(res));
    r->outcome = classify(l, r->sqlstate, r->answered == 0);
}

static void prove(struct pg_link *l)
{
    if (l->flapping)
        pg_link_say_up(l);
    l->proven = true;
    l->flapping = false;
    l->failures = 0;
}

static void finish_request(struct pg_link *l, struct pg_request *r)
{
    list_remove(&r->link);
    if (r->outcome != PG_LINK_LOST && l->state == PG_UP)
        prove(l);
    if (r->outcome == PG_LINK_LOST) {
        char reason[300];
        l->flapping = l->state == PG_UP && !l->proven;
        snprintf(reason, sizeof reason, "%s %s", r->sqlstate, r->words);
        list_prepend(&l->requests, &r->link);
        fail(l, reason, pg_advice(r->sqlstate));
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
        note_error(l, r, res);
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

void pg_io_flush(struct pg_link *l)
{
    int more = PQflush(l->conn);
    if (more < 0)
        pg_link_fail_by_server(l, "send");
    else
        pg_io_want(l, more ? EV_READ | EV_WRITE : EV_READ);
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

void pg_link_start_request(struct pg_link *l, struct pg_request *r)
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

static void on_io(evutil_socket_t fd, short what, void *arg)
{
    struct pg_link *l = arg;
    (void)fd;
    (void)what;
    if (l->state == PG_CONNECTING) {
        /* The socket may change between two polls: look at it afresh each time. */
        event_free(l->io);
        l->io = NULL;
        pg_dial_poll(l);
        return;
    }
    if (!pg_tls_consume(l->conn)) {
        pg_link_fail_by_server(l, "connection");
        return;
    }
    if (l->state == PG_SETUP)
        pg_dial_read_setup(l);
    else
        read_results(l);
    if (l->state == PG_DOWN)
        return;
    if (PQstatus(l->conn) == CONNECTION_BAD) {
        pg_link_fail_by_server(l, "connection");
        return;
    }
    read_notifications(l);
    if (l->state != PG_DOWN)
        pg_io_flush(l);
}

double pg_link_tick(const struct pg_link *l)
{
    return l->settings.timeout_s / 8 < 0.25 ? l->settings.timeout_s / 8 : 0.25;
}

static void on_watch(evutil_socket_t fd, short what, void *arg)
{
    struct pg_link *l = arg;
    int64_t silent = clock_mono_us() - l->progress_us;
    (void)fd;
    (void)what;
    if ((l->state != PG_UP || !list_is_empty(&l->requests)) &&
        silent > clock_us(l->settings.timeout_s - pg_link_tick(l)))
        pg_link_fail(l, "no answer within database.timeout");
}

static void on_redial(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    pg_dial_start(arg);
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
    mem_check(l->options != NULL); /* the URL was checked with the configuration */
    list_init(&l->requests);
    l->redial = event_new(base, -1, 0, on_redial, l);
    l->watch = event_new(base, -1, EV_PERSIST, on_watch, l);
    return l;
}

void pg_link_start(struct pg_link *l)
{
    pg_dial_start(l);
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
    pg_link_start_request(l, r);
}

void pg_link_execute(struct pg_link *l, struct pg_request *r, int statement, int count,
                     const char *const *values, const int *lengths, const int *formats)
{
    const struct pg_statement *s = &l->settings.statements[statement];
    check(count == s->params);
    if (l->state != PG_UP)
        return; /* failed since begin: done has been called or will be by end */
    r->statements++;
    int row_format = l->settings.binary_rows && l->settings.binary_rows[statement];
    if (!PQsendQueryPrepared(l->conn, s->name, count, values, lengths, formats, row_format))
        pg_link_fail_by_server(l, s->name);
}

void pg_link_end(struct pg_link *l, struct pg_request *r)
{
    (void)r;
    if (l->state != PG_UP)
        return;
    if (!PQpipelineSync(l->conn))
        pg_link_fail_by_server(l, "sync");
    else
        pg_io_flush(l);
}
