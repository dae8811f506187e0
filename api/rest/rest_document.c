/*
 * rest_document - the description of the API, as OpenAPI 3.1 has it
 *
 * Pure. Made of the table of routes, row by row, and of the tables behind the schemas; so what is described is what is asked
 * for, and there is nothing else.
 */
#include "api/rest/rest_document.h"

#include <stdio.h>
#include <string.h>

#include "api/rest/rest_form.h"
#include "api/rest/rest_schemas.h"
#include "common/base/check.h"

#define PROBLEM "{\"application/problem+json\":{\"schema\":{\"$ref\":\"#/components/schemas/Problem\"}}}"

/* Why each status of an error is answered, and the header that always comes with it; NULL: none. */
static const struct error {
    int status;
    const char *why, *header, *header_help;
} errors[] = {
    {400,
     "The request cannot be read: a parameter that is not known or is there twice, a body that is none or is "
     "not taken, bytes that are no UTF-8.",
     NULL, NULL},
    {401, "There is no token, or it is unknown, revoked or expired.", "WWW-Authenticate", "How to show one."},
    {403, "The token may only read.", NULL, NULL},
    {404, "The workspace has none such.", NULL, NULL},
    {405, "The path has no such method.", "Allow", "Those that it has."},
    {409,
     "It is not as it would have to be for this; or the Idempotency-Key came with another request before.",
     NULL, NULL},
    {411, "The body came in chunks; send its Content-Length.", NULL, NULL},
    {412, "If-Match names another version than the present one.", NULL, NULL},
    {413, "The body is too large.", NULL, NULL},
    {415, "The body is not said to be JSON.", NULL, NULL},
    {422, "Something in it is wrong; errors names each field.", NULL, NULL},
    {429, "The token asks too often, or the workspace tests too often or too much at a time.", "Retry-After",
     "For how many seconds to wait."},
    {431, "The request line and headers are too large.", NULL, NULL},
    {500, "The database refuses it; the server's log says why, under the request_id.", NULL, NULL},
    {503,
     "The database, or what else it needs, is away; Retry-After, where it comes, says for how long to wait.",
     NULL, NULL},
};

/* ---- what a row stands for ---- */

static bool can_answer(const struct route *r, int status)
{
    for (size_t i = 0; i < ROUTE_ERRORS_MAX && r->errors[i]; i++)
        if (r->errors[i] == status)
            return true;
    switch (status) {
    case 400:
    case 411:
    case 413:
    case 431:
        return true;
    case 401:
    case 429:
    case 503:
        return r->scope != ROUTE_OPEN;
    case 403:
        return r->scope == ROUTE_WRITE;
    case 404:
        return r->words[0].name != NULL;
    case 409:
        return r->headers & ROUTE_IDEMPOTENCY_KEY;
    case 412:
        return r->headers & ROUTE_IF_MATCH;
    case 415:
        return r->body != NULL;
    case 422:
        return r->body || r->query[0].name;
    case 500:
        return r->make != NULL;
    default:
        return false;
    }
}

