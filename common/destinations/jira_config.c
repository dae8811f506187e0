/*
 * jira_config - the settings of a Jira integration, checked
 *
 * Pure. Settings are hostile: what passes can be put into a URL, a header and JSON as it is. Error texts name the key and
 * say what to do, and never hold a value.
 */
#include <string.h>
#include <strings.h>

#include "common/base/base64.h"
#include "common/base/json.h"
#include "common/destinations/jira.h"

#define DEFAULT_TYPE "Task"

const struct dest_setting jira_settings[] = {
    {
        .key = "base_url",
        .form = SETTING_URL,
        .required = true,
        .max = DEST_CONFIG_URL_MAX,
        .help = "Jira's address: https://SITE.atlassian.net, or that of the Data Center with its path.",
        .example = "\"https://acme.atlassian.net\"",
    },
    {
        .key = "auth",
        .form = SETTING_CHOICE,
        .value = "basic",
        .choices = {"basic", "bearer"},
        .help = "How to sign in: basic for Jira Cloud, bearer for Data Center.",
        .example = "\"basic\"",
    },
    {
        .key = "email",
        .form = SETTING_TEXT,
        .required = true,
        .unless = {"auth", "bearer"},
        .max = JIRA_WORD_MAX,
        .help = "The email address of the account that made the API token; for Jira Cloud.",
        .example = "\"pencheff@acme.example\"",
    },
    {
        .key = "api_token",
        .form = SETTING_TEXT,
        .required = true,
        .secret = true,
        .max = JIRA_TOKEN_MAX,
        .help = "An API token of the account; for Data Center a personal access token.",
        .example = "\"x\"",
    },
    {
        .key = "project_key",
        .form = SETTING_TEXT,
        .required = true,
        .max = JIRA_WORD_MAX,
        .pattern = "^[A-Za-z0-9_]+$",
        .help = "The project's key: the letters before the number of each of its issues.",
        .example = "\"SEC\"",
    },
    {
        .key = "issue_type",
        .form = SETTING_TEXT,
        .value = DEFAULT_TYPE,
        .max = JIRA_WORD_MAX,
        .help = "The name or the number of a type of issue that the project has.",
        .example = "\"Bug\"",
    },
    {
        .key = "priority",
        .form = SETTING_EACH,
        .choices = {"critical", "high", "medium", "low", "info"},
        .max = JIRA_WORD_MAX,
        .help = "The names of priorities by severity where they are not Jira's own, one name for all issues, "
                "or false for none.",
        .example = "{\"critical\": \"Blocker\", \"high\": \"Major\"}",
    },
    {
        .key = "labels",
        .form = SETTING_LIST,
        .max = JIRA_LABEL_MAX,
        .count_max = JIRA_LABELS_MAX,
        .pattern = "^[^ ]+$",
        .help = "Labels besides those that every issue has, without blanks.",
        .example = "[\"security\"]",
    },
    {
        .key = "close_transition",
        .form = SETTING_TEXT,
        .max = JIRA_WORD_MAX,
        .help = "The transition of an issue whose finding is closed; without it there is only a comment.",
        .example = "\"Done\"",
    },
    {
        .key = "reopen_transition",
        .form = SETTING_TEXT,
        .max = JIRA_WORD_MAX,
        .help = "The transition of an issue whose finding is open again; without it there is only a comment.",
        .example = "\"Reopen\"",
    },
    {.key = NULL},
};

/* compat.md section 5. */
static const char *const usual_priorities[SEVERITY_COUNT] = {
    [SEVERITY_INFO] = "Lowest", [SEVERITY_LOW] = "Low",          [SEVERITY_MEDIUM] = "Medium",
    [SEVERITY_HIGH] = "High",   [SEVERITY_CRITICAL] = "Highest",
};

/* ---- where and who ---- */

static bool read_auth(struct json_object *root, struct jira_config *config, struct dest_config_error *error)
{
    struct json_object *value = json_get(root, "auth");
    size_t n = 0;
    const char *text = dest_config_text(value, &n);
    config->layout = JIRA_DOCUMENT;
    if (!value || (text && strcmp(text, "basic") == 0))
        return true;
    if (!text || strcmp(text, "bearer") != 0)
        return dest_config_fail(
            error,
            "auth must be \"basic\" (Jira Cloud) or \"bearer\" (Data Center); leave it out for Jira Cloud");
    config->layout = JIRA_WIKI;
    return true;
}

static void advise(const char *url, const struct jira_config *config, struct dest_config_error *error)
{
    bool cloud = dest_config_host_is(url, ".atlassian.net") || dest_config_host_is(url, "api.atlassian.com");
    if (cloud && config->layout == JIRA_WIKI)
        error->advice =
            "base_url leads to Jira Cloud, which wants an email address and an API token; leave auth out";
    if (!cloud && config->layout == JIRA_DOCUMENT)
        error->advice = "base_url does not lead to Jira Cloud (SITE.atlassian.net); for Data Center, set "
                        "auth to bearer and api_token to a personal access token";
}

/* Jira Cloud has no path, but for tokens with scopes; Data Center may have one, before that of any page. */
static bool is_base(const char *url)
{
    const char *path = strchr(strstr(url, "://") + 3, '/');
    return !path || !(dest_config_host_is(url, ".atlassian.net") || strstr(path, "/rest/") ||
                      strstr(path, "/browse/") || strstr(path, "/projects"));
}

