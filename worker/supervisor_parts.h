#ifndef NOTIFY_WORKER_SUPERVISOR_PARTS_H
#define NOTIFY_WORKER_SUPERVISOR_PARTS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "common/base/conf.h"
#include "worker/binary_check.h"
#include "worker/handover.h"
#include "worker/shared.h"
#include "worker/supervisor.h"

/* What supervisor.c and reload.c share: nobody else includes this. */

enum { CHILDREN_MAX = SHARED_SLOTS };

struct child {
    pid_t pid; /* 0: no child */
    int slot;
    enum shared_role role;
    unsigned generation;
    int64_t started_us;
    bool asked_to_end;
    bool killed_by_watchdog;
};

/* When the next child of a role may be started, after deaths before the first message. */
struct throttle {
    int deaths;
    int64_t not_before_us;
};

/*
 * A HUP on its way: WANTED (not begun) → CHECKING (the program at our path looks at file and state) → PASSED (wait until
 * only one generation is left, then execute it).
 */
enum reload_step { RELOAD_NONE, RELOAD_WANTED, RELOAD_CHECKING, RELOAD_PASSED };

struct supervisor {
    pid_t pid;
    const char *file;
    struct conf *conf; /* NULL: the file became unusable between its check and our start; it is read again */
    unsigned generation; /* of the program and the configuration */
    long wanted;         /* workers */
    long configured;     /* workers, as the file says */
    int64_t watchdog_us;
    int64_t grace_us;
    struct child children[CHILDREN_MAX];
    struct throttle throttles[SHARED_AGENT + 1];
    bool ending;
    bool starting;       /* this generation is to take over from the one before when it consumes */
    int64_t say_late_us; /* that it does not: when next; 0: it was not said yet */
    bool superseding;    /* it drains, because it did not, and another one is to take its place */
    int64_t reload_us;
    enum reload_step step;
    bool again; /* another HUP came after the one that is on its way */
    struct binary_check *check;
    struct stat checked;    /* the program, when its check began */
    int64_t read_again_us;  /* the file, while there is no conf */
    int64_t looked_us;      /* at the children's pulses */
    int64_t watch_since_us; /* silence before this tells nothing */
    int64_t kill_at_us;
    int64_t memory_us; /* when it looked at its own memory last */
    int status;
    sigset_t signals;
    char said[128];      /* to the service manager: its status */
    int64_t alive_at_us; /* when it is to get the next sign of life */
};

/* supervisor.c */
void supervisor_drain(struct child *c);
void supervisor_use(struct supervisor *s, struct conf *conf);

/* reload.c */

/* A HUP. */
void reload_ask(struct supervisor *s);
/* In every turn: go on with what a HUP has begun. */
void reload_turn(struct supervisor *s);
/* A child that is none of the pool's was reaped. */
void reload_reaped(struct supervisor *s, pid_t pid, int status);
/* The pool ends: there is nothing to reload any more. */
void reload_forget(struct supervisor *s);
/*
 * Whether reload_go_on would find a place for all of H's children, in a memory that begins with HEADER, and for their
 * successors. WHY not: a constant.
 */
bool reload_can_adopt(const struct handover *h, const struct shared_header *header, const char **why);
/* At the start, in the place of the supervisor before: go on with its children, as their next generation. */
bool reload_go_on(struct supervisor *s, const struct handover *h, struct shared_header *header);

/* supervisor_status.c: tell the service manager, when there is something new. */
void supervisor_tell(struct supervisor *s);

#endif
