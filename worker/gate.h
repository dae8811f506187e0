#ifndef NOTIFY_WORKER_GATE_H
#define NOTIFY_WORKER_GATE_H

#include <event2/event.h>

#include "common/base/conf.h"
#include "common/base/list.h"
#include "common/base/table.h"
#include "common/base/uuid.h"
#include "common/destinations/dest.h"
#include "worker/gone.h"
#include "worker/limits.h"

/*
 * Who may send now: so many requests in this worker, a window of them for each integration, and what the host's limits
 * of the integration say. What may not start waits here, worst first, integrations in turn; what would wait too long is
 * held back.
 */
struct gate;
struct gate_window;

/* The right to send, embedded in what wants it, which fills the first part. */
struct gate_pass {
    struct uuid integration;
    struct uuid workspace;
    const struct dest *dest;
    uint64_t settings; /* a hash of the integration's settings */
    uint64_t row;      /* a hash of its row */
    bool in_ledger;    /* the ledger says that it is gone, or was as another row */
    int rank;          /* severity: the higher goes first */
    bool from_mailbox; /* comes from there: waits as long as the integration's limits let anybody start */
    /* Exactly one of the two is called, once, later: it may start (and gives the right back with gate_leave) ... */
    void (*admitted)(struct gate_pass *pass);
    /* ... or it would wait too long. */
    void (*held_back)(struct gate_pass *pass);

    /* Private. */
    struct list link;
    struct list by_age;         /* or, from the mailbox, among those */
    struct gate_window *window; /* while waiting or holding */
    int64_t deadline_us;
    int64_t started_us;
    bool probe;
};

/* How what was admitted ended. */
struct gate_end {
    enum limits_outcome outcome;
    double hold_s;         /* the destination asked to be left alone for so long; 0: it did not */
    enum error_word error; /* of a failure */
    bool gone;             /* the destination said that it is */
};

/* How an integration fares: what is new since the last report of it. Times are monotonic; 0: there was none. */
struct gate_report {
    struct uuid integration;
    struct uuid workspace;
    int64_t success_us;
    int64_t failure_us;
    enum error_word error;
    int64_t open_until_us; /* its circuit, now */
    double lowered_rate;   /* now; 0: as configured */
    struct gone_news gone; /* as far as that is new */
    uint64_t row;          /* of which that is so */
};

struct gate *gate_new(struct event_base *base, const struct conf *conf);
void gate_free(struct gate *g);
void gate_enter(struct gate *g, struct gate_pass *pass);
/* What was admitted begins only now. */
void gate_begin(const struct gate_pass *pass);
void gate_leave(struct gate *g, struct gate_pass *pass, const struct gate_end *end);

/* Whether nothing may be sent to INTEGRATION, because its destination said that it is gone; not so for a probe. */
bool gate_is_gone(const struct gate *g, const struct uuid *integration, uint64_t row,
                  const struct gone_news *ledger);

/* Seconds until something to INTEGRATION may start, or is worth asking for again. */
double gate_pause(const struct uuid *integration);
/* Its circuit is open: nothing but a probe goes to INTEGRATION. */
bool gate_is_shut(const struct uuid *integration);
/*
 * Seconds in its mailbox after which a delivery of INTEGRATION is too old: gate.max_age, and on top of it the time that the
 * destination itself has asked to wait, which may be as long.
 */
double gate_max_age(const struct gate *g, const struct uuid *integration);
/*
 * How many deliveries of INTEGRATION are worth taking from its mailbox now, since they can start within the patience: 0
 * to MOST.
 */
long gate_room(const struct gate *g, const struct uuid *integration, long most);
/* Nothing from a mailbox starts any more: what waits is held back, and so is what comes. */
void gate_close_mailbox(struct gate *g);
/* Some are in its mailbox; false: none, as far as the ledger said. */
void gate_note_mailbox(const struct uuid *integration, bool some);
/* A report that is due, into *OUT; false when there is none. */
bool gate_take_report(struct gate *g, struct gate_report *out);

#endif
