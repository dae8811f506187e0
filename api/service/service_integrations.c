/*
 * service_integrations - the calls about integrations
 *
 * Each is a function that makes the call from what was asked, and one that says what its last statement's row means. What can
 * be judged without the database is judged first; a call that is refused there has no steps. Settings leave this file
 * encrypted only.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/service/service_page.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/utf8.h"
#include "common/base/uuid.h"
#include "common/model/settings_seal.h"

enum {
    KEY_MAX = 255,       /* bytes of an Idempotency-Key; ours */
    IF_MATCH_MAX = 4096, /* bytes: a hundred versions; ours */
};

void service_not_found(struct service_call *call)
{
    service_refuse(call, SERVICE_NOT_FOUND, "there is no such integration in this workspace");
}

/* Whether ID may be one; else the call is over. */
bool service_take_id(struct service_call *call, const char *id)
{
    struct uuid uuid;
    if (!uuid_parse(&uuid, id)) {
        service_not_found(call);
        return false;
    }
    call->own->id = arena_strdup(&call->arena, id);
    return true;
}

/* ---- list ---- */

static void list_take(struct service_call *call, const PGresult *rows)
{
    struct service_private *own = call->own;
    int count = PQntuples(rows), shown = count > own->limit ? (int)own->limit : count;
    service_page_begin(call);
    for (int i = 0; i < shown; i++) {
        buf_add(service_page_add(call), PQgetvalue(rows, i, API_LIST_BODY),
                (size_t)PQgetlength(rows, i, API_LIST_BODY));
        if (service_page_is_full(call))
            shown = i + 1;
    }
    const char *const end[] = {count > shown ? PQgetvalue(rows, shown - 1, API_LIST_TIME) : NULL,
                               count > shown ? PQgetvalue(rows, shown - 1, API_LIST_ID) : NULL};
    service_page_end(call, end, 2);
}

void service_integration_list(struct service_call *call, const struct service_caller *caller,
                              const char *limit, const char *cursor)
{
    const char *behind[2] = {NULL, NULL};
    service_begin(call, caller, service_page_finish);
    call->own->take = list_take;
    service_page_read(call, limit, cursor, PAGE_BY_TIME, behind, 2);
    if (call->status != SERVICE_UNFINISHED)
        return;
    struct service_step *step = service_add(call, API_INTEGRATION_LIST);
    step->values[0] = caller->workspace;
    step->values[1] = behind[0];
    step->values[2] = behind[1];
    step->values[3] = arena_printf(&call->arena, "%ld", call->own->limit + 1);
}

/* ---- get ---- */

static void get_finish(struct service_call *call)
{
    if (!call->own->rows) {
        service_not_found(call);
        return;
    }
    call->status = SERVICE_OK;
    call->body = call->own->columns[API_GET_BODY];
    call->etag = call->own->columns[API_GET_ETAG];
}

void service_integration_get(struct service_call *call, const struct service_caller *caller, const char *id)
{
    service_begin(call, caller, get_finish);
    if (!service_take_id(call, id))
        return;
    struct service_step *step = service_add(call, API_INTEGRATION_GET);
    step->values[0] = caller->workspace;
    step->values[1] = call->own->id;
}

/* ---- what create and update share ---- */

/* CONFIG as it is stored; NULL when it cannot be encrypted, and then the call is over. */
static const char *seal(struct service_call *call, const struct service_caller *caller, const char *config)
{
    struct buf token;
    const char *why = NULL, *sealed = NULL;
    buf_init(&token, 16 * strlen(config) + 1024);
    if (!caller->keys || !caller->keys->count)
        service_refuse(call, SERVICE_NO_KEY,
                       "no Fernet key is configured; set secrets.fernet_keys or FERNET_KEY");
    else if (!settings_seal(caller->keys, config, strlen(config), clock_wall_us() / 1000000, &token, &why))
        service_wrong(call, "config", why);
    else
        sealed = arena_text(&call->arena, buf_text(&token), token.len);
    buf_free(&token);
    return sealed;
}

static void bad_targets(struct service_call *call, const char *ids)
{
    service_wrong(call, "target_ids",
                  arena_printf(&call->arena,
                               "target_ids holds what is no target of this workspace: %.400s; "
                               "GET /targets lists those that are",
                               ids));
}

/* The names of the fields that were sent, as a parameter. */
static const char *sent_fields(struct service_call *call, const struct service_request *request)
{
    const char *list = "";
    for (int i = 0; i < FIELD_COUNT; i++)
        if (request->sent[i])
            list = arena_printf(&call->arena, "%s%s%s", list, *list ? "," : "", service_fields[i].name);
    return arena_printf(&call->arena, "{%s}", list);
}

