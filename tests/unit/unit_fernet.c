/*
 * Fernet: the published vectors (tests/vectors/fernet.json, found from this file's own path), several keys,
 * and what strict means.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/fernet.h"
#include "common/base/iso8601.h"
#include "common/base/json.h"
#include "tests/unit/unit.h"

static const char key_one[] = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
static const char key_two[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

static void load_keys(struct fernet_keys *keys, const char *first, const char *second)
{
    const char *texts[] = {first, second};
    size_t bad = 99;
    EXPECT(fernet_keys_init(keys, texts, second ? 2 : 1, &bad));
    EXPECT_INT(bad, 99);
}

/* ---- the vectors ---- */

static struct json_object *load_vectors(const char *part)
{
    static char text[65536];
    const char *name = strrchr(__FILE__, '/'), *why;
    char path[1024];
    snprintf(path, sizeof path, "%.*s../vectors/fernet.json", name ? (int)(name - __FILE__) + 1 : 0,
             __FILE__);
    FILE *file = fopen(path, "r");
    if (!file)
        unit_fail(__FILE__, __LINE__, "cannot open %s", path);
    size_t n = fread(text, 1, sizeof text, file);
    fclose(file);
    struct json_object *all = json_parse(text, n, &why);
    EXPECT(all != NULL);
    struct json_object *out = json_object_get(json_get(all, part));
    json_object_put(all);
    EXPECT(json_object_array_length(out) > 0);
    return out;
}

static const char *text_of(struct json_object *vector, const char *key)
{
    return json_object_get_string(json_get(vector, key));
}

static int64_t now_of(struct json_object *vector)
{
    int64_t us = 0;
    const char *now = text_of(vector, "now");
    EXPECT(iso8601_parse(now, strlen(now), &us));
    return us / 1000000;
}

static enum fernet_result decrypt_vector(struct json_object *vector, struct buf *out)
{
    struct fernet_keys keys;
    const char *token = text_of(vector, "token");
    load_keys(&keys, text_of(vector, "secret"), NULL);
    enum fernet_result result = fernet_decrypt(&keys, token, strlen(token), now_of(vector),
                                               json_object_get_int(json_get(vector, "ttl_sec")), out, NULL);
    fernet_keys_wipe(&keys);
    return result;
}

static void encrypts_the_published_tokens(void)
{
    struct json_object *all = load_vectors("generate");
    for (size_t i = 0; i < json_object_array_length(all); i++) {
        struct json_object *vector = json_object_array_get_idx(all, i);
        struct json_object *numbers = json_get(vector, "iv");
        unsigned char iv[16];
        for (size_t n = 0; n < 16; n++)
            iv[n] = (unsigned char)json_object_get_int(json_object_array_get_idx(numbers, n));
        struct fernet_keys keys;
        load_keys(&keys, text_of(vector, "secret"), NULL);
        struct buf out;
        buf_init(&out, 1000);
        const char *src = text_of(vector, "src");
        fernet_encrypt(&keys, src, strlen(src), now_of(vector), iv, &out);
        EXPECT_TEXT(buf_text(&out), text_of(vector, "token"));
        buf_free(&out);
        fernet_keys_wipe(&keys);
    }
    json_object_put(all);
}

static void decrypts_the_published_tokens(void)
{
    struct json_object *all = load_vectors("verify");
    for (size_t i = 0; i < json_object_array_length(all); i++) {
        struct json_object *vector = json_object_array_get_idx(all, i);
        struct buf out;
        buf_init(&out, 1000);
        EXPECT_INT(decrypt_vector(vector, &out), FERNET_OK);
        EXPECT_TEXT(buf_text(&out), text_of(vector, "src"));
        buf_free(&out);
    }
    json_object_put(all);
}

static void refuses_every_published_invalid_token_for_its_reason(void)
{
    static const struct {
        const char *desc;
        enum fernet_result want;
    } wanted[] = {
        {"incorrect mac", FERNET_NO_KEY},
        {"too short", FERNET_MALFORMED},
        {"invalid base64", FERNET_MALFORMED},
        {"payload size not multiple of block size", FERNET_MALFORMED},
        {"payload padding error", FERNET_MALFORMED},
        {"far-future TS (unacceptable clock skew)", FERNET_EXPIRED},
        {"expired TTL", FERNET_EXPIRED},
        {"incorrect IV (causes padding error)", FERNET_MALFORMED},
    };
    struct json_object *all = load_vectors("invalid");
    EXPECT_INT(json_object_array_length(all), sizeof wanted / sizeof wanted[0]);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        struct json_object *vector = json_object_array_get_idx(all, i);
        struct buf out;
        buf_init(&out, 1000);
        EXPECT_TEXT(text_of(vector, "desc"), wanted[i].desc);
        EXPECT_INT(decrypt_vector(vector, &out), wanted[i].want);
        EXPECT_INT(out.len, 0);
        buf_free(&out);
    }
    json_object_put(all);
}

