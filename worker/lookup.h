#ifndef NOTIFY_WORKER_LOOKUP_H
#define NOTIFY_WORKER_LOOKUP_H

#include <event2/event.h>
#include <stdbool.h>

#include "common/base/arena.h"
#include "common/base/conf.h"
#include "common/model/event.h"
#include "worker/pg_batch.h"

/* What the ledger knows of one delivery of the event. */
struct lookup_row {
    struct uuid integration;
    enum delivery_state state;
    int attempt;
    /* Until due, or since it was due or last swept (waiting, deferred); until the lease has ended (sending). */
    double seconds_left;
    enum reason reason;
    enum error_word error;
};

/* A question, embedded in what asks, and its answer. The answer's texts live in the arena of the question. */
struct lookup {
    struct pg_batch_item item; /* private */
    struct arena *arena;
    const char *event_id;
    const struct event *about; /* for the log; NULL: nobody is named */
    uint64_t poison_hash;      /* shared memory names it while the answer is read; 0: nobody is named */
    struct uuid scan_id;
    bool has_finding;
    struct uuid finding_id;
    void (*answered)(struct lookup *lookup);

    /* The answer. */
    bool found;         /* scan, target and, where asked for, finding */
    bool has_workspace; /* the scan is there, whatever is not */
    bool finding_of_other_scan;
    struct facts facts;
    bool has_event; /* the ledger has an event with this id */
    unsigned char event_hash[SHA256_SIZE];
    enum event_state event_state;
    enum reason event_reason;
    double scheduled_in; /* seconds */
    struct trace trace;  /* that its row names; not known: none */
    struct lookup_row *rows;
    size_t row_count;
};

struct lookups;

/* The link must prepare worker_statements. It may be shared with other users. */
struct lookups *lookups_new(struct event_base *base, struct pg_link *link, const struct conf *conf);
void lookups_free(struct lookups *l);
/* Ask. `answered` is called once, later, whenever the database is there. */
void lookups_ask(struct lookups *l, struct lookup *lookup);
/* Forget a question that is still waiting; false when it is under way or answered. */
bool lookups_withdraw(struct lookups *l, struct lookup *lookup);
/* The link has come up. */
void lookups_resume(struct lookups *l);

#endif
