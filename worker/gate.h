#ifndef NOTIFY_WORKER_GATE_H
#define NOTIFY_WORKER_GATE_H

#include <event2/event.h>

#include "common/base/list.h"
#include "common/base/table.h"
#include "common/base/uuid.h"

/*
 * How many requests run at a time: in this worker, and to one integration. What may not start waits here, in
 * order for each integration, integrations in turn.
 */
struct gate;
struct gate_window;

/* The right to send, embedded in what wants it. */
struct gate_pass {
    struct list link;           /* private */
    struct gate_window *window; /* private; set while waiting or holding */
    /* Called once, later, when the request may start. It is given back with gate_leave. */
    void (*admitted)(struct gate_pass *pass);
};

struct gate *gate_new(struct event_base *base, long per_integration, long at_a_time);
void gate_free(struct gate *g);
void gate_enter(struct gate *g, struct gate_pass *pass, const struct uuid *integration);
void gate_leave(struct gate *g, struct gate_pass *pass);

#endif
