#ifndef NOTIFY_API_MCP_VALUE_H
#define NOTIFY_API_MCP_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/json.h"

/* JSON that is put together. Never NULL for lack of memory, which ends the process; json-c would leave out what did not fit. */
struct json_object *value_object(void);
struct json_object *value_list(void);
/* TEXT NULL: null. */
struct json_object *value_text(const char *text);
struct json_object *value_number(int64_t number);
struct json_object *value_bool(bool value);
/* VALUE is given away; NULL: null. What had this name before is gone. */
void value_set(struct json_object *object, const char *name, struct json_object *value);
void value_append(struct json_object *list, struct json_object *value);

#endif
