/*
 * webhook_config - the settings of a webhook, checked
 *
 * Pure. Settings are hostile: they come from whoever may edit an integration. What passes can be put into a
 * request as it is: headers that cannot break out of their line, replace one of ours or change how the
 * message is framed; the URL is dest_config's. Error texts name the key and say what to do, and never hold a
 * value, for a value may be a secret.
 */
#include "common/destinations/webhook.h"

#include <string.h>
#include <strings.h>

#include "common/base/base64.h"
#include "common/base/json.h"
#include "common/destinations/dest_config.h"

enum { HEADER_NAME_MAX = 128, HEADER_VALUE_MAX = 2048 };

/* Ours, and those that say where a message goes and where it ends (RFC 9112 sections 3.2, 6; RFC 9110 7.6).
 */
static const char *const reserved[] = {
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "Expect",
    "TE",
    "Trailer",
    "Upgrade",
    "Keep-Alive",
    "Proxy-Connection",
    "Proxy-Authorization",
    "Content-Encoding",
    "Content-Type",
    "User-Agent",
    "X-Pencheff-Timestamp",
    "X-Pencheff-Signature",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
};

const struct dest_setting webhook_settings[] = {
    DEST_SETTING_WEBHOOK_URL("Where to post.", "https://soar.example/hooks/pencheff"),
    {
        .key = "hmac_secret",
        .form = SETTING_TEXT,
        .secret = true,
        .max = WEBHOOK_SECRET_MAX,
        .help = "The secret of the signatures; one that starts with whsec_ is decoded as Standard Webhooks "
                "says, and without one there is no signature.",
        .example = "\"whsec_c2VjcmV0\"",
    },
    {
        .key = "webhook_secret",
        .form = SETTING_TEXT,
        .secret = true,
        .old = true,
        .max = WEBHOOK_SECRET_MAX,
        .help = "An older name of hmac_secret, which counts where both are there.",
        .example = "\"whsec_c2VjcmV0\"",
    },
    {
        .key = "headers",
        .form = SETTING_MAP,
        .secret = true,
        .max = HEADER_VALUE_MAX,
        .count_max = WEBHOOK_HEADERS_MAX,
        .help = "Headers that are sent besides those that the request sets itself.",
        .example = "{\"Authorization\": \"Bearer x\"}",
    },
    {.key = NULL},
};

/* The secret's setting: the documented key wins over the older one; empty is as good as missing. */
static struct json_object *find_secret(struct json_object *root)
{
    static const char *const keys[] = {"hmac_secret", "webhook_secret"};
    for (size_t i = 0; i < 2; i++) {
        struct json_object *value = json_get(root, keys[i]);
        if (value && !(json_is_text(value) && json_object_get_string_len(value) == 0))
            return value;
    }
    return NULL;
}

static bool read_secret(struct arena *arena, struct json_object *root, struct webhook_config *config,
                        struct dest_config_error *error)
{
    struct json_object *value = find_secret(root);
    if (!value)
        return true;
    if (!json_is_text(value))
        return dest_config_fail(error, "hmac_secret must be a text; leave it out for unsigned requests");
    config->secret_size = (size_t)json_object_get_string_len(value);
    if (config->secret_size > WEBHOOK_SECRET_MAX)
        return dest_config_fail(error, "hmac_secret is longer than 1024 bytes; use a shorter one");
    config->secret = arena_text(arena, json_object_get_string(value), config->secret_size);
    config->key = (const unsigned char *)config->secret;
    config->key_size = config->secret_size;
    if (strncmp(config->secret, "whsec_", 6) != 0)
        return true;
    size_t n = config->secret_size - 6;
    unsigned char *key = arena_alloc(arena, base64_decoded_max(n));
    config->key = key;
    if (!base64_decode(BASE64_STANDARD, BASE64_LENIENT, config->secret + 6, n, key, &config->key_size) ||
        config->key_size == 0)
        return dest_config_fail(
            error, "hmac_secret starts with whsec_ but what follows is no base64; copy it again as "
                   "a whole, or use a secret without that prefix");
    return true;
}

/* RFC 9110 section 5.6.2. */
static bool is_token(const char *text, size_t n)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (c == 0 || !strchr(others, c)))
            return false;
    }
    return n > 0;
}

static bool is_value(const char *text, size_t n)
{
    if (n == 0 || text[0] == ' ' || text[n - 1] == ' ')
        return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return false;
    return true;
}

static bool is_taken(const struct webhook_config *config, const char *name)
{
    for (size_t i = 0; i < config->header_count; i++)
        if (strcasecmp(config->headers[i].name, name) == 0)
            return true;
    return false;
}

static bool is_reserved(const char *name)
{
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
        if (strcasecmp(reserved[i], name) == 0)
            return true;
    return false;
}

static bool add_header(struct arena *arena, struct webhook_config *config, const char *name,
                       struct json_object *value, struct dest_config_error *error)
{
    size_t n = 0;
    if (config->header_count == WEBHOOK_HEADERS_MAX)
        return dest_config_fail(error, "headers holds more than 12 entries; remove some");
    if (strlen(name) > HEADER_NAME_MAX || !is_token(name, strlen(name)))
        return dest_config_fail(
            error, "headers holds a name that HTTP does not allow; use letters, digits and hyphens");
    if (is_reserved(name))
        return dest_config_fail(
            error, "headers names one that is set by HTTP or by us, such as Host, Content-Type or "
                   "webhook-id; remove it");
    if (is_taken(config, name))
        return dest_config_fail(error, "headers names the same header twice; keep one");
    const char *text = dest_config_text(value, &n);
    if (!text || n > HEADER_VALUE_MAX || !is_value(text, n))
        return dest_config_fail(
            error, "headers holds a value that is no text of 1 to 2048 bytes on one line, without "
                   "control characters and blanks around it");
    config->headers[config->header_count].name = arena_strdup(arena, name);
    config->headers[config->header_count++].value = arena_text(arena, text, n);
    return true;
}

static bool read_headers(struct arena *arena, struct json_object *root, struct webhook_config *config,
                         struct dest_config_error *error)
{
    struct json_object *headers = json_get(root, "headers");
    if (!headers)
        return true;
    if (!json_object_is_type(headers, json_type_object))
        return dest_config_fail(error, "headers must be an object of names and texts");
    json_object_object_foreach(headers, name, value)
    {
        if (!add_header(arena, config, name, value, error))
            return false;
    }
    return true;
}

const void *webhook_config_parse(struct arena *arena, const char *json, size_t size,
                                 struct dest_config_error *error)
{
    struct webhook_config *config = arena_alloc(arena, sizeof *config);
    struct json_object *root = dest_config_read(json, size, error);
    if (!root)
        return NULL;
    config->url = dest_config_url(arena, root, "webhook_url", "the receiver's", error);
    bool good =
        config->url && read_secret(arena, root, config, error) && read_headers(arena, root, config, error);
    json_object_put(root);
    return good ? config : NULL;
}
