/*
 * rest - the door of the API
 *
 *   a request -> its route -> its token -> a call of the service, in one transaction -> its answer
 *
 * What a call's status means in HTTP stands here and nowhere else; what may be asked, and what is answered, is the service's.
 * Everything is logged by its route and its token's id, never by what was sent.
 */
#include "api/rest/rest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/http/http_problem.h"
#include "api/http/http_router.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"

enum { KEY_MAX = 255 /* characters of an Idempotency-Key */, RETRY_S = 2 };

struct rest {
    const struct conf *conf;
    struct auth *auth;
    struct calls *calls;
    const struct fernet_keys *keys;
};

/* One request on its way. */
struct asked {
    struct rest *rest;
    struct http_exchange *x;
    const struct route *route;
    struct route_words words;
    struct auth_wait auth;
    struct service_caller caller;
    struct running_call running;
    int64_t begun_us;
    bool has_call;
};

/* What a route adds to the router's table. */
struct rest_route {
    bool writes;
    void (*make)(struct asked *a, struct service_call *call);
};

/* ---- the answer ---- */

static void finish(struct asked *a, int status)
{
    LOG(status >= 500 ? LOG_WARN : LOG_DEBUG, "request", LOG_TEXT("id", a->x->id),
        LOG_TEXT("method", a->x->method), LOG_TEXT("route", a->route->path), LOG_NUM("status", status),
        LOG_TEXT("token", a->auth.id), LOG_TEXT("peer", a->x->peer),
        LOG_NUM("ms", (double)(clock_mono_us() - a->begun_us) / 1e3));
}

static void free_asked(struct asked *a)
{
    if (a->has_call)
        service_end(&a->running.call);
    free(a->auth.name);
    free(a);
}

static void refuse(struct asked *a, int status, const char *detail)
{
    finish(a, status);
    http_problem(a->x, status, detail, NULL, 0);
    free_asked(a);
}

static void refuse_for(struct asked *a, int status, double seconds, const char *detail)
{
    http_add_header(a->x, "Retry-After", arena_printf(a->x->arena, "%.0f", ceil(seconds)));
    refuse(a, status, detail);
}

static void add_headers(struct asked *a)
{
    const struct service_call *c = &a->running.call;
    if (c->etag)
        http_add_header(a->x, "ETag", c->etag);
    if (c->status == SERVICE_CREATED)
        http_add_header(a->x, "Location", arena_printf(a->x->arena, "%s/%s", a->route->path, c->id));
    if (c->repeated)
        http_add_header(a->x, "Idempotent-Replayed", "true");
    if (c->next) {
        const char *limit = http_query(a->x, "limit");
        http_add_header(a->x, "Link",
                        arena_printf(a->x->arena, "<%s?cursor=%s%s%s>; rel=\"next\"", a->route->path, c->next,
                                     limit ? "&limit=" : "", limit ? limit : ""));
    }
}

static void answer_errors(struct asked *a, int status)
{
    const struct service_call *c = &a->running.call;
    struct http_field_error errors[SERVICE_ERRORS_MAX];
    for (size_t i = 0; i < c->error_count; i++)
        errors[i] = (struct http_field_error){c->errors[i].field, c->errors[i].detail};
    finish(a, status);
    http_problem(a->x, status, c->detail, errors, c->error_count);
}

static int http_status(enum service_status status)
{
    switch (status) {
    case SERVICE_OK:
        return 200;
    case SERVICE_CREATED:
        return 201;
    case SERVICE_NO_CONTENT:
        return 204;
    case SERVICE_UNREADABLE:
        return 400;
    case SERVICE_INVALID:
        return 422;
    case SERVICE_NOT_FOUND:
        return 404;
    case SERVICE_CONFLICT:
        return 409;
    case SERVICE_CHANGED:
        return 412;
    case SERVICE_NO_KEY:
        return 503;
    case SERVICE_UNFINISHED:
        break;
    }
    check(status != SERVICE_UNFINISHED);
    return 500;
}

static void answer(struct asked *a)
{
    const struct service_call *c = &a->running.call;
    int status = http_status(c->status);
    if (status >= 400) {
        answer_errors(a, status);
    } else {
        add_headers(a);
        finish(a, status);
        http_answer(a->x, status, c->body ? "application/json" : NULL, c->body ? c->body : "",
                    c->body ? strlen(c->body) : 0);
    }
    free_asked(a);
}

/* ---- the call ---- */

static void on_called(struct running_call *running, enum call_outcome outcome)
{
    struct asked *a = list_entry(running, struct asked, running);
    switch (outcome) {
    case CALL_ANSWERED:
        answer(a);
        break;
    case CALL_AWAY:
        refuse_for(a, 503, RETRY_S,
                   "the database did not answer in time; whether a change took effect is not known: look, or "
                   "send it again with the "
                   "same Idempotency-Key");
        break;
    case CALL_REFUSED:
        LOG(LOG_ERROR, "request_refused", LOG_TEXT("id", a->x->id), LOG_TEXT("sqlstate", running->sqlstate),
            LOG_TEXT("words", running->words));
        refuse(a, 500, "the database refuses this; the server's log says why, under this request_id");
        break;
    }
}

