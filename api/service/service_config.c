/*
 * service_config - settings that were sent, before they are stored or used
 *
 * The destination of the kind judges them (config_parse); what it says becomes an error of the call, of the key to blame. Its
 * words never hold a value. Pure.
 */
#include <string.h>

#include "api/service/service_parts.h"
#include "common/base/json.h"
#include "common/destinations/dest.h"

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
    service_json_free(root);
    return there ? key : NULL;
}

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
    if (parsed) {
        call->advice = error.advice;
        return parsed;
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
        if (dest_all[i]->config_parse(&call->arena, config, strlen(config), &error))
            buf_printf(&kinds, "%c%s", kinds.len ? ',' : '{', dest_all[i]->kind);
    }
    const char *kept = arena_printf(&call->arena, "%s}", kinds.len ? buf_text(&kinds) : "{");
    buf_free(&kinds);
    return kept;
}
