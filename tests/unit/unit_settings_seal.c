/*
 * Sealed settings: both forms are read, one is written, compact, and what is no object is refused.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/json.h"
#include "common/model/settings_seal.h"
#include "tests/unit/unit.h"

static const char key_one[] = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
static const char key_two[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

static void load_keys(struct fernet_keys *keys, const char *text)
{
    size_t bad = 99;
    EXPECT(fernet_keys_init(keys, &text, 1, &bad));
    EXPECT_INT(bad, 99);
}

static void seal_with(const char *key, const char *plain, size_t n, int64_t now, struct buf *out)
{
    struct fernet_keys keys;
    load_keys(&keys, key);
    buf_init(out, 1u << 20);
    fernet_encrypt(&keys, plain, n, now, NULL, out);
    fernet_keys_wipe(&keys);
}

/* What settings_open makes of a plaintext; NULL when it refuses. Free with free(). */
static char *opened(const char *plain)
{
    struct fernet_keys keys;
    struct buf token, out;
    const char *why = NULL;
    load_keys(&keys, key_one);
    seal_with(key_one, plain, strlen(plain), 1000, &token);
    buf_init(&out, 1000);
    bool good = settings_open(&keys, (unsigned char *)token.data, token.len, &out, &why);
    EXPECT(good == (why == NULL));
    char *text = good ? mem_strdup(buf_text(&out)) : NULL;
    buf_wipe(&out);
    buf_free(&token);
    fernet_keys_wipe(&keys);
    return text;
}

static void expect_opened(const char *plain, const char *want)
{
    char *got = opened(plain);
    EXPECT_TEXT(got, want);
    free(got);
}

static void settings_are_read_in_both_forms(void)
{
    expect_opened("{\"config\":\"{\\\"webhook_url\\\":\\\"https://x\\\"}\"}",
                  "{\"webhook_url\":\"https://x\"}");
    expect_opened("{\"webhook_url\":\"https://x\"}", "{\"webhook_url\":\"https://x\"}");
    expect_opened("{\"config\":\"{}\"}", "{}");
    /* An object that merely has such a key among others is the settings themselves. */
    expect_opened("{\"config\":\"{}\",\"a\":1}", "{\"config\":\"{}\",\"a\":1}");
}

static void settings_that_are_no_object_are_refused(void)
{
    static const char *const plain[] = {
        "",  "null",   "[]", "1", "{\"config\":\"[]\"}", "{\"config\":\"\"}", "{\"config\":\"{\"}",
        "{", "\"{}\"",
    };
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        expect_opened(plain[i], NULL);
}

static void sealed_settings_open_again_and_hold_the_text_form(void)
{
    static const char settings[] = "{\"webhook_url\":\"https://x/\\u00e9\",\"hmac_secret\":\"a\\\"b\\\\\"}";
    struct fernet_keys keys;
    struct buf token, out;
    const char *why = NULL;
    load_keys(&keys, key_two);
    buf_init(&token, 10000);
    buf_init(&out, 10000);
    EXPECT(settings_seal(&keys, settings, strlen(settings), 1000, &token, &why));
    EXPECT_INT(fernet_decrypt(&keys, token.data, token.len, 0, -1, &out, NULL), FERNET_OK);
    struct json_object *plain = json_parse(out.data, out.len, &why);
    EXPECT_INT(json_object_object_length(plain), 1);
    EXPECT_TEXT(json_object_get_string(json_get(plain, "config")), settings);
    json_object_put(plain);
    buf_reset(&out);
    EXPECT(settings_open(&keys, (unsigned char *)token.data, token.len, &out, &why));
    EXPECT_TEXT(buf_text(&out), settings);
    EXPECT(!settings_seal(&keys, "[1]", 3, 1000, &token, &why));
    keys.count = 0;
    EXPECT(!settings_seal(&keys, "{}", 2, 1000, &token, &why));
    keys.count = 1;
    buf_free(&token);
    buf_wipe(&out);
    fernet_keys_wipe(&keys);
}

static void settings_are_made_compact_and_otherwise_stay_as_they_are(void)
{
    static const struct {
        const char *settings, *compact; /* NULL: refused */
    } cases[] = {
        {" { \"a\" : [ 1 ,\t2 ] ,\r\n\"b\" : { } } \n", "{\"a\":[1,2],\"b\":{}}"},
        {"{\"n\": [1.0, 1e3, -0, 123456789012345678901234567890, 0.10]}",
         "{\"n\":[1.0,1e3,-0,123456789012345678901234567890,0.10]}"},
        {"{\"a b\": \"c \\\" d\\\\\", \"e\": \"/\\/ \\u00e9 \xc3\xa9\"}",
         "{\"a b\":\"c \\\" d\\\\\",\"e\":\"/\\/ \\u00e9 \xc3\xa9\"}"},
        {"{ \"config\": \"{ \\\"webhook_url\\\": \\\"https://x/ y\\\" }\" }",
         "{\"webhook_url\":\"https://x/ y\"}"},
        {"{\"config\": \"{}\", \"a\": 1}", "{\"config\":\"{}\",\"a\":1}"},
        {"{\"config\": {\"a\": 1}}", "{\"config\":{\"a\":1}}"},
        {"{}", "{}"},
        {"{\"config\": \"[]\"}", NULL},
        {"{\"config\": \"x\"}", NULL},
        {"[]", NULL},
        {"{\"a\": 1,}", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out;
        const char *why = NULL;
        buf_init(&out, 1000);
        bool good = settings_compact(cases[i].settings, strlen(cases[i].settings), &out, &why);
        EXPECT_TEXT(good ? buf_text(&out) : NULL, cases[i].compact);
        buf_free(&out);
    }
}

static void advice_about_settings_names_the_remedy_and_no_value(void)
{
    struct fernet_keys keys;
    struct buf token, out;
    const char *why = NULL;
    load_keys(&keys, key_one);
    seal_with(key_two, "{}", 2, 1000, &token);
    buf_init(&out, 1000);
    EXPECT(!settings_open(&keys, (unsigned char *)token.data, token.len, &out, &why));
    EXPECT(strstr(why, "key") != NULL);
    EXPECT(!settings_open(&keys, (const unsigned char *)"plain text", 10, &out, &why));
    EXPECT(strstr(why, "save the settings again") != NULL);
    EXPECT(strstr(why, "plain text") == NULL);
    buf_free(&token);
    buf_wipe(&out);
    fernet_keys_wipe(&keys);
}

UNIT_MAIN(UNIT_CASE(settings_are_read_in_both_forms), UNIT_CASE(settings_that_are_no_object_are_refused),
          UNIT_CASE(sealed_settings_open_again_and_hold_the_text_form),
          UNIT_CASE(settings_are_made_compact_and_otherwise_stay_as_they_are),
          UNIT_CASE(advice_about_settings_names_the_remedy_and_no_value))
