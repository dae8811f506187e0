#ifndef NOTIFY_WORKER_LEDGER_H
#define NOTIFY_WORKER_LEDGER_H

#include <event2/event.h>
#include <stdbool.h>

#include "common/base/conf.h"
#include "common/model/event.h"
#include "worker/pg_batch.h"
#include "worker/refs.h"

/*
 * The rows of an event, embedded in the trip. The event's row goes with its first delivery rows, or alone
 * when there are none. `state` is what it becomes when all of `rows_total` delivery rows are committed;
 * before that it is open.
 */
struct ledger_event {
    const struct event *event;
    struct uuid workspace_id;
    bool has_workspace;
    const char *queue;
    bool is_new; /* the ledger did not know it when it was looked up, and nothing of it was sent yet */
    enum event_state state;
    enum reason reason;
    int64_t scheduled_us; /* wall clock, for EVENT_STATE_SCHEDULED; 0: none */
    int considered;
    int matched;
    int filtered[MATCH_COUNT]; /* by stage; MATCH_FIRES is unused */
    int rows_total;            /* delivery rows that this trip makes */
    int rows_committed;
    int rows_refused;       /* will never be committed: the event stays open until it is written alone */
    int rows_in_batch;      /* private */
    bool new_in_batch;      /* private: it went as new, which fails if it has come meanwhile */
    bool committed;         /* private: its row exists */
    unsigned long in_batch; /* private: the batch that carries it */
};

enum ledger_write_kind {
    LEDGER_EVENT,   /* the event's row alone */
    LEDGER_ROW,     /* a delivery's first row, with the event's */
    LEDGER_FIRST,   /* a delivery's first row, waiting, with the event's; and the take of its first attempt */
    LEDGER_TAKE,    /* attempt n >= 2 becomes this worker's; `applied` tells, as of FIRST */
    LEDGER_OUTCOME, /* the end of an attempt that was taken; `applied` tells */
    LEDGER_END, /* the bare end of a row after `attempt`, without another one, or DEFERRED; `applied` tells */
    LEDGER_RELEASE, /* only what became of a claim */
    LEDGER_OWE, /* the broker did not take the dead letter of a row, or of an event when HAS_ROW is false */
};

/* What became of a claim (refs). The texts of REFERENCE are borrowed until `written`. */
struct ledger_release {
    struct ref_name name;
    bool told; /* of FINDING */
    struct uuid finding;
    const struct dest_reference *reference;
};

/* One thing to write, embedded in what writes. Texts are borrowed until `written`. */
struct ledger_write {
    struct pg_batch_item item; /* private */
    enum ledger_write_kind kind;
    struct ledger_event *event; /* for EVENT, ROW and FIRST */
    const char *event_id;
    const struct event *about; /* for the log */
    bool has_row;              /* for OWE */
    struct uuid integration;
    struct uuid workspace;
    enum delivery_state state;
    int attempt;
    enum reason reason;
    enum error_word error;
    const char *detail;   /* more words on the error, valid UTF-8; NULL: none */
    long status;          /* HTTP; 0: none */
    const char *response; /* a snippet, any bytes; NULL: none */
    size_t response_size;
    int duration_ms;
    double due_s;                         /* from now, for WAITING; negative: none */
    double lease_s;                       /* from now, for TAKE and FIRST */
    int rank;                             /* severity, for DEFERRED */
    double wake_s;                        /* from now: when its mailbox is to be looked at, for DEFERRED */
    int together;                         /* how many may leave that at once, for DEFERRED; 0: one */
    const struct uuid *batch;             /* the request or message that its attempt shared; NULL: none */
    bool failed_attempt;                  /* also keep it in notify.attempts */
    const struct ledger_release *release; /* what became of the claim that it had; NULL: none */
    bool applied;                         /* result of FIRST, TAKE, OUTCOME and END */
    bool refused; /* the database will never take this row; sqlstate and words are in the log */
    /* Called once, when the write is committed or refused. */
    void (*written)(struct ledger_write *write);
};

struct ledger;

/* OWNER names this process in the rows: host, pid and start. */
struct ledger *ledger_new(struct event_base *base, struct pg_link *link, const struct conf *conf,
                          const char *owner);
void ledger_free(struct ledger *l);
void ledger_write(struct ledger *l, struct ledger_write *write);
/* The link has come up. */
void ledger_resume(struct ledger *l);

#endif
