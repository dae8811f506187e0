/*
 * settings_seal - the column config_encrypted, read and written
 *
 * The live product stores {"config": "<the settings' JSON as a text>"} under Fernet; some older rows hold the
 * settings' object itself. Both are read, the first is written. What comes out is the text of one JSON object
 * and nothing else; what its keys mean is the destination's business.
 *
 * The plaintext is a secret: temporaries are overwritten, and buffers for it are sized once, because a buffer
 * that grows leaves its old bytes behind. (json-c's tokener keeps a copy that cannot be reached; it is freed
 * before the call returns.)
 */
#include "common/model/settings_seal.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/json.h"

enum { SETTINGS_MAX = 1 << 24 }; /* bytes that are sealed: far more than any integration has */

static const char *advice(enum fernet_result result)
{
    switch (result) {
    case FERNET_NO_KEY:
        return "none of the configured Fernet keys opens the settings; add the key they were sealed with";
    case FERNET_TOO_LONG:
        return "the settings are longer than the limit; shorten them";
    case FERNET_OK:
    case FERNET_EXPIRED:
    case FERNET_MALFORMED:
        break;
    }
    return "config_encrypted holds no Fernet token; save the settings again";
}

static void wipe_and_put(struct json_object *root, struct json_object *text)
{
    if (text)
        explicit_bzero((char *)json_object_get_string(text), (size_t)json_object_get_string_len(text));
    json_object_put(root);
}

/* True when N bytes are the JSON text of an object. */
static bool is_object_text(const char *text, size_t n)
{
    const char *why;
    struct json_object *value = json_parse(text, n, &why);
    bool good = json_object_is_type(value, json_type_object);
    json_object_put(value);
    return good;
}

/* The text under the only key "config"; NULL when this is the settings' object itself. */
static struct json_object *wrapped_text(struct json_object *root)
{
    struct json_object *config = json_get(root, "config");
    return json_is_text(config) && json_object_object_length(root) == 1 ? config : NULL;
}

static bool unwrap(const struct buf *plain, struct buf *out, const char **why)
{
    const char *text = buf_text(plain);
    size_t n = plain->len;
    struct json_object *root = json_parse(text, n, why);
    if (!json_object_is_type(root, json_type_object)) {
        json_object_put(root);
        *why = "the sealed settings are no JSON object; save them again";
        return false;
    }
    struct json_object *inner = wrapped_text(root);
    if (inner) {
        text = json_object_get_string(inner);
        n = (size_t)json_object_get_string_len(inner);
    }
    bool good = true;
    if (inner && !is_object_text(text, n)) {
        *why = "the text under \"config\" in the sealed settings is no JSON object; save them again";
        good = false;
    } else if (out->overflow || n > out->max - out->len) {
        *why = advice(FERNET_TOO_LONG);
        good = false;
    } else {
        buf_add(out, text, n);
    }
    wipe_and_put(root, inner);
    return good;
}

bool settings_open(const struct fernet_keys *keys, const unsigned char *token, size_t n, struct buf *out,
                   const char **why)
{
    struct buf plain;
    buf_init(&plain, n); /* a plaintext is shorter than its token */
    enum fernet_result result = fernet_decrypt(keys, (const char *)token, n, 0, -1, &plain, NULL);
    bool good = false;
    if (result != FERNET_OK)
        *why = advice(result);
    else
        good = unwrap(&plain, out, why);
    buf_wipe(&plain);
    return good;
}

/* Append N bytes of JSON that has been parsed, so that it is enough to know where its strings are. */
static void add_without_blanks(struct buf *out, const char *json, size_t n)
{
    bool inside = false;
    for (size_t i = 0; i < n; i++) {
        if (json[i] == '"')
            inside = !inside;
        if (inside && json[i] == '\\')
            buf_add_char(out, json[i++]);
        if (inside || !strchr(" \t\r\n", json[i]))
            buf_add_char(out, json[i]);
    }
}

bool settings_compact(const char *settings, size_t n, struct buf *out, const char **why)
{
    const char *unused, *wrong = NULL;
    struct json_object *root = n <= SETTINGS_MAX ? json_parse(settings, n, &unused) : NULL;
    struct json_object *inner = wrapped_text(root);
    if (inner) {
        settings = json_object_get_string(inner);
        n = (size_t)json_object_get_string_len(inner);
    }
    if (!json_object_is_type(root, json_type_object))
        wrong = "the settings must be one JSON object, as in {\"webhook_url\": \"https://...\"}";
    else if (inner && !is_object_text(settings, n))
        wrong = "the text under \"config\" must be one JSON object; give the settings without that wrapping";
    else if (out->overflow || n > out->max - out->len)
        wrong = advice(FERNET_TOO_LONG);
    else
        add_without_blanks(out, settings, n);
    wipe_and_put(root, inner);
    if (wrong)
        *why = wrong;
    return !wrong;
}

bool settings_seal(const struct fernet_keys *keys, const char *settings, size_t n, int64_t now_s,
                   struct buf *out, const char **why)
{
    if (keys->count == 0) {
        *why = "no Fernet key is configured; set secrets.fernet_keys or FERNET_KEY";
        return false;
    }
    /* Both sized for the worst case, so that they never move: compact is no longer, and six bytes for each. */
    size_t room = n <= SETTINGS_MAX ? 6 * n + 16 : 16;
    struct buf compact = {.data = mem_alloc(room + 1), .cap = room + 1, .max = room};
    struct buf plain = {.data = mem_alloc(room + 1), .cap = room + 1, .max = room};
    bool good = settings_compact(settings, n, &compact, why);
    if (good) {
        buf_add_text(&plain, "{\"config\":");
        buf_json_bytes(&plain, compact.data, compact.len);
        buf_add_char(&plain, '}');
        check(!plain.overflow);
        fernet_encrypt(keys, plain.data, plain.len, now_s, NULL, out);
    }
    if (good && out->overflow) {
        *why = advice(FERNET_TOO_LONG);
        good = false;
    }
    buf_wipe(&compact);
    buf_wipe(&plain);
    return good;
}
