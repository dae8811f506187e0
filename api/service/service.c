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
#include "common/base/utf8.h"
#include "common/base/uuid.h"
#include "common/model/event.h"

enum {
    ARENA_BLOCK = 4096,
    WORD_SHOWN_MAX = 40, /* bytes of a wrong word that are said again */
};

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

const char *service_word(struct service_call *call, const char *text)
{
    return utf8_storable_copy(&call->arena, text, strlen(text), WORD_SHOWN_MAX);
}

void service_answer_list(struct service_call *call)
{
    if (call->own->list.overflow) {
        service_refuse(
            call, SERVICE_TOO_LARGE,
            "the answer would be larger than 16 MiB; ask for less: a smaller limit, one event, or one "
            "integration");
        return;
    }
    call->body = buf_text(&call->own->list);
    call->status = SERVICE_OK;
}

bool service_is_full(const struct service_call *call)
{
    return call->error_count == SERVICE_ERRORS_MAX;
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

const char *service_check_uuid(struct service_call *call, const char *name, const char *text)
{
    struct uuid uuid;
    if (text && !uuid_parse(&uuid, text)) {
        service_wrong(call, name, "it must be a UUID, as 01234567-89ab-cdef-0123-456789abcdef");
        return NULL;
    }
    return arena_strdup(&call->arena, text);
}

const char *service_check_word(struct service_call *call, const char *name, const char *text,
                               const char *list)
{
    const struct word_list *words = word_list_find(list);
    if (!text || word_list_help(words, text))
        return arena_strdup(&call->arena, text);
    const char *known = "";
    for (size_t i = 0; i < words->count; i++)
        known = arena_printf(&call->arena, "%s%s%s", known, i ? ", " : "", words->entries[i].word);
    service_wrong(call, name, arena_printf(&call->arena, "it must be one of %s", known));
    return NULL;
}

const char *service_check_event(struct service_call *call, const char *name, const char *text)
{
    if (!text || event_id_is_good(text))
        return arena_strdup(&call->arena, text);
    service_wrong(call, name, "it must be the id of an event, 1 to 200 bytes of UTF-8");
    return NULL;
}

bool service_is_true(const struct service_call *call, int column)
{
    const char *value = call->own->columns[column];
    return value && *value == 't';
}

void service_take(struct service_call *call, size_t step, const PGresult *rows)
{
    struct service_private *own = call->own;
    check(step < call->step_count);
    if (own->keeps_all) {
        PQclear(own->kept[step]);
        own->kept[step] = PQcopyResult(rows, PG_COPYRES_ATTRS | PG_COPYRES_TUPLES);
        mem_check(own->kept[step] != NULL);
    } else if (step + 1 == call->step_count) {
        own->take(call, rows);
    }
}

void service_finish(struct service_call *call)
{
    if (call->status == SERVICE_UNFINISHED)
        call->own->finish(call);
    check(call->status != SERVICE_UNFINISHED);
}

bool service_is_doubtful(const struct service_call *call)
{
    return call->own->undone;
}

void service_end(struct service_call *call)
{
    for (size_t i = 0; i < SERVICE_STEPS_MAX; i++)
        PQclear(call->own->kept[i]);
    buf_wipe(&call->own->list);
    arena_wipe(&call->arena);
}
