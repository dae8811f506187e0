/*
 * shadow_request - the first request of a delivery, without sending it
 *
 * Pure. Asks the destination as a first attempt would, about an event of which nothing was told before: what comes behind the
 * first request depends on answers, and what stands where (notify.external_refs) is not looked at, for claiming it would be
 * work. Judged is what can be judged without asking anybody: settings, length, scheme, and an address that stands in the URL.
 *
 * What is kept of it is masked here (destinations/request_mask); the settings are opened for that, and wiped at once.
 */
#include "worker/shadow_request.h"

#include <json-c/json.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/json.h"
#include "common/destinations/request_mask.h"
#include "common/egress/url_check.h"
#include "common/model/settings_seal.h"

enum { SETTINGS_MAX = 262144 /* as in rules.c */, URL_MAX = 16384, ARENA_BLOCK = 4096 };

static void wipe_texts(struct json_object *settings)
{
    json_object_object_foreach(settings, key, value)
    {
        (void)key;
        if (json_is_text(value))
            explicit_bzero((char *)json_object_get_string(value), (size_t)json_object_get_string_len(value));
    }
}

static const char *masked_url(const struct shadow_render *r, const struct integration *row, const char *url)
{
    struct buf plain, shown;
    const char *why, *text = REQUEST_MASK_STARS;
    struct json_object *settings = NULL;
    buf_init(&plain, SETTINGS_MAX);
    buf_init(&shown, URL_MAX);
    if (settings_open(r->keys, row->config_encrypted, row->config_size, &plain, &why))
        settings = json_parse(buf_text(&plain), plain.len, &why);
    if (settings) {
        request_mask_url(&shown, settings, url);
        if (!shown.overflow)
            text = arena_strdup(r->arena, buf_text(&shown));
        wipe_texts(settings);
        json_object_put(settings);
    }
    buf_wipe(&shown);
    buf_wipe(&plain);
    return text;
}

static void keep_request(const struct shadow_render *r, const struct integration *row, struct arena *arena,
                         const struct dest_request *request, struct shadow_row *out)
{
    size_t most = (size_t)r->conf->shadow_body_bytes;
    const char *body = request_mask_body(arena, request);
    out->method = request->method;
    out->url = masked_url(r, row, request->url);
    out->body_size = request->body_size;
    hash_sha256(request->body ? request->body : "", request->body_size, out->body_hash);
    out->body_kept = request->body_size < most ? request->body_size : most;
    out->body = arena_text(r->arena, body, out->body_kept);
}

static void fail(const struct shadow_render *r, struct shadow_row *out, enum reason reason,
                 const char *detail)
{
    out->verdict = SHADOW_WOULD_FAIL;
    out->reason = reason;
    out->detail = arena_strdup(r->arena, detail);
}

static void judge_request(const struct shadow_render *r, const struct dest_request *request,
                          struct shadow_row *out)
{
    out->verdict = SHADOW_WOULD_SEND;
    if (request->body_size > (size_t)r->conf->delivery_max_request)
        fail(r, out, REASON_TOO_LONG, "see delivery.max_request");
    else if ((out->reason = url_check(r->transfer, request->url)) != REASON_NONE)
        fail(r, out, out->reason, NULL);
}

void shadow_request(const struct shadow_render *r, const struct rules_integration *integration,
                    struct dest_body_cache *cache, struct shadow_row *out)
{
    const struct integration *row = &integration->row;
    struct dest_request request = {0};
    struct arena arena;
    char webhook_id[33];
    if (!integration->config) {
        fail(r, out, integration->reason, integration->detail);
        return;
    }
    arena_init(&arena, ARENA_BLOCK);
    dest_webhook_id(r->event->id, &row->id, webhook_id);
    struct conversation_job job = {.event = r->event, .facts = r->facts, .webhook_id = webhook_id};
    struct conversation c = {.config = integration->config,
                             .jobs = &job,
                             .job_count = 1,
                             .attempt = 1,
                             .now_us = clock_wall_us(),
                             .cache = cache,
                             .arena = &arena};
    if (row->dest->next(&c, NULL, &request) == DEST_SEND) {
        judge_request(r, &request, out);
        keep_request(r, row, &arena, &request, out);
    } else if (job.verdict.kind == VERDICT_REJECTED) {
        fail(r, out, job.verdict.reason, job.verdict.detail);
    } else {
        out->verdict = SHADOW_NOTHING_TO_DO;
        out->detail = arena_strdup(r->arena, job.verdict.detail);
    }
    arena_wipe(&arena);
}
