#ifndef NOTIFY_WORKER_JOB_PARTS_H
#define NOTIFY_WORKER_JOB_PARTS_H

#include "worker/job.h"
#include "worker/outcome.h"
#include "worker/refs.h"
#include "worker/talk.h"

/*
 * One delivery on its way, shared by the three files that move it and by nobody else: job.c brings it to its verdict,
 * with job_claim.c where the destination remembers, job_end.c from there to its end.
 *
 *   state        entered when                                  left by
 *   NEW          made                                          -> WAITING, WRITING or PUBLISHING
 *   WAITING      the gate has to let it start                  admitted -> TALKING, or CLAIMING or TAKING first; held back ->
 *                                                              WRITING as deferred, or DONE where it is so already
 *   CLAIMING     what stands for its finding may be another's  claimed -> TALKING, or TAKING first; else -> WRITING as waiting
 *   TAKING       an attempt >= 2, or whose row comes first     taken -> TALKING or WRITING; stale -> DONE, or RELEASING
 *   RELEASING    it holds a claim that it has no use for       committed -> DONE; -> WAITING, to go by itself
 *   TALKING      requests and answers                          verdict -> WRITING
 *   WRITING      the row goes to the ledger                    committed -> PUBLISHING or DONE
 *   PUBLISHING   the retry or the dead letter is on its way    confirmed -> DONE; given up -> OWING or DONE
 *   OWING        the row is marked: the sweep publishes it     committed -> DONE
 */
#define STALE "another worker has it, or it is settled"

enum job_state {
    JOB_NEW,
    JOB_WAITING,
    JOB_CLAIMING,
    JOB_TAKING,
    JOB_RELEASING,
    JOB_TALKING,
    JOB_WRITING,
    JOB_PUBLISHING,
    JOB_OWING,
    JOB_DONE
};

struct job {
    struct job_event *event;
    struct parts *parts;
    struct uuid integration_id;
    struct rules_integration *integration; /* NULL: it is gone, or no request is to be made */
    enum job_state state;
    int attempt;    /* the one that is made; when `decided`, the last that was made */
    bool exists;    /* the row is there already: it is taken, and its end is an update */
    bool unwritten; /* requests were made, and their outcome is not committed */
    bool is_first;  /* its first attempt, in its first life as far as is known; for the figures */
    bool put_off;   /* another delivery about the same finding comes first */
    bool decided;   /* the outcome was known before any request: no attempt is made */
    struct outcome outcome;
    struct arena arena;
    struct conversation_job item;
    char webhook_id[33];
    struct talk talk;
    struct ref_claim claim;
    struct bundle_member member;
    bool holds; /* the claim: the next row that is written says what became of it */
    struct ledger_release release;
    struct dest_body_cache *own_bodies; /* of facts that are its own; in the arena, or NULL */
    struct ledger_write write;
    struct publish_message message;
};

/* The one place where `state` changes. */
void job_move(struct job *j, enum job_state to, const char *why);
/* Nothing of it is left to do: J is gone. */
void job_finish(struct job *j, const char *why);

/* job.c, for job_claim.c */

/* Of how many deliveries a conversation may be; 0 or 1: of one. */
int job_together_max(const struct job *j);
/* Claimed, or nothing had to be: on to the row, or to the requests. */
void job_claimed(struct job *j);
/* Admitted, but not to send anything: ... the database does not take what had to be written; */
void job_leave_refused(struct job *j);
/* ... another delivery tells the destination of the same weakness at present: again in WAIT_S, which is no attempt; */
void job_put_off(struct job *j, double wait_s);
/* ... a later scan has told of the weakness, and decides. */
void job_leave_overtaken(struct job *j);

/* job_claim.c */

/* Its destination keeps a reference for what its event is about. */
bool job_remembers(const struct job *j);
/* Claim it; job_claimed or one of the three others follows. */
void job_claim(struct job *j);

/* job_end.c */

/* What every write of this job says; the caller adds the rest and hands it to the ledger. */
void job_start_write(struct job *j, enum ledger_write_kind kind, void (*written)(struct ledger_write *write));
/* `outcome` is decided: write it, then what follows. */
void job_write_outcome(struct job *j);
/* The claim has been of no use: it ends as it was; RELEASED is called when that is committed. */
void job_release(struct job *j, const char *why, void (*released)(struct ledger_write *write));
void job_released(struct ledger_write *write);
/* The row says what is owed: publish that, after DELAY_S when it is a retry. */
void job_publish_follow_up(struct job *j, double delay_s);
/* The database does not take what is to be written of a row that is there; perhaps it takes the bare end. */
void job_end_refused(struct job *j);
/* The database does not take the row; only the dead letter tells. */
void job_end_without_row(struct job *j);

#endif
