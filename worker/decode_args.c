/*
 * decode_args - arguments as Python would bind them, and what they mean
 *
 * The two tasks are Python functions for their producers:
 *     notify_event(scan_id, event_type, finding_id=None, change_summary=None, error=None)
 *     notify_scan_findings(scan_id)
 * Any mix of positional and keyword arguments that Python accepts is accepted, any other is refused in
 * Python's own words. Values are then checked: ids are UUIDs, texts are texts, the event is one of the five.
 * The plain JSON form carries the same values as members and is checked by the same code; members that it
 * does not know are ignored there.
 */
#include <string.h>

#include "common/base/json.h"
#include "worker/decode_parts.h"

enum { SCAN_ID, EVENT_TYPE, FINDING_ID, CHANGE_SUMMARY, ERROR_TEXT, PARAMETERS };

static const char *const names[PARAMETERS] = {"scan_id", "event_type", "finding_id", "change_summary",
                                              "error"};

struct binding {
    const char *function;
    size_t count;    /* parameters */
    size_t required; /* of them, without a default */
    bool given[PARAMETERS];
    struct json_object *values[PARAMETERS]; /* borrowed; NULL for None */
};

static size_t find_parameter(const struct binding *b, const char *name)
{
    size_t i = 0;
    while (i < b->count && strcmp(names[i], name) != 0)
        i++;
    return i;
}

static bool bind_keywords(struct decoding *d, struct binding *b, struct json_object *kwargs)
{
    json_object_object_foreach(kwargs, name, value)
    {
        size_t i = find_parameter(b, name);
        if (i == b->count)
            return decode_refuse(d, REASON_BAD_ARGUMENTS, "%s() got an unexpected keyword argument '%s'",
                                 b->function, decode_quote(d, name, strlen(name)));
        if (b->given[i])
            return decode_refuse(d, REASON_BAD_ARGUMENTS, "%s() got multiple values for argument '%s'",
                                 b->function, names[i]);
        b->given[i] = true;
        b->values[i] = value;
    }
    return true;
}

static bool refuse_too_many(struct decoding *d, const struct binding *b, size_t given)
{
    if (b->required == b->count)
        return decode_refuse(d, REASON_BAD_ARGUMENTS,
                             "%s() takes %zu positional argument%s but %zu were given", b->function, b->count,
                             b->count == 1 ? "" : "s", given);
    return decode_refuse(d, REASON_BAD_ARGUMENTS,
                         "%s() takes from %zu to %zu positional arguments but %zu were given", b->function,
                         b->required, b->count, given);
}

static bool refuse_missing(struct decoding *d, const struct binding *b)
{
    const char *missing[PARAMETERS];
    size_t count = 0;
    for (size_t i = 0; i < b->required; i++)
        if (!b->given[i])
            missing[count++] = names[i];
    if (count == 1)
        return decode_refuse(d, REASON_BAD_ARGUMENTS, "%s() missing 1 required positional argument: '%s'",
                             b->function, missing[0]);
    return decode_refuse(d, REASON_BAD_ARGUMENTS,
                         "%s() missing 2 required positional arguments: '%s' and '%s'", b->function,
                         missing[0], missing[1]);
}

/* The order of the checks is CPython's, so that a message with several faults gets the same words. */
static bool bind(struct decoding *d, struct binding *b, struct json_object *args, struct json_object *kwargs)
{
    size_t given = json_object_array_length(args);
    for (size_t i = 0; i < given && i < b->count; i++) {
        b->given[i] = true;
        b->values[i] = json_object_array_get_idx(args, i);
    }
    if (!bind_keywords(d, b, kwargs))
        return false;
    if (given > b->count)
        return refuse_too_many(d, b, given);
    for (size_t i = 0; i < b->required; i++)
        if (!b->given[i])
            return refuse_missing(d, b);
    return true;
}

/* kombu 5.3 and later write a uuid.UUID as {"__type__": "uuid", "__value__": {"hex": "32 digits"}}. */
static struct json_object *wrapped_hex(struct json_object *value)
{
    struct json_object *type = json_get(value, "__type__");
    struct json_object *inner = json_get(value, "__value__");
    if (!json_is_text(type) || strcmp(json_object_get_string(type), "uuid") != 0 ||
        json_object_object_length(value) != 2)
        return NULL;
    struct json_object *hex = json_get(inner, "hex");
    return json_is_text(hex) ? hex : NULL;
}

