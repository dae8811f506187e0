#ifndef NOTIFY_WORKER_PRESENCE_SHARED_H
#define NOTIFY_WORKER_PRESENCE_SHARED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/base/uuid.h"
#include "common/model/event.h"

/*
 * What Celery's tools see and ask for, in the shared memory of one host (shared.h): messages in hand, task events on
 * their way to the agent, queues that were added or cancelled, and how many workers are wanted. All of it is for people who
 * look: what finds no room is left out, and what is torn is shown torn.
 */
enum {
    PRESENCE_TASKS = 4096,  /* messages in hand that can be listed: 16 workers with the usual prefetch */
    PRESENCE_EVENTS = 4096, /* task events that wait for the agent: a tenth of a second of 13,000 events/s */
    PRESENCE_QUEUES = 32,   /* names that were ever added or cancelled */
    PRESENCE_QUEUE_BYTES = 256, /* with the NUL: AMQP 0-9-1's short string */
    PRESENCE_NAME_BYTES = 96,   /* of a task's name or a queue's that are shown */
};

enum presence_task_state { PRESENCE_FREE, PRESENCE_FILLING, PRESENCE_RESERVED, PRESENCE_ACTIVE };

/* One message in hand. Texts are cut; any bytes. */
struct presence_task {
    char id[EVENT_ID_MAX + 1];
    char name[PRESENCE_NAME_BYTES];
    char queue[PRESENCE_NAME_BYTES];
    struct uuid scan;
    struct uuid finding;
    bool has_finding;
    bool expand;
    bool redelivered;
    enum event_type type;
    int attempt;
    pid_t pid;          /* of the worker */
    int64_t started_us; /* wall clock; 0: not yet */
};

enum presence_event_kind {
    PRESENCE_RECEIVED,
    PRESENCE_STARTED,
    PRESENCE_SUCCEEDED,
    PRESENCE_FAILED,
    PRESENCE_RETRIED,
    PRESENCE_REJECTED,
    PRESENCE_REVOKED
};

/* Something that happened to one. */
struct presence_event {
    enum presence_event_kind kind;
    int64_t wall_us;
    int64_t runtime_us; /* of SUCCEEDED */
    int matched;        /* of SUCCEEDED: integrations */
    enum reason reason; /* of FAILED and REJECTED */
    struct presence_task task;
};

enum presence_queue_state { PRESENCE_QUEUE_AS_CONFIGURED, PRESENCE_QUEUE_ADDED, PRESENCE_QUEUE_CANCELLED };

/* A place is a queue's for as long as the memory lives, so its name never changes. */
struct presence_queue {
    _Atomic int state;
    char name[PRESENCE_QUEUE_BYTES];
};

struct presence_place {
    _Atomic uint64_t sequence; /* of the event in it: 2n + 1 while it is written, 2n + 2 when it is whole */
    struct presence_event event;
};

/* Zero at first. Its functions take it from shared_presence(). */
struct presence_shared {
    _Atomic int shown_by;       /* the slot of the agent that shows the pool, plus one */
    _Atomic int ending;         /* the pool drains and ends */
    _Atomic int events_on;      /* somebody wants task events */
    _Atomic int workers_wanted; /* as the supervisor has it */
    _Atomic int workers_change; /* to be applied by it */
    _Atomic uint64_t totals[2]; /* tasks taken: of one event, of a scan's findings */
    _Atomic uint32_t queue_count;
    _Atomic uint32_t queue_version; /* grows with each change */
    struct presence_queue queues[PRESENCE_QUEUES];
    _Atomic uint32_t task_words[PRESENCE_TASKS]; /* slot plus one, and the state above it; 0: free */
    struct presence_task tasks[PRESENCE_TASKS];
    _Atomic uint64_t events_begun;
    struct presence_place events[PRESENCE_EVENTS];
};

/* Agent: may SLOT show the pool? Only one may; the place of one that is gone is taken. */
bool presence_shared_hold(int slot);
void presence_shared_let_go(int slot);

/* Supervisor: what was asked for since the last call, and how many it has in mind. */
int presence_shared_take_change(void);

/* Worker: a place for TASK, to be given back; -1 when there is none. */
int presence_shared_put_task(const struct presence_task *task);
void presence_shared_start_task(int place, int64_t wall_us);
/* It waits again, or goes on. */
void presence_shared_move_task(int place, enum presence_task_state state);
void presence_shared_free_task(int place);
/*
 * Agent: a copy of what is in PLACE; FREE when it is nothing, or of a process that is gone (which is tidied up).
 */
enum presence_task_state presence_shared_get_task(int place, struct presence_task *out);
/* Agent: give places back that processes have left behind. */
void presence_shared_tidy_tasks(void);

/* Worker: never waits; an event that the agent has not taken before its place was needed again is lost. */
void presence_shared_put_event(const struct presence_event *event);
/* What the agent has read so far. */
struct presence_reader {
    uint64_t next;
    int64_t waiting_us; /* since when `next` has been half written; 0: it is not */
    uint64_t lost;
};
/* Skip everything that is there. */
void presence_shared_skip_events(struct presence_reader *reader);
/* The next event, if there is one. NOW_US is monotonic. */
bool presence_shared_get_event(struct presence_reader *reader, int64_t now_us, struct presence_event *out);

/*
 * Agent: false when there is no place for another name. NAME has 1 to 255 bytes. The workers look at the table again in every
 * case, also when nothing changes: what was refused is tried again.
 */
bool presence_shared_set_queue(const char *name, enum presence_queue_state state);
enum presence_queue_state presence_shared_queue_state(const char *name);
/* How many are in STATE. */
int presence_shared_queues_in(enum presence_queue_state state);

#endif
