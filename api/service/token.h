#ifndef NOTIFY_SERVICE_TOKEN_H
#define NOTIFY_SERVICE_TOKEN_H

#include <stdbool.h>

#include "common/base/hash.h"

/*
 * A token of the API: pnt_<16 hexadecimal digits, its id>_<43 characters of base64url, 256 random bits>. The database has
 * the id and the SHA-256 of the whole (API_TOKEN_FIND).
 */
enum { TOKEN_ID = 17, TOKEN_TEXT = 65, TOKEN_NAME_MAX = 100 }; /* with the NUL; characters of a name */

struct token {
    char id[TOKEN_ID];
    char text[TOKEN_TEXT];
    char hash[SHA256_HEX];
};

/* Make one from the operating system's random source. Wipe it after use. */
void token_make(struct token *out);
/* Whether TEXT has a token's form, and its id. Says nothing of whether there is such a token. */
bool token_parse(const char *text, char id[TOKEN_ID]);
/* Whether TEXT is the token with this HASH (hexadecimal); takes the same time whatever differs. */
bool token_matches(const char *text, const char *hash);

#endif
