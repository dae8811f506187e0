/*
 * tools_read - the tools that look, and the one that tries out
 *
 * Each is one request, after the integration was found where one is named. What is answered is the API's answer within an object,
 * since results of tools are objects.
 */
#include <string.h>

#include "api/mcp/pick.h"
#include "api/mcp/tools.h"
#include "api/mcp/value.h"

/* {NAME: the list that was answered, "next": cursor} */
static void finish_page(struct call *call, const char *name, struct json_object *list, const char *next)
{
    struct json_object *result = value_object();
    value_set(result, name, list);
    value_set(result, "next", value_text(next));
    call->page = name;
    call_finish(call, result, false);
}

static bool is_list(struct call *call, const struct client_answer *answer)
{
    bool good = answer->status == 200 && json_object_is_type(answer->body, json_type_array);
    if (!good)
        call_refuse(call, answer);
    return good;
}

/* The parameters of a page, and those that are named as the arguments are. */
static const char *add_queries(struct call *call, const char *path, const char *const *names)
{
    struct json_object *limit = call_argument(call, "limit");
    for (; *names; names++)
        path = call_query(call, path, *names, call_text(call, *names));
    return call_query(call, path, "limit",
                      limit ? arena_printf(call->arena, "%d", json_object_get_int(limit)) : NULL);
}

/* ---- list_integrations ---- */

static void on_integrations(struct call *call, const struct client_answer *answer)
{
    const char *kind = call_text(call, "kind"), *name = call_text(call, "name");
    if (!is_list(call, answer))
        return;
    struct json_object *found = value_list();
    for (size_t i = 0; i < json_object_array_length(answer->body); i++) {
        struct json_object *one = json_object_array_get_idx(answer->body, i);
        if ((!kind || strcmp(pick_text(one, "kind"), kind) == 0) &&
            (!name || strcasestr(pick_text(one, "name"), name)))
            value_append(found, json_object_get(one));
    }
    finish_page(call, "integrations", found, answer->next);
}

void tool_list_integrations(struct call *call)
{
    static const char *const names[] = {"cursor", NULL};
    call_ask(call, "GET", add_queries(call, "/integrations", names), NULL, NULL, on_integrations);
}

/* ---- list_deliveries ---- */

static void on_deliveries(struct call *call, const struct client_answer *answer)
{
    if (is_list(call, answer))
        finish_page(call, "deliveries", json_object_get(answer->body), answer->next);
}

static void ask_deliveries(struct call *call, struct json_object *integration)
{
    static const char *const names[] = {"state",      "reason",    "event_type", "event_id", "scan_id",
                                        "finding_id", "export_id", "cursor",     NULL};
    const char *path = integration
                           ? call_query(call, "/deliveries", "integration_id", pick_text(integration, "id"))
                           : "/deliveries";
    call_ask(call, "GET", add_queries(call, path, names), NULL, NULL, on_deliveries);
}

void tool_list_deliveries(struct call *call)
{
    const char *integration = call_text(call, "integration");
    if (integration)
        pick_integration(call, NULL, integration, ask_deliveries);
    else
        ask_deliveries(call, NULL);
}

/* ---- explain_delivery ---- */

static void on_explained(struct call *call, const struct client_answer *answer)
{
    if (!is_list(call, answer))
        return;
    struct json_object *result = value_object();
    value_set(result, "explanations", json_object_get(answer->body));
    call_finish(call, result, false);
}

static void ask_explanation(struct call *call, struct json_object *integration)
{
    static const char *const names[] = {"event_id", "scan_id", "event_type", "finding_id", NULL};
    const char *path = integration
                           ? call_query(call, "/explain", "integration_id", pick_text(integration, "id"))
                           : "/explain";
    call_ask(call, "GET", add_queries(call, path, names), NULL, NULL, on_explained);
}

void tool_explain_delivery(struct call *call)
{
    const char *integration = call_text(call, "integration");
    bool by_scan = call_text(call, "scan_id") && call_text(call, "event_type");
    if (!by_scan && !call_text(call, "event_id"))
        call_fail(call,
                  "give scan_id and event_type (and finding_id, where the event is about one), or event_id");
    else if (integration)
        pick_integration(call, NULL, integration, ask_explanation);
    else
        ask_explanation(call, NULL);
}

/* ---- test_integration ---- */

static void on_tested(struct call *call, const struct client_answer *answer)
{
    const char *id = pick_text(call->own, "id");
    if (answer->status != 200 || !json_object_is_type(answer->body, json_type_object)) {
        call_refuse(call, answer);
        return;
    }
    struct json_object *result = json_object_get(answer->body);
    value_set(result, "integration_id", value_text(id));
    call_finish(call, result, false);
}

static void ask_test(struct call *call, struct json_object *integration)
{
    const char *id = pick_text(integration, "id");
    call->own = integration;
    call->unsure = "a test may have been sent: look before you ask again";
    call->cut = call->too_large = "the test was made all the same";
    call_ask(call, "POST",
             arena_printf(call->arena, "/integrations/%s/test", dest_url_escape(call->arena, id)), NULL, NULL,
             on_tested);
}

void tool_test_integration(struct call *call)
{
    pick_integration(call, NULL, call_text(call, "integration"), ask_test);
}
