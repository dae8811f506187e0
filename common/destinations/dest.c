/*
 * dest - the list of destinations, and what all of them share
 *
 * Pure. The list is made of the rows of kind_table.h; nothing else in the product names a kind. Header values
 * are checked here, at the one place through which every header of every destination goes.
 */
#include "common/destinations/dest.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/hash.h"
#include "common/base/json.h"
#include "common/base/kind_table.h"

#define DEST_DECLARE(A, kind, rate, help) extern const struct dest dest_##kind;
#define DEST_POINTER(A, kind, rate, help) &dest_##kind,

KIND_TABLE(DEST_DECLARE, )

const struct dest *const dest_all[] = {KIND_TABLE(DEST_POINTER, ) NULL};

const struct dest *dest_find(const char *kind)
{
    for (size_t i = 0; kind && dest_all[i]; i++)
        if (strcmp(dest_all[i]->kind, kind) == 0)
            return dest_all[i];
    return NULL;
}

void dest_set(struct integration *row)
{
    row->dest = row->kind ? dest_find(row->kind) : NULL;
    if (!row->dest || !row->dest->scans_by_name || !row->all_events)
        return;
    row->all_events = false;
    row->event_mask = 1u << EVENT_SCAN_FAILED | 1u << EVENT_FINDING_NEW | 1u << EVENT_FINDING_CHANGED;
}

void dest_rendering(const struct conversation *c, const struct conversation_job *job)
{
    if (c->rendering)
        c->rendering(c, job);
}

void dest_webhook_id(const char *event_id, const struct uuid *integration, char out[33])
{
    /* The integration's text has a fixed length, so no two pairs give the same bytes. */
    unsigned char digest[SHA256_SIZE];
    char id[UUID_TEXT];
    uuid_format(integration, id);
    const struct hash_part parts[] = {{event_id, strlen(event_id)}, {id, UUID_TEXT - 1}};
    hash_sha256_parts(parts, 2, digest);
    hash_hex(digest, 16, out);
}

void dest_body_cache_init(struct dest_body_cache *cache, size_t max)
{
    for (int i = 0; i < DEST_LAYOUTS_MAX; i++) {
        buf_init(&cache->layouts[i].body, max);
        cache->layouts[i].built = false;
    }
}

void dest_body_cache_free(struct dest_body_cache *cache)
{
    for (int i = 0; i < DEST_LAYOUTS_MAX; i++) {
        buf_free(&cache->layouts[i].body);
        cache->layouts[i].built = false;
    }
}

static bool has_control_bytes(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        if (*p < 0x20 || *p == 0x7f)
            return true;
    return false;
}

bool dest_request_add_header(struct dest_request *request, const char *name, const char *value)
{
    if (request->header_count == DEST_HEADERS_MAX || has_control_bytes(name) || has_control_bytes(value))
        return false;
    request->headers[request->header_count++] = (struct dest_header){name, value};
    return true;
}

bool dest_request_set_header(struct dest_request *request, const char *name, const char *value)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (strcmp(request->headers[i].name, name) == 0) {
            bool good = !has_control_bytes(value);
            if (good)
                request->headers[i].value = value;
            return good;
        }
    return dest_request_add_header(request, name, value);
}

void dest_request_json(struct dest_request *out, const char *method, const char *url, const char *body,
                       size_t size)
{
    memset(out, 0, sizeof *out);
    out->method = method;
    out->url = url;
    out->body = body;
    out->body_size = size;
    if (body)
        check(dest_request_add_header(out, "Content-Type", "application/json"));
    check(dest_request_add_header(out, "User-Agent", "pencheff-notify/" NOTIFY_VERSION));
}

void dest_request_post_json(struct dest_request *out, const char *url, const struct buf *body)
{
    dest_request_json(out, "POST", url, body->data, body->len);
}

const char *dest_url_escape(struct arena *arena, const char *text)
{
    static const char hex[] = "0123456789ABCDEF";
    char *out = arena_alloc(arena, 3 * strlen(text) + 1), *at = out;
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        bool plain = (*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') ||
                     strchr("-._~", *p);
        if (plain) {
            *at++ = (char)*p;
        } else {
            *at++ = '%';
            *at++ = hex[*p >> 4];
            *at++ = hex[*p & 15];
        }
    }
    return out;
}

bool dest_answer_is_success(const struct dest_response *r)
{
    return r->error == ERROR_NONE && r->status >= 200 && r->status < 300;
}

struct json_object *dest_answer_json(const struct dest_response *r)
{
    const char *why;
    return r->error == ERROR_NONE && !r->truncated ? json_parse(r->body, r->body_size, &why) : NULL;
}
