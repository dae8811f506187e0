#ifndef NOTIFY_BASE_HASH_H
#define NOTIFY_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_SIZE = 32, SHA256_HEX = 65 };

/* 64 bits: for tables and hints inside one deployment, never for anything that must not collide on purpose. */
uint64_t hash_bytes(const void *bytes, size_t n);
uint64_t hash_text(const char *text);
/* Continue a hash with more bytes; start with HASH_START. */
#define HASH_START 0xcbf29ce484222325ULL
uint64_t hash_more(uint64_t h, const void *bytes, size_t n);

/* Bytes that are hashed one behind the other. */
struct hash_part {
    const void *bytes;
    size_t n;
};

void hash_sha256(const void *bytes, size_t n, unsigned char out[SHA256_SIZE]);
void hash_sha256_parts(const struct hash_part *parts, size_t count, unsigned char out[SHA256_SIZE]);
/* The same in pieces. `_begin` allocates, `_end` frees; OUT may be NULL to give up. */
struct hash_sha256_pieces *hash_sha256_begin(void);
void hash_sha256_piece(struct hash_sha256_pieces *h, const void *bytes, size_t n);
void hash_sha256_end(struct hash_sha256_pieces *h, unsigned char out[SHA256_SIZE]);
void hash_hmac_sha256(const void *key, size_t key_n, const void *bytes, size_t n,
                      unsigned char out[SHA256_SIZE]);
void hash_hmac_sha256_parts(const void *key, size_t key_n, const struct hash_part *parts, size_t count,
                            unsigned char out[SHA256_SIZE]);
/* Lower-case hexadecimal of N bytes; OUT has room for 2*N + 1. */
void hash_hex(const unsigned char *bytes, size_t n, char *out);

#endif
