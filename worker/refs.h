#ifndef NOTIFY_WORKER_REFS_H
#define NOTIFY_WORKER_REFS_H

#include <event2/event.h>
#include <stdbool.h>

#include "common/base/conf.h"
#include "common/destinations/dest.h"
#include "worker/pg_batch.h"

/* What is the same for every claim of a reference. */
struct ref_name {
    struct uuid integration;
    const char *fingerprint;
    struct uuid claim; /* which one it is */
};

/*
 * The right to tell a destination of one weakness, embedded in what wants it: one holder at a time, until the lease is over
 * or the ledger has written what became of it.
 */
struct ref_claim {
    struct pg_batch_item item; /* private */
    struct ref_name name;      /* what is claimed; its fingerprint, and the claim's number, are a result */
    const char
        *asked; /* the fingerprint of what is told; the finding may have had another when it was told first */
    const struct event *about; /* for the log */
    struct uuid workspace;
    bool has_finding;
    struct uuid finding;
    double lease_s;
    double look_after_s; /* of a creation whose outcome nobody knows: not before, after its lease */
    struct arena *arena;
    void (*answered)(struct ref_claim *claim);

    /* The answer; texts live in the arena. */
    bool refused;  /* the database does not take it; the log says why */
    bool granted;  /* and committed */
    double wait_s; /* not granted: so long until it is worth asking again */
    struct dest_reference reference;
    bool overtaken;       /* a later row of the same weakness was told, and decides */
    bool has_finding_now; /* what may have changed of the finding since it was looked up, as it is now: */
    bool suppressed;
    bool resolved;
    const char *suppress_reason;
    const char *verification_status;
    const char *severity_text;
    const char *title;
};

struct refs;

/* The link must prepare worker_statements. It may be shared with other users. */
struct refs *refs_new(struct event_base *base, struct pg_link *link, const struct conf *conf);
void refs_free(struct refs *r);
/* Ask. `answered` is called once, later, whenever the database is there. */
void refs_claim(struct refs *r, struct ref_claim *claim);
/* The link has come up. */
void refs_resume(struct refs *r);

/* The ledger's words for whether something is open. */
const char *ref_state_word(const struct dest_reference *reference);

#endif
