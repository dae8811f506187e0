#ifndef NOTIFY_API_REST_SCHEMAS_H
#define NOTIFY_API_REST_SCHEMAS_H

#include <stdbool.h>

#include "common/base/buf.h"

/* A member of a schema: of what is answered, or of a body. */
struct rest_member {
    const char *schema;
    const char *name;
    const char *form;  /* rest_form.h */
    const char *value; /* the default, as JSON; NULL: none */
    const char *help;
    bool optional; /* it may be missing */
};

/*
 * Those of all schemas but the integrations', whose fields are service_fields.h's. The members of one schema stand together;
 * there are no others in it. Ends with a NULL schema.
 */
extern const struct rest_member rest_members[];

/* Appends `"NAME":{...}` for every schema, with commas between them. */
void rest_schemas_add(struct buf *out);

#endif