static bool read_url(struct arena *arena, struct json_object *root, struct jira_config *config,
                     struct dest_config_error *error)
{
    const char *url = dest_config_url(arena, root, "base_url", "Jira's", error);
    if (url)
        url = dest_config_base_url(arena, root, "base_url", "Jira's", NULL, error);
    if (!url)
        return false;
    if (!is_base(url))
        return dest_config_fail(error, "base_url must be the address of Jira alone, such as "
                                       "https://SITE.atlassian.net; take away what stands behind it");
    advise(url, config, error);
    config->url = arena_printf(arena, "%s/rest/api/%d", url, config->layout == JIRA_WIKI ? 2 : 3);
    return true;
}

static bool read_account(struct arena *arena, struct json_object *root, struct jira_config *config,
                         struct dest_config_error *error)
{
    const char *email = "", *token;
    if (config->layout == JIRA_DOCUMENT) {
        email = dest_config_word(arena, root, "email", JIRA_WORD_MAX,
                                 "the email address of the account that made api_token", error);
        if (!email)
            return false;
        if (strchr(email, ':'))
            return dest_config_fail(error, "email holds a colon; set it to the account's email address");
    }
    token = dest_config_word(arena, root, "api_token", JIRA_TOKEN_MAX, "an API token of the account", error);
    if (!token)
        return false;
    if (config->layout == JIRA_WIKI) {
        config->authorization = arena_printf(arena, "Bearer %s", token);
        return true;
    }
    const char *pair = arena_printf(arena, "%s:%s", email, token);
    struct buf encoded;
    buf_init(&encoded, 2 * (JIRA_WORD_MAX + JIRA_TOKEN_MAX));
    base64_encode(BASE64_STANDARD, pair, strlen(pair), &encoded);
    config->authorization = arena_printf(arena, "Basic %s", buf_text(&encoded));
    buf_wipe(&encoded);
    return true;
}

/* ---- the issue ---- */

static bool read_project(struct arena *arena, struct json_object *root, struct jira_config *config,
                         struct dest_config_error *error)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    config->project_key =
        dest_config_word(arena, root, "project_key", JIRA_WORD_MAX, "the project's key, such as SEC", error);
    if (!config->project_key)
        return false;
    if (strspn(config->project_key, allowed) != strlen(config->project_key))
        return dest_config_fail(error, "project_key must be the project's key, such as SEC: the letters "
                                       "before the number of each of its issues");
    if (!dest_config_optional(arena, root, "issue_type", JIRA_WORD_MAX, &config->issue_type, error))
        return false;
    if (!config->issue_type)
        config->issue_type = DEFAULT_TYPE;
    return true;
}

static bool read_labels(struct arena *arena, struct json_object *root, struct jira_config *config,
                        struct dest_config_error *error)
{
    if (!dest_config_list(arena, root, "labels", JIRA_LABELS_MAX, JIRA_LABEL_MAX, &config->labels, error))
        return false;
    for (size_t i = 0; i < config->labels.count; i++)
        if (strchr(config->labels.items[i], ' '))
            return dest_config_fail(
                error, "an entry of labels holds a blank, which Jira does not take; put a hyphen there");
    return true;
}

/* {"critical": "Blocker", "high": "Major"}: the others are as usual. */
static bool read_priorities(struct arena *arena, struct json_object *object, struct jira_config *config,
                            struct dest_config_error *error)
{
    json_object_object_foreach(object, name, value)
    {
        int severity = severity_parse(name);
        (void)value;
        if (severity < 0)
            return dest_config_fail(error, "priority names something that is no severity; its members are "
                                           "critical, high, medium, low and info");
        const char *text = NULL;
        if (!dest_config_optional(arena, object, name, JIRA_WORD_MAX, &text, error))
            return dest_config_fail(error, "a member of priority is not the name of a priority in Jira");
        if (text)
            config->priorities[severity] = text;
    }
    return true;
}

static bool read_priority(struct arena *arena, struct json_object *root, struct jira_config *config,
                          struct dest_config_error *error)
{
    struct json_object *value = json_get(root, "priority");
    const char *text = NULL;
    memcpy(config->priorities, usual_priorities, sizeof config->priorities);
    if (json_object_is_type(value, json_type_object))
        return read_priorities(arena, value, config, error);
    if (json_object_is_type(value, json_type_boolean) && !json_object_get_boolean(value)) {
        memset(config->priorities, 0, sizeof config->priorities);
        return true;
    }
    if (value && !json_is_text(value))
        return dest_config_fail(error, "priority must be the name of a priority, an object of such names by "
                                       "severity, or false for none");
    if (!dest_config_optional(arena, root, "priority", JIRA_WORD_MAX, &text, error))
        return false;
    for (int severity = 0; text && severity < SEVERITY_COUNT; severity++)
        config->priorities[severity] = text;
    config->priority_of_scans = text;
    return true;
}

/* ---- its life ---- */

static bool read_transitions(struct arena *arena, struct json_object *root, struct jira_config *config,
                             struct dest_config_error *error)
{
    return dest_config_optional(arena, root, "close_transition", JIRA_WORD_MAX, &config->close_transition,
                                error) &&
           dest_config_optional(arena, root, "reopen_transition", JIRA_WORD_MAX, &config->reopen_transition,
                                error);
}

const void *jira_config_parse(struct arena *arena, const char *json, size_t size,
                              struct dest_config_error *error)
{
    struct jira_config *config = arena_alloc(arena, sizeof *config);
    struct json_object *root = dest_config_read(json, size, error);
    if (!root)
        return NULL;
    bool good = read_auth(root, config, error) && read_url(arena, root, config, error) &&
                read_account(arena, root, config, error) && read_project(arena, root, config, error) &&
                read_priority(arena, root, config, error) && read_labels(arena, root, config, error) &&
                read_transitions(arena, root, config, error);
    json_object_put(root);
    return good ? config : NULL;
}
