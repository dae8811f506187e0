#ifndef NOTIFY_API_REST_CALLS_H
#define NOTIFY_API_REST_CALLS_H

#include <event2/event.h>

#include "api/service/service.h"
#include "common/base/conf.h"
#include "common/base/list.h"
#include "common/db/pg_link.h"
#include "common/net/dial.h"

/*
 * Calls of the service, run over a few connections to the database, many at a time, a few of each workspace. A call whose
 * transaction was lost, or met a lock, is sent again until it is answered or its time is over.
 */
struct calls;

enum call_outcome {
    CALL_ANSWERED, /* service_finish was called */
    CALL_AWAY,     /* the database did not answer, or not in time; nobody knows whether it took effect */
    CALL_SLOW,     /* the database ended it because it took too long; it had no effect */
    CALL_REFUSED,  /* the database refuses it; see `words` */
};

/* Embedded in what waits for it. */
struct running_call {
    struct service_call call;
    /* Called exactly once, later. */
    void (*done)(struct running_call *running, enum call_outcome outcome);
    char words[240]; /* what the database said of the last try, for the log; "" for nothing */
    char sqlstate[6];

    /* Private. */
    struct list link;
    struct calls *calls;
    struct calls_line *line; /* of its workspace */
    struct calls_link *on;   /* NULL: it waits */
    struct pg_request request;
    bool maybe_done; /* a try was lost, and may have had its effect */
    int64_t again_us, until_us;
};

/* How the API's connections are, whatever runs over them; its texts are the configuration's. Statements are the caller's to set. */
struct pg_link_settings calls_link_settings(const struct conf *conf, const char *name);
struct calls *calls_new(struct event_base *base, struct dialer *dialer, const struct conf *conf);
void calls_free(struct calls *c);
void calls_run(struct calls *c, struct running_call *running);
/* At least one connection is up. */
bool calls_are_up(const struct calls *c);
/* How many connections are. */
size_t calls_up(const struct calls *c);

#endif