void rest_errors_of(const struct route *route, int statuses[REST_ERRORS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (can_answer(route, errors[i].status))
            statuses[count++] = errors[i].status;
    statuses[count] = 0;
}

/* ---- parameters ---- */

/* The default as JSON: of a number as it is, else as a text. */
static void add_schema(struct buf *out, const struct route_parameter *p)
{
    struct buf value;
    buf_init(&value, 512);
    if (p->value && strncmp(p->form, "integer", 7) == 0)
        buf_add_text(&value, p->value);
    else if (p->value)
        buf_json_text(&value, p->value);
    buf_json_key(out, "schema");
    rest_form_schema(out, p->form, p->value ? buf_text(&value) : NULL, NULL);
    buf_free(&value);
}

static void add_parameter(struct buf *out, const char *in, const struct route_parameter *p)
{
    buf_json_open_item(out);
    buf_json_member(out, "name", p->name);
    buf_json_member(out, "in", in);
    if (p->required)
        buf_json_bool(out, "required", true);
    buf_json_member(out, "description", p->help);
    add_schema(out, p);
    buf_add_char(out, '}');
}

static void add_parameters(struct buf *out, const struct route *r)
{
    static const struct {
        enum route_headers header;
        struct route_parameter parameter;
    } headers[] = {
        {ROUTE_IF_MATCH,
         {"If-Match", "text", NULL,
          "The ETag of the version that is to be changed; with another one there, nothing is changed.",
          false}},
        {ROUTE_IF_NONE_MATCH,
         {"If-None-Match", "text", NULL, "The ETag of what one has; 304 says that it still holds.", false}},
        {ROUTE_IDEMPOTENCY_KEY,
         {"Idempotency-Key", "text:1:255", NULL,
          "Any word of one's own; a request that is sent again under it within a day makes nothing twice.",
          false}},
    };
    buf_json_open_list(out, "parameters");
    for (const struct route_parameter *p = r->words; p->name; p++)
        add_parameter(out, "path", p);
    for (const struct route_parameter *p = r->query; p->name; p++)
        add_parameter(out, "query", p);
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        if (r->headers & headers[i].header)
            add_parameter(out, "header", &headers[i].parameter);
    buf_add_char(out, ']');
}

/* ---- answers ---- */

static void open_status(struct buf *out, int status)
{
    char name[16];
    snprintf(name, sizeof name, "%d", status);
    buf_json_open_object(out, name);
}

static void open_response(struct buf *out, int status, const char *description)
{
    open_status(out, status);
    buf_json_member(out, "description", description);
}

static void add_header(struct buf *out, const char *name, const char *help, bool always)
{
    buf_json_open_object(out, name);
    buf_json_member(out, "description", help);
    if (always)
        buf_json_bool(out, "required", true);
    buf_add_text(out, ",\"schema\":{\"type\":\"string\"}}");
}

static bool has_parameter(const struct route *r, const char *name)
{
    for (const struct route_parameter *p = r->query; p->name; p++)
        if (strcmp(p->name, name) == 0)
            return true;
    return false;
}

static void add_answer_headers(struct buf *out, const struct route *r)
{
    bool tagged = (r->answer && strcmp(r->answer, "Integration") == 0) || r->headers & ROUTE_IF_NONE_MATCH;
    buf_json_open_object(out, "headers");
    add_header(out, "X-Request-Id", "Under which the server's log has it: the client's own, or a new one.",
               true);
    if (tagged)
        add_header(out, "ETag", "Of this version of it.", true);
    if (r->status == 201)
        add_header(out, "Location", "Where it is.", true);
    if (r->headers & ROUTE_IDEMPOTENCY_KEY)
        add_header(out, "Idempotent-Replayed", "true: this was answered before, under the same key.", false);
    if (has_parameter(r, "cursor"))
        add_header(out, "Link", "rel=next: the next page, where there is one.", false);
    buf_add_char(out, '}');
}

static void add_content(struct buf *out, const char *type, const char *schema)
{
    buf_json_open_object(out, type);
    buf_json_key(out, "schema");
    rest_form_schema(out, schema, NULL, NULL);
    buf_add_char(out, '}');
}

static void add_answer(struct buf *out, const struct route *r)
{
    open_response(out, r->status, r->summary);
    add_answer_headers(out, r);
    if (r->status != 204) {
        buf_json_open_object(out, "content");
        add_content(out, r->type ? r->type : "application/json",
                    r->type     ? "text"
                    : r->answer ? r->answer
                                : "any");
        buf_add_char(out, '}');
    }
    buf_add_char(out, '}');
}

static void add_error(struct buf *out, const struct route *r, int status)
{
    if (r->type && status == 503) { /* readiness says what is missing as it says that nothing is: in a word */
        open_response(out, status, r->summary);
        buf_json_open_object(out, "content");
        add_content(out, r->type, "text");
        buf_add_text(out, "}}");
        return;
    }
    open_status(out, status);
    buf_printf(out, "\"$ref\":\"#/components/responses/%d\"}", status);
}

static void add_responses(struct buf *out, const struct route *r)
{
    int statuses[REST_ERRORS_MAX];
    buf_json_open_object(out, "responses");
    add_answer(out, r);
    if (r->headers & ROUTE_IF_NONE_MATCH) {
        open_response(out, 304, "What If-None-Match names still holds.");
        buf_add_char(out, '}');
    }
    rest_errors_of(r, statuses);
    for (size_t i = 0; statuses[i]; i++)
        add_error(out, r, statuses[i]);
    buf_add_char(out, '}');
}

/* ---- operations ---- */

/* "get_integrations_id". */
static void add_operation_id(struct buf *out, const struct route *r)
{
    char id[128];
    size_t n = 0;
    for (const char *at = r->method; *at && n < sizeof id - 1; at++)
        id[n++] = (char)(*at | 0x20);
    for (const char *at = r->path; *at && n < sizeof id - 1; at++)
        if (*at != '{' && *at != '}')
            id[n++] = *at == '/' || *at == '.' ? '_' : *at;
    id[n] = '\0';
    buf_json_member(out, "operationId", id);
}

static void add_operation(struct buf *out, const struct route *r)
{
    static const char *const scopes[] = {[ROUTE_READ] = "read", [ROUTE_WRITE] = "write"};
    char method[8] = "";
    for (size_t i = 0; r->method[i] && i < sizeof method - 1; i++)
        method[i] = (char)(r->method[i] | 0x20);
    buf_json_open_object(out, method);
    add_operation_id(out, r);
    buf_json_member(out, "summary", r->summary);
    buf_json_open_list(out, "security");
    if (r->scope != ROUTE_OPEN)
        buf_printf(out, "{\"token\":[\"%s\"]}", scopes[r->scope]);
    buf_add_char(out, ']');
    add_parameters(out, r);
    if (r->body) {
        buf_json_open_object(out, "requestBody");
        buf_json_bool(out, "required", !r->may_lack_body);
        buf_json_open_object(out, "content");
        add_content(out, "application/json", r->body);
        buf_add_text(out, "}}");
    }
    add_responses(out, r);
    buf_add_char(out, '}');
}

/* Whether a row before AT has its path. */
static bool was_there(const struct route *routes, const struct route *at)
{
    for (const struct route *r = routes; r != at; r++)
        if (strcmp(r->path, at->path) == 0)
            return true;
    return false;
}

static void add_paths(struct buf *out, const struct route *routes)
{
    buf_json_open_object(out, "paths");
    for (const struct route *r = routes; r->method; r++) {
        if (was_there(routes, r))
            continue;
        buf_json_open_object(out, r->path);
        for (const struct route *same = r; same->method; same++)
            if (strcmp(same->path, r->path) == 0)
                add_operation(out, same);
        buf_add_char(out, '}');
    }
    buf_add_char(out, '}');
}

/* ---- ---- */

static void add_components(struct buf *out)
{
    buf_json_open_object(out, "components");
    buf_json_open_object(out, "securitySchemes");
    buf_json_open_object(out, "token");
    buf_json_member(out, "type", "http");
    buf_json_member(out, "scheme", "bearer");
    buf_json_member(
        out, "description",
        "A token of one workspace, made with notifyctl token create; its scope is read or write.");
    buf_add_text(out, "}}");
    buf_json_open_object(out, "responses");
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        const struct error *e = &errors[i];
        open_response(out, e->status, e->why);
        if (e->header) {
            buf_json_open_object(out, "headers");
            add_header(out, e->header, e->header_help, true);
            buf_add_char(out, '}');
        }
        buf_json_key(out, "content");
        buf_add_text(out, PROBLEM "}");
    }
    buf_add_char(out, '}');
    buf_json_open_object(out, "schemas");
    rest_schemas_add(out);
    buf_add_text(out, "}}");
}

void rest_document_add(struct buf *out, const struct route *routes)
{
    buf_add_char(out, '{');
    buf_json_member(out, "openapi", "3.1.0");
    buf_json_open_object(out, "info");
    buf_json_member(out, "title", "pencheff-notify");
    buf_json_member(out, "version", NOTIFY_VERSION);
    buf_json_member(out, "description",
                    "Integrations of a workspace: where its events are sent, and what became of them.");
    buf_add_char(out, '}');
    add_paths(out, routes);
    add_components(out);
    buf_add_char(out, '}');
    check(!out->overflow);
}
