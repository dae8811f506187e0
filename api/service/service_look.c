/*
 * service_look - the calls that only look: the targets of a workspace, how much there is, and how its integrations fare
 */
#include <string.h>

#include "api/service/rows_json.h"
#include "api/service/service_page.h"
#include "common/base/check.h"
#include "common/model/words.h"

/* ---- targets ---- */

static void targets_take(struct service_call *call, const PGresult *rows)
{
    int count = PQntuples(rows), shown = count > call->own->limit ? (int)call->own->limit : count;
    service_page_begin(call);
    for (int i = 0; i < shown; i++) {
        rows_json_object(service_page_add(call), rows, i, 0);
        if (service_page_is_full(call))
            shown = i + 1;
    }
    const char *const end[] = {count > shown ? PQgetvalue(rows, shown - 1, API_TARGET_ID) : NULL,
                               count > shown ? PQgetvalue(rows, shown - 1, API_TARGET_NAME) : NULL};
    service_page_end(call, end, 2);
}

void service_target_list(struct service_call *call, const struct service_caller *caller, const char *limit,
                         const char *cursor)
{
    const char *behind[2] = {NULL, NULL};
    service_begin(call, caller, service_page_finish);
    call->own->take = targets_take;
    service_page_read(call, limit, cursor, PAGE_BY_TEXT, behind, 2);
    if (call->status != SERVICE_UNFINISHED)
        return;
    struct service_step *step = service_add(call, API_TARGET_LIST);
    step->values[0] = caller->workspace;
    step->values[1] = behind[0];
    step->values[2] = behind[1];
    step->values[3] = arena_printf(&call->arena, "%ld", call->own->limit + 1);
}

/* ---- stats ---- */

enum { STATES = 1, INTEGRATIONS };

static void stats_finish(struct service_call *call)
{
    struct buf *out = &call->own->list;
    buf_add_char(out, '{');
    buf_json_key(out, "deliveries");
    rows_json_array(out, call->own->kept[STATES]);
    buf_json_key(out, "integrations");
    rows_json_array(out, call->own->kept[INTEGRATIONS]);
    buf_add_char(out, '}');
    service_answer_list(call);
}

void service_stats(struct service_call *call, const struct service_caller *caller)
{
    service_begin(call, caller, stats_finish);
    call->own->keeps_all = true;
    struct service_step *states = service_add(call, API_STATS);
    states->values[0] = caller->workspace;
    states->values[1] = service_states(call, NULL, false);
    service_add(call, API_STATS_INTEGRATIONS)->values[0] = caller->workspace;
}

/* ---- overview ---- */

static void overview_take(struct service_call *call, const PGresult *rows)
{
    int count = PQntuples(rows), shown = count > call->own->limit ? (int)call->own->limit : count;
    service_page_begin(call);
    for (int i = 0; i < shown; i++) {
        rows_json_object(service_page_add(call), rows, i, API_OVERVIEW_SHOWN);
        if (service_page_is_full(call))
            shown = i + 1;
    }
    const char *const end[] = {count > shown ? PQgetvalue(rows, shown - 1, API_OVERVIEW_TIME) : NULL,
                               count > shown ? PQgetvalue(rows, shown - 1, API_OVERVIEW_ID) : NULL};
    service_page_end(call, end, 2);
}

void service_overview(struct service_call *call, const struct service_caller *caller,
                      const struct service_overview_filter *f)
{
    const char *behind[2] = {NULL, NULL};
    service_begin(call, caller, service_page_finish);
    call->own->take = overview_take;
    service_page_read(call, f->limit, f->cursor, PAGE_BY_TIME, behind, 2);
    const char *health = service_check_word(call, "health", f->health, "health-states");
    if (f->kind && !dest_find(f->kind))
        service_wrong(call, "kind", "it must be one of the kinds of GET /kinds");
    if (call->status != SERVICE_UNFINISHED)
        return;
    struct service_step *step = service_add(call, API_OVERVIEW);
    const char *const all[] = {caller->workspace,
                               behind[0],
                               behind[1],
                               arena_printf(&call->arena, "%ld", call->own->limit + 1),
                               arena_strdup(&call->arena, f->q),
                               arena_strdup(&call->arena, f->kind),
                               health};
    check(step->count == sizeof all / sizeof all[0]);
    memcpy(step->values, all, sizeof all);
}
