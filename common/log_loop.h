#ifndef NOTIFY_LOG_LOOP_H
#define NOTIFY_LOG_LOOP_H

#include <event2/event.h>

/*
 * The log of a program that is one process with one loop: what was left out is said in time, and SIGUSR1 makes it one level more
 * talkative, SIGUSR2 one less, for as long as it runs.
 */
struct log_loop;

struct log_loop *log_loop_new(struct event_base *base);
/* Before the base. */
void log_loop_free(struct log_loop *l);

#endif
