/*
 * fernet - sealed texts, compatible with Python's cryptography.fernet
 *
 * Token: base64url( 0x80 | time, 8 bytes big-endian | IV, 16 | ciphertext, 16·n | HMAC-SHA256, 32 ). A key is
 * 16 bytes for the HMAC, then 16 for AES-128-CBC with PKCS#7 padding. The MAC is compared in constant time,
 * and nothing is decrypted before it has fitted, so a padding error cannot be used as an oracle.
 *
 * Owns nothing that outlives a call except the keys of a fernet_keys. Every temporary that held a plaintext
 * or a key is overwritten before it is freed. Callers show people one text for all failures of a token; the
 * results differ for tests and for the operator's log.
 */
#include "common/base/fernet.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/base64.h"
#include "common/base/check.h"
#include "common/base/hash.h"

enum {
    VERSION = 0x80,
    HALF_KEY = 16,
    BLOCK = 16,
    HEAD = 1 + 8 + BLOCK,
    SMALLEST = HEAD + BLOCK + SHA256_SIZE,
    KEY_TEXT = 44, /* 32 bytes in base64, with one '=' */
    SKEW_S = 60,   /* tolerated into the future, as in pyca's _MAX_CLOCK_SKEW */
};

bool fernet_key_parse(const char *text, unsigned char out[FERNET_KEY_BYTES])
{
    char url_safe[KEY_TEXT];
    unsigned char bytes[64];
    size_t n = 0;
    if (strlen(text) != KEY_TEXT || text[KEY_TEXT - 1] != '=')
        return false;
    for (size_t i = 0; i < KEY_TEXT; i++)
        url_safe[i] = (char)(text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i]);
    bool good =
        base64_decode(BASE64_URL, BASE64_LENIENT, url_safe, KEY_TEXT, bytes, &n) && n == FERNET_KEY_BYTES;
    if (good)
        memcpy(out, bytes, FERNET_KEY_BYTES);
    explicit_bzero(url_safe, sizeof url_safe);
    explicit_bzero(bytes, sizeof bytes);
    return good;
}

bool fernet_keys_init(struct fernet_keys *keys, const char *const *texts, size_t count, size_t *bad)
{
    check(count < 1u << 16);
    keys->keys = mem_zalloc(count * sizeof *keys->keys);
    keys->count = count;
    for (size_t i = 0; i < count; i++)
        if (!fernet_key_parse(texts[i], keys->keys[i])) {
            *bad = i;
            fernet_keys_wipe(keys);
            return false;
        }
    return true;
}

void fernet_keys_wipe(struct fernet_keys *keys)
{
    if (keys->keys)
        explicit_bzero(keys->keys, keys->count * sizeof *keys->keys);
    free(keys->keys);
    keys->keys = NULL;
    keys->count = 0;
}

/* Run AES over N bytes; OUT has room for N + BLOCK. False only for wrong padding on decryption. */
static bool run_cipher(const unsigned char *key, const unsigned char *iv, bool encrypt, const void *in,
                       size_t n, unsigned char *out, size_t *out_n)
{
    int some = 0, rest = 0;
    check(n < 1u << 30);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    mem_check(ctx != NULL);
    check(EVP_CipherInit_ex(ctx, EVP_aes_128_cbc(), NULL, key, iv, encrypt) == 1);
    check(EVP_CipherUpdate(ctx, out, &some, in, (int)n) == 1);
    bool good = EVP_CipherFinal_ex(ctx, out + some, &rest) == 1;
    EVP_CIPHER_CTX_free(ctx); /* clears its key schedule */
    *out_n = (size_t)some + (size_t)rest;
    return good;
}

static uint64_t time_of(const unsigned char *token)
{
    uint64_t t = 0;
    for (int i = 1; i <= 8; i++)
        t = t << 8 | token[i];
    return t;
}

