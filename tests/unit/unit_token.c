/*
 * unit_token - tokens of the API: their form, their hash, and what is taken for one
 */
#include <stdio.h>
#include <string.h>

#include "api/service/token.h"
#include "tests/unit/unit.h"

static void a_token_has_its_id_in_it_and_matches_its_hash(void)
{
    struct token token;
    char id[TOKEN_ID];
    token_make(&token);
    EXPECT_INT(strlen(token.text), TOKEN_TEXT - 1);
    EXPECT(token_parse(token.text, id));
    EXPECT_TEXT(id, token.id);
    EXPECT(strncmp(token.text, "pnt_", 4) == 0 && strncmp(token.text + 4, token.id, 16) == 0);
    EXPECT_INT(strlen(token.hash), 64);
    EXPECT(token_matches(token.text, token.hash));
}

static void two_tokens_have_nothing_in_common(void)
{
    struct token one, two;
    token_make(&one);
    token_make(&two);
    EXPECT(strcmp(one.id, two.id) != 0 && strcmp(one.text + 21, two.text + 21) != 0);
    EXPECT(!token_matches(one.text, two.hash) && !token_matches(two.text, one.hash));
}

static void the_hash_is_the_sha_256_of_the_whole_text(void)
{
    static const char text[] = "pnt_0123456789abcdef_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    unsigned char hash[SHA256_SIZE];
    char hex[SHA256_HEX];
    hash_sha256(text, strlen(text), hash);
    hash_hex(hash, sizeof hash, hex);
    EXPECT(token_matches(text, hex));
    for (size_t i = 0; i < strlen(hex); i++) {
        hex[i] ^= 1;
        EXPECT(!token_matches(text, hex));
        hex[i] ^= 1;
    }
    hex[63] = '\0';
    EXPECT(!token_matches(text, hex));
    EXPECT(!token_matches(text, ""));
}

static void what_has_another_form_is_no_token(void)
{
    static const char good[] = "pnt_0123456789abcdef_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNO-_";
    char id[TOKEN_ID], text[TOKEN_TEXT + 2];
    EXPECT_INT(strlen(good), TOKEN_TEXT - 1);
    EXPECT(token_parse(good, id));
    EXPECT_TEXT(id, "0123456789abcdef");
    for (size_t i = 0; i < strlen(good); i++) {
        snprintf(text, sizeof text, "%s", good);
        text[i] = '.';
        EXPECT(!token_parse(text, id));
        text[i] = '\0';
        EXPECT(!token_parse(text, id));
    }
    snprintf(text, sizeof text, "%sA", good);
    EXPECT(!token_parse(text, id));
    snprintf(text, sizeof text, "%s", good);
    text[4] = 'A'; /* upper case, which is not ours */
    EXPECT(!token_parse(text, id));
}

UNIT_MAIN(UNIT_CASE(a_token_has_its_id_in_it_and_matches_its_hash),
          UNIT_CASE(two_tokens_have_nothing_in_common), UNIT_CASE(the_hash_is_the_sha_256_of_the_whole_text),
          UNIT_CASE(what_has_another_form_is_no_token))
