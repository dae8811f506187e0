/*
 * service_preview - what would be sent of an event, without sending it
 *
 * Pure. Asks the destination for its first request about an event that is an example (service_sample) and of which nothing
 * was told before: for every kind the one that tells it, for what comes before and after depends on answers. Nothing leaves.
 *
 * Secrets become stars (destinations/request_mask).
 */
#include <string.h>

#include "api/service/service_parts.h"
#include "api/service/service_sample.h"
#include "api/service/service_send.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/destinations/request_mask.h"

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

static void add_url(struct buf *out, struct json_object *settings, const char *url)
{
    struct buf shown;
    buf_init(&shown, URL_MAX);
    request_mask_url(&shown, settings, url);
    buf_json_member(out, "url", shown.overflow ? REQUEST_MASK_STARS : buf_text(&shown));
    buf_wipe(&shown);
}

static void add_headers(struct buf *out, const struct dest_request *r)
{
    buf_json_open_object(out, "headers");
    for (size_t i = 0; i < r->header_count; i++)
        buf_json_member(out, r->headers[i].name,
                        request_mask_header_is_harmless(r->headers[i].name) ? r->headers[i].value
                                                                            : REQUEST_MASK_STARS);
    buf_add_char(out, '}');
}

static void add_body(struct buf *out, struct arena *arena, const struct dest_request *r)
{
    buf_json_key(out, "body");
    buf_json_bytes(out, request_mask_body(arena, r), r->body_size);
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
