/*
 * service_ledger - the calls about deliveries: pages of them, one with its attempts, and what is dead begun again or given up
 *
 * What is dead changes here only, and only rows: what is `owed` a message gets it from the sweep of notifyd, so a replay is done
 * when it is committed, whatever becomes of the broker. Rows that others hold are not waited for; the answer says which.
 */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "api/service/explanation.h"
#include "api/service/rows_json.h"
#include "api/service/service_page.h"
#include "common/base/check.h"
#include "common/base/json.h"
#include "common/base/uuid.h"
#include "common/model/event.h"

enum {
    LOOKED_MAX = 5000 /* rows of a page that is filtered; ours: some twenty milliseconds */
};

/* ---- pages ---- */

static void list_finish(struct service_call *call)
{
    const PGresult *rows = call->own->kept[1], *there = call->own->kept[2];
    if (there && !PQntuples(there)) {
        service_not_found(call);
        return;
    }
    long looked = strtol(PQgetvalue(rows, 0, API_PAGE_LOOKED), NULL, 10);
    int count = PQgetisnull(rows, 0, API_PAGE_EVENT) ? 0 : PQntuples(rows);
    int shown = count > call->own->limit ? (int)call->own->limit : count;
    const char *end[3] = {NULL};
    service_page_begin(call);
    for (int i = 0; i < shown; i++) {
        rows_json_object(service_page_add(call), rows, i, API_PAGE_EVENT);
        if (service_page_is_full(call))
            shown = i + 1;
    }
    if (count > shown) {
        end[0] = PQgetvalue(rows, shown - 1, API_PAGE_TIME);
        end[1] = PQgetvalue(rows, shown - 1, API_PAGE_INTEGRATION);
        end[2] = PQgetvalue(rows, shown - 1, API_PAGE_EVENT);
    } else if (looked >= call->own->looked) {
        end[0] = PQgetvalue(rows, 0, API_PAGE_LAST_TIME);
        end[1] = PQgetvalue(rows, 0, API_PAGE_LAST_INTEGRATION);
        end[2] = PQgetvalue(rows, 0, API_PAGE_LAST_EVENT);
    }
    service_page_end(call, end, 3);
    service_page_finish(call);
}

void service_delivery_list(struct service_call *call, const struct service_caller *caller,
                           const struct service_delivery_filter *f)
{
    const char *behind[3] = {SERVICE_END_OF_TIME, "00000000-0000-0000-0000-000000000000", ""};
    service_begin(call, caller, list_finish);
    call->own->keeps_all = true;
    service_page_read(call, f->limit, f->cursor, PAGE_BY_TIME, behind, 3);
    const char *state = service_check_word(call, "state", f->state, "states");
    const char *reason = service_check_word(call, "reason", f->reason, "reasons");
    const char *type = service_check_word(call, "event_type", f->event_type, "events");
    const char *event = service_check_event(call, "event_id", f->event);
    const char *integration = service_check_uuid(call, "integration_id", f->integration);
    const char *scan = service_check_uuid(call, "scan_id", f->scan);
    const char *finding = service_check_uuid(call, "finding_id", f->finding);
    const char *export = service_check_uuid(call, "export_id", f->export);
    if (call->status != SERVICE_UNFINISHED)
        return;
    bool of_events = event || scan || finding || export;
    bool filtered = reason || type || (state && integration);
    call->own->looked = filtered ? LOOKED_MAX : call->own->limit + 1;
    struct service_step *step = service_add(call, export        ? API_DELIVERY_OF_EXPORT
                                                  : of_events   ? API_DELIVERY_OF_EVENTS
                                                  : integration ? API_DELIVERY_OF_INTEGRATION
                                                                : API_DELIVERY_RECENT);
    const char *const all[] = {caller->workspace,
                               behind[0],
                               behind[2],
                               behind[1],
                               arena_printf(&call->arena, "%ld", call->own->looked),
                               arena_printf(&call->arena, "%ld", call->own->limit + 1),
                               service_states(call, state, reason),
                               reason,
                               type,
                               of_events ? event : integration,
                               scan,
                               finding,
                               integration,
                               export};
    check(step->count <= (int)(sizeof all / sizeof all[0]));
    memcpy(step->values, all, (size_t)step->count * sizeof all[0]);
    if (!f->is_there)
        return;
    struct service_step *there = service_add(call, API_INTEGRATION_IS_THERE);
    there->values[0] = caller->workspace;
    there->values[1] = integration;
}

/* ---- one ---- */

static void not_found(struct service_call *call)
{
    service_refuse(call, SERVICE_NOT_FOUND, "there is no such delivery in this workspace");
}

/* Whether both may name a delivery; else the call is over. */
static bool take_names(struct service_call *call, const char *event, const char *integration)
{
    struct uuid uuid;
    if (event_id_is_good(event) && uuid_parse(&uuid, integration))
        return true;
    not_found(call);
    return false;
}

