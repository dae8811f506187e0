#ifndef NOTIFY_DB_PG_LINK_H
#define NOTIFY_DB_PG_LINK_H

#include <event2/event.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/list.h"
#include "common/net/dial.h"

/*
 * One database connection on the loop, in pipeline mode, with its statements prepared. Reconnects for ever.
 * A request is one or more statements that share one transaction: all of it took effect, or nothing.
 */
struct pg_link;

enum { PG_PARAMS_MAX = 40 };

struct pg_statement {
    const char *name;
    const char *sql;
    int params;
    Oid types[PG_PARAMS_MAX];
};

enum pg_outcome {
    PG_DONE,
    PG_BAD_DATA,  /* a value was refused, or what only this request wants; it will be refused again */
    PG_TRY_AGAIN, /* deadlock, lock timeout, disk full, read-only …: send it again after a pause */
    PG_LINK_LOST, /* nobody knows whether it took effect: send it again when the link is up */
};

struct pg_request {
    struct list link; /* private */
    int statements;   /* private */
    int answered;     /* private */
    int64_t sent_us;  /* private, monotonic */
    enum pg_outcome outcome;
    char sqlstate[6]; /* of a lost link: "" or class 08 when the server said nothing about this request */
    char words[240];  /* the server's first error */
    /* The rows of statement INDEX (0 for the first); the result is freed afterwards. May be NULL. */
    void (*result)(struct pg_request *request, int index, const PGresult *result);
    /* Called exactly once, with `outcome` set. */
    void (*done)(struct pg_request *request);
};

/* Each may be NULL. */
struct pg_link_calls {
    void (*up)(void *owner, struct pg_link *link);
    void (*down)(void *owner, struct pg_link *link);
    /* A notification. Texts valid during the call. */
    void (*notified)(void *owner, struct pg_link *link, const char *channel, const char *payload);
};

struct pg_link_settings {
    const char *name; /* for the log and application_name */
    const char *url;
    const char *role;      /* to SET; "" for none */
    const char *setup_sql; /* more statements after connecting; may be NULL */
    double timeout_s;      /* without an answer: closed */
    double lock_timeout_s; /* of a statement that waits for a lock */
    double reconnect_max_s;
    /* Requests are of many people: an error that is not known to be the connection's is PG_BAD_DATA and ends its request alone.
     * Else the connection is made anew, in the hope that this mends it. The first statement of each request reads current_user:
     * that there is no such thing is said there of a role that was dropped, and may have been made again. */
    bool of_many;
    const struct pg_statement *statements;
    int statement_count;
    const bool *
        binary_rows; /* of each statement: its rows come in binary formats (pg_row); NULL: all come as texts */
};

struct pg_link *pg_link_new(struct event_base *base, struct dialer *dialer,
                            const struct pg_link_settings *settings, const struct pg_link_calls *calls,
                            void *owner);
void pg_link_start(struct pg_link *link);
/* Drops what is pending without calling back. */
void pg_link_free(struct pg_link *link);
bool pg_link_is_up(const struct pg_link *link);
void pg_link_fail(struct pg_link *link, const char *reason);

/*
 * Send a request; the link must be up. FORMATS, LENGTHS as in PQsendQueryPrepared. Between begin and end no
 * other request may be sent. On a failure of the link `done` is called with PG_LINK_LOST, later or within
 * end.
 */
void pg_link_begin(struct pg_link *link, struct pg_request *request);
void pg_link_execute(struct pg_link *link, struct pg_request *request, int statement, int count,
                     const char *const *values, const int *lengths, const int *formats);
void pg_link_end(struct pg_link *link, struct pg_request *request);

#endif
