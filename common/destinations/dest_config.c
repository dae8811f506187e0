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

#include "common/base/check.h"
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

const char *dest_config_base_url(struct arena *arena, struct json_object *root, const char *key,
                                 const char *whose, const char *fallback, struct dest_config_error *error)
{
    if (!json_get(root, key))
        return fallback;
    const char *url = dest_config_url(arena, root, key, whose, error);
    if (!url)
        return NULL;
    size_t n = strlen(url);
    if (strpbrk(url, "?#")) {
        dest_config_fail(
            error,
            arena_printf(arena, "%s must end before any ? or #; set it to %s base address", key, whose));
        return NULL;
    }
    while (n > 0 && url[n - 1] == '/')
        n--;
    return arena_text(arena, url, n);
}

static const char *host_of(const char *url, size_t *n)
{
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    size_t authority = strcspn(host, "/?#");
    for (size_t i = authority; i > 0; i--)
        if (host[i - 1] == '@') {
            host += i;
            authority -= i;
            break;
        }
    *n = *host == '[' ? authority : strcspn(host, ":/?#");
    *n = *n < authority ? *n : authority;
    return host;
}

bool dest_config_host_is(const char *url, const char *host)
{
    size_t n = 0, want = strlen(host);
    const char *is = host_of(url, &n);
    if (n > 0 && is[n - 1] == '.')
        n--; /* the root's dot */
    if (*host == '.' ? n <= want : n != want)
        return false;
    return strncasecmp(is + n - want, host, want) == 0;
}

/* ---- texts of one line ---- */

/* What is wrong with it, as the rest of a sentence that begins with its key; NULL: nothing. */
static const char *line_fault(struct arena *arena, const char *text, size_t n, size_t max)
{
    if (!text)
        return "must be a text";
    if (n > max)
        return arena_printf(arena, "is longer than %zu bytes; shorten it", max);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return "holds a line break or a control character; take it out";
    if (n > 0 && (text[0] == ' ' || text[n - 1] == ' '))
        return "begins or ends with a blank; take it away";
    return NULL;
}

bool dest_config_optional(struct arena *arena, struct json_object *root, const char *key, size_t max,
                          const char **out, struct dest_config_error *error)
{
    struct json_object *value = json_get(root, key);
    size_t n = 0;
    const char *text = dest_config_text(value, &n);
    const char *fault = value ? line_fault(arena, text, n, max) : NULL;
    if (fault)
        return dest_config_fail(error, arena_printf(arena, "%s %s", key, fault));
    *out = text && n > 0 ? arena_text(arena, text, n) : NULL;
    return true;
}

const char *dest_config_word(struct arena *arena, struct json_object *root, const char *key, size_t max,
                             const char *where, struct dest_config_error *error)
{
    const char *text = NULL;
    if (dest_config_optional(arena, root, key, max, &text, error) && !text)
        dest_config_fail(error, arena_printf(arena, "%s is missing; set it to %s", key, where));
    return text;
}

bool dest_config_ends_in(const char *url, const char *end)
{
    size_t n = strlen(url), m = strlen(end);
    return n >= m && strcmp(url + n - m, end) == 0;
}

bool dest_config_list(struct arena *arena, struct json_object *root, const char *key, size_t list_max,
                      size_t max, struct dest_config_list *out, struct dest_config_error *error)
{
    struct json_object *list = json_get(root, key);
    check(list_max <= DEST_CONFIG_LIST_MAX);
    out->count = 0;
    if (!list)
        return true;
    if (!json_object_is_type(list, json_type_array))
        return dest_config_fail(error, arena_printf(arena, "%s must be a list of texts", key));
    if (json_object_array_length(list) > list_max)
        return dest_config_fail(
            error, arena_printf(arena, "%s holds more than %zu entries; remove some", key, list_max));
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        size_t n = 0;
        const char *text = dest_config_text(json_object_array_get_idx(list, i), &n);
        const char *fault = text && n == 0 ? "is empty; remove it" : line_fault(arena, text, n, max);
        if (fault)
            return dest_config_fail(error, arena_printf(arena, "an entry of %s %s", key, fault));
        out->items[out->count++] = arena_text(arena, text, n);
    }
    return true;
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
