/*
 * http_manners - the headers that every answer has, and those for pages of other origins
 *
 * Answers are data for programs: no browser may guess their type, keep them, frame them, or run what stands in them. A handler
 * that knows better (a page) adds the header itself, and its own is kept.
 *
 * A page of another origin gets answers only when that origin is configured, letter by letter. Never with credentials: a token
 * is sent by the page that has it, so a browser has nothing to add.
 */
#include "api/http/http_manners.h"

#include <string.h>
#include <strings.h>

static const struct {
    const char *name, *value;
    bool tls;
} always[] = {
    {"Cache-Control", "no-store", false},
    {"X-Content-Type-Options", "nosniff", false},
    {"Referrer-Policy", "no-referrer", false},
    {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'", false},
    {"X-Frame-Options", "DENY", false}, /* for browsers that do not know frame-ancestors */
    {"Strict-Transport-Security", "max-age=31536000", true},
};

void http_manners_add(struct http_exchange *x, const struct http_settings *settings)
{
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
        if ((!always[i].tls || settings->key) && !http_has_header(x, always[i].name))
            http_add_header(x, always[i].name, always[i].value);
    if (settings->origin_count == 0)
        return;
    http_add_header(x, "Vary", "Origin");
    if (!http_manners_origin(x, settings))
        return;
    http_add_header(x, "Access-Control-Allow-Origin", http_header(x, "Origin"));
    http_add_header(x, "Access-Control-Expose-Headers",
                    "ETag, Link, Location, Retry-After, X-Request-Id, Idempotent-Replayed");
}

bool http_manners_origin(const struct http_exchange *x, const struct http_settings *settings)
{
    const char *origin = http_header(x, "Origin");
    for (size_t i = 0; origin && i < settings->origin_count; i++)
        if (strcmp(settings->origins[i], origin) == 0)
            return true;
    return false;
}

void http_manners_preflight(struct http_exchange *x, const struct http_settings *settings,
                            const char *methods)
{
    if (!http_header(x, "Access-Control-Request-Method") || !http_manners_origin(x, settings))
        return;
    http_add_header(x, "Access-Control-Allow-Methods", methods);
    http_add_header(x, "Access-Control-Allow-Headers",
                    "Authorization, Content-Type, Idempotency-Key, If-Match, X-Request-Id");
    http_add_header(x, "Access-Control-Max-Age", "600");
}
