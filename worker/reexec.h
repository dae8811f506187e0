#ifndef NOTIFY_WORKER_REEXEC_H
#define NOTIFY_WORKER_REEXEC_H

#include <stdbool.h>
#include <sys/stat.h>

#include "worker/handover.h"

/* The number of the descriptor of the state, for the program that is executed or checked. */
#define REEXEC_ENVIRONMENT "NOTIFY_HANDOVER"

/* At the start of the program: note ARGV, which stays, and the path that it was executed from. */
void reexec_begin(char **argv);
/* That path, absolute; a link in it is followed anew each time. "" when it cannot be known. */
const char *reexec_path(void);
const char *reexec_name(void);

enum reexec_state { REEXEC_NONE, REEXEC_GOOD, REEXEC_BAD };
/*
 * Whether a supervisor has executed us in its place, or (IS_CHECK) asks whether it may. GOOD: *H is its state, to be
 * freed, the memory's beginning is *HEADER (mapped for as long as we live), and all descriptors are close-on-exec again.
 * BAD: *WHY says what is wrong with it.
 */
enum reexec_state reexec_take(struct handover *h, struct shared_header **header, bool is_check,
                              const char **why);

/* A file in memory with TEXT, close-on-exec; or -1 with errno. */
int reexec_state(const char *text, size_t size);
/* Execute the program at the path with the state in the descriptor STATE, which H describes. Returns -errno if that fails. */
int reexec_go(int state, const struct handover *h);

#endif
