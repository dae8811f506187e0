#ifndef NOTIFY_WORKER_PG_BATCH_H
#define NOTIFY_WORKER_PG_BATCH_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/base/list.h"
#include "common/db/pg_array.h"
#include "common/db/pg_link.h"
#include "worker/counters.h"
#include "worker/statements.h"

/*
 * Many questions, or many rows, in few requests. Items are added one by one; those that wait leave together,
 * and each is reported once, however often its request had to be repeated.
 */
struct pg_batch;

/* Embedded in what is to be done; from pg_batch_add until it is reported or withdrawn it is the batch's. */
struct pg_batch_item {
    struct list link;                                                             /* private */
    enum { PG_BATCH_OUT, PG_BATCH_WAITING, PG_BATCH_ASIDE, PG_BATCH_SENT } place; /* private */
    bool alone;  /* private: was set aside, and goes alone so that no other waits with it */
    bool urgent; /* somebody waits for it to begin: no lingering; set before it is added */
};

struct pg_batch_settings {
    enum batch batch; /* whose; for the log and the figures */
    size_t most;      /* items of a request */
    /* Seconds between two requests while fewer items wait than ENOUGH and none is urgent; 0: none. */
    double linger;
    size_t enough;
};

/* OWNER is what was given with the calls. */
struct pg_batch_calls {
    /*
     * Make the request: for each of its statements pg_batch_columns, fill them, pg_batch_execute. ITEMS may be
     * sorted. Whatever an earlier answer left in them is to be forgotten: a part of it may have come before the
     * request had to be repeated.
     */
    void (*send)(void *owner, struct pg_batch_item **items, size_t count);
    /* The rows of one of the statements; nothing is certain before `done`. NULL: of no interest. */
    void (*result)(void *owner, enum statement statement, const PGresult *result,
                   struct pg_batch_item **items, size_t count);
    /* All of it took effect. */
    void (*done)(void *owner, struct pg_batch_item **items, size_t count);
    /* The database refuses ITEM by itself, for the reason in WHY: report it, or call pg_batch_put_aside. */
    void (*refused)(void *owner, struct pg_batch_item *item, const struct pg_request *why);
};

struct pg_batch *pg_batch_new(struct event_base *base, struct pg_link *link,
                              const struct pg_batch_settings *settings, const struct pg_batch_calls *calls,
                              void *owner);
/* After the link: items that are still here are forgotten. */
void pg_batch_free(struct pg_batch *b);
void pg_batch_add(struct pg_batch *b, struct pg_batch_item *item);
/* Forget an item that waits; false when it is under way or not here. */
bool pg_batch_withdraw(struct pg_batch *b, struct pg_batch_item *item);
/* The link has come up. */
void pg_batch_resume(struct pg_batch *b);

/* Only within `send`: empty columns for the parameters of STATEMENT; the first is returned. */
struct pg_array *pg_batch_columns(struct pg_batch *b, enum statement statement);
/* Only within `send`: the columns are filled. */
void pg_batch_execute(struct pg_batch *b);
/* Only within `refused`: it will be tried again, alone, after a second. */
void pg_batch_put_aside(struct pg_batch *b, struct pg_batch_item *item);

#endif
