#ifndef NOTIFY_WORKER_JOB_H
#define NOTIFY_WORKER_JOB_H

#include "worker/bundle.h"
#include "worker/lookup.h"
#include "worker/parts.h"
#include "worker/rules.h"

/*
 * One (event, integration) on its way: taken, admitted, sent, written, followed up.
 */
struct job;

/* What a job needs to know of its event; embedded in the trip, which outlives the job. */
struct job_event {
    struct parts *parts;
    struct arena *arena;
    const struct event *event;
    const struct facts *facts;
    struct ledger_event *ledger_event; /* for first rows */
    const char *queue;
    const struct dest *dest; /* of the one delivery that it is about, for the figures; NULL: not known */
    int64_t sent_us;  /* wall clock; when its producer published it, as far as it says, else `due_us` */
    int64_t due_us;   /* wall clock; when a worker read it first, or its eta when that is later */
    bool seen_before; /* another copy may be in hand elsewhere: the row is written before the first request */
    bool from_mailbox;
    bool stays;            /* result: it could not start, and is still in the mailbox */
    bool crowded;          /* one of a scan's findings, and others follow */
    struct bundle *bundle; /* from the mailbox, until it has joined: others wait for it; NULL: nobody does */
    /* The rendered body of a kind, shared by the event's jobs. */
    struct dest_body_cache *(*body_cache)(struct job_event *je, const struct dest *dest);
    /* Called once for each job, when nothing of it is left to do. The job is gone. */
    void (*job_done)(struct job_event *je);
};

/* First attempt: the row does not exist yet. */
void job_start_first(struct job_event *je, struct rules_integration *integration);
/* Attempt n >= 2, after its message came: takes the row first. LAST_ERROR is what the row says of the one before. */
void job_start_retry(struct job_event *je, struct rules_integration *integration, int attempt,
                     enum error_word last_error);
/* Instead of attempt ATTEMPT, which is not made and does not count: ends as STATE (canceled or dead) with REASON. */
void job_start_end(struct job_event *je, const struct uuid *integration, int attempt,
                   enum error_word last_error, enum delivery_state state, enum reason reason);
/* It does not join the others, if it has not, and they need not wait for what it does instead. */
void job_event_misses_bundle(struct job_event *je);
/*
 * A row that exists already: publish again what should have followed from it (a worker may have died between
 * commit and publish). False when nothing follows from its state; then no job is made.
 */
bool job_start_follow_up(struct job_event *je, const struct lookup_row *row);

#endif