static bool too_old_or_too_new(uint64_t made, int64_t now_s, int64_t ttl_s)
{
    if (ttl_s < 0)
        return false;
    uint64_t now = now_s > 0 ? (uint64_t)now_s : 0;
    if (made > now)
        return made - now > SKEW_S;
    return now - made > (uint64_t)ttl_s;
}

/* The first key under which the N raw bytes are authentic; keys->count when there is none. */
static size_t fitting_key(const struct fernet_keys *keys, const unsigned char *raw, size_t n)
{
    unsigned char mac[SHA256_SIZE];
    for (size_t i = 0; i < keys->count; i++) {
        hash_hmac_sha256(keys->keys[i], HALF_KEY, raw, n - SHA256_SIZE, mac);
        if (CRYPTO_memcmp(mac, raw + n - SHA256_SIZE, SHA256_SIZE) == 0)
            return i;
    }
    return keys->count;
}

static enum fernet_result open_raw(const struct fernet_keys *keys, const unsigned char *raw, size_t n,
                                   int64_t now_s, int64_t ttl_s, struct buf *out, size_t *key_index)
{
    if (n < SMALLEST || (n - HEAD - SHA256_SIZE) % BLOCK != 0 || raw[0] != VERSION)
        return FERNET_MALFORMED;
    size_t key = fitting_key(keys, raw, n);
    if (key == keys->count)
        return FERNET_NO_KEY;
    if (too_old_or_too_new(time_of(raw), now_s, ttl_s))
        return FERNET_EXPIRED;
    size_t size = n - HEAD - SHA256_SIZE, plain_n = 0;
    unsigned char *plain = mem_alloc(size + BLOCK);
    enum fernet_result result = FERNET_OK;
    if (!run_cipher(keys->keys[key] + HALF_KEY, raw + 9, false, raw + HEAD, size, plain, &plain_n))
        result = FERNET_MALFORMED;
    else if (out->overflow || plain_n > out->max - out->len)
        result = FERNET_TOO_LONG;
    else
        buf_add(out, plain, plain_n);
    explicit_bzero(plain, size + BLOCK);
    free(plain);
    if (result == FERNET_OK && key_index)
        *key_index = key;
    return result;
}

enum fernet_result fernet_decrypt(const struct fernet_keys *keys, const char *token, size_t n, int64_t now_s,
                                  int64_t ttl_s, struct buf *out, size_t *key_index)
{
    size_t raw_n = 0;
    if (n > 1u << 30)
        return FERNET_TOO_LONG;
    unsigned char *raw = mem_alloc(base64_decoded_max(n));
    enum fernet_result result = FERNET_MALFORMED;
    if (base64_decode(BASE64_URL, BASE64_CANONICAL, token, n, raw, &raw_n))
        result = open_raw(keys, raw, raw_n, now_s, ttl_s, out, key_index);
    free(raw);
    return result;
}

void fernet_encrypt(const struct fernet_keys *keys, const void *plain, size_t n, int64_t now_s,
                    const unsigned char *iv, struct buf *out)
{
    check(keys->count > 0 && now_s >= 0);
    size_t size = 0;
    unsigned char *raw = mem_alloc(HEAD + n + 2 * BLOCK + SHA256_SIZE);
    raw[0] = VERSION;
    for (int i = 0; i < 8; i++)
        raw[1 + i] = (unsigned char)((uint64_t)now_s >> (56 - 8 * i));
    if (iv)
        memcpy(raw + 9, iv, BLOCK);
    else
        check(RAND_bytes(raw + 9, BLOCK) == 1);
    check(run_cipher(keys->keys[0] + HALF_KEY, raw + 9, true, plain, n, raw + HEAD, &size));
    hash_hmac_sha256(keys->keys[0], HALF_KEY, raw, HEAD + size, raw + HEAD + size);
    base64_encode(BASE64_URL, raw, HEAD + size + SHA256_SIZE, out);
    free(raw);
}

const char *fernet_result_name(enum fernet_result result)
{
    static const char *const names[] = {"ok", "malformed", "no_key", "expired", "too_long"};
    return names[result];
}
