#ifndef NOTIFY_WORKER_TALK_H
#define NOTIFY_WORKER_TALK_H

#include "common/egress/converse.h"
#include "worker/gate.h"
#include "worker/parts.h"

/*
 * One conversation with one destination: admitted by the gate, then requests and answers until every job has its
 * verdict. Embedded in what talks, which fills the first part and calls talk_enter.
 */
struct talk {
    struct parts *parts;
    const struct dest *dest;
    uint64_t settings; /* a hash of the integration's settings */
    uint64_t row;      /* a hash of its row */
    bool in_ledger;    /* the ledger says that it is broken, or was as another row */
    struct uuid integration;
    struct uuid workspace;
    const char *event_id;             /* for the log and the fault points */
    struct arena *arena;              /* lives longer than the talk */
    struct conversation conversation; /* config, jobs, attempt, cache */
    int rank;                         /* severity: the worse goes first */
    bool from_mailbox;
    bool
        is_claimed; /* what it tells of: no request begins when the claim may have run out; set before talk_begin */
    void (*admitted)(struct talk *talk);  /* it may begin: talk_begin or talk_leave */
    void (*held_back)(struct talk *talk); /* instead: it would wait too long, and is not in line any more */
    void (*concluded)(struct talk *talk); /* every job has its verdict; the gate is left */

    struct converse converse; /* its result is the talk's, besides the verdicts */

    /* Private. */
    int64_t until_us; /* monotonic: no further request begins after that */
    int64_t sent_us;  /* monotonic: the last request */
    struct gate_pass pass;
};

/* Names an event in shared memory while its request is rendered, whatever message brings it. */
uint64_t talk_poison_hash(const char *event_id);
/* Seconds for which what is admitted belongs to its worker; a conversation ends within them. */
double talk_lease(const struct conf *conf);
/* Wait to be admitted; `admitted` or `held_back` is called later. */
void talk_enter(struct talk *talk);
/* Ask the destination for its first request, and go on; `concluded` is called later, or within the call. */
void talk_begin(struct talk *talk);
/* Admitted, but not to begin. */
void talk_leave(struct talk *talk);

#endif
