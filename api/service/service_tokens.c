/*
 * service_tokens - the calls about tokens: made, listed, revoked
 *
 * The token itself stands in one answer, the one to its creation, and nowhere else; the database gets its hash.
 */
#include <string.h>

#include "api/service/service_parts.h"
#include "api/service/token.h"
#include "common/base/check.h"
#include "common/base/utf8.h"

static void create_finish(struct service_call *call)
{
    const char *shown = call->own->columns[0];
    if (!call->own->rows) {
        service_refuse(call, SERVICE_NOT_FOUND, "there is no such workspace");
        return;
    }
    /* What the statement shows is an object that begins with the id. */
    check(shown && *shown == '{');
    call->body = arena_printf(&call->arena, "{\"token\":\"%s\",%s", call->own->token, shown + 1);
    call->id = call->own->id;
    call->status = SERVICE_CREATED;
}

void service_token_create(struct service_call *call, const struct service_caller *caller, const char *scope,
                          const char *name, double expires)
{
    struct token token;
    size_t n = strlen(name);
    service_begin(call, caller, create_finish);
    if (strcmp(scope, "read") != 0 && strcmp(scope, "write") != 0)
        service_wrong(call, "scope", "scope must be read or write");
    if (!n || n > TOKEN_NAME_MAX || !utf8_is_storable(name, n))
        service_wrong(call, "name", "name must be 1 to 100 bytes of UTF-8");
    if (call->status != SERVICE_UNFINISHED)
        return;
    token_make(&token);
    call->own->token = arena_strdup(&call->arena, token.text);
    call->own->id = arena_strdup(&call->arena, token.id);
    struct service_step *step = service_add(call, API_TOKEN_CREATE);
    step->values[0] = caller->workspace;
    step->values[1] = call->own->id;
    step->values[2] = arena_strdup(&call->arena, scope);
    step->values[3] = arena_strdup(&call->arena, name);
    step->values[4] = arena_printf(&call->arena, "\\x%s", token.hash);
    step->values[5] = expires >= 0 ? arena_printf(&call->arena, "%.17g", expires) : NULL;
    step->values[6] = caller->actor;
    step->values[7] = caller->actor_name;
    explicit_bzero(&token, sizeof token);
}

static void list_take(struct service_call *call, const PGresult *rows)
{
    struct buf *list = &call->own->list;
    buf_reset(list);
    buf_add_char(list, '[');
    for (int i = 0; i < PQntuples(rows); i++) {
        buf_add_text(list, i ? ",\n " : "");
        buf_add(list, PQgetvalue(rows, i, 0), (size_t)PQgetlength(rows, i, 0));
    }
    buf_add_char(list, ']');
}

static void list_finish(struct service_call *call)
{
    service_answer_list(call);
}

void service_token_list(struct service_call *call, const struct service_caller *caller)
{
    service_begin(call, caller, list_finish);
    call->own->take = list_take;
    service_add(call, API_TOKEN_LIST)->values[0] = caller->workspace;
}

static void revoke_finish(struct service_call *call)
{
    if (call->own->rows)
        call->status = SERVICE_NO_CONTENT;
    else
        service_refuse(call, SERVICE_NOT_FOUND, "there is no token with this id");
}

void service_token_revoke(struct service_call *call, const struct service_caller *caller, const char *given)
{
    char whole[TOKEN_ID];
    service_begin(call, caller, revoke_finish);
    const char *id = arena_strdup(&call->arena, token_parse(given, whole) ? whole : given);
    if (!utf8_is_storable(id, strlen(id))) {
        service_refuse(call, SERVICE_NOT_FOUND, "there is no token with this id");
        return;
    }
    service_add(call, API_TOKEN_WORKSPACE)->values[0] = id;
    struct service_step *step = service_add(call, API_TOKEN_REVOKE);
    step->values[0] = id;
    step->values[1] = caller->actor;
    step->values[2] = caller->actor_name;
}