/* ---- beyond the vectors ---- */

static void seal_with(const char *key, const char *plain, size_t n, int64_t now, struct buf *out)
{
    struct fernet_keys keys;
    load_keys(&keys, key, NULL);
    buf_init(out, 1u << 20);
    fernet_encrypt(&keys, plain, n, now, NULL, out);
    fernet_keys_wipe(&keys);
}

static void round_trips_every_length_up_to_five_blocks(void)
{
    char plain[80];
    struct fernet_keys keys;
    load_keys(&keys, key_one, NULL);
    memset(plain, 'x', sizeof plain);
    for (size_t n = 0; n <= sizeof plain; n++) {
        struct buf token, out;
        seal_with(key_one, plain, n, 1700000000, &token);
        buf_init(&out, n);
        EXPECT_INT(fernet_decrypt(&keys, token.data, token.len, 0, -1, &out, NULL), FERNET_OK);
        EXPECT_INT(out.len, n);
        EXPECT(n == 0 || memcmp(out.data, plain, n) == 0);
        buf_free(&token);
        buf_free(&out);
    }
    fernet_keys_wipe(&keys);
}

static void tries_every_key_and_tells_which_one_fitted(void)
{
    struct fernet_keys both;
    struct buf token, out;
    size_t index = 99;
    seal_with(key_two, "secret", 6, 1700000000, &token);
    load_keys(&both, key_one, key_two);
    buf_init(&out, 100);
    EXPECT_INT(fernet_decrypt(&both, token.data, token.len, 0, -1, &out, &index), FERNET_OK);
    EXPECT_INT(index, 1);
    EXPECT_TEXT(buf_text(&out), "secret");
    both.count = 1;
    index = 99;
    EXPECT_INT(fernet_decrypt(&both, token.data, token.len, 0, -1, &out, &index), FERNET_NO_KEY);
    EXPECT_INT(index, 99);
    EXPECT_TEXT(buf_text(&out), "secret");
    both.count = 2;
    fernet_keys_wipe(&both);
    EXPECT(both.keys == NULL && both.count == 0);
    buf_free(&token);
    buf_free(&out);
}

static void a_changed_token_never_decrypts(void)
{
    struct fernet_keys keys;
    struct buf token, out;
    load_keys(&keys, key_one, NULL);
    seal_with(key_one, "hello", 5, 1700000000, &token);
    buf_init(&out, 100);
    for (size_t i = 0; i < token.len; i++) {
        char was = token.data[i];
        for (int c = 1; c < 256; c++) {
            if ((char)c == was)
                continue;
            token.data[i] = (char)c;
            EXPECT(fernet_decrypt(&keys, token.data, token.len, 0, -1, &out, NULL) != FERNET_OK);
        }
        token.data[i] = was;
        EXPECT(fernet_decrypt(&keys, token.data, i, 0, -1, &out, NULL) != FERNET_OK);
    }
    EXPECT_INT(out.len, 0);
    EXPECT_INT(fernet_decrypt(&keys, token.data, token.len, 0, -1, &out, NULL), FERNET_OK);
    buf_free(&token);
    buf_free(&out);
    fernet_keys_wipe(&keys);
}

static void only_the_canonical_spelling_of_a_token_is_taken(void)
{
    struct fernet_keys keys;
    struct buf token, out;
    char other[400];
    load_keys(&keys, key_one, NULL);
    seal_with(key_one, "hello", 5, 1700000000, &token); /* 89 bytes: 2 of padding, 4 unused bits */
    buf_init(&out, 100);
    size_t n = token.len;
    EXPECT(n > 4 && token.data[n - 1] == '=');
    EXPECT_INT(fernet_decrypt(&keys, token.data, n - 1, 0, -1, &out, NULL), FERNET_MALFORMED);
    snprintf(other, sizeof other, "%s=", token.data);
    EXPECT_INT(fernet_decrypt(&keys, other, n + 1, 0, -1, &out, NULL), FERNET_MALFORMED);
    snprintf(other, sizeof other, "%s\n", token.data);
    EXPECT_INT(fernet_decrypt(&keys, other, n + 1, 0, -1, &out, NULL), FERNET_MALFORMED);
    snprintf(other, sizeof other, " %s", token.data);
    EXPECT_INT(fernet_decrypt(&keys, other, n + 1, 0, -1, &out, NULL), FERNET_MALFORMED);
    size_t last = n - 1;
    while (token.data[last] == '=')
        last--;
    token.data[last]++; /* only unused bits change: the bytes would be the same */
    EXPECT_INT(fernet_decrypt(&keys, token.data, n, 0, -1, &out, NULL), FERNET_MALFORMED);
    buf_free(&token);
    buf_free(&out);
    fernet_keys_wipe(&keys);
}

