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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/http/http_pack.h"
#include "api/rest/rest_document.h"
#include "api/rest/rest_kinds.h"
#include "api/rest/rest_metrics.h"
#include "api/rest/rest_parts.h"
#include "api/rest/rest_query.h"
#include "api/rest/rest_routes.h"
#include "api/rest/rest_web.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/db/pg_advice.h"
#include "common/destinations/dest.h"

enum {
    RETRY_S = 2,
    TEXTS_BLOCK = 4096,
    PACKED_LEAST = 1400,   /* bytes: less is one packet of the network either way */
    PACKED_MOST = 1 << 20, /* bytes: more would hold others up, for ten milliseconds and longer */
    PACK_LEVEL = 1,
};

/* ---- the answer ---- */

const char *rest_trace_text(const struct asked *a, char out[TRACE_ID_TEXT])
{
    const char *given = http_header(a->x, TRACE_PARENT_HEADER);
    struct trace trace;
    if (!given || !trace_parse(&trace, given, strlen(given)))
        return NULL;
    trace_id_format(&trace, out);
    return out;
}

static void finish(struct asked *a, int status)
{
    LOG(status >= 500 ? LOG_WARN : LOG_DEBUG, "request", LOG_ASKED(a), LOG_TEXT("method", a->x->method),
        LOG_TEXT("route", a->route->path), LOG_NUM("status", status), LOG_TEXT("token", a->auth.id),
        LOG_TEXT("peer", a->x->peer), LOG_NUM("ms", (double)(clock_mono_us() - a->begun_us) / 1e3));
}

static void free_asked(struct asked *a)
{
    if (a->has_call)
        service_end(&a->running.call);
    free(a->auth.name);
    free(a);
}

/*
 * Long data go packed where the client takes that: lists of JSON become a tenth. Nothing that has an ETag, by which a change says
 * what it is of: packed it would need another. No token stands in such an answer, and none of it can be had with a browser's own
 * rights, so its length tells nobody anything (the attack BREACH wants both).
 */
static bool goes_packed(struct asked *a, int status, const char *type, size_t size)
{
    if (status != 200 || type || size < PACKED_LEAST || size > PACKED_MOST || http_has_header(a->x, "ETag"))
        return false;
    http_add_header(a->x, "Vary", "Accept-Encoding");
    if (!http_takes_gzip(a->x))
        return false;
    http_add_header(a->x, "Content-Encoding", "gzip");
    return true;
}

void rest_answer(struct asked *a, int status, const char *type, const char *body)
{
    size_t size = body ? strlen(body) : 0;
    const char *sent = body ? body : "";
    if (goes_packed(a, status, type, size))
        sent = http_pack(a->x->arena, body, size, PACK_LEVEL, &size);
    finish(a, status);
    http_answer(a->x, status, body && !type ? "application/json" : type, sent, size);
    free_asked(a);
}

struct rest_text rest_text_of(const char *bytes, size_t size)
{
    unsigned char hash[SHA256_SIZE];
    char hex[SHA256_HEX];
    struct rest_text text = {.text = bytes, .size = size};
    hash_sha256(bytes, size, hash);
    hash_hex(hash, sizeof hash, hex);
    snprintf(text.etag, sizeof text.etag, "\"%s\"", hex);
    return text;
}

void rest_refuse(struct asked *a, int status, const char *detail)
{
    finish(a, status);
    http_problem(a->x, status, detail, NULL, 0);
    free_asked(a);
}

void rest_refuse_fields(struct asked *a, int status, const char *detail,
                        const struct http_field_error *errors, size_t count)
{
    finish(a, status);
    http_problem(a->x, status, detail, errors, count);
    free_asked(a);
}

/* Whether LIST, the value of an If-None-Match, has ETAG; a weak one is as good (RFC 9110 section 13.1.2). */
static bool has_etag(const char *list, const char *etag)
{
    return list && (strcmp(list, "*") == 0 || strstr(list, etag));
}

void rest_answer_text(struct asked *a, const char *type, const struct rest_text *text)
{
    bool same = has_etag(http_header(a->x, "If-None-Match"), text->etag);
    http_add_header(a->x, "ETag", text->etag);
    http_set_header(a->x, "Cache-Control", "no-cache"); /* kept, and asked about each time */
    if (text->encoding)
        http_add_header(a->x, "Content-Encoding", text->encoding);
    finish(a, same ? 304 : 200);
    /* Of a 304 only the length is sent: what it would be of a 200, never another (RFC 9110 section 8.6). */
    http_answer(a->x, same ? 304 : 200,
                same   ? NULL
                : type ? type
                       : "application/json",
                text->text, text->size);
    free_asked(a);
}

void rest_refuse_for(struct asked *a, int status, double seconds, const char *detail)
{
    http_add_header(a->x, "Retry-After", arena_printf(a->x->arena, "%.0f", ceil(seconds)));
    rest_refuse(a, status, detail);
}

