/*
 * tools_write - the tools that change integrations
 *
 * Open only with --allow-write, which tools/list and the check of calls see to. A creation has an Idempotency-Key, so that it can be
 * asked for again when its answer is lost. What is deleted or changed is named exactly (pick.c).
 */
#include <string.h>

#include "api/mcp/pick.h"
#include "api/mcp/tools.h"
#include "api/mcp/value.h"

static const char *path_of(struct call *call, struct json_object *integration)
{
    return arena_printf(call->arena, "/integrations/%s",
                        dest_url_escape(call->arena, pick_text(integration, "id")));
}

static void on_shown(struct call *call, const struct client_answer *answer)
{
    bool good = (answer->status == 200 || answer->status == 201) &&
                json_object_is_type(answer->body, json_type_object);
    if (good)
        call_finish(call, json_object_get(answer->body), false);
    else
        call_refuse(call, answer);
}

void tool_create_integration(struct call *call)
{
    struct uuid id;
    char *key = arena_alloc(call->arena, UUID_TEXT);
    uuid_random(&id);
    uuid_format(&id, key);
    call_ask(call, "POST", "/integrations", json_print(call->arguments), key, on_shown);
}

static void ask_update(struct call *call, struct json_object *integration)
{
    struct json_object *changes = call_keep(call, value_object());
    json_object_object_foreach(call->arguments, name, value)
    {
        if (strcmp(name, "integration") != 0)
            value_set(changes, name, json_object_get(value));
    }
    call_ask(call, "PATCH", path_of(call, integration), json_print(changes), NULL, on_shown);
}

void tool_update_integration(struct call *call)
{
    if (json_object_object_length(call->arguments) < 2)
        call_fail(call,
                  "nothing is to be changed: give at least one of name, config, severity_filter, enabled, "
                  "target_ids, events");
    else
        pick_integration(call, NULL, call_text(call, "integration"), ask_update);
}

static void on_deleted(struct call *call, const struct client_answer *answer)
{
    if (answer->status != 204) {
        call_refuse(call, answer);
        return;
    }
    struct json_object *result = value_object();
    value_set(result, "deleted", value_text(pick_text(call->own, "id")));
    call_finish(call, result, false);
}

static void ask_delete(struct call *call, struct json_object *integration)
{
    call->own = integration;
    call_ask(call, "DELETE", path_of(call, integration), NULL, NULL, on_deleted);
}

void tool_delete_integration(struct call *call)
{
    pick_integration(call, NULL, call_text(call, "integration"), ask_delete);
}
