/*
 * call - what a tool can do while it runs
 *
 * Asks the API for it, waits for it, and turns what came of it into the result that the protocol wants: an object, the same as text
 * for clients that read nothing else, and, where it went wrong, words that say what to do. Texts of the API and of findings stand in
 * results as values of JSON; none of them is read here, so that none can change what is asked next.
 */
#include "api/mcp/call.h"

#include <stdlib.h>
#include <string.h>

#include "api/mcp/calls_parts.h"
#include "api/mcp/result.h"
#include "api/mcp/value.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/utf8.h"
#include "common/base/uuid.h"

enum { LINE_MOST = 1 << 28, REFUSAL_ERRORS = 10, REFUSAL_MAX = 4096 };

/* ---- arguments ---- */

struct json_object *call_argument(const struct call *call, const char *name)
{
    return json_get(call->arguments, name);
}

const char *call_text(const struct call *call, const char *name)
{
    struct json_object *value = call_argument(call, name);
    return value ? json_object_get_string(value) : NULL;
}

bool call_flag(const struct call *call, const char *name, bool otherwise)
{
    struct json_object *value = call_argument(call, name);
    return value ? json_object_get_boolean(value) : otherwise;
}

/* ---- asking ---- */

const char *call_query(struct call *call, const char *path, const char *name, const char *value)
{
    if (!value)
        return path;
    return arena_printf(call->arena, "%s%s%s=%s", path, strchr(path, '?') ? "&" : "?", name,
                        dest_url_escape(call->arena, value));
}

const char *call_key(struct call *call, const char *what)
{
    struct uuid id;
    const char *kept = keys_find(call->owner->keys, what);
    if (kept)
        return arena_strdup(call->arena, kept);
    char *text = arena_alloc(call->arena, UUID_TEXT);
    uuid_random(&id);
    uuid_format(&id, text);
    return text;
}

void call_key_done(struct call *call, const char *what, bool known)
{
    if (known)
        keys_forget(call->owner->keys, what);
    else
        keys_keep(call->owner->keys, what, call->ask.key);
}

bool call_is_hurried(const struct call *call)
{
    return call->owner->leaving;
}

static void on_answer(struct client_ask *ask, const struct client_answer *answer)
{
    struct call *call = list_entry(ask, struct call, ask);
    call->then(call, answer);
}

void call_ask(struct call *call, const char *method, const char *path, const char *body, const char *key,
              call_then_fn *then)
{
    check(!call->ask.under_way);
    call->then = then;
    call->ask = (struct client_ask){
        .method = method, .path = path, .key = key, .body = body, .arena = call->arena, .done = on_answer};
    client_start(call->owner->settings.client, &call->ask);
}

void call_ask_again(struct call *call, const char *path, const char *body, call_then_fn *then)
{
    call_ask(call, "POST", path, body, NULL, then);
    call->ask.repeats = true;
}

void call_later(struct call *call, double seconds, void (*then)(struct call *call))
{
    struct timeval tv = clock_timeval(seconds);
    call->later = then;
    event_add(call->timer, &tv);
}

void call_stop(struct call *call)
{
    client_cancel(&call->ask);
    event_del(call->timer);
}

struct json_object *call_keep(struct call *call, struct json_object *value)
{
    if (value)
        value_append(call->kept, value);
    return value;
}

/* ---- what is said ---- */

static void say(struct call *call, const struct buf *line, void *batch)
{
    const struct calls_settings *s = &call->owner->settings;
    s->say(s->owner, batch, line);
}

