#ifndef NOTIFY_WORKER_SHARED_OLDER_H
#define NOTIFY_WORKER_SHARED_OLDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/base/buf.h"
#include "worker/shared_layout.h"

/*
 * For the supervisor: the shared memory of the build before, when that has another layout, for as long as processes
 * live in it. Each of those has a slot in our memory as well, a mirror, so that everybody sees one pool.
 */

/* Own FD and look after that memory. HEADER is its beginning, sound, and mapped whole for as long as the process lives. */
void shared_older_begin(int fd, struct shared_header *header);
/* All processes there have got their mirrors; where there are none, the memory is given back. */
void shared_older_begun(void);
/* As shared_keep_workers, there. */
void shared_older_keep_workers(bool keep);
/* Its descriptor; -1: there is none, all processes live in our own memory. */
int shared_older_descriptor(void);
/* A slot of ours for the process PID in the slot OLDER there; -1: OLDER is no slot. */
int shared_older_mirror(int older, pid_t pid, int role);
/*
 * The slot of the process of our slot SLOT in the memory that would be handed over: there, as long as there is one; else
 * SLOT. -1: the process lives in ours, and theirs would be handed over.
 */
int shared_older_home(int slot);
/* Bring the mirrors and what was counted there up to now. Cheap when there is no such memory. */
void shared_older_look(void);
/* What was counted there alone. Also for the agent, before it tells figures: it may, from its fork on, and after the end. */
void shared_older_count(void);
/*
 * The process of our slot SLOT is gone, and the slot is about to be released: release it there, too. KILLER: the message
 * that it was handling is to be counted. With the last one the memory is given back.
 */
void shared_older_gone(int slot, bool killer);

/*
 * What was counted in memories that are gone, by name, beyond what the memory that is handed over has in it itself.
 * Each line: "figure VALUE NAME".
 */
void shared_older_figures(struct buf *to);
/* One of them, of the build before. NAME is not longer than SHARED_NAME_MAX. */
void shared_older_figure(const char *name, uint64_t value);

#endif
