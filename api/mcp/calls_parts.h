#ifndef NOTIFY_API_MCP_CALLS_PARTS_H
#define NOTIFY_API_MCP_CALLS_PARTS_H

#include "api/mcp/calls.h"
#include "api/mcp/keys.h"

/* Between calls.c and call.c. */
struct calls {
    struct calls_settings settings;
    struct tool_features features;
    struct list running, gone;
    size_t count; /* running */
    struct event *bury;
    struct keys *keys;
    bool leaving;
};

/* It has ended: it is gone after this turn of the loop. */
void calls_bury(struct call *call);

#endif
