#ifndef NOTIFY_DB_PG_LINK_PARTS_H
#define NOTIFY_DB_PG_LINK_PARTS_H

#include "common/db/pg_link.h"

/* Shared by pg_link.c, which runs requests, and pg_dial.c, which brings the connection up, and by nobody else. */
enum pg_link_state { PG_DOWN, PG_RESOLVING, PG_CONNECTING, PG_SETUP, PG_PREPARING, PG_UP };

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
    bool proven;     /* a request was answered since the link came up */
    bool flapping;   /* it comes up, and the first request ends it: the database is there and refuses us */
    int64_t said_us; /* when it was last said that the link does not come up */
    int64_t progress_us;
    struct list requests;
    struct pg_request preparing;
    bool reading;
};

/* pg_link.c: write it to the log. */
void pg_link_say_up(const struct pg_link *l);
/* Seconds between two looks whether the server is silent; it counts as such so long before its time is over. */
double pg_link_tick(const struct pg_link *l);
/* Watch the connection's socket for these events of libevent. */
void pg_io_want(struct pg_link *l, short events);
/* Send what libpq holds; watch for room when there is more. */
void pg_io_flush(struct pg_link *l);
/* Fail with libpq's words. */
void pg_link_fail_by_server(struct pg_link *l, const char *what);
/* Put the request behind those under way. */
void pg_link_start_request(struct pg_link *l, struct pg_request *r);

/* pg_dial.c: begin; go on when the socket is ready; take the answers of the set-up statements. */
void pg_dial_start(struct pg_link *l);
void pg_dial_poll(struct pg_link *l);
void pg_dial_read_setup(struct pg_link *l);

#endif
