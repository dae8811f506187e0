#ifndef NOTIFY_BASE_JSON_H
#define NOTIFY_BASE_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

struct arena;

/*
 * Reading JSON from outside, over json-c with the checks that json-c 0.16 leaves out: valid UTF-8 only,
 * nothing behind the value, no single-quoted strings, a depth limit. NaN and Infinity are let through,
 * because Python's json module writes them.
 */
enum { JSON_DEPTH_MAX = 32 };

/* Parse all N bytes. NULL on error, with a short word for it in *WHY (static text). Free with
 * json_object_put. */
struct json_object *json_parse(const char *text, size_t n, const char **why);

/* The member KEY of OBJECT; NULL when it is missing, null, or OBJECT is not an object. Borrowed. */
struct json_object *json_get(struct json_object *object, const char *key);
bool json_is_text(struct json_object *value);
/* VALUE as JSON without blanks; lives as long as VALUE, until it is printed again. NULL is "null". */
const char *json_print(struct json_object *value);
/*
 * The string VALUE as a storable copy in the arena (NULs replaced), cut at MAX bytes with an ellipsis.
 * VALUE must be a string.
 */
char *json_copy_text(struct arena *a, struct json_object *value, size_t max);
/* As json_copy_text for member KEY; NULL when it is missing or no string. */
char *json_get_text(struct arena *a, struct json_object *object, const char *key, size_t max);

#endif
