#ifndef NOTIFY_WORKER_HANDOVER_H
#define NOTIFY_WORKER_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/base/buf.h"
#include "worker/shared_layout.h"

/*
 * What a supervisor tells the one that is executed in its place, as text: lines of "KEY VALUE...", the first
 * HANDOVER_BEGINS, the last "end". Keys that the reader does not know are left out, so that a build can say more than
 * another understands; what a build cannot do without raises the number in the first line.
 */
#define HANDOVER_BEGINS "notifyd-handover 1"

enum {
    HANDOVER_CHILDREN = 1024, /* more than any build has slots for */
    HANDOVER_FIGURES = 16384,
    HANDOVER_SETTINGS = 64,
    HANDOVER_PATH = 4096,   /* PATH_MAX */
    HANDOVER_LISTEN = 256,  /* bytes of an address */
    HANDOVER_NAME = 64,     /* of a setting */
    HANDOVER_VALUE = 16384, /* of a setting */
    HANDOVER_SIZE = 8 << 20,
};

struct handover_child {
    pid_t pid;
    int slot; /* in the memory that is handed over */
    int role; /* enum shared_role; those of another build may be others: they are drained like these */
    unsigned generation;
    int64_t started_us; /* monotonic, which goes on over an execution */
    bool asked_to_end;
    bool killed_by_watchdog;
};

struct handover_figure {
    uint64_t value;
    char name[SHARED_NAME_MAX + 1];
};

struct handover_setting {
    char name[HANDOVER_NAME];
    char *value;
};

struct handover {
    pid_t pid;  /* of the supervisor: an environment that somebody else inherited is not believed */
    int memory; /* descriptor of the shared memory */
    int listen; /* descriptor of the agent's listening socket; -1: none */
    char listen_at[HANDOVER_LISTEN];
    char path[HANDOVER_PATH]; /* from which the program is executed */
    unsigned generation;
    long wanted;         /* workers */
    long configured;     /* workers, as the file said last: until it says another number, WANTED holds */
    int64_t watchdog_us; /* until the file is read */
    int64_t grace_us;    /* the same */
    bool again;          /* a HUP came after this one */
    bool log_json;
    char log_level[8]; /* until the file is read, too; empty: not said */
    struct handover_child *children;
    size_t child_count;
    struct handover_figure *figures; /* what was counted in memories that are gone */
    size_t figure_count;
    struct handover_setting
        *settings; /* what was set while it ran; used where the memory has another layout */
    size_t setting_count;
};

/*
 * Reads TEXT of SIZE bytes. False when it is no state, or one of another kind: WHY then says so (a constant). Free H in
 * either case.
 */
bool handover_read(struct handover *h, const char *text, size_t size, const char **why);
/* The text of H but for its figures, its settings and the last line, which come next. */
void handover_write_head(struct buf *to, const struct handover *h);
/* NAME: letters, digits, dots, underscores. VALUE: one line, cut at HANDOVER_VALUE. */
void handover_write_setting(struct buf *to, const char *name, const char *value);
void handover_write_end(struct buf *to);
void handover_free(struct handover *h);

#endif
