/*
 * hash - the three hashes we use
 *
 * A quick one for tables; SHA-256 by OpenSSL where somebody may want to collide on purpose or another program must be
 * able to check the result, and HMAC over it (RFC 2104). Pure but for OpenSSL's objects: its one-call functions look
 * the algorithm up and allocate each time, which took longer than to hash a kilobyte. So it is looked up once, and
 * one context does all that is hashed in one go. Not for threads.
 */
#include "common/base/hash.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"

enum { SHA256_BLOCK = 64 };

/* As FNV-1a, with eight bytes a step: byte by byte, the 600 of a message took longer than to find it its places. */
static uint64_t hash_word(uint64_t h, uint64_t word)
{
    h = (h ^ word) * 0x9e3779b97f4a7c15ULL;
    return h ^ h >> 32; /* the product's upper half depends on all of the word, its lower bits on few */
}

uint64_t hash_more(uint64_t h, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    uint64_t word, rest = 0;
    size_t left = n;
    for (; left >= sizeof word; left -= sizeof word, p += sizeof word) {
        memcpy(&word, p, sizeof word);
        h = hash_word(h, word);
    }
    if (left)
        memcpy(&rest, p, left);
    return hash_word(h ^ n, rest);
}

uint64_t hash_bytes(const void *bytes, size_t n)
{
    return hash_more(HASH_START, bytes, n);
}

uint64_t hash_text(const char *text)
{
    return hash_bytes(text, strlen(text));
}

static const EVP_MD *sha256(void)
{
    static EVP_MD *found;
    if (!found)
        found = EVP_MD_fetch(NULL, "SHA256", NULL);
    mem_check(found != NULL);
    return found;
}

static EVP_MD_CTX *new_context(void)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    mem_check(context != NULL);
    return context;
}

static EVP_MD_CTX *begin(void)
{
    static EVP_MD_CTX *context;
    if (!context)
        context = new_context();
    check(EVP_DigestInit_ex2(context, sha256(), NULL) == 1);
    return context;
}

static void add(EVP_MD_CTX *context, const void *bytes, size_t n)
{
    check(EVP_DigestUpdate(context, bytes, n) == 1);
}

static void end(EVP_MD_CTX *context, unsigned char out[SHA256_SIZE])
{
    check(EVP_DigestFinal_ex(context, out, NULL) == 1);
}

static void add_parts(EVP_MD_CTX *context, const struct hash_part *parts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add(context, parts[i].bytes, parts[i].n);
}

void hash_sha256_parts(const struct hash_part *parts, size_t count, unsigned char out[SHA256_SIZE])
{
    EVP_MD_CTX *context = begin();
    add_parts(context, parts, count);
    end(context, out);
}

void hash_sha256(const void *bytes, size_t n, unsigned char out[SHA256_SIZE])
{
    hash_sha256_parts(&(struct hash_part){bytes, n}, 1, out);
}

struct hash_sha256_pieces {
    EVP_MD_CTX *context;
};

struct hash_sha256_pieces *hash_sha256_begin(void)
{
    struct hash_sha256_pieces *h = mem_alloc(sizeof *h);
    h->context = new_context();
    check(EVP_DigestInit_ex2(h->context, sha256(), NULL) == 1);
    return h;
}

void hash_sha256_piece(struct hash_sha256_pieces *h, const void *bytes, size_t n)
{
    add(h->context, bytes, n);
}

void hash_sha256_end(struct hash_sha256_pieces *h, unsigned char out[SHA256_SIZE])
{
    if (out)
        end(h->context, out);
    EVP_MD_CTX_free(h->context);
    free(h);
}

static EVP_MD_CTX *begin_with_key(const unsigned char key[SHA256_BLOCK], unsigned char mask)
{
    unsigned char masked[SHA256_BLOCK];
    for (size_t i = 0; i < SHA256_BLOCK; i++)
        masked[i] = key[i] ^ mask;
    EVP_MD_CTX *context = begin();
    add(context, masked, sizeof masked);
    explicit_bzero(masked, sizeof masked);
    return context;
}

void hash_hmac_sha256_parts(const void *key, size_t key_n, const struct hash_part *parts, size_t count,
                            unsigned char out[SHA256_SIZE])
{
    unsigned char block[SHA256_BLOCK] = {0}, inner[SHA256_SIZE];
    if (key_n > sizeof block)
        hash_sha256(key, key_n, block);
    else if (key_n)
        memcpy(block, key, key_n);
    EVP_MD_CTX *context = begin_with_key(block, 0x36);
    add_parts(context, parts, count);
    end(context, inner);
    context = begin_with_key(block, 0x5c);
    add(context, inner, sizeof inner);
    end(context, out);
    explicit_bzero(block, sizeof block);
}

void hash_hmac_sha256(const void *key, size_t key_n, const void *bytes, size_t n,
                      unsigned char out[SHA256_SIZE])
{
    hash_hmac_sha256_parts(key, key_n, &(struct hash_part){bytes, n}, 1, out);
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
