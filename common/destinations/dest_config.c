/*
 * dest_config - settings that several kinds share, checked
 *
 * Pure. Settings are hostile: they come from whoever may edit an integration. What passes here can be put
 * into a request as it is. Knows no kind; a kind's own parse function asks for the members that it has, and
 * refuses what this cannot judge. No error text holds a value: the URL of a chat webhook is its credential.
 */
#include "common/destinations/dest_config.h"

#include <string.h>
#include <strings.h>

#include "common/base/json.h"

bool dest_config_fail(struct dest_config_error *error, const char *detail)
{
    error->reason = REASON_CONFIG_INVALID;
    error->detail = detail;
    return false;
}

struct json_object *dest_config_read(const char *json, size_t size, struct dest_config_error *error)
{
    const char *why;
    struct json_object *root = json_parse(json, size, &why);
    if (json_object_is_type(root, json_type_object))
        return root;
    json_object_put(root);
    error->reason = REASON_CONFIG_UNREADABLE;
    error->detail = "the settings are no JSON object; save them again";
    return NULL;
}

const char *dest_config_text(struct json_object *value, size_t *n)
{
    *n = 0;
    if (!json_is_text(value))
        return NULL;
    const char *text = json_object_get_string(value);
    *n = (size_t)json_object_get_string_len(value);
    return memchr(text, 0, *n) ? NULL : text;
}

static bool has_host(const char *rest)
{
    size_t authority = strcspn(rest, "/?#");
    const char *host = rest;
    for (size_t i = 0; i < authority; i++)
        if (rest[i] == '@')
            host = rest + i + 1; /* what is before is a user's name and password */
    return host < rest + authority && *host != ':';
}

/* What is wrong with the URL, as the rest of a sentence that begins with its key; NULL: nothing. */
static const char *url_fault(const char *text, size_t n)
{
    if (n > DEST_CONFIG_URL_MAX)
        return "is longer than 2048 bytes; shorten it";
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] <= ' ' || text[i] == 0x7f)
            return "holds a blank or a control character; percent-encode it";
    size_t scheme = strncasecmp(text, "https://", 8) == 0 ? 8 : strncasecmp(text, "http://", 7) == 0 ? 7 : 0;
    if (scheme == 0 || !has_host(text + scheme))
        return "must start with https:// (or http:// where allowed) and a host";
    return NULL;
}

const char *dest_config_url(struct arena *arena, struct json_object *root, const char *key, const char *whose,
                            struct dest_config_error *error)
{
    struct json_object *value = json_get(root, key);
    size_t n = 0;
    const char *text = dest_config_text(value, &n);
    const char *fault = text && n > 0 ? url_fault(text, n) : NULL;
    if (!value)
        dest_config_fail(error,
                         arena_printf(arena, "%s is missing; set it to %s https:// address", key, whose));
    else if (!text || n == 0)
        dest_config_fail(error, arena_printf(arena, "%s must be a text: %s https:// address", key, whose));
    else if (fault)
        dest_config_fail(error, arena_printf(arena, "%s %s", key, fault));
    else
        return arena_text(arena, text, n);
    return NULL;
}

bool dest_config_style(struct json_object *root, enum dest_style *out, struct dest_config_error *error)
{
    struct json_object *value = json_get(root, "style");
    size_t n = 0;
    const char *text = dest_config_text(value, &n);
    *out = DEST_STYLE_CARD;
    if (!value || (text && strcmp(text, "card") == 0))
        return true;
    if (!text || strcmp(text, "text") != 0)
        return dest_config_fail(error, "style must be \"text\" or \"card\"; leave it out for card");
    *out = DEST_STYLE_TEXT;
    return true;
}
