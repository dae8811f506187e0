#ifndef NOTIFY_API_MCP_SESSION_H
#define NOTIFY_API_MCP_SESSION_H

#include <event2/event.h>

#include "api/mcp/client.h"
#include "common/base/conf.h"

/* A conversation with one client: its lines in, our lines out. */
struct session;

struct session_settings {
    const struct conf *conf;
    struct event_base *base;
    struct client *client;
    unsigned open; /* tool_needs */
    void (*say)(void *owner, const struct buf *line);
    void *owner;
};

struct session *session_new(const struct session_settings *settings);
/* Breaks off what is under way. */
void session_free(struct session *s);
/* A line from the client (lines.h); LINE NULL: one that was too long. */
void session_take(struct session *s, const char *line, size_t n);
/* The client is leaving: what only waits ends with what is known. */
void session_end(struct session *s);
/* Something that was canceled has still to be stopped. */
bool session_is_canceling(const struct session *s);
/* Nothing is under way. */
bool session_is_idle(const struct session *s);

#endif
