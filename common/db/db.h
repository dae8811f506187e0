#ifndef NOTIFY_DB_DB_H
#define NOTIFY_DB_DB_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "common/base/conf.h"

/*
 * A connection to the database for programs that may wait: the command line and start-up checks. Workers have
 * their own, which never waits. Every wait has an end: `timeout` seconds per statement.
 */
struct db {
    PGconn *link;
    double timeout; /* seconds; starts as database.timeout, the caller may raise it */
    /* Of the last failure. */
    enum db_failure {
        DB_AWAY, /* not reachable, or the link broke, or no answer in time, or shutting down: try later */
        DB_UNTRUSTED, /* no TLS as database.url demands it: see advice */
        DB_LOCKED,    /* lock_timeout, deadlock or serialization: try again */
        DB_ROLE,      /* that role does not exist or may not be taken on: a matter of configuration */
        DB_REFUSED,   /* the server refuses the login (in db_open) or the statement: see sqlstate */
    } failure;
    const char *advice; /* of DB_UNTRUSTED: what to do, to follow a semicolon; static text */
    char sqlstate[6];   /* "" when the server said none */
    char why[512];      /* one line, for people; never holds the password */
};

enum db_role { DB_AS_LOGIN, DB_AS_CONFIGURED, DB_AS_API };

/*
 * Connect to database.url as PROGRAM (application_name), then SET ROLE database.role, or api.role, when asked to and when
 * one is configured. False with db->failure and db->why; db_close is safe in either case.
 */
bool db_open(struct db *db, const struct conf *conf, const char *program, enum db_role role);
void db_close(struct db *db);

/* Run one statement with COUNT text parameters. NULL with db->failure; else the caller calls PQclear. */
PGresult *db_query(struct db *db, const char *sql, int count, const char *const *values);
/* The same with the types of the parameters; NULL: as the server finds out. */
PGresult *db_query_typed(struct db *db, const char *sql, int count, const Oid *types,
                         const char *const *values);
/* Run a script of several statements; they are one transaction unless the script says otherwise. */
bool db_run(struct db *db, const char *script);

#endif
