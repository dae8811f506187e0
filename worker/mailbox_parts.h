#ifndef NOTIFY_WORKER_MAILBOX_PARTS_H
#define NOTIFY_WORKER_MAILBOX_PARTS_H

/* What mailbox.c and mailbox_rows.c share, and nobody else sees. */
#include "common/base/arena.h"
#include "worker/mailbox.h"
#include "worker/pg_batch.h"

enum wake_state { WAKE_WAITING, WAKE_READING, WAKE_SENDING, WAKE_LINGERING, WAKE_ENDING };

/* A row that was taken out; in the wake's arena until it is on its way. */
struct mailbox_row {
    struct list link;
    struct event event;
    const char *queue;
    int attempt; /* the last one that was made */
    bool too_old;
};

struct wake {
    struct pg_batch_item item; /* while READING and ENDING */
    struct list link;          /* in `all` */
    struct list line;          /* while WAITING */
    struct trip_waker waker;
    struct mailboxes *mailboxes;
    struct intake_receipt *receipt;
    enum wake_state state;
    struct uuid integration;
    int number;
    int64_t begun_us;
    int64_t asked_us;
    int64_t sent_us; /* when something was taken out last; 0: nothing was */
    long reserved;   /* of what the worker may have in hand: a batch while it is read, then what came of it */
    long most;       /* of those, worth taking by severity; the rest may be too old */
    bool good;       /* the answer: its number is the last one */
    const struct dest *dest; /* the answer, too; NULL: none that we know, or nothing is in it */
    struct list rows;
    struct arena arena;
    size_t taken;
    size_t unsent;           /* of them not through, and one while they are begun */
    bool stays;              /* one could not start */
    bool goes_together;      /* several deliveries may share a conversation */
    struct event *lingering; /* NULL until first needed */
};

struct mailboxes {
    struct event_base *base;
    const struct conf *conf;
    struct gate *gate;
    struct intake *intake;
    struct trips *trips;
    struct parts *parts;
    struct pg_batch *batch;
    struct list all;
    size_t count;
    struct list waiting;
    long reserved;
    bool stopped;
};

static inline struct wake *wake_of(struct pg_batch_item *item)
{
    return list_entry(item, struct wake, item);
}

/* Calls of the batch: the statements for what those in hand ask, and what the database says. */
void mailbox_rows_ask(void *owner, struct pg_batch_item **items, size_t count);
void mailbox_rows_take(void *owner, enum statement statement, const PGresult *r, struct pg_batch_item **items,
                       size_t count);

#endif
