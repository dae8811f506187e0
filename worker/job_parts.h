#ifndef NOTIFY_WORKER_JOB_PARTS_H
#define NOTIFY_WORKER_JOB_PARTS_H

#include "worker/job.h"
#include "worker/outcome.h"
#include "worker/talk.h"

/*
 * One delivery on its way, shared by the two files that move it and by nobody else: job.c brings it to its verdict,
 * job_end.c from there to its end.
 *
 *   state        entered when                                  left by
 *   NEW          made                                          -> WAITING, WRITING or PUBLISHING
 *   WAITING      the gate has to let it start                  admitted -> TALKING, or TAKING first; held back -> WRITING
 *                                                              as deferred, or DONE where it is so already
 *   TAKING       an attempt >= 2, or whose row comes first     taken -> TALKING or WRITING; stale -> DONE
 *   TALKING      requests and answers                          verdict -> WRITING
 *   WRITING      the row goes to the ledger                    committed -> PUBLISHING or DONE
 *   PUBLISHING   the retry or the dead letter is on its way    confirmed -> DONE; given up -> OWING or DONE
 *   OWING        the row is marked: the sweep publishes it     committed -> DONE
 */
enum job_state {
    JOB_NEW,
    JOB_WAITING,
    JOB_TAKING,
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
    bool decided;   /* the outcome was known before any request: no attempt is made */
    struct outcome outcome;
    struct arena arena;
    struct conversation_job item;
    char webhook_id[33];
    struct talk talk;
    struct ledger_write write;
    struct publish_message message;
};

/* The one place where `state` changes. */
void job_move(struct job *j, enum job_state to, const char *why);
/* Nothing of it is left to do: J is gone. */
void job_finish(struct job *j, const char *why);

/* job_end.c */

/* What every write of this job says; the caller adds the rest and hands it to the ledger. */
void job_start_write(struct job *j, enum ledger_write_kind kind, void (*written)(struct ledger_write *write));
/* `outcome` is decided: write it, then what follows. */
void job_write_outcome(struct job *j);
/* The row says what is owed: publish that, after DELAY_S when it is a retry. */
void job_publish_follow_up(struct job *j, double delay_s);
/* The database does not take what is to be written of a row that is there; perhaps it takes the bare end. */
void job_end_refused(struct job *j);
/* The database does not take the row; only the dead letter tells. */
void job_end_without_row(struct job *j);

#endif
