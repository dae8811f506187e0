#ifndef NOTIFY_API_MCP_CALLS_H
#define NOTIFY_API_MCP_CALLS_H

#include "api/mcp/call.h"

/* The calls under way. */

struct calls_settings {
    const struct conf *conf;
    struct event_base *base;
    struct client *client;
    unsigned open; /* tool_needs */
    /* A message to the client, a whole line. BATCH: as calls_begin was given it; NULL of what is no answer. */
    void (*say)(void *owner, void *batch, const struct buf *line);
    /* A call has ended, with an answer or, canceled, without. */
    void (*over)(void *owner, void *batch);
    void *owner;
};

struct calls *calls_new(const struct calls_settings *settings);
/* Breaks all off. */
void calls_free(struct calls *cs);
/* What the client's version of the protocol knows. */
void calls_set_features(struct calls *cs, struct tool_features features);
/* A call of TOOL. MESSAGE: as rpc_read found it; what is needed of it is kept. */
void calls_begin(struct calls *cs, const struct tool *tool, const struct rpc_message *message, void *batch);
/* Is there one with this id? */
bool calls_has(const struct calls *cs, struct json_object *id);
void calls_cancel(struct calls *cs, struct json_object *id);
/* The client is leaving: those that only wait end with what is known. */
void calls_end(struct calls *cs);
/* Has one that was canceled still to see to what it has begun? */
bool calls_are_canceling(const struct calls *cs);
size_t calls_count(const struct calls *cs);

#endif
