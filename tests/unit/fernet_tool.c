/*
 * fernet_tool - Fernet and the sealing of settings for a test in another language
 *
 * Arguments: the keys. Reads lines "encrypt HEX", "decrypt TOKEN", "seal HEX", "open TOKEN" or "key TEXT" and
 * answers each with a line: the token, the plaintext or key in hexadecimal after "= ", or "! " and why not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/fernet.h"
#include "common/base/hash.h"
#include "common/model/settings_seal.h"

enum { LINE_MAX_BYTES = 1 << 20 };

static void from_hex(const char *hex, struct buf *out)
{
    unsigned byte;
    for (; sscanf(hex, "%2x", &byte) == 1; hex += 2)
        buf_add_char(out, (char)byte);
}

static void print_plain(const struct buf *plain)
{
    char *hex = malloc(2 * plain->len + 1);
    hash_hex((const unsigned char *)buf_text(plain), plain->len, hex);
    printf("= %s\n", hex);
    free(hex);
}

static bool run(const struct fernet_keys *keys, const char *verb, const char *value)
{
    struct buf in, out;
    const char *why = NULL;
    buf_init(&in, LINE_MAX_BYTES);
    buf_init(&out, LINE_MAX_BYTES);
    bool known = true, token = false;
    if (strcmp(verb, "encrypt") == 0 || strcmp(verb, "seal") == 0) {
        from_hex(value, &in);
        token = true;
        if (verb[0] == 'e')
            fernet_encrypt(keys, buf_text(&in), in.len, time(NULL), NULL, &out);
        else
            settings_seal(keys, buf_text(&in), in.len, time(NULL), &out, &why);
    } else if (strcmp(verb, "decrypt") == 0) {
        enum fernet_result r = fernet_decrypt(keys, value, strlen(value), 0, -1, &out, NULL);
        why = r == FERNET_OK ? NULL : fernet_result_name(r);
    } else if (strcmp(verb, "key") == 0) {
        unsigned char key[FERNET_KEY_BYTES];
        if (fernet_key_parse(value, key))
            buf_add(&out, key, sizeof key);
        else
            why = "not a key";
    } else if (strcmp(verb, "open") == 0) {
        settings_open(keys, (const unsigned char *)value, strlen(value), &out, &why);
    } else {
        known = false;
    }
    if (!known)
        fputs("unknown verb\n", stderr);
    else if (why)
        printf("! %s\n", why);
    else if (token)
        puts(buf_text(&out));
    else
        print_plain(&out);
    buf_wipe(&in);
    buf_wipe(&out);
    return known;
}

int main(int argc, char **argv)
{
    struct fernet_keys keys;
    size_t bad = 0, room = 0;
    char *line = NULL;
    bool good = true;
    if (!fernet_keys_init(&keys, (const char *const *)argv + 1, (size_t)argc - 1, &bad)) {
        fprintf(stderr, "key %zu is none\n", bad + 1);
        return 2;
    }
    while (good && getline(&line, &room, stdin) > 0) {
        line[strcspn(line, "\n")] = 0;
        char *value = strchr(line, ' ');
        if (value)
            *value++ = 0;
        good = run(&keys, line, value ? value : "");
    }
    free(line);
    fernet_keys_wipe(&keys);
    return good ? 0 : 1;
}
