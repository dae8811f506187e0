#ifndef NOTIFY_API_MCP_MCP_CONF_H
#define NOTIFY_API_MCP_MCP_CONF_H

#include "common/base/conf.h"

/*
 * The few settings that notify-mcp reads: how it is set up itself, how it logs, and where the API is; no key and no URL of a server. FILE
 * NULL: the defaults. NULL, with every error in *ERRORS, when what it reads is wrong.
 */
struct conf *mcp_conf_load(const char *file, struct conf_errors *errors);
/* Where the API is by these settings: api.url, else http:// and api.listen. The caller frees it. */
char *mcp_conf_url(const struct conf *conf);

#endif
