#ifndef NOTIFY_API_REST_CALLS_H
#define NOTIFY_API_REST_CALLS_H

#include <event2/event.h>

#include "api/service/service.h"
#include "common/base/conf.h"
#include "common/base/list.h"
#include "common/db/pg_link.h"
#include "common/net/dial.h"

/*
 * Calls of the service, run over a few connections to the database, many at a time. A call whose transaction was lost is sent
 * again until it is answered or its time is over.
 */
struct calls;

enum call_outcome {
    CALL_ANSWERED, /* service_finish was called */
    CALL_AWAY,     /* the database did not answer in time; nobody knows whether it took effect */
    CALL_REFUSED,  /* the database refuses it; see `words` */
};

/* Embedded in what waits for it. */
struct running_call {
    struct service_call call;
    /* Called exactly once, later. */
    void (*done)(struct running_call *running, enum call_outcome outcome);
    char words[240]; /* what the database said, for the log */
    char sqlstate[6];

    /* Private. */
    struct list link;
    struct calls *calls;
    struct calls_link *on; /* NULL: it waits */
    struct pg_request request;
    size_t step;
    int64_t until_us;
};

struct calls *calls_new(struct event_base *base, struct dialer *dialer, const struct conf *conf);
void calls_free(struct calls *c);
void calls_run(struct calls *c, struct running_call *running);
/* At least one connection is up. */
bool calls_are_up(const struct calls *c);
/* How many connections are. */
size_t calls_up(const struct calls *c);

#endif
