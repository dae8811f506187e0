/*
 * request_mask - what is shown of a request that is not sent
 *
 * Pure. Secrets become stars, whoever gave them: of the URL each piece of path and query that stands in the settings, and the
 * credential of a vendor who wants it in the body; of headers, only those are shown that are known to be harmless. For the
 * API's preview and for shadow mode, so that both show the same.
 */
#include "common/destinations/request_mask.h"

#include <json-c/json.h>
#include <string.h>
#include <strings.h>

#include "common/base/json.h"

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

void request_mask_url(struct buf *out, struct json_object *settings, const char *url)
{
    const char *at = path_of(url);
    buf_add(out, url, (size_t)(at - url));
    while (*at) {
        size_t gap = strspn(at, between);
        buf_add(out, at, gap);
        at += gap;
        size_t n = strcspn(at, between);
        if (n && settings_have(settings, at, n))
            buf_add_text(out, REQUEST_MASK_STARS);
        else
            buf_add(out, at, n);
        at += n;
    }
}

bool request_mask_header_is_harmless(const char *header)
{
    static const char *const harmless[] = {"Content-Type",      "User-Agent",           "Accept",
                                           "Accept-Language",   "X-GitHub-Api-Version", "webhook-id",
                                           "webhook-timestamp", "X-Pencheff-Timestamp"};
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (strcasecmp(header, harmless[i]) == 0)
            return true;
    return false;
}

char *request_mask_body(struct arena *arena, const struct dest_request *r)
{
    size_t n = r->body_secret ? strlen(r->body_secret) : 0;
    char *body = arena_text(arena, r->body ? r->body : "", r->body_size), *at = body;
    while (n && (at = memmem(at, r->body_size - (size_t)(at - body), r->body_secret, n))) {
        memset(at, '*', n);
        at += n;
    }
    return body;
}
