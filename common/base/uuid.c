/*
 * uuid - parse, print, compare and make UUIDs
 *
 * Pure but for uuid_random. Strict on purpose: producers send the canonical form, and a looser reader would
 * let one id have several spellings, which the ledger would take for several events.
 */
#include "common/base/uuid.h"

#include <string.h>
#include <sys/random.h>

#include "common/base/check.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool uuid_parse(struct uuid *out, const char *text)
{
    size_t byte = 0;
    for (size_t i = 0; i < 36;) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (text[i++] != '-')
                return false;
            continue;
        }
        int high = hex_value(text[i]);
        int low = high < 0 ? -1 : hex_value(text[i + 1]);
        if (low < 0)
            return false;
        out->bytes[byte++] = (unsigned char)(high * 16 + low);
        i += 2;
    }
    return text[36] == 0;
}

void uuid_format(const struct uuid *u, char out[UUID_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    char *p = out;
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = digits[u->bytes[i] >> 4];
        *p++ = digits[u->bytes[i] & 15];
    }
    *p = 0;
}

bool uuid_equal(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

void uuid_random(struct uuid *out)
{
    check(getrandom(out->bytes, sizeof out->bytes, 0) == (ssize_t)sizeof out->bytes);
    out->bytes[6] = (unsigned char)((out->bytes[6] & 0x0f) | 0x40);
    out->bytes[8] = (unsigned char)((out->bytes[8] & 0x3f) | 0x80);
}
