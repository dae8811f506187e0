/*
 * Tokens, keys and sealed settings from anywhere. The first byte says what: bytes as a token, bytes as a
 * plaintext that must come back, or the bytes of a valid token changed at one place, which must not open.
 */
#include "common/base/base64.h"
#include "common/base/fernet.h"
#include "common/base/json.h"
#include "common/model/settings_seal.h"
#include "tests/fuzz/fuzz.h"

static struct fernet_keys keys;

static void setup(void)
{
    static const char *const texts[] = {"cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=",
                                        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="};
    size_t bad;
    check(fernet_keys_init(&keys, texts, 2, &bad));
}

static void any_token(const char *token, size_t n)
{
    struct buf out;
    const char *why = NULL;
    buf_init(&out, 256);
    enum fernet_result result = fernet_decrypt(&keys, token, n, 1000, 60, &out, NULL);
    check(result == FERNET_OK || out.len == 0);
    buf_reset(&out);
    check(settings_open(&keys, (const unsigned char *)token, n, &out, &why) == (why == NULL));
    buf_free(&out);
}

static void round_trip(const char *plain, size_t n)
{
    struct buf token, out;
    buf_init(&token, 4 * n + 256);
    buf_init(&out, n);
    fernet_encrypt(&keys, plain, n, 1000, NULL, &token);
    check(fernet_decrypt(&keys, token.data, token.len, 1000, 60, &out, NULL) == FERNET_OK);
    check(out.len == n && (n == 0 || memcmp(out.data, plain, n) == 0));
    buf_free(&token);
    buf_free(&out);
}

static void changed_token(struct fuzz_input *in)
{
    static const unsigned char iv[16] = {1};
    struct buf token, out;
    size_t at = fuzz_byte(in), before;
    char c = (char)fuzz_byte(in);
    buf_init(&token, 4096);
    buf_init(&out, 4096);
    fernet_encrypt(&keys, in->data, in->size < 64 ? in->size : 64, 1000, iv, &token);
    before = token.len;
    at %= before;
    bool same = token.data[at] == c;
    token.data[at] = c;
    check((fernet_decrypt(&keys, token.data, before, 1000, 60, &out, NULL) == FERNET_OK) == same);
    buf_free(&token);
    buf_free(&out);
}

/* The same value, as json-c writes it. */
static bool says_the_same(const char *a, size_t a_size, const char *b, size_t b_size)
{
    const char *why;
    struct json_object *x = json_parse(a, a_size, &why), *y = json_parse(b, b_size, &why);
    bool same = x && y &&
                strcmp(json_object_to_json_string_ext(x, JSON_C_TO_STRING_PLAIN),
                       json_object_to_json_string_ext(y, JSON_C_TO_STRING_PLAIN)) == 0;
    json_object_put(x);
    json_object_put(y);
    return same;
}

/* Settings that are sealed open as what they say, without blanks and wrapping, or are refused as no object. */
static void seal_and_open(const char *text, size_t n)
{
    struct buf token, out, compact, again;
    const char *why = NULL;
    buf_init(&token, 32 * n + 1024);
    buf_init(&out, n);
    buf_init(&compact, n);
    buf_init(&again, n);
    bool good = settings_compact(text, n, &compact, &why);
    check(good == settings_seal(&keys, text, n, 1000, &token, &why) && good == (why == NULL));
    if (good) {
        check(settings_open(&keys, (unsigned char *)token.data, token.len, &out, &why));
        check(out.len == compact.len && memcmp(out.data, compact.data, out.len) == 0);
        bool wrapped = !says_the_same(text, n, out.data, out.len);
        check(!wrapped || memmem(text, n, "config", 6) || memchr(text, '\\', n));
        if (settings_compact(out.data, out.len, &again, &why) && again.len == out.len)
            check(memcmp(again.data, out.data, out.len) == 0);
    } else {
        check(token.len == 0 && compact.len == 0);
    }
    buf_free(&token);
    buf_wipe(&out);
    buf_wipe(&compact);
    buf_wipe(&again);
}

static void any_base64(const char *text, size_t n)
{
    unsigned char *bytes = mem_alloc(base64_decoded_max(n));
    size_t size = 0;
    if (base64_decode(BASE64_URL, BASE64_CANONICAL, text, n, bytes, &size)) {
        struct buf again;
        buf_init(&again, 2 * n + 4);
        base64_encode(BASE64_URL, bytes, size, &again);
        check(again.len == n && (n == 0 || memcmp(again.data, text, n) == 0));
        buf_free(&again);
    }
    base64_decode(BASE64_STANDARD, BASE64_LENIENT, text, n, bytes, &size);
    free(bytes);
}

/* Any text as a key: it is refused, or seals what only it opens. */
static void any_key(const char *text)
{
    const char *texts[] = {text};
    struct fernet_keys one;
    struct buf token, out;
    size_t bad = 1, which = 1;
    buf_init(&token, 1024);
    buf_init(&out, 4);
    if (!fernet_keys_init(&one, texts, 1, &bad)) {
        check(bad == 0);
        return;
    }
    fernet_encrypt(&one, "plain", 5, 1000, NULL, &token);
    check(fernet_decrypt(&one, token.data, token.len, 1000, 60, &out, NULL) == FERNET_TOO_LONG &&
          out.len == 0);
    out.max = 64;
    out.overflow = false;
    check(fernet_decrypt(&one, token.data, token.len, 1061, 60, &out, NULL) == FERNET_EXPIRED);
    check(fernet_decrypt(&one, token.data, token.len, 1000, 60, &out, &which) == FERNET_OK && which == 0);
    /* Its first half signs. With the same half a token of another key may be opened to nonsense, once in 256 times. */
    bool signs = false;
    for (size_t i = 0; i < keys.count; i++)
        signs |= memcmp(one.keys[0], keys.keys[i], 16) == 0;
    check(signs || fernet_decrypt(&keys, token.data, token.len, 1000, 60, &out, NULL) == FERNET_NO_KEY);
    buf_free(&token);
    buf_free(&out);
    fernet_keys_wipe(&one);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    if (!keys.keys)
        setup();
    uint8_t what = fuzz_byte(&in);
    char *text = mem_dup(in.data, in.size);
    struct arena a;
    arena_init(&a, 64);
    switch (what % 6) {
    case 0:
        any_token(text, in.size);
        break;
    case 1:
        round_trip(text, in.size);
        break;
    case 2:
        changed_token(&in);
        break;
    case 3:
        seal_and_open(text, in.size);
        break;
    case 4:
        any_base64(text, in.size);
        break;
    default:
        any_key(arena_text(&a, text, in.size));
    }
    arena_free(&a);
    free(text);
    return 0;
}