static void call(struct asked *a)
{
    const struct rest_route *r = a->route->more;
    a->caller = (struct service_caller){.workspace = a->auth.workspace,
                                        .actor = a->auth.id,
                                        .actor_name = a->auth.name,
                                        .keys = a->rest->keys};
    a->has_call = true;
    r->make(a, &a->running.call);
    if (a->running.call.step_count == 0) {
        service_finish(&a->running.call);
        answer(a);
        return;
    }
    a->running.done = on_called;
    calls_run(a->rest->calls, &a->running);
}

static void on_token(struct auth_wait *wait)
{
    struct asked *a = list_entry(wait, struct asked, auth);
    const struct rest_route *r = a->route->more;
    switch (wait->result) {
    case AUTH_GOOD:
        if (r->writes && !wait->may_write)
            refuse(a, 403, "this token may only read; make one with notifyctl token create --scope write");
        else
            call(a);
        break;
    case AUTH_UNKNOWN:
        http_add_header(a->x, "WWW-Authenticate", "Bearer realm=\"pencheff-notify\"");
        refuse(a, 401, "send Authorization: Bearer and a token that notifyctl token create made");
        break;
    case AUTH_EXPIRED:
        http_add_header(a->x, "WWW-Authenticate",
                        "Bearer realm=\"pencheff-notify\", error=\"invalid_token\"");
        refuse(a, 401, "this token has expired; make another with notifyctl token create");
        break;
    case AUTH_TOO_OFTEN:
        refuse_for(a, 429, wait->wait_s, "this token asks too often; api.rate says how often it may");
        break;
    case AUTH_AWAY:
        refuse_for(a, 503, RETRY_S, "the database did not answer in time");
        break;
    }
}

/* ---- routes ---- */

static void list_integrations(struct asked *a, struct service_call *c)
{
    service_integration_list(c, &a->caller, http_query(a->x, "limit"), http_query(a->x, "cursor"));
}

static void create_integration(struct asked *a, struct service_call *c)
{
    service_integration_create(c, &a->caller, a->x->body, a->x->body_size,
                               http_header(a->x, "Idempotency-Key"));
}

static void get_integration(struct asked *a, struct service_call *c)
{
    service_integration_get(c, &a->caller, a->words.words[0]);
}

static void update_integration(struct asked *a, struct service_call *c)
{
    service_integration_update(c, &a->caller, a->words.words[0], a->x->body, a->x->body_size,
                               http_header(a->x, "If-Match"));
}

static void delete_integration(struct asked *a, struct service_call *c)
{
    service_integration_delete(c, &a->caller, a->words.words[0]);
}

static void with_token(void *owner, struct http_exchange *x, const struct route *route,
                       const struct route_words *words)
{
    struct asked *a = mem_zalloc(sizeof *a);
    a->rest = owner;
    a->x = x;
    a->route = route;
    a->words = *words;
    a->begun_us = clock_mono_us();
    a->auth.done = on_token;
    auth_check(a->rest->auth, http_header(x, "Authorization"), &a->auth);
}

static void say_alive(void *owner, struct http_exchange *x, const struct route *route,
                      const struct route_words *words)
{
    (void)owner;
    (void)route;
    (void)words;
    http_answer(x, 200, "text/plain", "ok\n", 3);
}

static void say_ready(void *owner, struct http_exchange *x, const struct route *route,
                      const struct route_words *words)
{
    const struct rest *r = owner;
    (void)route;
    (void)words;
    bool ready = calls_are_up(r->calls);
    const char *text = ready ? "ready\n" : "not ready: there is no connection to the database\n";
    http_answer(x, ready ? 200 : 503, "text/plain", text, strlen(text));
}

#define READS(make)                                                                                          \
    &(const struct rest_route)                                                                               \
    {                                                                                                        \
        false, make                                                                                          \
    }
#define WRITES(make)                                                                                         \
    &(const struct rest_route)                                                                               \
    {                                                                                                        \
        true, make                                                                                           \
    }

static const struct route routes[] = {
    {"GET", "/integrations", {"limit", "cursor"}, false, with_token, READS(list_integrations)},
    {"POST", "/integrations", {NULL}, true, with_token, WRITES(create_integration)},
    {"GET", "/integrations/{id}", {NULL}, false, with_token, READS(get_integration)},
    {"PATCH", "/integrations/{id}", {NULL}, true, with_token, WRITES(update_integration)},
    {"DELETE", "/integrations/{id}", {NULL}, false, with_token, WRITES(delete_integration)},
    {"GET", "/healthz", {NULL}, false, say_alive, NULL},
    {"GET", "/readyz", {NULL}, false, say_ready, NULL},
    {NULL, NULL, {NULL}, false, NULL, NULL},
};

void rest_handle(void *owner, struct http_exchange *x)
{
    struct route_words words;
    const struct route *route = http_route(routes, x, &words);
    if (route)
        route->handle(owner, x, route, &words);
}

struct rest *rest_new(const struct conf *conf, struct auth *auth, struct calls *calls,
                      const struct fernet_keys *keys)
{
    struct rest *r = mem_zalloc(sizeof *r);
    r->conf = conf;
    r->auth = auth;
    r->calls = calls;
    r->keys = keys;
    return r;
}

void rest_free(struct rest *r)
{
    free(r);
}
