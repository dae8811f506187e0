/*
 * hash - the three hashes we use
 *
 * Pure. FNV-1a for tables; SHA-256 and HMAC by OpenSSL where somebody may want to collide on purpose or
 * another program must be able to check the result.
 */
#include "common/base/hash.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"

uint64_t hash_more(uint64_t h, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 0x100000001b3ULL;
    return h;
}

uint64_t hash_bytes(const void *bytes, size_t n)
{
    return hash_more(HASH_START, bytes, n);
}

uint64_t hash_text(const char *text)
{
    return hash_bytes(text, strlen(text));
}

void hash_sha256(const void *bytes, size_t n, unsigned char out[SHA256_SIZE])
{
    check(EVP_Digest(bytes, n, out, NULL, EVP_sha256(), NULL) == 1);
}

struct hash_sha256_pieces {
    EVP_MD_CTX *context;
};

struct hash_sha256_pieces *hash_sha256_begin(void)
{
    struct hash_sha256_pieces *h = mem_alloc(sizeof *h);
    h->context = EVP_MD_CTX_new();
    check(h->context != NULL && EVP_DigestInit_ex(h->context, EVP_sha256(), NULL) == 1);
    return h;
}

void hash_sha256_piece(struct hash_sha256_pieces *h, const void *bytes, size_t n)
{
    check(EVP_DigestUpdate(h->context, bytes, n) == 1);
}

void hash_sha256_end(struct hash_sha256_pieces *h, unsigned char out[SHA256_SIZE])
{
    check(!out || EVP_DigestFinal_ex(h->context, out, NULL) == 1);
    EVP_MD_CTX_free(h->context);
    free(h);
}

void hash_hmac_sha256(const void *key, size_t key_n, const void *bytes, size_t n,
                      unsigned char out[SHA256_SIZE])
{
    unsigned int size = SHA256_SIZE;
    check(HMAC(EVP_sha256(), key, (int)key_n, bytes, n, out, &size) != NULL);
}

void hash_hex(const unsigned char *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = 0;
}
