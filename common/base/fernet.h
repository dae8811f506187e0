#ifndef NOTIFY_BASE_FERNET_H
#define NOTIFY_BASE_FERNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

/*
 * Fernet tokens (github.com/fernet/spec): AES-128-CBC and HMAC-SHA256 over version, time, IV and ciphertext,
 * in URL-safe base64 with padding. Several keys: decrypt tries each, encrypt uses the first.
 */
enum { FERNET_KEY_BYTES = 32 };

struct fernet_keys {
    unsigned char (*keys)[FERNET_KEY_BYTES];
    size_t count;
};

enum fernet_result {
    FERNET_OK,
    FERNET_MALFORMED, /* not base64, too short, wrong version, wrong length or padding */
    FERNET_NO_KEY,    /* well-formed, but authentic under none of the keys */
    FERNET_EXPIRED,   /* older than the ttl, or from more than 60 s in the future when a ttl is asked for */
    FERNET_TOO_LONG,  /* the plaintext does not fit into OUT's maximum */
};

/*
 * Parse one key: 32 bytes in base64 with padding, nothing around it. Both alphabets and any unused bits, because
 * deployments hold keys that Python's Fernet(key) took: it reads them with base64.urlsafe_b64decode.
 */
bool fernet_key_parse(const char *text, unsigned char out[FERNET_KEY_BYTES]);
/* Make the keys from texts; false with the index of the bad one in *BAD. Free with fernet_keys_wipe. */
bool fernet_keys_init(struct fernet_keys *keys, const char *const *texts, size_t count, size_t *bad);
void fernet_keys_wipe(struct fernet_keys *keys);

/*
 * Decrypt TOKEN (N bytes). TTL_S < 0: any age, as for stored settings. NOW_S: Unix time, used only with a
 * ttl. Strict: the canonical encoding only. MAC comparison in constant time. The plaintext is appended to
 * OUT; on any error OUT is unchanged. *KEY_INDEX (may be NULL) tells which key fitted.
 */
enum fernet_result fernet_decrypt(const struct fernet_keys *keys, const char *token, size_t n, int64_t now_s,
                                  int64_t ttl_s, struct buf *out, size_t *key_index);
/* Append the token for N plaintext bytes to OUT. IV: 16 bytes, or NULL for random ones. */
void fernet_encrypt(const struct fernet_keys *keys, const void *plain, size_t n, int64_t now_s,
                    const unsigned char *iv, struct buf *out);

const char *fernet_result_name(enum fernet_result result);

#endif
