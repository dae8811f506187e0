/*
 * db - a database connection that waits, with an end to every wait
 *
 * Owns the link. libpq's own blocking calls would wait for ever on a server that stopped answering, so
 * statements are sent and then polled for until the deadline; a link that missed one is closed, because what
 * the server does with the statement is not known.
 *
 * Not for the worker's loop: it blocks, for connect_timeout (a few seconds) and `timeout` at most.
 */
#include "common/db/db.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/db/pg_tls.h"

/* Seconds for all of a connection but the look-up of the server's name, which libpq makes itself. */
static const double connect_timeout = 5;

/* Keep the first line of TEXT, without a full stop: callers go on with what to do. */
static void set_why(struct db *db, const char *text)
{
    size_t n = strcspn(text, "\n");
    while (n && text[n - 1] == '.')
        n--;
    snprintf(db->why, sizeof db->why, "%.*s", (int)n, text);
}

static bool fail(struct db *db, enum db_failure failure, const char *why)
{
    db->failure = failure;
    set_why(db, why);
    return false;
}

/* Which failure a SQLSTATE is (PostgreSQL's manual, appendix A). */
static enum db_failure judge(const char *sqlstate)
{
    if (!sqlstate[0] || strncmp(sqlstate, "08", 2) == 0 || strncmp(sqlstate, "57P", 3) == 0 ||
        strncmp(sqlstate, "53", 2) == 0)
        return DB_AWAY;
    if (strcmp(sqlstate, "55P03") == 0 || strcmp(sqlstate, "40P01") == 0 || strcmp(sqlstate, "40001") == 0)
        return DB_LOCKED;
    return DB_REFUSED;
}

static bool fail_with_result(struct db *db, const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    snprintf(db->sqlstate, sizeof db->sqlstate, "%s", sqlstate ? sqlstate : "");
    return fail(db, judge(db->sqlstate), message ? message : PQerrorMessage(db->link));
}

/*
 * Wait until the link's socket is ready for EVENTS. False at the deadline or when it cannot be waited for.
 */
static bool wait_for_socket(struct db *db, short events, int64_t deadline_us)
{
    for (;;) {
        int64_t left_us = deadline_us - clock_mono_us();
        if (left_us <= 0)
            return false;
        struct pollfd fd = {.fd = PQsocket(db->link), .events = events};
        int ready = poll(&fd, 1, (int)(left_us / 1000 + 1));
        if (ready > 0 || (ready < 0 && errno != EINTR))
            return ready > 0;
    }
}

/* Wait until a result can be taken without waiting; false at the deadline or when the link broke. */
static bool wait_for_result(struct db *db, int64_t deadline_us)
{
    while (PQisBusy(db->link)) {
        if (!wait_for_socket(db, POLLIN, deadline_us)) {
            char why[128];
            snprintf(why, sizeof why, "no answer to a statement within %.15g s", db->timeout);
            db_close(db);
            return fail(db, DB_AWAY, why);
        }
        if (!pg_tls_consume(db->link))
            return fail(db, DB_AWAY, PQerrorMessage(db->link));
    }
    return true;
}

/* Take all results of what was sent; the last one, or NULL when one of them was an error. */
static PGresult *take_results(struct db *db)
{
    int64_t deadline_us = clock_mono_us() + clock_us(db->timeout);
    PGresult *last = NULL;
    bool good = true;
    for (;;) {
        if (!wait_for_result(db, deadline_us)) {
            PQclear(last);
            return NULL;
        }
        PGresult *result = PQgetResult(db->link);
        if (!result)
            break;
        ExecStatusType status = PQresultStatus(result);
        if (good && status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY)
            good = fail_with_result(db, result);
        PQclear(last);
        last = result;
    }
    if (good && last)
        return last;
    if (good)
        fail(db, DB_AWAY, PQerrorMessage(db->link));
    PQclear(last);
    return NULL;
}

PGresult *db_query(struct db *db, const char *sql, int count, const char *const *values)
{
    return db_query_typed(db, sql, count, NULL, values);
}

