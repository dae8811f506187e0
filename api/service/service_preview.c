/*
 * service_preview - what would be sent of an event, without sending it
 *
 * Pure. Asks the destination for its first request about an event that is an example (service_sample) and of which nothing
 * was told before: for every kind the one that tells it, for what comes before and after depends on answers. Nothing leaves.
 *
 * Secrets become stars, whoever gave them: of the URL each piece of path and query that stands in the settings, the whole value
 * of a header that is not known to be harmless, and the credential of a vendor who wants it in the body.
 */
#include <string.h>
#include <strings.h>

#include "api/service/service_parts.h"
#include "api/service/service_sample.h"
#include "api/service/service_send.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/json.h"

#define STARS "***"

enum { URL_MAX = 16384 };

const struct service_field service_preview_fields[PREVIEW_FIELD_COUNT] = {
    [PREVIEW_KIND] = {"kind", FORM_KIND, FIELD_REQUIRED, NULL, false,
                      "Where it would lead: one of the kinds of destinations."},
    [PREVIEW_EVENT] = {"event_type", FORM_EVENT, FIELD_REQUIRED, NULL, false,
                       "Of which event an example is shown."},
    [PREVIEW_SEVERITY] = {"severity", FORM_SEVERITY, 0, "high", false,
                          "Of the finding that it is about, or that the scan found."},
    [PREVIEW_CONFIG] =
        {"config", FORM_CONFIG, FIELD_NULLABLE, NULL, false,
         "The settings of its kind; without them some of the same form that belong to nobody."},
};

/* ---- stars ---- */

static const char between[] = "/?&=;#@:";

/* Where in URL pieces of settings may stand: behind its host, or before, when credentials are there. */
static const char *path_of(const char *url)
{
    const char *host = strstr(url, "://");
    if (!host)
        return url + strlen(url);
    host += 3;
    size_t n = strcspn(host, "/?#");
    return memchr(host, '@', n) ? host : host + n;
}

/* Whether the N bytes at PIECE stand in the path or the query of URL, whole. */
static bool url_has(const char *url, const char *piece, size_t n)
{
    const char *at = path_of(url);
    while (*at) {
        at += strspn(at, between);
        size_t m = strcspn(at, between);
        if (m == n && memcmp(at, piece, n) == 0)
            return true;
        at += m;
    }
    return false;
}

/* Whether some URL among the settings has that piece. */
static bool settings_have(struct json_object *settings, const char *piece, size_t n)
{
    json_object_object_foreach(settings, key, value)
    {
        (void)key;
        if (json_is_text(value) && url_has(json_object_get_string(value), piece, n))
            return true;
    }
    return false;
}

static void add_url(struct buf *out, struct json_object *settings, const char *url)
{
    struct buf shown;
    const char *at = path_of(url);
    buf_init(&shown, URL_MAX);
    buf_add(&shown, url, (size_t)(at - url));
    while (*at) {
        size_t gap = strspn(at, between);
        buf_add(&shown, at, gap);
        at += gap;
        size_t n = strcspn(at, between);
        if (n && settings_have(settings, at, n))
            buf_add_text(&shown, STARS);
        else
            buf_add(&shown, at, n);
        at += n;
    }
    buf_json_member(out, "url", shown.overflow ? STARS : buf_text(&shown));
    buf_wipe(&shown);
}

static bool is_harmless(const char *header)
{
    static const char *const harmless[] = {"Content-Type",      "User-Agent",           "Accept",
                                           "Accept-Language",   "X-GitHub-Api-Version", "webhook-id",
                                           "webhook-timestamp", "X-Pencheff-Timestamp"};
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (strcasecmp(header, harmless[i]) == 0)
            return true;
    return false;
}

static void add_headers(struct buf *out, const struct dest_request *r)
{
    buf_json_open_object(out, "headers");
    for (size_t i = 0; i < r->header_count; i++)
        buf_json_member(out, r->headers[i].name,
                        is_harmless(r->headers[i].name) ? r->headers[i].value : STARS);
    buf_add_char(out, '}');
}

static void add_body(struct buf *out, struct arena *arena, const struct dest_request *r)
{
    size_t n = r->body_secret ? strlen(r->body_secret) : 0;
    char *body = arena_text(arena, r->body ? r->body : "", r->body_size), *at = body;
    while (n && (at = memmem(at, r->body_size - (size_t)(at - body), r->body_secret, n))) {
        memset(at, '*', n);
        at += n;
    }
    buf_json_key(out, "body");
    buf_json_bytes(out, body, r->body_size);
}

/* ---- the request ---- */

void service_add_request(struct service_call *call, const char *config, const struct dest_request *r)
{
    const char *unused;
    struct buf *out = &call->own->list;
    struct json_object *settings = json_parse(config, strlen(config), &unused);
    buf_json_open_item(out);
    buf_json_member(out, "method", r->method);
    add_url(out, settings, r->url);
    add_headers(out, r);
    add_body(out, &call->arena, r);
    buf_add_char(out, '}');
    service_wipe(settings);
    json_object_put(settings);
}

static void render(struct service_call *call, const struct dest *dest, const char *config, const void *parsed,
                   enum event_type type, enum severity severity, size_t max_request)
{
    struct event event;
    struct facts facts;
    struct dest_body_cache cache;
    struct dest_request request;
    char webhook_id[33];
    struct buf *out = &call->own->list;
    service_sample(type, severity, &event, &facts);
    dest_webhook_id(event.id, &facts.scan.workspace_id, webhook_id);
    struct conversation_job job = {.event = &event, .facts = &facts, .webhook_id = webhook_id};
    struct conversation c = {.config = parsed,
                             .jobs = &job,
                             .job_count = 1,
                             .attempt = 1,
                             .now_us = clock_wall_us(),
                             .cache = &cache,
                             .arena = &call->arena};
    memset(&request, 0, sizeof request);
    dest_body_cache_init(&cache, max_request);
    buf_add_text(out, "{\"requests\":[");
    if (dest->next(&c, NULL, &request) == DEST_SEND)
        service_add_request(call, config, &request);
    buf_add_char(out, ']');
    buf_json_member(out, "detail", job.verdict.detail);
    buf_add_char(out, '}');
    dest_body_cache_free(&cache);
}

static void preview_finish(struct service_call *call)
{
    check(call->status != SERVICE_UNFINISHED); /* it was decided when it was made */
}

void service_preview(struct service_call *call, const struct service_caller *caller, const char *body,
                     size_t size, size_t max_request)
{
    bool sent[PREVIEW_FIELD_COUNT];
    const char *values[PREVIEW_FIELD_COUNT];
    service_begin(call, caller, preview_finish);
    call->step_count = 0;
    service_members_read(call, body, size, service_preview_fields, PREVIEW_FIELD_COUNT, true, sent, values);
    const struct dest *dest = values[PREVIEW_KIND] ? dest_find(values[PREVIEW_KIND]) : NULL;
    const char *config = values[PREVIEW_CONFIG];
    if (dest && !config)
        config = dest->placeholder;
    const void *parsed = dest && config ? service_config_parse(call, dest->kind, config) : NULL;
    if (call->status != SERVICE_UNFINISHED)
        return;
    check(dest && config && parsed); /* else there was an error */
    render(call, dest, config, parsed, (enum event_type)event_type_parse(values[PREVIEW_EVENT]),
           (enum severity)severity_parse(values[PREVIEW_SEVERITY]), max_request);
    call->body = buf_text(&call->own->list);
    call->status = SERVICE_OK;
}
