/*
 * splunk_config - the settings of a Splunk HTTP Event Collector, checked
 *
 * Pure. People copy the address of the collector with or without its path, so both are understood; addresses of Splunk's
 * other services are refused, or advised against where only the port tells. The envelope of every event of this
 * integration is made here, once.
 */
#include <string.h>
#include <strings.h>

#include "common/base/json.h"
#include "common/destinations/splunk.h"

#define COLLECTOR    "/services/collector"
#define EXAMPLE      "https://HOST:8088"
#define CLOUD        ".splunkcloud.com"
#define CLOUD_INPUTS "http-inputs"
/* Source and host that users of the product know (compat.md section 5). */
#define USUAL_NAME "pencheff"

const struct dest_setting splunk_settings[] = {
    {
        .key = "hec_url",
        .form = SETTING_URL,
        .required = true,
        .max = DEST_CONFIG_URL_MAX,
        .help = "Where the HTTP Event Collector is: " EXAMPLE ", for Splunk Cloud https://" CLOUD_INPUTS
                "-STACK" CLOUD ".",
        .example = "\"https://splunk.example:8088\"",
    },
    {
        .key = "token",
        .form = SETTING_TEXT,
        .required = true,
        .secret = true,
        .max = SPLUNK_TOKEN_MAX,
        .pattern = "^[!-~]+$",
        .help = "The value of a token of the HTTP Event Collector.",
        .example = "\"01234567-89ab-cdef-0123-456789abcdef\"",
    },
    {
        .key = "index",
        .form = SETTING_TEXT,
        .max = SPLUNK_NAME_MAX,
        .pattern = "^([a-z0-9][a-z0-9_-]*)?$",
        .help = "The index; without it the token's own.",
        .example = "\"security\"",
    },
    {
        .key = "source",
        .form = SETTING_TEXT,
        .value = USUAL_NAME,
        .max = SPLUNK_NAME_MAX,
        .help = "The source of every event.",
        .example = "\"pencheff\"",
    },
    {
        .key = "host",
        .form = SETTING_TEXT,
        .value = USUAL_NAME,
        .max = SPLUNK_NAME_MAX,
        .help = "The host of every event.",
        .example = "\"pencheff\"",
    },
    {.key = NULL},
};

/* ---- hec_url ---- */

/* Host and port; their size in *N. URL has a scheme. */
static const char *authority_of(const char *url, size_t *n)
{
    const char *authority = strstr(url, "://") + 3;
    *n = strcspn(authority, "/");
    return authority;
}

static bool has_port(const char *url, const char *port)
{
    size_t n, size = strlen(port);
    const char *authority = authority_of(url, &n);
    return n > size && memcmp(authority + n - size, port, size) == 0;
}

/* What somebody should look at; NULL: nothing. */
static const char *advice_on(const char *url)
{
    size_t n;
    if (has_port(url, ":8089") || has_port(url, ":8000"))
        return "hec_url has the port of Splunk's management or of its web pages; the HTTP Event Collector is "
               "usually at 8088";
    if (dest_config_host_is(url, CLOUD) && !has_port(url, ":8088") &&
        strncasecmp(authority_of(url, &n), CLOUD_INPUTS, sizeof CLOUD_INPUTS - 1) != 0)
        return "hec_url leads to the web pages of Splunk Cloud; its HTTP Event Collector is at "
               "https://" CLOUD_INPUTS "-STACK" CLOUD ", of a trial at https://STACK" CLOUD ":8088";
    return NULL;
}

/* URL as far as where events are taken; NULL when it leads elsewhere. */
static const char *collector_of(struct arena *arena, const char *url)
{
    size_t n;
    const char *path = authority_of(url, &n) + n;
    const char *at = strstr(path, COLLECTOR), *rest = at ? at + sizeof COLLECTOR - 1 : NULL;
    if (!rest)
        return arena_printf(arena, "%s" COLLECTOR "/event", url);
    if (!*rest)
        return arena_printf(arena, "%s/event", url);
    return strcmp(rest, "/event") == 0 || strcmp(rest, "/event/1.0") == 0 ? url : NULL;
}

static const char *read_url(struct arena *arena, struct json_object *root, struct dest_config_error *error)
{
    static const char key[] = "hec_url", whose[] = "the HTTP Event Collector's";
    if (!json_get(root, key))
        return dest_config_url(arena, root, key, whose, error);
    const char *url = dest_config_base_url(arena, root, key, whose, NULL, error);
    if (!url)
        return NULL;
    error->advice = advice_on(url);
    url = collector_of(arena, url);
    if (!url)
        dest_config_fail(error, "hec_url leads to another service of the collector, such as /raw, which "
                                "takes no such events; set it to " EXAMPLE);
    return url;
}

/* ---- token ---- */

static const char *read_authorization(struct arena *arena, struct json_object *root,
                                      struct dest_config_error *error)
{
    const char *token = dest_config_word(arena, root, "token", SPLUNK_TOKEN_MAX,
                                         "a token of the HTTP Event Collector", error);
    if (!token)
        return NULL;
    for (const char *p = token; *p; p++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p > '~') {
            dest_config_fail(error, "token holds a blank or something that is not ASCII; copy the token "
                                    "alone, without Splunk before it");
            return NULL;
        }
    return arena_printf(arena, "Splunk %s", token);
}

/* ---- the envelope ---- */

/* What Splunk allows for an index that is not its own (docs.splunk.com, indexes.conf). */
static bool is_index(const char *text)
{
    return *text != '_' && *text != '-' && text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-")] == 0;
}

static const char *read_envelope(struct arena *arena, struct json_object *root,
                                 struct dest_config_error *error)
{
    const char *host, *source, *index;
    struct buf b;
    if (!dest_config_optional(arena, root, "host", SPLUNK_NAME_MAX, &host, error) ||
        !dest_config_optional(arena, root, "source", SPLUNK_NAME_MAX, &source, error) ||
        !dest_config_optional(arena, root, "index", SPLUNK_NAME_MAX, &index, error))
        return NULL;
    if (index && !is_index(index)) {
        dest_config_fail(error, "index must be small letters, digits, _ and -, and begin with a letter or a "
                                "digit; leave it out for the token's own");
        return NULL;
    }
    buf_init(&b, 8 * SPLUNK_NAME_MAX);
    buf_add_char(&b, '{');
    buf_json_member(&b, "host", host ? host : USUAL_NAME);
    buf_json_member(&b, "source", source ? source : USUAL_NAME);
    if (index)
        buf_json_member(&b, "index", index);
    const char *envelope = arena_text(arena, b.data, b.len);
    buf_free(&b);
    return envelope;
}

const void *splunk_config_parse(struct arena *arena, const char *json, size_t size,
                                struct dest_config_error *error)
{
    struct splunk_config *config = arena_alloc(arena, sizeof *config);
    struct json_object *root = dest_config_read(json, size, error);
    if (!root)
        return NULL;
    config->url = read_url(arena, root, error);
    config->authorization = config->url ? read_authorization(arena, root, error) : NULL;
    config->envelope = config->authorization ? read_envelope(arena, root, error) : NULL;
    json_object_put(root);
    return config->envelope ? config : NULL;
}