PGresult *db_query_typed(struct db *db, const char *sql, int count, const Oid *types,
                         const char *const *values)
{
    db->sqlstate[0] = '\0';
    if (!db->link) {
        fail(db, DB_AWAY, "the connection is closed");
        return NULL;
    }
    if (!PQsendQueryParams(db->link, sql, count, types, values, NULL, NULL, 0)) {
        fail(db, DB_AWAY, PQerrorMessage(db->link));
        return NULL;
    }
    return take_results(db);
}

bool db_run(struct db *db, const char *script)
{
    db->sqlstate[0] = '\0';
    if (!db->link)
        return fail(db, DB_AWAY, "the connection is closed");
    if (!PQsendQuery(db->link, script))
        return fail(db, DB_AWAY, PQerrorMessage(db->link));
    PGresult *result = take_results(db);
    PQclear(result);
    return result != NULL;
}

/* The server's notices are for its log; ours are said by the program that asked. */
static void ignore_notice(void *unused, const char *message)
{
    (void)unused;
    (void)message;
}

static bool take_role(struct db *db, const char *role)
{
    char *quoted = PQescapeIdentifier(db->link, role, strlen(role));
    if (!quoted)
        return fail(db, DB_ROLE, "the role in the configuration is no valid name");
    char sql[256];
    snprintf(sql, sizeof sql, "SET ROLE %s", quoted);
    PQfreemem(quoted);
    if (db_run(db, sql))
        return true;
    if (db->failure == DB_REFUSED)
        db->failure = DB_ROLE;
    return false;
}

/*
 * Why the server let nobody in. libpq keeps the SQLSTATE of a refused connection to itself, but for the text
 * of a verbose error: "FATAL:  28P01: password authentication failed ...".
 */
static bool fail_to_connect(struct db *db)
{
    const char *text = db->link ? PQerrorMessage(db->link) : "out of memory";
    const char *refusal = strstr(text, "FATAL:  ");
    db->advice = pg_tls_advice(text);
    if (!refusal || strlen(refusal) < strlen("FATAL:  28P01: "))
        return fail(db, db->advice ? DB_UNTRUSTED : DB_AWAY, text);
    refusal += strlen("FATAL:  ");
    snprintf(db->sqlstate, sizeof db->sqlstate, "%.5s", refusal);
    return fail(db, db->advice ? DB_UNTRUSTED : judge(db->sqlstate), refusal + strlen("28P01: "));
}

static bool connect_within(struct db *db, int64_t deadline_us)
{
    PostgresPollingStatusType wants = PGRES_POLLING_WRITING;
    while (db->link && PQstatus(db->link) != CONNECTION_BAD && wants != PGRES_POLLING_OK) {
        if (!wait_for_socket(db, wants == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_us))
            return fail(db, DB_AWAY, "no connection within 5 s");
        wants = PQconnectPoll(db->link);
    }
    return wants == PGRES_POLLING_OK || fail_to_connect(db);
}

bool db_open(struct db *db, const struct conf *conf, const char *program, enum db_role role)
{
    memset(db, 0, sizeof *db);
    db->timeout = conf->database_timeout;
    /* What stands before dbname is a default for what the connection string leaves open. */
    const char *const keys[] = {"client_encoding", "dbname", "application_name", NULL};
    const char *const values[] = {"UTF8", conf->database_url, program, NULL};
    db->link = PQconnectStartParams(keys, values, 1);
    if (db->link)
        PQsetErrorVerbosity(db->link, PQERRORS_VERBOSE);
    if (!connect_within(db, clock_mono_us() + clock_us(connect_timeout)))
        return false;
    PQsetErrorVerbosity(db->link, PQERRORS_DEFAULT);
    PQsetNoticeProcessor(db->link, ignore_notice, NULL);
    const char *name = role == DB_AS_LOGIN ? "" : role == DB_AS_API ? conf->api_role : conf->database_role;
    return !name[0] || take_role(db, name);
}

void db_close(struct db *db)
{
    PQfinish(db->link);
    db->link = NULL;
}
