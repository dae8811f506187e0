/*
 * token - the tokens of the API: made, recognized, compared
 *
 * Pure but for the random source. A token holds as much chance as its hash, so the hash needs neither salt nor cost; and since
 * hashes are compared, in constant time, the time of an answer tells nothing about a token that is there.
 */
#include "api/service/token.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "common/base/base64.h"
#include "common/base/check.h"

#define PREFIX "pnt_"
enum { ID_BYTES = 8, SECRET_BYTES = 32, SECRET_TEXT = 43 };

static void hash_text_hex(const char *text, char out[SHA256_HEX])
{
    unsigned char hash[SHA256_SIZE];
    hash_sha256(text, strlen(text), hash);
    hash_hex(hash, sizeof hash, out);
}

void token_make(struct token *out)
{
    unsigned char random[ID_BYTES + SECRET_BYTES];
    struct buf secret;
    check(getrandom(random, sizeof random, 0) == (ssize_t)sizeof random);
    hash_hex(random, ID_BYTES, out->id);
    buf_init(&secret, 2 * SECRET_TEXT);
    buf_reserve(&secret, SECRET_TEXT + 1); /* so that it never moves */
    base64_encode(BASE64_URL, random + ID_BYTES, SECRET_BYTES, &secret);
    snprintf(out->text, sizeof out->text, PREFIX "%s_%.*s", out->id, SECRET_TEXT, buf_text(&secret));
    hash_text_hex(out->text, out->hash);
    buf_wipe(&secret);
    explicit_bzero(random, sizeof random);
}

bool token_parse(const char *text, char id[TOKEN_ID])
{
    static const char hex[] = "0123456789abcdef";
    static const char url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    if (strlen(text) != TOKEN_TEXT - 1 || strncmp(text, PREFIX, strlen(PREFIX)) != 0)
        return false;
    text += strlen(PREFIX);
    if (strspn(text, hex) != TOKEN_ID - 1 || text[TOKEN_ID - 1] != '_' ||
        strspn(text + TOKEN_ID, url) != SECRET_TEXT)
        return false;
    memcpy(id, text, TOKEN_ID - 1);
    id[TOKEN_ID - 1] = '\0';
    return true;
}

bool token_matches(const char *text, const char *hash)
{
    char mine[SHA256_HEX];
    hash_text_hex(text, mine);
    return strlen(hash) == SHA256_HEX - 1 && CRYPTO_memcmp(mine, hash, SHA256_HEX - 1) == 0;
}
