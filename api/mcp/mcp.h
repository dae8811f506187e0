#ifndef NOTIFY_API_MCP_MCP_H
#define NOTIFY_API_MCP_MCP_H

#include "common/base/conf.h"

struct mcp_options {
    const char *url; /* of the API */
    const char *token;
    const char *ca_file; /* "" for the system's */
    bool allow_http;
    unsigned open; /* tool_needs */
};

/* Serve the client at standard input and output until it leaves. Returns the exit status: 0. */
int mcp_run(const struct conf *conf, const struct mcp_options *options);

#endif