/* The path that was asked for, as it stands in a URL. */
static const char *path_of(const struct asked *a)
{
    struct arena *arena = a->x->arena;
    const char *path = "", *at = a->route->path;
    for (size_t i = 0; *at; i++) {
        size_t plain = strcspn(at, "{");
        path = arena_printf(arena, "%s%.*s", path, (int)plain, at);
        at += plain;
        if (!*at)
            break;
        path = arena_printf(arena, "%s%s", path, dest_url_escape(arena, a->words.words[i]));
        at = strchr(at, '}') + 1;
    }
    return path;
}

/* The next page: the same question but for its cursor. */
static void add_link(struct asked *a, const char *cursor)
{
    struct arena *arena = a->x->arena;
    const char *name, *query = "";
    for (size_t i = 0; (name = http_query_name(a->x, i)); i++)
        if (strcmp(name, "cursor") != 0)
            query =
                arena_printf(arena, "%s&%s=%s", query, name, dest_url_escape(arena, http_query(a->x, name)));
    http_add_header(a->x, "Link",
                    arena_printf(arena, "<%s?cursor=%s%s>; rel=\"next\"", path_of(a), cursor, query));
}

static void add_headers(struct asked *a)
{
    const struct service_call *c = &a->running.call;
    if (c->etag)
        http_add_header(a->x, "ETag", c->etag);
    if (c->status == SERVICE_CREATED)
        http_add_header(a->x, "Location", arena_printf(a->x->arena, "/integrations/%s", c->id));
    if (c->repeated)
        http_add_header(a->x, "Idempotent-Replayed", "true");
    if (c->next)
        add_link(a, c->next);
}

static void answer_errors(struct asked *a, int status)
{
    const struct service_call *c = &a->running.call;
    struct http_field_error errors[SERVICE_ERRORS_MAX];
    for (size_t i = 0; i < c->error_count; i++)
        errors[i] = (struct http_field_error){c->errors[i].field, c->errors[i].detail};
    rest_refuse_fields(a, status, c->detail, errors, c->error_count);
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
    case SERVICE_TOO_LARGE:
        return 422;
    case SERVICE_NO_KEY:
        return 503;
    case SERVICE_UNFINISHED:
        break;
    }
    check(status != SERVICE_UNFINISHED);
    return 500;
}

void rest_answer_call(struct asked *a)
{
    int status = http_status(a->running.call.status);
    if (status >= 400) {
        answer_errors(a, status);
        return;
    }
    void (*then)(struct asked *) = a->then;
    if (then) {
        a->then = NULL; /* which may end here, too */
        then(a);
        return;
    }
    add_headers(a);
    rest_answer(a, status, NULL, a->running.call.body);
}

/* ---- the call ---- */

/* A relation of ours is missing, not one that a trigger of the product's asks for. The words may be of any language. */
static bool lacks_views(const struct running_call *running)
{
    return (strcmp(running->sqlstate, "42P01") == 0 || strcmp(running->sqlstate, "42883") == 0) &&
           strstr(running->words, "notify.api_");
}

static void on_called(struct running_call *running, enum call_outcome outcome)
{
    struct asked *a = list_entry(running, struct asked, running);
    bool writes = a->route->scope == ROUTE_WRITE;
    if (outcome != CALL_ANSWERED && running->sqlstate[0])
        LOG(outcome == CALL_REFUSED ? LOG_ERROR : LOG_WARN,
            outcome == CALL_REFUSED ? "request_refused" : "request_given_up", LOG_ASKED(a),
            LOG_TEXT("sqlstate", running->sqlstate), LOG_TEXT("words", running->words),
            LOG_TEXT("advice", pg_advice(running->sqlstate)));
    switch (outcome) {
    case CALL_ANSWERED:
        rest_answer_call(a);
        break;
    case CALL_AWAY:
        rest_refuse_for(
            a, 503, RETRY_S,
            writes ? "the database did not answer in time; whether a change took effect is not known: "
                     "look, or send it again with the same Idempotency-Key"
                   : "the database did not answer in time; try again in a moment");
        break;
    case CALL_SLOW:
        rest_refuse_for(
            a, 503, RETRY_S,
            writes ? "this took the database too long and was ended, so nothing was changed; ask for "
                     "less, or try again later"
                   : "this took the database too long and was ended; ask for less, or try again later");
        break;
    case CALL_REFUSED:
        if (lacks_views(running)) {
            rest_refuse_for(
                a, 503, RETRY_S,
                "what the API reads is not in the database just now: a migration of the product may "
                "be under way; notifyctl check says more");
            break;
        }
        rest_refuse(a, 500, "the database refuses this; the server's log says why, under this request_id");
        break;
    }
}

