#ifndef NOTIFY_WORKER_EXPAND_H
#define NOTIFY_WORKER_EXPAND_H

#include <event2/event.h>
#include <stdbool.h>

#include "common/base/arena.h"
#include "common/base/conf.h"
#include "worker/expand_page.h"
#include "worker/pg_batch.h"

/*
 * A task notify_scan_findings on its way: one event published for the scan and one for each of its unsuppressed
 * findings, worst first, in pages. How far it has come stands in the task's row of notify.events.
 */
struct expansions;

/*
 *   state        means                                               left by
 *   ADMITTED     has one of the places in hand                       -> ASKING; WAITING
 *   WAITING      others are at work                                  -> ASKING
 *   ASKING       its place is being written, findings are read       -> PUBLISHING; ASKING; ENDED
 *   PUBLISHING   the messages of a page are not all confirmed        -> ASKING
 *   ENDED        everything is published and written, or refused
 */
enum expansion_state {
    EXPANSION_NONE,
    EXPANSION_ADMITTED,
    EXPANSION_WAITING,
    EXPANSION_ASKING,
    EXPANSION_PUBLISHING,
    EXPANSION_ENDED
};

enum expansion_end {
    EXPANSION_COMPLETE,  /* its row says so */
    EXPANSION_OVERTAKEN, /* its row is further, or ended: another worker has it */
    EXPANSION_REFUSED,   /* the database will never take it */
};

struct expand_message;

/* Embedded in what has the task; zero at first. */
struct expansion {
    const struct event *task; /* must live until `ended`; so must the next */
    const char *queue;        /* where the task came from */
    void (*ended)(struct expansion *x, enum expansion_end end); /* called once */

    /* The rest is private. */
    struct expansions *all;
    struct list link; /* while it waits */
    enum expansion_state state;
    struct pg_batch_item item;
    bool write; /* what is asked of the database: write the place, and that it is the last; then read on */
    bool last;
    bool read;
    bool in_row;                 /* the answer: its row is still open */
    bool placed;                 /* the answer: its place is written */
    int published;               /* so many events are confirmed */
    struct expand_finding place; /* the last of them, if has_place */
    bool has_place;
    struct expand_finding *findings; /* read ahead, worst first */
    size_t count;
    size_t next;       /* the first that is not published */
    bool more;         /* there were more than could be read at once */
    struct arena page; /* what the messages under way are made of */
    struct expand_message *messages;
    size_t unconfirmed;
};

struct expansions *expansions_new(struct event_base *base, struct pg_link *link, const struct conf *conf,
                                  struct publisher *publisher);
/* After the link. */
void expansions_free(struct expansions *all);
/* The link has come up. */
void expansions_resume(struct expansions *all);

/* A place for X, until expansion_drop; false when this worker has enough of them in hand. */
bool expansion_admit(struct expansions *all, struct expansion *x);
/* Go on from where the task's row says, which must be committed as open. `ended` is called later. */
void expansion_run(struct expansion *x);
/* Give up the place and all memory. Nothing of X may be under way. Harmless when it was never admitted. */
void expansion_drop(struct expansion *x);

#endif
