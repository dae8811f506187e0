#ifndef NOTIFY_WORKER_SHARED_H
#define NOTIFY_WORKER_SHARED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/base/uuid.h"
#include "worker/counters.h"
#include "worker/limits.h"
#include "worker/presence_shared.h"
#include "worker/shared_layout.h"

/*
 * The memory that the supervisor maps before it forks: what the processes of one host tell each other.
 * Everything is a hint that may be lost with the supervisor; the truth is in PostgreSQL and RabbitMQ.
 */
enum {
    SHARED_SLOTS = 640, /* processes: two generations of 256 workers, agents, and those that die */
    SHARED_SUPERVISOR = SHARED_SLOTS, /* its own, for what it counts itself */
    SHARED_CARRIED, /* never a process's: what was counted in other memories (shared_older) */
    SHARED_ALL,
    SHARED_GENERATIONS = 4096, /* words; workspaces that share one only reload more often than needed */
    SHARED_IN_HAND = 65536,    /* events in hand on this host */
    SHARED_LIMITS = 16384,     /* integrations that were sent to lately */
    SHARED_POISON = 64,        /* messages that have killed a worker */
    SHARED_POISON_KILLS = 3,   /* architecture section 4: after this many it is not parsed again */
};

enum shared_role { SHARED_FREE, SHARED_WORKER, SHARED_AGENT };
/* The second: of the producers' queues none, because Celery's tools have cancelled them. */
enum shared_consuming { SHARED_NOT_CONSUMING, SHARED_CONSUMING, SHARED_CONSUMING_OWN };

/*
 * One per process; written by that process, read by the supervisor and the agent. Another build reads it up to
 * `resident` (shared_layout.h): what is new comes behind that.
 */
struct shared_slot {
    _Atomic int role;
    _Atomic pid_t pid;
    _Atomic int64_t alive_us;  /* monotonic; the last sign of life */
    _Atomic uint64_t handling; /* hash of the message that is being understood or rendered; 0: none */
    _Atomic int has_worked;    /* settled a message since it started */
    _Atomic int consuming;     /* consumes from the broker: a shared_consuming */
    _Atomic int database_up;
    _Atomic int draining;
    _Atomic uint64_t in_hand;   /* messages held now */
    _Atomic uint64_t sending;   /* requests in flight now */
    _Atomic uint64_t unwritten; /* deliveries begun whose outcome is not committed: what a kill may repeat */
    _Atomic uint64_t broker_links; /* connections to the broker that are up */
    _Atomic int64_t broker_us;     /* monotonic; when the broker let it log in last */
    _Atomic uint64_t resident;     /* bytes of memory, as of its last tick */
    _Atomic uint64_t
        counters[COUNTER_COUNT]; /* kept when the slot changes hands, so sums never fall; but gauges */
};

/* The level of the log that an operator asked for, and 1; 0: nobody did. See log_level. */
void shared_log_level_set(int word);
int shared_log_level(void);

/* Map the memory; called once by the supervisor. */
void shared_map(void);
/*
 * Supervisor, instead of shared_map: go on with the memory behind the descriptor FD, of the build before, which is mapped whole
 * from HEADER on and sound; own both.
 * True: it is this build's own kind, and used as it is. False: it is another one; there is a new memory now, and that one
 * is looked after by shared_older, until its last process is gone.
 */
bool shared_take(int fd, struct shared_header *header);
/* The descriptor of the memory, close-on-exec. A child may close it: the mapping stays. */
int shared_descriptor(void);
/* Supervisor: note that the message with HASH has killed a process; how often it has. */
int shared_note_kill(uint64_t hash);
/* Supervisor: a free slot for a new process, or -1. */
int shared_slot_claim(enum shared_role role);
/*
 * Supervisor, when the process of SLOT is gone: notes the message it was handling, releases the events it
 * had in hand and frees the slot. Returns how often that message has killed (0: it was handling none).
 */
int shared_slot_release(int slot);
struct shared_slot *shared_slot_at(int slot);
/* Slots from here on were never anybody's. */
int shared_slots_used(void);
/* Child, after the fork: SLOT is mine. */
void shared_adopt(int slot);
struct shared_slot *shared_mine(void);
int shared_my_slot(void);

/* A sign of life; cheap enough for every turn of the loop and between blocking calls. */
void shared_alive(void);
void shared_count(enum counter counter);
void shared_count_more(enum counter counter, uint64_t n);
/* The same for one cell of a figure with labels: 0 for the first of its set. */
void shared_count_cell(enum counter counter, size_t cell);
void shared_count_cell_more(enum counter counter, size_t cell, uint64_t n);
/* A duration in microseconds, for a cell of a histogram of SECONDS; a number, for one of ITEMS. */
void shared_note_us(enum counter counter, size_t cell, int64_t us);
void shared_note_items(enum counter counter, size_t cell, uint64_t items);
/* A gauge of this process, or LATEST: set, or changed. */
void shared_gauge(enum counter counter, uint64_t value);
void shared_gauge_add(enum counter counter, int64_t change);
/* Sum over all slots. */
uint64_t shared_sum(enum counter counter);
/* The same over all cells of a counter with labels. */
uint64_t shared_sum_cells(enum figure_id figure);
/* All words, summed over all slots; of LATEST the greatest. OUT: COUNTER_COUNT of them. */
void shared_totals(uint64_t *out);
/* Wall clock; when the memory was mapped. */
int64_t shared_started_us(void);
void shared_set_started(int64_t wall_us);
/* Supervisor: who ends by itself is not replaced, so that no worker is to be recycled. Worker: is it so? */
void shared_keep_workers(bool keep);
bool shared_workers_are_kept(void);

/* Around the synchronous work on one message. HASH is never 0. */
void shared_handling(uint64_t hash);
void shared_handled(void);
bool shared_is_poison(uint64_t hash);

/*
 * Note that this process has the event with HASH in hand. False when another living process of this host has
 * it, or wants it at the same moment. When the table is full, true: it is only there to avoid a repeat.
 */
bool shared_event_take(uint64_t hash);
void shared_event_release(uint64_t hash);

/*
 * How far notify.due is behind, in seconds: the greatest lateness that a worker of this host noted in the last ten
 * minutes.
 */
void shared_due_late(double seconds);
double shared_due_lateness(void);

/*
 * What limits requests to INTEGRATION on this host; NOW_US as in limits.h. Never NULL, and good until the next call: when
 * the table is full, the one that was unused the longest gives way and is forgotten.
 */
struct limits *shared_limits(const struct uuid *integration, int64_t now_us);
/* Calls SEEN for each integration that has a place, without touching memory that none ever had. */
void shared_limits_each(void (*seen)(void *owner, const struct limits *limits), void *owner);

/* The part that is for Celery's tools: presence_shared.h. */
struct presence_shared *shared_presence(void);

/* The generation of a workspace's integrations: changes whenever they may have changed. */
uint64_t shared_generation(const struct uuid *workspace);
void shared_generation_bump(const struct uuid *workspace);
/* Everything may have changed. */
void shared_generation_bump_all(void);
/* Agent: until when (monotonic) the generations are known to be complete. */
void shared_proven_set(int64_t until_us);
bool shared_is_proven(int64_t now_us);

#endif
