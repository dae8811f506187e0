/*
 * calls - the calls under way
 *
 * Owns them: each begins here, is broken off here, and dies at the end of the turn of the loop in which it ended, since its own
 * requests may be on the stack. Their number is bounded (mcp.calls). Invariants: a call is answered once, or, when it was canceled,
 * not at all.
 */
#include "api/mcp/calls.h"

#include <stdlib.h>

#include "api/mcp/calls_parts.h"
#include "api/mcp/value.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"

enum { ARENA_BLOCK = 4096 };

static void free_call(struct call *call)
{
    json_object_put(call->kept);
    json_object_put(call->id);
    json_object_put(call->progress_token);
    json_object_put(call->arguments);
    event_free(call->timer);
    arena_wipe(&call->memory); /* arguments may hold settings */
    free(call);
}

static void on_bury(evutil_socket_t fd, short what, void *arg)
{
    struct calls *cs = arg;
    struct list *at;
    (void)fd;
    (void)what;
    while ((at = list_shift(&cs->gone)))
        free_call(list_entry(at, struct call, link));
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct call *call = arg;
    (void)fd;
    (void)what;
    call->later(call);
}

struct calls *calls_new(const struct calls_settings *settings)
{
    struct calls *cs = mem_zalloc(sizeof *cs);
    cs->settings = *settings;
    list_init(&cs->running);
    list_init(&cs->gone);
    cs->keys = keys_new();
    cs->bury = event_new(settings->base, -1, 0, on_bury, cs);
    return cs;
}

void calls_free(struct calls *cs)
{
    struct list *at;
    if (!cs)
        return;
    while ((at = list_shift(&cs->running))) {
        struct call *call = list_entry(at, struct call, link);
        call_stop(call);
        cs->settings.over(cs->settings.owner, call->batch);
        free_call(call);
    }
    on_bury(-1, 0, cs);
    event_free(cs->bury);
    keys_free(cs->keys);
    free(cs);
}

void calls_set_features(struct calls *cs, struct tool_features features)
{
    cs->features = features;
}

size_t calls_count(const struct calls *cs)
{
    return cs->count;
}

static struct call *find(const struct calls *cs, struct json_object *id)
{
    struct list *at;
    list_for_each (at, &cs->running) {
        struct call *call = list_entry(at, struct call, link);
        if (rpc_same_id(call->id, id))
            return call;
    }
    return NULL;
}

bool calls_has(const struct calls *cs, struct json_object *id)
{
    return find(cs, id) != NULL;
}

/* Where a client wants to hear of progress: a text or a whole number of its choice. */
static struct json_object *progress_token(const struct rpc_message *message)
{
    struct json_object *token = json_get(json_get(message->params, "_meta"), "progressToken");
    bool good = json_object_is_type(token, json_type_int) ||
                (json_is_text(token) && json_object_get_string_len(token) <= RPC_ID_MAX);
    return good ? token : NULL;
}

void calls_begin(struct calls *cs, const struct tool *tool, const struct rpc_message *message, void *batch)
{
    struct call *call = mem_zalloc(sizeof *call);
    call->owner = cs;
    call->tool = tool;
    call->id = json_object_get(message->id);
    call->arguments = json_object_get(json_get(message->params, "arguments"));
    call->progress_token = json_object_get(progress_token(message));
    call->begun_us = clock_mono_us();
    call->batch = batch;
    call->conf = cs->settings.conf;
    arena_init(&call->memory, ARENA_BLOCK);
    call->arena = &call->memory;
    call->kept = value_list();
    call->timer = event_new(cs->settings.base, -1, 0, on_timer, call);
    list_append(&cs->running, &call->link);
    cs->count++;
    LOG(LOG_DEBUG, "call_begun", LOG_TEXT("tool", tool->name), LOG_NUM("calls", cs->count));
    const char *fault = tool_args_fault(call->arena, tool, cs->settings.open, call->arguments);
    if (cs->count > (size_t)call->conf->mcp_calls)
        call_fail(call, "too many calls are under way at once (mcp.calls); wait until one of them has ended");
    else if (fault)
        call_fail(call, fault);
    else
        tool->begin(call);
}

void calls_cancel(struct calls *cs, struct json_object *id)
{
    struct call *call = find(cs, id);
    if (!call)
        return; /* it has ended meanwhile, as the specification allows */
    LOG(LOG_INFO, "call_canceled", LOG_TEXT("tool", call->tool->name));
    call->canceled = true;
    json_object_put(call->id);
    call->id = NULL; /* which may be used again, and is found no more */
    if (call->on_cancel)
        call->on_cancel(call);
    else
        call_drop(call);
}

bool calls_are_canceling(const struct calls *cs)
{
    struct list *at;
    list_for_each (at, &cs->running)
        if (list_entry(at, struct call, link)->canceled)
            return true;
    return false;
}

void calls_end(struct calls *cs)
{
    struct list *at, *next;
    cs->leaving = true;
    list_for_each_safe (at, next, &cs->running) {
        struct call *call = list_entry(at, struct call, link);
        if (call->on_end)
            call->on_end(call);
    }
}

/* ---- the end of one ---- */

void calls_bury(struct call *call)
{
    struct calls *cs = call->owner;
    call_stop(call);
    list_remove(&call->link);
    list_append(&cs->gone, &call->link);
    cs->count--;
    event_active(cs->bury, EV_TIMEOUT, 1);
    cs->settings.over(cs->settings.owner, call->batch);
}
