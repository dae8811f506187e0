#ifndef NOTIFY_API_MCP_PICK_H
#define NOTIFY_API_MCP_PICK_H

#include "api/mcp/call.h"

/*
 * Find the integration that TEXT names: an id, or a name, which must be exact and the only one. KIND: it must lead there; NULL:
 * anywhere. TEXT NULL: the only one of KIND that is enabled. FOUND is called with it, as the API shows it, and it lives as long as
 * the call; otherwise the call fails with the candidates.
 */
void pick_integration(struct call *call, const char *kind, const char *text,
                      void (*found)(struct call *call, struct json_object *integration));

/* A member of an answer that is a text; "" when it is none. */
const char *pick_text(struct json_object *object, const char *name);
/* NAME in quotes with its id, for sentences. In the arena. */
const char *pick_shown(struct call *call, struct json_object *integration);

#endif
