/*
 * value - JSON that is put together, over json-c
 *
 * json-c says by NULL or -1 that it found no memory, and a result without what did not fit would be a lie. Pure.
 */
#include "api/mcp/value.h"

#include "common/base/check.h"

struct json_object *value_object(void)
{
    struct json_object *made = json_object_new_object();
    mem_check(made != NULL);
    return made;
}

struct json_object *value_list(void)
{
    struct json_object *made = json_object_new_array();
    mem_check(made != NULL);
    return made;
}

struct json_object *value_text(const char *text)
{
    struct json_object *made = text ? json_object_new_string(text) : NULL;
    mem_check(made != NULL || !text);
    return made;
}

struct json_object *value_number(int64_t number)
{
    struct json_object *made = json_object_new_int64(number);
    mem_check(made != NULL);
    return made;
}

struct json_object *value_bool(bool value)
{
    struct json_object *made = json_object_new_boolean(value);
    mem_check(made != NULL);
    return made;
}

void value_set(struct json_object *object, const char *name, struct json_object *value)
{
    mem_check(json_object_object_add(object, name, value) == 0);
}

void value_append(struct json_object *list, struct json_object *value)
{
    mem_check(json_object_array_add(list, value) == 0);
}
