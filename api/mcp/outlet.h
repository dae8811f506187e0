#ifndef NOTIFY_API_MCP_OUTLET_H
#define NOTIFY_API_MCP_OUTLET_H

#include <event2/event.h>
#include <stdbool.h>

#include "common/base/buf.h"

/* Lines to the client, in order, without ever waiting for it. */
struct outlet;

/* What the owner hears, from the loop. */
struct outlet_calls {
    void (*drained)(void *owner); /* all that was added is written, or it is full no more */
    void (*broken)(void *owner);  /* nobody reads any more; nothing will be written */
};

struct outlet *outlet_new(struct event_base *base, int fd, const struct outlet_calls *calls, void *owner);
void outlet_free(struct outlet *o);
/* A line of its own; LINE has none in it. */
void outlet_add(struct outlet *o, const struct buf *line);
/* So much waits that nothing more should be taken on. */
bool outlet_is_full(const struct outlet *o);
bool outlet_is_empty(const struct outlet *o);

#endif
