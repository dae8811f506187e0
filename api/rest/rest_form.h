#ifndef NOTIFY_API_REST_FORM_H
#define NOTIFY_API_REST_FORM_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/json.h"

/*
 * Forms of values, as the tables of routes and schemas have them:
 *
 *   text  text:MIN:MAX (characters)  integer  integer:MIN:MAX  number  boolean  uuid  time (RFC 3339)  object  any
 *   words:LIST    one word of a list of common/model/words.h, or of "kinds"
 *   Name          the schema of this name
 *   FORM[]        a list of them; FORM[MAX]: of at most MAX, each once
 *   FORM?         or null
 */

/* Appends its JSON Schema (2020-12). HELP, VALUE: its description and its default, as JSON; NULL: none. */
void rest_form_schema(struct buf *out, const char *form, const char *value, const char *help);
/*
 * Why TEXT, of the query, is not of FORM, as the rest of a sentence that begins with its name; NULL: it is. Forms of one value
 * alone.
 */
const char *rest_form_fault(struct arena *arena, const char *form, const char *text);
/*
 * Why VALUE, which JSON has for it (NULL: null), is not of FORM, likewise. Not of forms that name a schema. The value is never
 * in it.
 */
const char *rest_form_value_fault(struct arena *arena, const char *form, struct json_object *value);

#endif
