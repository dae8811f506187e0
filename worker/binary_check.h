#ifndef NOTIFY_WORKER_BINARY_CHECK_H
#define NOTIFY_WORKER_BINARY_CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* `PATH -t -c FILE`, run beside the pool: whether that program could take over with that file. */
struct binary_check;

/* What it says when it can, on a line of its own on standard output, before the number of the state that it reads. */
#define BINARY_CHECK_SAYS "takes over from: "

/*
 * ARGV0: its name. STATE and MEMORY: descriptors that it gets to look at; the caller's go on being close-on-exec. It has
 * TIMEOUT_US. NULL when it could not be started, which is logged; else end it with binary_check_end.
 */
struct binary_check *binary_check_start(const char *path, const char *argv0, const char *file, int state,
                                        int memory, int64_t timeout_us);
/* Of a child that was reaped: true when it was this one. */
bool binary_check_reaped(struct binary_check *check, pid_t pid, int status);

enum binary_check_outcome { BINARY_CHECK_RUNS, BINARY_CHECK_PASSED, BINARY_CHECK_REFUSED };
/* In every turn. What speaks against it is logged, once: reload_refused, a line for each of its words. */
enum binary_check_outcome binary_check_look(struct binary_check *check, int64_t now_us);
/* Kill what is left of it. NULL is allowed. */
void binary_check_end(struct binary_check *check);

#endif
