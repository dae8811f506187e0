/*
 * service_events - pages of events
 *
 * Also of those that reached no integration, which no delivery shows: what is dead as a whole, above all. As with deliveries, a
 * page looks at a bounded number of rows and says where it stopped.
 */
#include <stdlib.h>
#include <string.h>

#include "api/service/rows_json.h"
#include "api/service/service_page.h"
#include "common/base/check.h"
#include "common/model/words.h"

enum {
    LOOKED_MAX = 5000 /* rows of a page that is filtered; ours: some twenty milliseconds */
};

static void list_finish(struct service_call *call)
{
    const PGresult *rows = call->own->kept[1];
    long looked = strtol(PQgetvalue(rows, 0, API_EVENTS_LOOKED), NULL, 10);
    int count = PQgetisnull(rows, 0, API_EVENTS_ID) ? 0 : PQntuples(rows);
    int shown = count > call->own->limit ? (int)call->own->limit : count;
    const char *end[2] = {NULL};
    service_page_begin(call);
    for (int i = 0; i < shown; i++) {
        rows_json_object(service_page_add(call), rows, i, API_EVENTS_ID);
        if (service_page_is_full(call))
            shown = i + 1;
    }
    if (count > shown) {
        end[0] = PQgetvalue(rows, shown - 1, API_EVENTS_TIME);
        end[1] = PQgetvalue(rows, shown - 1, API_EVENTS_ID);
    } else if (looked >= call->own->looked) {
        end[0] = PQgetvalue(rows, 0, API_EVENTS_LAST_TIME);
        end[1] = PQgetvalue(rows, 0, API_EVENTS_LAST_ID);
    }
    service_page_end(call, end, 2);
    service_page_finish(call);
}

/* The states as a parameter: STATE alone, or all that can have a reason, or all. */
static const char *states_of(struct service_call *call, const char *state, bool have_reason)
{
    const char *out = "";
    for (int i = 0; i < EVENT_STATE_COUNT; i++) {
        const char *name = event_state_name((enum event_state)i);
        if (state ? strcmp(state, name) == 0 : i == EVENT_STATE_DEAD || !have_reason)
            out = arena_printf(&call->arena, "%s%s%s", out, *out ? "," : "", name);
    }
    return arena_printf(&call->arena, "{%s}", out);
}

void service_event_list(struct service_call *call, const struct service_caller *caller,
                        const struct service_event_filter *f)
{
    const char *behind[2] = {SERVICE_END_OF_TIME, ""};
    service_begin(call, caller, list_finish);
    call->own->keeps_all = true;
    service_page_read(call, f->limit, f->cursor, PAGE_OF_EVENTS, behind, 2);
    const char *state = service_check_word(call, "state", f->state, "event-states");
    const char *reason = service_check_word(call, "reason", f->reason, "reasons");
    const char *type = service_check_word(call, "event_type", f->event_type, "events");
    const char *scan = service_check_uuid(call, "scan_id", f->scan);
    const char *finding = service_check_uuid(call, "finding_id", f->finding);
    if (call->status != SERVICE_UNFINISHED)
        return;
    call->own->looked = reason || type ? LOOKED_MAX : call->own->limit + 1;
    struct service_step *step = service_add(call, scan || finding ? API_EVENT_OF_SCAN : API_EVENT_RECENT);
    const char *const all[] = {caller->workspace,
                               behind[0],
                               behind[1],
                               arena_printf(&call->arena, "%ld", call->own->looked),
                               arena_printf(&call->arena, "%ld", call->own->limit + 1),
                               states_of(call, state, reason != NULL),
                               reason,
                               type,
                               scan,
                               finding};
    check(step->count <= (int)(sizeof all / sizeof all[0]));
    memcpy(step->values, all, (size_t)step->count * sizeof all[0]);
}
