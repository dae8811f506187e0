/*
 * decode - from a raw message to an event, or to a named reject
 *
 * Three forms: Celery protocol 2 (known by its `task` header), protocol 1 (a `task` member in the body) and
 * our plain JSON. Pure but for the arena. A message from outside can hold anything; whatever it holds, the
 * outcome is an event or a reject with a reason from the list, never a crash and never a guess.
 * The id is read before all else, so that a reject can be found again by it.
 *
 * Must not know: queues other than by name, the database, what happens next.
 */
#include "worker/decode.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/iso8601.h"
#include "common/base/json.h"
#include "common/base/utf8.h"
#include "worker/decode_parts.h"
#include "worker/raw_trace.h"

enum { QUOTE_MAX = 60 };

bool decode_refuse(struct decoding *d, enum reason reason, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    d->out->reason = reason;
    d->out->detail = utf8_storable_copy(d->arena, text, strlen(text), sizeof text);
    return false;
}

const char *decode_quote(struct decoding *d, const char *text, size_t n)
{
    char *copy = utf8_storable_copy(d->arena, text, n < 2 * QUOTE_MAX ? n : 2 * QUOTE_MAX, QUOTE_MAX);
    for (char *p = copy; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
    return copy;
}

const char *decode_quote_json(struct decoding *d, struct json_object *value)
{
    if (!value)
        return "None";
    const char *text = json_print(value);
    return decode_quote(d, text, strlen(text));
}

/* An id is any text of 1 to 200 bytes (contract section 4). */
static bool take_id(struct decoding *d, const char *text, size_t n)
{
    if (n == 0)
        return decode_refuse(d, REASON_NO_MESSAGE_ID, "the id is empty");
    if (n > EVENT_ID_MAX)
        return decode_refuse(d, REASON_BAD_ID, "the id has %zu bytes; %d are allowed", n, EVENT_ID_MAX);
    if (!utf8_is_storable(text, n))
        return decode_refuse(d, REASON_BAD_ID, "the id is not UTF-8 text, or holds a NUL");
    d->out->event.id = arena_text(d->arena, text, n);
    return true;
}

static bool is_listed(const struct conf_texts *list, const char *name, size_t n)
{
    for (size_t i = 0; i < list->count; i++)
        if (strlen(list->items[i]) == n && memcmp(list->items[i], name, n) == 0)
            return true;
    return false;
}

/* Tasks are known by the last dotted component of their name, whatever module they came from. */
static bool take_task(struct decoding *d, const char *name, size_t n)
{
    const char *dot = memrchr(name, '.', n);
    const char *last = dot ? dot + 1 : name;
    size_t last_n = n - (size_t)(last - name);
    bool expand = is_listed(&d->conf->tasks_notify_scan_findings, last, last_n);
    d->out->event.expand = expand;
    if (expand || is_listed(&d->conf->tasks_notify_event, last, last_n))
        return true;
    return decode_refuse(d, REASON_UNKNOWN_TASK, "the task is \"%s\"", decode_quote(d, name, n));
}

/* Both protocols: a member or header that is missing, null or a time. */
static bool take_time(struct decoding *d, const char *what, const char *text, size_t n, bool *has,
                      int64_t *out_us)
{
    *has = iso8601_parse(text, n, out_us);
    return *has || decode_refuse(d, REASON_BAD_TIME, "%s is no ISO 8601 time: \"%s\"", what,
                                 decode_quote(d, text, n));
}

static bool take_header_time(struct decoding *d, const char *name, bool *has, int64_t *out_us)
{
    const struct raw_header *h = raw_message_header(d->raw, name);
    if (!h || h->kind == RAW_HEADER_NULL)
        return true;
    if (h->kind != RAW_HEADER_TEXT)
        return decode_refuse(d, REASON_BAD_TIME, "the header %s is no text", name);
    return take_time(d, name, h->text, h->size, has, out_us);
}

static bool take_member_time(struct decoding *d, struct json_object *object, const char *key, bool *has,
                             int64_t *out_us)
{
    struct json_object *value = json_get(object, key);
    if (!value)
        return true;
    if (!json_is_text(value))
        return decode_refuse(d, REASON_BAD_TIME, "%s is no ISO 8601 time: %s", key,
                             decode_quote_json(d, value));
    return take_time(d, key, json_object_get_string(value), (size_t)json_object_get_string_len(value), has,
                     out_us);
}

static bool is_filled(struct json_object *object, const char *key)
{
    struct json_object *value = json_get(object, key);
    if (json_object_is_type(value, json_type_array))
        return json_object_array_length(value) > 0;
    if (json_object_is_type(value, json_type_object))
        return json_object_object_length(value) > 0;
    return value != NULL;
}

static void note_canvas(struct decoding *d, struct json_object *embed)
{
    d->out->has_canvas =
        is_filled(embed, "callbacks") || is_filled(embed, "chain") || is_filled(embed, "chord");
}

/* Protocol 2: [args, kwargs, embed]; a missing embed is let pass. */
static bool read_protocol_2(struct decoding *d, struct json_object *root)
{
    size_t n = json_object_is_type(root, json_type_array) ? json_object_array_length(root) : 0;
    if (n < 2 || n > 3)
        return decode_refuse(d, REASON_BAD_BODY, "the body is no list of args, kwargs and embed");
    struct json_object *args = json_object_array_get_idx(root, 0);
    struct json_object *kwargs = json_object_array_get_idx(root, 1);
    struct json_object *embed = n == 3 ? json_object_array_get_idx(root, 2) : NULL;
    if (!json_object_is_type(args, json_type_array) || !json_object_is_type(kwargs, json_type_object))
        return decode_refuse(d, REASON_BAD_BODY, "args is no list, or kwargs is no object");
    if (embed && !json_object_is_type(embed, json_type_object))
        return decode_refuse(d, REASON_BAD_BODY, "embed is no object");
    note_canvas(d, embed);
    return decode_args_bind(d, args, kwargs) &&
           take_header_time(d, "eta", &d->out->has_eta, &d->out->eta_us) &&
           take_header_time(d, "expires", &d->out->has_expires, &d->out->expires_us);
}

static bool take_member_id(struct decoding *d, struct json_object *root)
{
    struct json_object *id = json_get(root, "id");
    d->out->event.id = NULL;
    if (!id)
        return decode_refuse(d, REASON_NO_MESSAGE_ID, "the task's message has no id");
    if (!json_is_text(id))
        return decode_refuse(d, REASON_BAD_ID, "the id is no text");
    return take_id(d, json_object_get_string(id), (size_t)json_object_get_string_len(id));
}

/* Protocol 1: everything in one object; args and kwargs may be left out. */
static bool read_protocol_1(struct decoding *d, struct json_object *root, struct json_object *task)
{
    if (!take_member_id(d, root))
        return false;
    if (!json_is_text(task))
        return decode_refuse(d, REASON_UNKNOWN_TASK, "the task's name is no text");
    if (!take_task(d, json_object_get_string(task), (size_t)json_object_get_string_len(task)))
        return false;
    struct json_object *args = json_get(root, "args"), *kwargs = json_get(root, "kwargs");
    if ((args && !json_object_is_type(args, json_type_array)) ||
        (kwargs && !json_object_is_type(kwargs, json_type_object)))
        return decode_refuse(d, REASON_BAD_BODY, "args is no list, or kwargs is no object");
    struct json_object *no_args = json_object_new_array(), *no_kwargs = json_object_new_object();
    mem_check(no_args && no_kwargs);
    bool good = decode_args_bind(d, args ? args : no_args, kwargs ? kwargs : no_kwargs);
    json_object_put(no_args);
    json_object_put(no_kwargs);
    note_canvas(d, root);
    return good && take_member_time(d, root, "eta", &d->out->has_eta, &d->out->eta_us) &&
           take_member_time(d, root, "expires", &d->out->has_expires, &d->out->expires_us);
}

static bool read_plain(struct decoding *d, struct json_object *root)
{
    if (!d->raw->message_id || !*d->raw->message_id)
        return decode_refuse(d, REASON_NO_MESSAGE_ID, "the message has no message_id");
    if (!d->out->event.id)
        return take_id(d, d->raw->message_id, strlen(d->raw->message_id)); /* says what is wrong with it */
    return decode_args_plain(d, root);
}

static bool read_json(struct decoding *d, const struct buf *body, bool has_task_header)
{
    const char *why;
    struct json_object *task = NULL;
    struct json_object *root = json_parse(buf_text(body), body->len, &why);
    bool good;
    if (!root)
        good = decode_refuse(d, REASON_BAD_BODY, "the body is no JSON: %s", why);
    else if (has_task_header)
        good = read_protocol_2(d, root);
    else if (!json_object_is_type(root, json_type_object))
        good = decode_refuse(d, REASON_BAD_BODY, "no task header, and the body is no object");
    else if (json_object_object_get_ex(root, "task", &task))
        good = read_protocol_1(d, root, task);
    else
        good = read_plain(d, root);
    json_object_put(root);
    return good;
}

/* What the headers and properties alone say: protocol 2's id and task, or a first guess at the id. */
static bool read_identity(struct decoding *d, bool *has_task_header)
{
    const struct raw_header *task = raw_message_header(d->raw, "task");
    const struct raw_header *id = raw_message_header(d->raw, "id");
    *has_task_header = task && task->kind != RAW_HEADER_NULL;
    if (!*has_task_header) {
        const char *text = d->raw->message_id;
        if (text && *text && !take_id(d, text, strlen(text)))
            d->out->event.id = NULL; /* judged again when the form is known */
        return true;
    }
    if (!id || id->kind == RAW_HEADER_NULL)
        return decode_refuse(d, REASON_NO_MESSAGE_ID, "the message has no id header");
    if (id->kind != RAW_HEADER_TEXT)
        return decode_refuse(d, REASON_BAD_ID, "the id header is no text");
    if (!take_id(d, id->text, id->size))
        return false;
    if (task->kind != RAW_HEADER_TEXT)
        return decode_refuse(d, REASON_UNKNOWN_TASK, "the task header is no text");
    return take_task(d, task->text, task->size);
}

enum decode_result decode_message(const struct conf *conf, struct arena *arena, const struct raw_message *raw,
                                  int64_t now_us, struct decoded *out)
{
    struct decoding d = {.conf = conf, .arena = arena, .raw = raw, .out = out};
    bool has_task_header;
    memset(out, 0, sizeof *out);
    out->attempt = 1;
    out->redelivered = raw->redelivered;
    out->origin_queue = raw->queue;
    out->event.first_seen_us = now_us;
    out->event.trace = raw_trace(raw);
    bool known = read_identity(&d, &has_task_header);
    /* What is not kept could be its task, or the time before which nothing may be sent. */
    if (raw->headers_cut)
        known = decode_refuse(&d, REASON_TOO_LARGE, "the message has %zu headers, of which %zu can be kept",
                              raw->header_count + raw->headers_cut, raw->header_count);
    if (!known)
        return DECODE_REJECT;
    struct buf body;
    bool good = decode_body_read(&d, &body) && read_json(&d, &body, has_task_header);
    buf_free(&body);
    if (!good || (raw->from_own_queue && !decode_own_headers(&d)))
        return DECODE_REJECT;
    event_hash_content(&out->event);
    out->reason = REASON_NONE;
    out->detail = NULL;
    return DECODE_EVENT;
}