static void get_finish(struct service_call *call)
{
    const PGresult *delivery = call->own->kept[1], *attempts = call->own->kept[2];
    if (!PQntuples(delivery)) {
        not_found(call);
        return;
    }
    rows_json_with(&call->own->list, delivery, 0, "attempts", attempts, EXPLAIN_ATTEMPT_SHOWN);
    service_answer_list(call);
}

void service_delivery_get(struct service_call *call, const struct service_caller *caller, const char *event,
                          const char *integration)
{
    service_begin(call, caller, get_finish);
    call->own->keeps_all = true;
    if (!take_names(call, event, integration))
        return;
    event = arena_strdup(&call->arena, event);
    integration = arena_strdup(&call->arena, integration);
    for (enum api_statement s = API_DELIVERY_GET; s <= API_DELIVERY_ATTEMPTS; s++) {
        struct service_step *step = service_add(call, s);
        step->values[0] = caller->workspace;
        step->values[1] = event;
        step->values[2] = integration;
    }
}

/* ---- what is dead ---- */

/* "replayed", "busy", "not_dead", "not_found", "disabled", "deleted": what became of one. */
static const char *result_of(const struct service_call *call, const PGresult *rows, int row)
{
    if (*PQgetvalue(rows, row, API_CHANGE_DONE) == 't')
        return call->own->is_drop ? "dropped" : "replayed";
    if (PQgetisnull(rows, row, API_CHANGE_STATE))
        return "not_found";
    if (strcmp(PQgetvalue(rows, row, API_CHANGE_STATE), "dead") != 0)
        return "not_dead";
    return call->own->is_drop || PQgetisnull(rows, row, API_CHANGE_WHY)
               ? "busy"
               : PQgetvalue(rows, row, API_CHANGE_WHY);
}

static void add_result(struct service_call *call, struct buf *out, const PGresult *rows, int row)
{
    buf_add_char(out, '{');
    buf_json_key(out, "event_id");
    buf_json_text(out, PQgetvalue(rows, row, API_CHANGE_EVENT));
    buf_json_key(out, "integration_id");
    buf_json_text(out, PQgetvalue(rows, row, API_CHANGE_INTEGRATION));
    buf_json_key(out, "result");
    buf_json_text(out, result_of(call, rows, row));
    buf_add_char(out, '}');
}

/* One that was named in the path: what became of it is the status. */
static void one_finish(struct service_call *call, const PGresult *rows)
{
    const char *result = result_of(call, rows, 0);
    if (strcmp(result, "not_found") == 0) {
        not_found(call);
    } else if (strcmp(result, "busy") == 0) {
        service_refuse(call, SERVICE_CONFLICT, "somebody is changing it just now; try again in a moment");
    } else if (strcmp(result, "disabled") == 0) {
        service_refuse(call, SERVICE_CONFLICT,
                       "its integration is disabled, so it would be canceled; enable that first");
    } else if (strcmp(result, "deleted") == 0) {
        service_refuse(call, SERVICE_CONFLICT,
                       "its integration was deleted, so it cannot be sent any more; it can be dropped");
    } else if (strcmp(result, "not_dead") == 0) {
        service_refuse(call, SERVICE_CONFLICT,
                       arena_printf(&call->arena, "only what is dead can be replayed; this is %s",
                                    PQgetvalue(rows, 0, API_CHANGE_STATE)));
    } else {
        add_result(call, &call->own->list, rows, 0);
        service_answer_list(call);
    }
}

static void change_finish(struct service_call *call)
{
    const PGresult *rows = call->own->kept[1];
    struct buf *out = &call->own->list;
    long changed = 0;
    for (int i = 0; i < PQntuples(rows); i++) {
        bool done = *PQgetvalue(rows, i, API_CHANGE_DONE) == 't';
        changed += done;
        call->own->undone |= !done && !PQgetisnull(rows, i, API_CHANGE_STATE);
    }
    if (call->own->is_one) {
        one_finish(call, rows);
        return;
    }
    buf_printf(out, "{\"%s\":%ld,\"deliveries\":[", call->own->is_drop ? "dropped" : "replayed", changed);
    for (int i = 0; i < PQntuples(rows); i++) {
        buf_add_text(out, i ? ",\n " : "");
        add_result(call, out, rows, i);
    }
    buf_add_text(out, "]}");
    service_answer_list(call);
}

/* The step, with pairs in the form of arrays. */
static void add_change(struct service_call *call, const struct service_caller *caller, const char *events,
                       const char *integrations)
{
    struct service_step *step =
        service_add(call, call->own->is_drop ? API_DELIVERY_DROP : API_DELIVERY_REPLAY);
    const char *const all[] = {caller->workspace, events, integrations, caller->actor, caller->actor_name};
    check(step->count == sizeof all / sizeof all[0]);
    memcpy(step->values, all, sizeof all);
}