/* ---- create ---- */

bool service_created(struct service_call *call)
{
    const char *const *columns = call->own->columns;
    const char *first = columns[API_CREATE_KEPT_HASH];
    if (columns[API_CREATE_BODY]) {
        call->id = call->own->id;
        call->body = columns[API_CREATE_BODY];
        call->etag = columns[API_CREATE_ETAG];
        call->status = SERVICE_CREATED;
    } else if (first && strcmp(first, call->own->body_hash) != 0) {
        service_refuse(
            call, SERVICE_CONFLICT,
            "this Idempotency-Key came with another request before; use a new one for a new request");
    } else if (first && columns[API_CREATE_KEPT_BODY]) {
        call->repeated = true;
        call->id = columns[API_CREATE_KEPT_ID];
        call->body = columns[API_CREATE_KEPT_BODY];
        call->etag = columns[API_CREATE_KEPT_ETAG];
        call->status = SERVICE_CREATED;
    }
    return call->status != SERVICE_UNFINISHED;
}

static void create_finish(struct service_call *call)
{
    const char *const *columns = call->own->columns;
    if (!columns[API_CREATE_BODY] && !service_is_true(call, API_CREATE_WORKSPACE))
        service_refuse(call, SERVICE_NOT_FOUND, "there is no such workspace");
    else if (!service_created(call))
        /* Only targets are left: the rest was there before the statements were sent. */
        bad_targets(call, columns[API_CREATE_BAD] ? columns[API_CREATE_BAD] : "they changed meanwhile");
}

bool service_key_check(struct service_call *call, const char *key)
{
    size_t n = key ? strlen(key) : 1;
    bool good = n >= 1 && n <= KEY_MAX;
    for (const char *at = key; at && *at; at++)
        good &= *at >= ' ' && *at <= '~';
    if (!good)
        service_wrong(call, "Idempotency-Key", "Idempotency-Key must be 1 to 255 printable ASCII characters");
    return good;
}

void service_draw_id(struct service_call *call)
{
    struct uuid uuid;
    char id[UUID_TEXT];
    uuid_random(&uuid);
    uuid_format(&uuid, id);
    call->own->id = arena_strdup(&call->arena, id);
}

/* The first finder of a request under this key is the one that makes it. */
void service_add_key(struct service_call *call, const struct service_caller *caller, const char *key,
                     const char *request, size_t size, const char *targets, const char *original)
{
    unsigned char hash[SHA256_SIZE];
    hash_sha256(request, size, hash);
    hash_hex(hash, sizeof hash, call->own->body_hash);
    struct service_step *step = service_add(call, API_INTEGRATION_KEY);
    step->values[0] = caller->workspace;
    step->values[1] = key;
    step->values[2] = arena_printf(&call->arena, "\\x%s", call->own->body_hash);
    step->values[3] = call->own->id;
    step->values[4] = targets;
    step->values[5] = original;
}

void service_integration_create(struct service_call *call, const struct service_caller *caller,
                                const char *body, size_t size, const char *key)
{
    struct service_request request;
    service_begin(call, caller, create_finish);
    service_key_check(call, key);
    service_request_read(call, body, size, true, &request);
    const char *const *values = request.values;
    if (values[FIELD_KIND] && values[FIELD_CONFIG])
        service_config_check(call, values[FIELD_KIND], values[FIELD_CONFIG]);
    const char *config = values[FIELD_CONFIG];
    const char *sealed = config && call->status == SERVICE_UNFINISHED ? seal(call, caller, config) : NULL;
    if (!sealed)
        return;
    service_draw_id(call);
    key = arena_strdup(&call->arena, key);
    if (key)
        service_add_key(call, caller, key, body, size, values[FIELD_TARGETS], NULL);
    struct service_step *step = service_add(call, API_INTEGRATION_CREATE);
    const char *const all[] = {caller->workspace,
                               call->own->id,
                               values[FIELD_KIND],
                               values[FIELD_NAME],
                               values[FIELD_SEVERITY],
                               values[FIELD_ENABLED],
                               sealed,
                               values[FIELD_TARGETS],
                               values[FIELD_EVENTS],
                               key,
                               caller->actor,
                               caller->actor_name,
                               sent_fields(call, &request)};
    check(step->count == sizeof all / sizeof all[0]);
    memcpy(step->values, all, sizeof all);
}

/* ---- update ---- */