void call_tell(struct call *call, int64_t progress, int64_t total, const char *message)
{
    struct buf line;
    if (!call->progress_token || call->canceled)
        return;
    buf_init(&line, LINE_MOST);
    buf_add_text(&line,
                 "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":");
    buf_add_text(&line, json_print(call->progress_token));
    buf_printf(&line, ",\"progress\":%lld,\"total\":%lld", (long long)progress, (long long)total);
    buf_json_member(&line, "message", message);
    buf_add_text(&line, "}}");
    say(call, &line, NULL);
    buf_free(&line);
}

/* STRUCTURED: JSON of an object; NULL: there is none. */
static void answer(struct call *call, const char *text, const char *structured, bool failed)
{
    struct buf result, line;
    buf_init(&result, LINE_MOST);
    buf_init(&line, LINE_MOST);
    buf_add_text(&result, "{\"content\":[{\"type\":\"text\"");
    buf_json_member(&result, "text", text);
    buf_add_text(&result, "}]");
    if (structured && call->owner->features.structured) {
        buf_json_key(&result, "structuredContent");
        buf_add_text(&result, structured);
    }
    buf_json_bool(&result, "isError", failed);
    buf_add_char(&result, '}');
    rpc_write_result(&line, call->id, buf_text(&result));
    LOG(LOG_INFO, "call_ended", LOG_TEXT("tool", call->tool->name), LOG_TEXT("failed", failed ? "yes" : "no"),
        LOG_NUM("bytes", line.len));
    say(call, &line, call->batch);
    buf_wipe(&result);
    buf_wipe(&line);
    calls_bury(call);
}

void call_finish(struct call *call, struct json_object *result, bool failed)
{
    if (call->canceled) {
        json_object_put(result);
        call_drop(call);
        return;
    }
    struct result_form form = {.page = call->page, .advice = call->cut};
    if (result_bound(result, (size_t)call->conf->mcp_result_bytes, &form)) {
        const char *text = json_print(result);
        answer(call, text, text, failed);
    } else {
        bool looks = strcmp(call->ask.method, "GET") == 0;
        const char *what = call->too_large ? call->too_large
                           : looks         ? "ask for less"
                                           : "it was done all the same";
        answer(call, arena_printf(call->arena, "the answer is too large (mcp.result_bytes): %s", what), NULL,
               true);
    }
    json_object_put(result);
}

void call_fail(struct call *call, const char *text)
{
    if (call->canceled)
        call_drop(call);
    else
        answer(call, text, NULL, true);
}

void call_drop(struct call *call)
{
    calls_bury(call);
}

/* ---- refusals ---- */

/* What the person who runs it has to do about the token, where that is the reason. */
static const char *token_advice(long status)
{
    if (status == 401)
        return "the API does not know the token in NOTIFY_TOKEN, or it was revoked or has expired: make one "
               "with notifyctl token create, and start notify-mcp with it";
    if (status == 403)
        return "the token in NOTIFY_TOKEN may only read, and this needs one of scope write: notifyctl token "
               "create --scope write";
    return NULL;
}

static const char *text_of(struct json_object *error, const char *name)
{
    struct json_object *value = json_get(error, name);
    return json_is_text(value) ? json_object_get_string(value) : "";
}

/* REFUSAL, and what to do where it may have been carried out all the same. */
static const char *with_doubt(struct call *call, const struct client_answer *a, const char *refusal)
{
    const char *unsure = call->unsure ? call->unsure
                                      : "it may have happened all the same: look before you ask again "
                                        "(list_integrations, list_deliveries)";
    return a->maybe_done ? arena_printf(call->arena, "%s; %s", refusal, unsure) : refusal;
}

/* What the API itself said. */
static const char *words_of(struct call *call, const struct client_answer *a)
{
    struct buf b;
    const char *said = json_object_get_string(json_get(a->body, "detail"));
    struct json_object *errors = json_get(a->body, "errors");
    buf_init(&b, REFUSAL_MAX);
    buf_printf(&b, "the API refused it (%ld): ", a->status);
    buf_add_text(&b, said ? said : "it did not say why");
    for (size_t i = 0; json_object_is_type(errors, json_type_array) && i < json_object_array_length(errors) &&
                       i < REFUSAL_ERRORS;
         i++) {
        struct json_object *one = json_object_array_get_idx(errors, i);
        const char *field = text_of(one, "field"), *detail = text_of(one, "detail");
        bool named = strncmp(detail, field, strlen(field)) == 0; /* it begins with its field as a rule */
        buf_printf(&b, "; %s%s", named ? "" : field, named ? "" : ": ");
        buf_add_text(&b, detail);
    }
    const char *text = utf8_storable_copy(call->arena, buf_text(&b), b.len, REFUSAL_MAX);
    buf_free(&b);
    return text;
}

const char *call_refusal(struct call *call, const struct client_answer *a)
{
    const char *text = a->fault ? a->fault : token_advice(a->status);
    /* Its words for a change whose outcome is not known speak to programs that choose their keys. */
    if (!text && a->status >= 500 && strcmp(call->ask.method, "GET") != 0)
        text = arena_printf(call->arena, "the API failed (%ld)%s", a->status,
                            a->maybe_done ? "" : "; nothing came of it: ask again later");
    return with_doubt(call, a, text ? text : words_of(call, a));
}

void call_refuse(struct call *call, const struct client_answer *a)
{
    call_fail(call, call_refusal(call, a));
}
