/*
 * log_loop - the log's timer and signals, for programs without a supervisor
 *
 * Owns three events of the caller's loop and nothing else.
 */
#include "common/log_loop.h"

#include <signal.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/log.h"

struct log_loop {
    struct event *tick, *more, *less;
};

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    log_tick();
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
    (void)what;
    (void)arg;
    log_step(number == SIGUSR1 ? -1 : 1);
}

struct log_loop *log_loop_new(struct event_base *base)
{
    struct log_loop *l = mem_zalloc(sizeof *l);
    l->tick = event_new(base, -1, EV_PERSIST, on_tick, NULL);
    l->more = evsignal_new(base, SIGUSR1, on_signal, NULL);
    l->less = evsignal_new(base, SIGUSR2, on_signal, NULL);
    mem_check(event_add(l->tick, &(struct timeval){1, 0}) == 0 && event_add(l->more, NULL) == 0 &&
              event_add(l->less, NULL) == 0);
    return l;
}

void log_loop_free(struct log_loop *l)
{
    if (!l)
        return;
    event_free(l->tick);
    event_free(l->more);
    event_free(l->less);
    free(l);
}