/* A header may hold any bytes; with one replaced it matches nothing, as it should. */
static const char *take_if_match(struct service_call *call, const char *if_match)
{
    return if_match ? utf8_storable_copy(&call->arena, if_match, strlen(if_match), IF_MATCH_MAX) : NULL;
}

/* A trigger of the product's may do that. */
static void kept_as_it_was(struct service_call *call)
{
    service_refuse(call, SERVICE_CONFLICT,
                   "the database kept it as it was; a rule of the product's forbids the change");
}

static void changed_meanwhile(struct service_call *call)
{
    service_refuse(call, SERVICE_CHANGED, "somebody changed it meanwhile; read it again, and then change it");
}

static void update_finish(struct service_call *call)
{
    const char *const *columns = call->own->columns;
    const struct service_private *own = call->own;
    if (!own->rows) {
        service_not_found(call);
        return;
    }
    if (!service_is_true(call, API_UPDATE_MATCHES)) {
        call->own->undone = true;
        changed_meanwhile(call);
        return;
    }
    if (columns[API_UPDATE_BODY]) {
        if (own->config)
            service_config_check(call, columns[API_UPDATE_KIND], own->config); /* for its advice */
        call->body = columns[API_UPDATE_BODY];
        call->etag = columns[API_UPDATE_ETAG];
        call->status = SERVICE_OK;
        return;
    }
    if (own->kind && strcmp(own->kind, columns[API_UPDATE_KIND]) != 0)
        service_wrong(call, "kind",
                      arena_printf(&call->arena,
                                   "kind cannot change; this one is %s: create another integration instead",
                                   columns[API_UPDATE_KIND]));
    if (columns[API_UPDATE_BAD])
        bad_targets(call, columns[API_UPDATE_BAD]);
    if (own->config)
        service_config_check(call, columns[API_UPDATE_KIND], own->config);
    if (call->status == SERVICE_UNFINISHED)
        kept_as_it_was(call);
}

void service_integration_update(struct service_call *call, const struct service_caller *caller,
                                const char *id, const char *body, size_t size, const char *if_match)
{
    struct service_request request;
    service_begin(call, caller, update_finish);
    if (!service_take_id(call, id) || !service_request_read(call, body, size, false, &request))
        return;
    const char *const *values = request.values;
    const char *config = values[FIELD_CONFIG], *sealed = NULL, *kinds = NULL;
    if (config) {
        sealed = seal(call, caller, config);
        kinds = service_config_kinds(call, config); /* of which kind it is, the statement finds out */
        if (!sealed)
            return;
    }
    call->own->config = config;
    call->own->kind = values[FIELD_KIND];
    struct service_step *lock = service_add(call, API_INTEGRATION_LOCK);
    lock->values[0] = caller->workspace;
    lock->values[1] = call->own->id;
    struct service_step *step = service_add(call, API_INTEGRATION_UPDATE);
    const char *const all[] = {caller->workspace,
                               call->own->id,
                               take_if_match(call, if_match),
                               values[FIELD_NAME],
                               values[FIELD_SEVERITY],
                               values[FIELD_ENABLED],
                               sealed,
                               kinds,
                               values[FIELD_KIND],
                               request.sent[FIELD_TARGETS] ? "true" : "false",
                               values[FIELD_TARGETS],
                               request.sent[FIELD_EVENTS] ? "true" : "false",
                               values[FIELD_EVENTS],
                               caller->actor,
                               caller->actor_name};
    check(step->count == sizeof all / sizeof all[0]);
    memcpy(step->values, all, sizeof all);
}

/* ---- delete ---- */

static void delete_finish(struct service_call *call)
{
    call->own->undone = !call->own->rows;
    if (!call->own->rows)
        service_not_found(call);
    else if (!service_is_true(call, API_DELETE_MATCHES))
        changed_meanwhile(call);
    else if (!service_is_true(call, API_DELETE_DONE))
        kept_as_it_was(call);
    else
        call->status = SERVICE_NO_CONTENT;
}

void service_integration_delete(struct service_call *call, const struct service_caller *caller,
                                const char *id, const char *if_match)
{
    service_begin(call, caller, delete_finish);
    if (!service_take_id(call, id))
        return;
    struct service_step *lock = service_add(call, API_INTEGRATION_LOCK);
    lock->values[0] = caller->workspace;
    lock->values[1] = call->own->id;
    struct service_step *step = service_add(call, API_INTEGRATION_DELETE);
    step->values[0] = caller->workspace;
    step->values[1] = call->own->id;
    step->values[2] = caller->actor;
    step->values[3] = caller->actor_name;
    step->values[4] = take_if_match(call, if_match);
}
