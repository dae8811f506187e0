#ifndef NOTIFY_API_REST_KINDS_H
#define NOTIFY_API_REST_KINDS_H

#include "api/rest/rest_parts.h"
#include "common/base/buf.h"
#include "common/destinations/dest.h"

/* Appends the JSON Schema of the settings of a kind. What fits it can still be refused: a kind knows more than can be said. */
void rest_settings_schema(struct buf *out, const struct dest *dest);
/* Appends the list of kinds, as GET /kinds answers it. */
void rest_kinds_add(struct buf *out);

/* Handler: GET /kinds. */
void rest_list_kinds(struct asked *asked);

#endif
