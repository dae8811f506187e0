/*
 * opsgenie_config - the settings of Opsgenie and of JSM Operations, checked
 *
 * Pure. Both take the same requests with the same key, but at paths of their own; people copy the base of one and the
 * whole address of the other, so both forms are understood.
 */
#include <string.h>

#include "common/base/json.h"
#include "common/destinations/opsgenie.h"

#define ATLASSIAN      "api.atlassian.com"
#define JSM_PATH       "/jsm/ops/integration"
#define JSM_ALERTS     "https://" ATLASSIAN JSM_PATH "/v2/alerts"
#define OPSGENIE_USUAL "https://api.opsgenie.com"
#define OPSGENIE_EU    "https://api.eu.opsgenie.com"

const struct dest_setting opsgenie_settings[] = {
    {
        .key = "api_key",
        .form = SETTING_TEXT,
        .required = true,
        .secret = true,
        .max = OPSGENIE_KEY_MAX,
        .pattern = "^[A-Za-z0-9_-]+$",
        .help = "The key of an API integration in Opsgenie or JSM Operations.",
        .example = "\"01234567-89ab-cdef-0123-456789abcdef\"",
    },
    {
        .key = "api_url",
        .form = SETTING_URL,
        .value = OPSGENIE_USUAL,
        .max = DEST_CONFIG_URL_MAX,
        .help = "Where the Alert API is; " OPSGENIE_EU " for accounts in the EU, " JSM_ALERTS
                " for JSM Operations.",
        .example = "\"" OPSGENIE_EU "\"",
    },
    {.key = NULL},
};

/* Behind the host; "" when there is nothing. URL has a scheme. */
static const char *path_of(const char *url)
{
    const char *host = strstr(url, "://") + 3;
    return host + strcspn(host, "/");
}

/* What is wrong with it, or what somebody should look at. */
static bool judge_host(const char *url, struct dest_config_error *error)
{
    const char *path = path_of(url);
    if (dest_config_host_is(url, ATLASSIAN)) {
        if (*path && strncmp(path, JSM_PATH, sizeof JSM_PATH - 1) != 0)
            return dest_config_fail(error, "api_url leads to another of Atlassian's APIs, which takes no key "
                                           "of an integration; set it to " JSM_ALERTS);
        return true;
    }
    if (!dest_config_host_is(url, "api.opsgenie.com") && !dest_config_host_is(url, "api.eu.opsgenie.com") &&
        !dest_config_host_is(url, "api.sandbox.opsgenie.com"))
        error->advice =
            "api_url does not lead to Opsgenie (" OPSGENIE_EU " for the EU) or to JSM Operations (" JSM_ALERTS
            "); that is right for a server that speaks its format";
    return true;
}

/* URL as far as the alerts. */
static const char *alerts_of(struct arena *arena, const char *url)
{
    if (dest_config_ends_in(url, "/v2/alerts"))
        return url;
    if (dest_config_ends_in(url, "/v2"))
        return arena_printf(arena, "%s/alerts", url);
    if (dest_config_host_is(url, ATLASSIAN) && !*path_of(url))
        return arena_printf(arena, "%s" JSM_PATH "/v2/alerts", url);
    return arena_printf(arena, "%s/v2/alerts", url);
}

static const char *read_url(struct arena *arena, struct json_object *root, struct dest_config_error *error)
{
    const char *url =
        dest_config_base_url(arena, root, "api_url", "Opsgenie's or JSM Operations'", OPSGENIE_USUAL, error);
    return url && judge_host(url, error) ? alerts_of(arena, url) : NULL;
}

static bool is_key(const char *text)
{
    return text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")] == 0;
}

static const char *read_authorization(struct arena *arena, struct json_object *root,
                                      struct dest_config_error *error)
{
    static const char where[] = "the key of an API integration in Opsgenie or JSM Operations";
    const char *key = dest_config_word(arena, root, "api_key", OPSGENIE_KEY_MAX, where, error);
    if (!key)
        return NULL;
    if (!is_key(key)) {
        dest_config_fail(error, "api_key holds something else than letters, digits and hyphens; copy the key "
                                "alone, without GenieKey before it");
        return NULL;
    }
    return arena_printf(arena, "GenieKey %s", key);
}

const void *opsgenie_config_parse(struct arena *arena, const char *json, size_t size,
                                  struct dest_config_error *error)
{
    struct opsgenie_config *config = arena_alloc(arena, sizeof *config);
    struct json_object *root = dest_config_read(json, size, error);
    if (!root)
        return NULL;
    config->authorization = read_authorization(arena, root, error);
    config->alerts_url = config->authorization ? read_url(arena, root, error) : NULL;
    json_object_put(root);
    return config->alerts_url ? config : NULL;
}