static bool parse_hex_id(const char *hex, size_t n, struct uuid *out)
{
    if (n != 32)
        return false;
    char text[UUID_TEXT];
    char *to = text;
    for (size_t i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            *to++ = '-';
        *to++ = hex[i];
    }
    *to = 0;
    return uuid_parse(out, text);
}

static bool read_id(struct decoding *d, const struct binding *b, size_t which, struct uuid *out)
{
    struct json_object *value = b->values[which];
    struct json_object *hex = wrapped_hex(value);
    if (!hex && !json_is_text(value))
        return decode_refuse(d, REASON_BAD_ARGUMENTS, "%s() needs a UUID as text for '%s', not %s",
                             b->function, names[which], decode_quote_json(d, value));
    struct json_object *text = hex ? hex : value;
    const char *bytes = json_object_get_string(text);
    size_t n = (size_t)json_object_get_string_len(text);
    if ((hex && parse_hex_id(bytes, n, out)) || (n == 36 && uuid_parse(out, bytes)))
        return true;
    return decode_refuse(d, REASON_BAD_ID, "%s is no UUID: \"%s\"", names[which], decode_quote(d, bytes, n));
}

static bool read_type(struct decoding *d, const struct binding *b)
{
    struct json_object *value = b->values[EVENT_TYPE];
    if (!json_is_text(value))
        return decode_refuse(d, REASON_BAD_ARGUMENTS, "%s() needs a text for 'event_type', not %s",
                             b->function, decode_quote_json(d, value));
    const char *text = json_object_get_string(value);
    size_t n = (size_t)json_object_get_string_len(value);
    int type = strlen(text) == n ? event_type_parse(text) : -1;
    if (type < 0)
        return decode_refuse(d, REASON_UNKNOWN_EVENT, "event_type is \"%s\"", decode_quote(d, text, n));
    d->out->event.type = (enum event_type)type;
    return true;
}

static bool read_text(struct decoding *d, const struct binding *b, size_t which, const char **out)
{
    struct json_object *value = b->values[which];
    *out = NULL;
    if (!value)
        return true;
    if (!json_is_text(value))
        return decode_refuse(d, REASON_BAD_ARGUMENTS, "%s() needs a text or None for '%s', not %s",
                             b->function, names[which], decode_quote_json(d, value));
    *out = json_copy_text(d->arena, value, EVENT_TEXT_MAX);
    return true;
}

static bool read_finding(struct decoding *d, const struct binding *b)
{
    struct event *event = &d->out->event;
    if (b->values[FINDING_ID]) {
        if (!read_id(d, b, FINDING_ID, &event->finding_id))
            return false;
        /* Events of whole scans carry no finding, also when a producer names one. */
        event->has_finding = event_is_about_finding(event->type);
        if (!event->has_finding)
            memset(&event->finding_id, 0, sizeof event->finding_id);
    }
    if (event_is_about_finding(event->type) && !event->has_finding)
        return decode_refuse(d, REASON_FINDING_MISSING, "%s came without a finding_id",
                             event_type_name(event->type));
    return true;
}

static bool read_values(struct decoding *d, const struct binding *b)
{
    struct event *event = &d->out->event;
    if (event->expand) {
        event->type = EVENT_SCAN_DONE;
        return read_id(d, b, SCAN_ID, &event->scan_id);
    }
    return read_id(d, b, SCAN_ID, &event->scan_id) && read_type(d, b) && read_finding(d, b) &&
           read_text(d, b, CHANGE_SUMMARY, &event->change_summary) &&
           read_text(d, b, ERROR_TEXT, &event->error);
}

bool decode_args_bind(struct decoding *d, struct json_object *args, struct json_object *kwargs)
{
    struct binding b = {.function = "notify_event", .count = PARAMETERS, .required = 2};
    if (d->out->event.expand)
        b = (struct binding){.function = "notify_scan_findings", .count = 1, .required = 1};
    return bind(d, &b, args, kwargs) && read_values(d, &b);
}

bool decode_args_plain(struct decoding *d, struct json_object *object)
{
    struct binding b = {.function = "notify_event", .count = PARAMETERS, .required = 2};
    for (size_t i = 0; i < PARAMETERS; i++)
        b.given[i] = json_object_object_get_ex(object, names[i], &b.values[i]);
    if (!b.given[SCAN_ID] || !b.given[EVENT_TYPE])
        return refuse_missing(d, &b);
    return read_values(d, &b);
}
