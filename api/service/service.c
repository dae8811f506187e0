/*
 * service - a call: its steps, what they answer, and its end
 *
 * Owns the arena of a call, which holds settings and tokens in clear while it lives and is overwritten at its end. Knows
 * nothing of what calls do (service_integrations, service_tokens) and nothing of who runs the statements.
 */
#include "api/service/service.h"

#include <string.h>

#include "api/service/service_parts.h"
#include "common/base/check.h"

enum { ARENA_BLOCK = 4096 };

void service_begin(struct service_call *call, const struct service_caller *caller,
                   void (*finish)(struct service_call *call))
{
    memset(call, 0, sizeof *call);
    arena_init(&call->arena, ARENA_BLOCK);
    call->own = arena_alloc(&call->arena, sizeof *call->own);
    call->own->finish = finish;
    call->own->take = service_take_row;
    buf_init(&call->own->list, SERVICE_BODY_MAX);
    if (caller->workspace)
        service_add(call, API_WORKSPACE)->values[0] = caller->workspace;
}

struct service_step *service_add(struct service_call *call, enum api_statement statement)
{
    check(call->step_count < SERVICE_STEPS_MAX);
    struct service_step *step = &call->steps[call->step_count++];
    step->statement = statement;
    step->count = api_statements[statement].params;
    return step;
}

void service_refuse(struct service_call *call, enum service_status status, const char *detail)
{
    call->status = status;
    call->detail = detail;
    call->step_count = 0;
}

void service_wrong(struct service_call *call, const char *field, const char *detail)
{
    service_refuse(call, SERVICE_INVALID, "correct what is named in errors");
    if (call->error_count < SERVICE_ERRORS_MAX)
        call->errors[call->error_count++] = (struct service_error){field, detail};
}

void service_take_row(struct service_call *call, const PGresult *rows)
{
    struct service_private *own = call->own;
    own->rows = PQntuples(rows);
    int columns = PQnfields(rows);
    check(columns <= SERVICE_COLUMNS_MAX);
    for (int c = 0; c < columns; c++)
        own->columns[c] =
            own->rows && !PQgetisnull(rows, 0, c)
                ? arena_text(&call->arena, PQgetvalue(rows, 0, c), (size_t)PQgetlength(rows, 0, c))
                : NULL;
}

bool service_is_true(const struct service_call *call, int column)
{
    const char *value = call->own->columns[column];
    return value && *value == 't';
}

void service_take(struct service_call *call, size_t step, const PGresult *rows)
{
    check(step < call->step_count);
    if (step + 1 == call->step_count)
        call->own->take(call, rows);
}

void service_finish(struct service_call *call)
{
    if (call->status == SERVICE_UNFINISHED)
        call->own->finish(call);
    check(call->status != SERVICE_UNFINISHED);
}

void service_end(struct service_call *call)
{
    buf_wipe(&call->own->list);
    arena_wipe(&call->arena);
}