/* One text more of an array, as PostgreSQL reads it. */
static void add_element(struct buf *out, const char *text)
{
    buf_add_text(out, out->len ? ",\"" : "{\"");
    for (const char *at = text; *at; at++) {
        if (*at == '"' || *at == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, *at);
    }
    buf_add_char(out, '"');
}

static const char *take_array(struct service_call *call, struct buf *array)
{
    buf_add_char(array, '}');
    check(!array->overflow);
    const char *text = arena_text(&call->arena, buf_text(array), array->len);
    buf_free(array);
    return text;
}

void service_delivery_replay(struct service_call *call, const struct service_caller *caller,
                             const char *event, const char *integration)
{
    struct buf events;
    service_begin(call, caller, change_finish);
    call->own->keeps_all = call->own->is_one = true;
    if (!take_names(call, event, integration))
        return;
    buf_init(&events, 2 * EVENT_ID_MAX + 8);
    add_element(&events, event);
    add_change(call, caller, take_array(call, &events), arena_printf(&call->arena, "{%s}", integration));
}

/* Member KEY of ITEM as a text that PostgreSQL can hold, of at most MAX bytes; NULL when it is none. */
static const char *text_of(struct json_object *item, const char *key, size_t max)
{
    struct json_object *value = json_get(item, key);
    if (!json_object_is_type(value, json_type_string))
        return NULL;
    size_t n = (size_t)json_object_get_string_len(value);
    const char *text = json_object_get_string(value);
    return n >= 1 && n <= max && strlen(text) == n ? text : NULL;
}

static void wrong_at(struct service_call *call, size_t i, const char *what, const char *detail)
{
    service_wrong(call, arena_printf(&call->arena, "deliveries[%zu]%s", i, what), detail);
}

/* One of the list; what is wrong with it becomes an error. */
static void read_item(struct service_call *call, struct json_object *item, size_t i, struct buf *events,
                      struct buf *integrations)
{
    struct uuid uuid;
    if (!json_object_is_type(item, json_type_object)) {
        wrong_at(call, i, "", "it must be an object with event_id and integration_id");
        return;
    }
    const char *event = text_of(item, "event_id", EVENT_ID_MAX);
    const char *integration = text_of(item, "integration_id", UUID_TEXT);
    if (!event)
        wrong_at(call, i, ".event_id", "it must be the id of an event, a text of 1 to 200 bytes");
    if (!integration || !uuid_parse(&uuid, integration))
        wrong_at(call, i, ".integration_id", "it must be the id of an integration, a UUID");
    json_object_object_foreach(item, key, value)
    {
        (void)value;
        if (strcmp(key, "event_id") != 0 && strcmp(key, "integration_id") != 0)
            wrong_at(call, i, "", "it takes event_id and integration_id only");
        if (service_is_full(call))
            break;
    }
    if (call->status != SERVICE_UNFINISHED)
        return;
    add_element(events, event);
    add_element(integrations, integration);
}

static void read_list(struct service_call *call, const struct service_caller *caller,
                      struct json_object *list)
{
    struct buf events, integrations;
    size_t count = json_object_array_length(list);
    if (count < 1 || count > SERVICE_CHANGES_MAX) {
        service_wrong(call, "deliveries", "it must have 1 to 500 of them; send more in several requests");
        return;
    }
    buf_init(&events, count * (2 * EVENT_ID_MAX + 8));
    buf_init(&integrations, count * (UUID_TEXT + 8));
    for (size_t i = 0; i < count && !service_is_full(call); i++)
        read_item(call, json_object_array_get_idx(list, i), i, &events, &integrations);
    if (call->status == SERVICE_UNFINISHED) {
        add_change(call, caller, take_array(call, &events), take_array(call, &integrations));
    } else {
        buf_free(&events);
        buf_free(&integrations);
    }
}

static void change_list(struct service_call *call, const struct service_caller *caller, const char *body,
                        size_t size, bool is_drop)
{
    service_begin(call, caller, change_finish);
    call->own->keeps_all = true;
    call->own->is_drop = is_drop;
    struct json_object *root = service_object_read(call, body, size);
    if (!root)
        return;
    json_object_object_foreach(root, key, value)
    {
        (void)value;
        if (strcmp(key, "deliveries") != 0)
            service_wrong(call, service_word(call, key),
                          "there is no such member; the list is in deliveries");
        if (service_is_full(call))
            break;
    }
    struct json_object *list = json_get(root, "deliveries");
    if (!json_object_is_type(list, json_type_array))
        service_wrong(call, "deliveries", "it must be a list of objects with event_id and integration_id");
    else if (call->status == SERVICE_UNFINISHED)
        read_list(call, caller, list);
    json_object_put(root);
}

void service_delivery_replay_list(struct service_call *call, const struct service_caller *caller,
                                  const char *body, size_t size)
{
    change_list(call, caller, body, size, false);
}

void service_delivery_drop_list(struct service_call *call, const struct service_caller *caller,
                                const char *body, size_t size)
{
    change_list(call, caller, body, size, true);
}
