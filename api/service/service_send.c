/*
 * service_send - settings that are to be used, and copies of integrations
 *
 * Settings of an integration are read through the second wall, decrypted here, and leave as their destination's own struct; no
 * answer holds anything of them. Copies take the settings as they are stored, so that no key is needed.
 */
#include "api/service/service_send.h"

#include <string.h>

#include "api/service/service_parts.h"
#include "common/base/check.h"
#include "common/model/settings_seal.h"

enum { SETTINGS_MAX = 262144 }; /* bytes of one integration's, as the worker takes them */

const struct service_field service_test_fields[TEST_FIELD_COUNT] = {
    [TEST_KIND] = {"kind", FORM_KIND, FIELD_REQUIRED, NULL, false,
                   "Where it leads: one of the kinds of destinations."},
    [TEST_CONFIG] = {"config", FORM_CONFIG, FIELD_REQUIRED, NULL, false,
                     "The settings of its kind. Used once, and not stored."},
    [TEST_NAME] = {"name", FORM_NAME, FIELD_NULLABLE, NULL, false,
                   "Without effect: a form may be sent as it is."},
};

const struct service_field service_copy_fields[COPY_FIELD_COUNT] = {
    [COPY_NAME] = {"name", FORM_NAME, FIELD_NULLABLE, NULL, false,
                   "The copy's; without it, that of the original and \" (copy)\"."},
};

/* ---- settings ---- */

void service_keep_settings(struct service_call *call, const char *id, const struct dest *dest,
                           const void *config)
{
    struct service_settings *s = arena_alloc(&call->arena, sizeof *s);
    *s = (struct service_settings){.id = id, .dest = dest, .config = config};
    call->settings = s;
    call->status = SERVICE_OK;
}

static int digit(char c)
{
    return c >= 'a' ? c - 'a' + 10 : c - '0';
}

/* The bytes of HEX, which PostgreSQL made. */
static unsigned char *from_hex(struct arena *arena, const char *hex, size_t *n)
{
    *n = strlen(hex) / 2;
    unsigned char *bytes = arena_alloc(arena, *n + 1);
    for (size_t i = 0; i < *n; i++)
        bytes[i] = (unsigned char)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
    return bytes;
}

void service_unusable(struct service_call *call, const char *why)
{
    service_refuse(call, SERVICE_CONFLICT,
                   arena_printf(&call->arena,
                                "nothing can be sent with the settings of this integration: %s; give it "
                                "settings anew with PATCH and a whole config",
                                why));
}

const char *service_open_settings(struct service_call *call, const char *hex, size_t *size, const char **why)
{
    struct buf plain;
    size_t n;
    const unsigned char *token = from_hex(&call->arena, hex, &n);
    buf_init(&plain, SETTINGS_MAX);
    const char *text = settings_open(call->own->keys, token, n, &plain, why)
                           ? arena_text(&call->arena, buf_text(&plain), plain.len)
                           : NULL;
    *size = plain.len;
    buf_wipe(&plain);
    return text;
}

bool service_has_keys(struct service_call *call)
{
    if (call->own->keys && call->own->keys->count)
        return true;
    service_refuse(call, SERVICE_NO_KEY,
                   "no Fernet key is configured; set secrets.fernet_keys or FERNET_KEY");
    return false;
}

static void settings_finish(struct service_call *call)
{
    const char *const *columns = call->own->columns;
    struct dest_config_error error = {.detail = ""};
    const char *why = "none are stored";
    size_t size = 0;
    if (!call->own->rows) {
        service_not_found(call);
        return;
    }
    const struct dest *dest = dest_find(columns[API_SETTINGS_KIND]);
    if (!dest) {
        service_refuse(call, SERVICE_CONFLICT,
                       "this version does not know the kind of this integration, so it cannot send with it; "
                       "update it");
        return;
    }
    const char *sealed = columns[API_SETTINGS_SEALED];
    const char *text = sealed ? service_open_settings(call, sealed, &size, &why) : NULL;
    const void *config = text ? dest->config_parse(&call->arena, text, size, &error) : NULL;
    if (config)
        service_keep_settings(call, call->own->id, dest, config);
    else
        service_unusable(call, text ? error.detail : why);
}

void service_integration_settings(struct service_call *call, const struct service_caller *caller,
                                  const char *id)
{
    service_begin(call, caller, settings_finish);
    if (!service_take_id(call, id))
        return;
    call->own->keys = caller->keys;
    if (!service_has_keys(call))
        return;
    struct service_step *step = service_add(call, API_INTEGRATION_SETTINGS);
    step->values[0] = caller->workspace;
    step->values[1] = call->own->id;
}

static void no_finish(struct service_call *call)
{
    check(call->status != SERVICE_UNFINISHED); /* it was decided when it was made */
}

void service_settings_read(struct service_call *call, const struct service_caller *caller, const char *body,
                           size_t size)
{
    bool sent[TEST_FIELD_COUNT];
    const char *values[TEST_FIELD_COUNT];
    service_begin(call, caller, no_finish);
    call->step_count = 0;
    service_members_read(call, body, size, service_test_fields, TEST_FIELD_COUNT, true, sent, values);
    const char *kind = values[TEST_KIND], *config = values[TEST_CONFIG];
    const void *parsed = kind && config ? service_config_parse(call, kind, config) : NULL;
    if (call->status == SERVICE_UNFINISHED)
        service_keep_settings(call, NULL, dest_find(kind), parsed);
}

/* ---- a copy ---- */

static void duplicate_finish(struct service_call *call)
{
    if (service_created(call))
        return;
    if (!service_is_true(call, API_CREATE_WORKSPACE))
        service_not_found(call);
    else
        service_refuse(call, SERVICE_CONFLICT,
                       "it was not copied, because it changed meanwhile; send the request again");
}

void service_integration_duplicate(struct service_call *call, const struct service_caller *caller,
                                   const char *id, const char *body, size_t size, const char *key)
{
    bool sent[COPY_FIELD_COUNT];
    const char *values[COPY_FIELD_COUNT] = {NULL};
    service_begin(call, caller, duplicate_finish);
    if (!service_take_id(call, id))
        return;
    const char *from = call->own->id;
    service_key_check(call, key);
    if (size > 0)
        service_members_read(call, body, size, service_copy_fields, COPY_FIELD_COUNT, true, sent, values);
    if (call->status != SERVICE_UNFINISHED)
        return;
    service_draw_id(call);
    key = arena_strdup(&call->arena, key);
    if (key) {
        const char *request =
            arena_printf(&call->arena, "duplicate %s %s", from, values[COPY_NAME] ? values[COPY_NAME] : "");
        service_add_key(call, caller, key, request, strlen(request), NULL, from);
    }
    struct service_step *step = service_add(call, API_INTEGRATION_DUPLICATE);
    const char *const all[] = {caller->workspace, from, call->own->id, values[COPY_NAME], key, caller->actor,
                               caller->actor_name};
    check(step->count == sizeof all / sizeof all[0]);
    memcpy(step->values, all, sizeof all);
}
