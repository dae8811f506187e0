/*
 * service_settings - the settings that a request brings, judged by their kind
 *
 * What a worker ignores in a row that is there, a key that its kind does not have, is refused here: it is a slip of whoever
 * writes it. Errors name keys, never a value; and a key is named only when it looks like one, for somebody may have put a
 * secret in its place. Pure.
 */
#include <string.h>

#include "api/service/service_fields.h"
#include "api/service/service_parts.h"
#include "common/base/json.h"
#include "common/destinations/dest.h"

enum { KEY_SHOWN_MAX = 24 /* bytes: longer than any setting's, shorter than any vendor's secret */ };

void service_wipe(struct json_object *value)
{
    if (json_is_text(value))
        explicit_bzero((char *)json_object_get_string(value), (size_t)json_object_get_string_len(value));
    for (size_t i = 0; json_object_is_type(value, json_type_array) && i < json_object_array_length(value);
         i++)
        service_wipe(json_object_array_get_idx(value, i));
    if (!json_object_is_type(value, json_type_object))
        return;
    json_object_object_foreach(value, key, member)
    {
        (void)key;
        service_wipe(member);
    }
}

static void let_go(struct json_object *root)
{
    service_wipe(root);
    json_object_put(root);
}

/* The key that DETAIL, a destination's words about CONFIG, is about; NULL: none in particular. */
static const char *key_of(struct service_call *call, const char *config, const char *detail)
{
    static const char entry[] = "an entry of ";
    const char *unused;
    if (strncmp(detail, entry, strlen(entry)) == 0)
        detail += strlen(entry);
    size_t n = strspn(detail, "abcdefghijklmnopqrstuvwxyz0123456789_");
    const char *key = arena_text(&call->arena, detail, n);
    if (n && strncmp(detail + n, " is missing", strlen(" is missing")) == 0)
        return key;
    struct json_object *root = json_parse(config, strlen(config), &unused);
    bool there = json_object_object_get_ex(root, key, NULL);
    let_go(root);
    return there ? key : NULL;
}

/* ---- keys ---- */

static bool can_be_shown(const char *key)
{
    size_t n = strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    return n > 0 && n <= KEY_SHOWN_MAX && !key[n];
}

static const char *keys_of(struct service_call *call, const struct dest *dest)
{
    const char *list = "";
    for (const struct dest_setting *s = dest->settings; s->key; s++)
        if (!s->old)
            list = arena_printf(&call->arena, "%s%s%s", list, *list ? ", " : "", s->key);
    return list;
}

/* KNOWN: the list of DEST's keys, made when it is wanted first. */
static void refuse_key(struct service_call *call, const struct dest *dest, const char *key,
                       const char **known)
{
    const struct dest_setting *near = dest_setting_near(dest, key);
    struct arena *a = &call->arena;
    const char *field = can_be_shown(key) ? arena_printf(a, "config.%s", key) : "config";
    const char *what = can_be_shown(key) ? field : "a key of config";
    if (!near && !*known)
        *known = keys_of(call, dest);
    service_wrong(
        call, field,
        near ? arena_printf(a, "%s is no setting of %s; did you mean %s?", what, dest->kind, near->key)
             : arena_printf(a, "%s is no setting of %s, which has %s", what, dest->kind, *known));
}

/* What is before an @ and the host goes wherever the address goes: into logs of proxies, and into what destinations answer. */
static bool has_credentials(struct json_object *value)
{
    const char *url = json_is_text(value) ? json_object_get_string(value) : "", *host = strstr(url, "://");
    return host && memchr(host + 3, '@', strcspn(host + 3, "/?#"));
}

/* What is wrong with a setting that its kind takes: an address with credentials, which rows of old may have; or a text that
 * may not be read, for another setting stands before it. NULL: nothing. */
static const char *value_fault(const struct dest *dest, const struct dest_setting *setting,
                               struct json_object *value)
{
    if (setting->form == SETTING_URL && has_credentials(value))
        return dest_setting_find(dest, "headers")
                   ? "holds a name or a password before its host; put credentials into headers, as in "
                     "{\"Authorization\": \"Basic ...\"}"
                   : "holds a name or a password before its host; take them out";
    if (setting->form != SETTING_TEXT || !value)
        return NULL;
    if (!json_is_text(value))
        return "must be a text";
    return (size_t)json_object_get_string_len(value) > setting->max ? "is too long" : NULL;
}

/* Whether all keys of CONFIG are DEST's, texts are texts, and no address has credentials. CALL: NULL, or hears of each that is not; where CONFIG is
 * otherwise TAKEN. */
static bool knows_keys(struct service_call *call, const struct dest *dest, const char *config, bool taken)
{
    const char *unused, *known = NULL;
    bool all = true;
    struct json_object *root = json_parse(config, strlen(config), &unused);
    if (!root)
        return true; /* its destination says what is wrong */
    json_object_object_foreach(root, key, value)
    {
        const struct dest_setting *setting = dest_setting_find(dest, key);
        const char *fault = setting && taken ? value_fault(dest, setting, value) : NULL;
        if (setting && !fault)
            continue;
        all = false;
        if (call && setting)
            service_wrong(call, arena_printf(&call->arena, "config.%s", key),
                          arena_printf(&call->arena, "%s %s", key, fault));
        else if (call)
            refuse_key(call, dest, key, &known);
        if (!call || service_is_full(call))
            break;
    }
    let_go(root);
    return all;
}

/* ---- ---- */

const void *service_config_parse(struct service_call *call, const char *kind, const char *config)
{
    const struct dest *dest = dest_find(kind);
    struct dest_config_error error = {.detail = ""};
    if (!dest) {
        service_wrong(call, "config",
                      "this version does not know the kind, so its settings cannot be checked; update it");
        return NULL;
    }
    const void *parsed = dest->config_parse(&call->arena, config, strlen(config), &error);
    bool known = knows_keys(call, dest, config, parsed != NULL);
    if (parsed) {
        call->advice = error.advice;
        return known ? parsed : NULL;
    }
    const char *key = key_of(call, config, error.detail);
    service_wrong(call, key ? arena_printf(&call->arena, "config.%s", key) : "config",
                  arena_strdup(&call->arena, error.detail));
    return NULL;
}

bool service_config_check(struct service_call *call, const char *kind, const char *config)
{
    return service_config_parse(call, kind, config) != NULL;
}

const char *service_config_kinds(struct service_call *call, const char *config)
{
    struct buf kinds;
    buf_init(&kinds, 1024);
    for (size_t i = 0; dest_all[i]; i++) {
        struct dest_config_error error = {.detail = ""};
        if (dest_all[i]->config_parse(&call->arena, config, strlen(config), &error) &&
            knows_keys(NULL, dest_all[i], config, true))
            buf_printf(&kinds, "%c%s", kinds.len ? ',' : '{', dest_all[i]->kind);
    }
    const char *kept = arena_printf(&call->arena, "%s}", kinds.len ? buf_text(&kinds) : "{");
    buf_free(&kinds);
    return kept;
}