static void ages_count_only_when_a_ttl_is_given(void)
{
    static const struct {
        int64_t now, ttl;
        enum fernet_result want;
    } cases[] = {
        {1000, 60, FERNET_OK},     {1060, 60, FERNET_OK},     {1061, 60, FERNET_EXPIRED},
        {940, 60, FERNET_OK},      {939, 60, FERNET_EXPIRED}, {5000, -1, FERNET_OK},
        {0, -1, FERNET_OK},        {1000, 0, FERNET_OK},      {-5, 60, FERNET_EXPIRED},
        {1001, 0, FERNET_EXPIRED},
    };
    struct fernet_keys keys;
    struct buf token, out;
    load_keys(&keys, key_one, NULL);
    seal_with(key_one, "x", 1, 1000, &token);
    buf_init(&out, 1000);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        EXPECT_INT(fernet_decrypt(&keys, token.data, token.len, cases[i].now, cases[i].ttl, &out, NULL),
                   cases[i].want);
    buf_free(&token);
    buf_free(&out);
    fernet_keys_wipe(&keys);
}

static void a_plaintext_that_does_not_fit_leaves_the_buffer_alone(void)
{
    struct fernet_keys keys;
    struct buf token, out;
    load_keys(&keys, key_one, NULL);
    seal_with(key_one, "hello", 5, 1000, &token);
    buf_init(&out, 6);
    buf_add_text(&out, "ab");
    EXPECT_INT(fernet_decrypt(&keys, token.data, token.len, 0, -1, &out, NULL), FERNET_TOO_LONG);
    EXPECT_TEXT(buf_text(&out), "ab");
    EXPECT(!out.overflow);
    buf_free(&token);
    buf_free(&out);
    fernet_keys_wipe(&keys);
}

static void keys_are_32_bytes_in_any_spelling_that_python_reads(void)
{
    static const char *const same[] = {
        "cw/0x689RpI+jtRR7oE8h/eQsKImvJapLeSbXpwF4e4=",
        "cw_0x689RpI+jtRR7oE8h/eQsKImvJapLeSbXpwF4e4=",
        "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e5=",
        "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e7=",
    };
    static const char *const wrong[] = {
        "",
        "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4",
        "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=\n",
        " cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=",
        "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4Q==",
        "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF,e4=",
        "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e44",
    };
    unsigned char key[FERNET_KEY_BYTES], other[FERNET_KEY_BYTES];
    EXPECT(fernet_key_parse(key_one, key));
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        EXPECT(fernet_key_parse(same[i], other));
        EXPECT(memcmp(key, other, sizeof key) == 0);
    }
    EXPECT(fernet_key_parse(key_two, key));
    for (int i = 0; i < FERNET_KEY_BYTES; i++)
        EXPECT_INT(key[i], i);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        EXPECT(!fernet_key_parse(wrong[i], key));
    const char *texts[] = {key_one, wrong[1]};
    struct fernet_keys keys;
    size_t bad = 0;
    EXPECT(!fernet_keys_init(&keys, texts, 2, &bad));
    EXPECT_INT(bad, 1);
    EXPECT(keys.keys == NULL);
}

UNIT_MAIN(UNIT_CASE(encrypts_the_published_tokens), UNIT_CASE(decrypts_the_published_tokens),
          UNIT_CASE(refuses_every_published_invalid_token_for_its_reason),
          UNIT_CASE(round_trips_every_length_up_to_five_blocks),
          UNIT_CASE(tries_every_key_and_tells_which_one_fitted), UNIT_CASE(a_changed_token_never_decrypts),
          UNIT_CASE(only_the_canonical_spelling_of_a_token_is_taken),
          UNIT_CASE(ages_count_only_when_a_ttl_is_given),
          UNIT_CASE(a_plaintext_that_does_not_fit_leaves_the_buffer_alone),
          UNIT_CASE(keys_are_32_bytes_in_any_spelling_that_python_reads))
