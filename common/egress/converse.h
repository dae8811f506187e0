#ifndef NOTIFY_EGRESS_CONVERSE_H
#define NOTIFY_EGRESS_CONVERSE_H

#include "common/destinations/dest.h"
#include "common/egress/snippet.h"
#include "common/egress/transfer.h"

/*
 * A conversation with a destination on the wire: its requests and their answers, one after the other, until every job has its
 * verdict. Whoever may hold it, when and for whom, is the caller's.
 */
struct converse;

/* What the caller hears. */
struct converse_calls {
    /* A request is ready, and of good size. False: it is not sent, and the jobs without a verdict get *INSTEAD. NULL: each is. */
    bool (*may_send)(struct converse *c, struct verdict *instead);
    /* An answer has come, before anything is made of it. May be NULL. */
    void (*answered)(struct converse *c);
    /* Once: every job has its verdict, and nothing of it is under way. */
    void (*concluded)(struct converse *c);
};

/* The last answer, and how long all of them took. */
struct converse_result {
    long status; /* HTTP; 0: none came */
    int duration_ms;
    const char *snippet; /* in the arena, any bytes, secrets masked (snippet.h); NULL: it was empty */
    size_t snippet_size;
};

/* Embedded in whoever holds it, and all zero but for what he fills in before converse_begin. */
struct converse {
    const struct dest *dest;
    struct transfers *transfers;
    size_t max_request;                /* bytes of a request's body; a longer one is not sent */
    struct arena *arena;               /* lives longer than the conversation */
    struct conversation *conversation; /* config, jobs, attempt, cache */
    const struct converse_calls *calls;
    struct event_base *base; /* for the pauses of tests; NULL: there are none */

    struct converse_result result;
    int steps; /* requests that were made ready */

    /* Private. */
    struct event *pause;
    struct transfer transfer;
};

/* Ask the destination for its first request, and go on; `concluded` is called later, or within the call. */
void converse_begin(struct converse *c);
/* Break it off in the middle: nothing more is sent, and `concluded` is not called. Jobs may be without a verdict. */
void converse_cancel(struct converse *c);

#endif