void rest_run_call(struct asked *a)
{
    a->has_call = true;
    if (a->running.call.step_count == 0) {
        service_finish(&a->running.call);
        rest_answer_call(a);
        return;
    }
    a->running.done = on_called;
    calls_run(a->rest->calls, &a->running);
}

static void do_it(struct asked *a)
{
    if (!rest_query_is_good(a))
        return;
    if (a->route->handle) {
        a->route->handle(a);
        return;
    }
    a->route->make(a, &a->running.call);
    rest_run_call(a);
}

/* ---- who asks ---- */

static void refuse_token(struct asked *a, enum metrics_refusal why, int status, const char *detail)
{
    rest_metrics_refuse(a->rest->metrics, why);
    rest_refuse(a, status, detail);
}

static void on_token(struct auth_wait *wait)
{
    struct asked *a = list_entry(wait, struct asked, auth);
    switch (wait->result) {
    case AUTH_GOOD:
        a->caller = (struct service_caller){
            .workspace = wait->workspace, .actor = wait->id, .actor_name = wait->name, .keys = a->rest->keys};
        if (a->route->scope == ROUTE_WRITE && !wait->may_write)
            refuse_token(a, METRICS_READ_ONLY, 403,
                         "this token may only read; make one with notifyctl token create --scope write");
        else
            do_it(a);
        break;
    case AUTH_UNKNOWN:
        http_add_header(a->x, "WWW-Authenticate", "Bearer realm=\"pencheff-notify\"");
        refuse_token(a, METRICS_UNKNOWN, 401,
                     "send Authorization: Bearer and a token that notifyctl token create made");
        break;
    case AUTH_EXPIRED:
        http_add_header(a->x, "WWW-Authenticate",
                        "Bearer realm=\"pencheff-notify\", error=\"invalid_token\"");
        refuse_token(a, METRICS_EXPIRED, 401,
                     "this token has expired; make another with notifyctl token create");
        break;
    case AUTH_TOO_OFTEN:
        rest_metrics_refuse(a->rest->metrics, METRICS_TOO_OFTEN);
        rest_refuse_for(a, 429, wait->wait_s, "this token asks too often; api.rate says how often it may");
        break;
    case AUTH_AWAY:
        rest_refuse_for(a, 503, RETRY_S, "the database did not answer in time");
        break;
    }
}

/* ---- ---- */

void rest_handle(void *owner, struct http_exchange *x)
{
    struct route_words words;
    const struct route *route = http_route(rest_routes, x, &words);
    if (!route)
        return;
    struct asked *a = mem_zalloc(sizeof *a);
    a->rest = owner;
    a->x = x;
    a->route = route;
    a->words = words;
    a->begun_us = clock_mono_us();
    a->auth.done = on_token;
    if (route->scope == ROUTE_OPEN)
        do_it(a);
    else
        auth_check(a->rest->auth, http_header(x, "Authorization"), &a->auth);
}

void rest_answered(void *owner, const struct http_exchange *x, int status, double seconds)
{
    const struct rest *r = owner;
    rest_metrics_count(r->metrics, x, status, seconds);
}

/* TEXT with its ETag, kept. OUT is emptied. */
static struct rest_text keep(struct rest *r, struct buf *out)
{
    struct rest_text text = rest_text_of(arena_text(&r->arena, buf_text(out), out->len), out->len);
    buf_reset(out);
    return text;
}

struct rest *rest_new(const struct conf *conf, struct auth *auth, struct calls *calls, struct trials *trials,
                      const struct fernet_keys *keys)
{
    struct rest *r = mem_zalloc(sizeof *r);
    struct buf out;
    r->conf = conf;
    r->auth = auth;
    r->calls = calls;
    r->trials = trials;
    r->keys = keys;
    r->export_limits = (struct service_export_limits){
        .most = conf->api_export_findings,
        .most_setting = "api.export_findings",
        .together = conf->gate_together,
        .digest_above = conf->gate_digest_above,
        .max_request = (size_t)conf->delivery_max_request,
    };
    r->unsaved_limits = r->export_limits;
    r->unsaved_limits.most = conf->api_export_unsaved;
    r->unsaved_limits.most_setting = "api.export_unsaved";
    r->metrics = rest_metrics_new(rest_routes);
    arena_init(&r->arena, TEXTS_BLOCK);
    buf_init(&out, REST_DOCUMENT_MAX);
    rest_kinds_add(&out);
    r->kinds = keep(r, &out);
    rest_document_add(&out, rest_routes);
    r->document = keep(r, &out);
    buf_free(&out);
    r->web = rest_web_new();
    return r;
}

void rest_free(struct rest *r)
{
    if (!r)
        return;
    arena_free(&r->arena);
    rest_metrics_free(r->metrics);
    rest_web_free(r->web);
    free(r);
}
