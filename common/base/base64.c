/*
 * base64 - both alphabets, strict by default
 *
 * Pure. A text is decoded or refused, never repaired: no white space, no foreign characters, no other
 * alphabet's characters. The canonical rule also refuses a second spelling of the same bytes, so that a
 * sealed text cannot be altered without notice. Owns nothing, copies nothing; callers wipe what was secret.
 */
#include "common/base/base64.h"

#include <stdint.h>

static const char digits[2][65] = {
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

size_t base64_decoded_max(size_t n)
{
    return n / 4 * 3 + 3;
}

void base64_encode(enum base64_alphabet alphabet, const void *bytes, size_t n, struct buf *out)
{
    const char *digit = digits[alphabet];
    const unsigned char *p = bytes;
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t bits = (uint32_t)p[i] << 16;
        if (left > 1)
            bits |= (uint32_t)p[i + 1] << 8;
        if (left > 2)
            bits |= p[i + 2];
        char four[4] = {digit[bits >> 18], digit[bits >> 12 & 63], left > 1 ? digit[bits >> 6 & 63] : '=',
                        left > 2 ? digit[bits & 63] : '='};
        buf_add(out, four, sizeof four);
    }
}

static int value_of(enum base64_alphabet alphabet, char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == digits[alphabet][62])
        return 62;
    return c == digits[alphabet][63] ? 63 : -1;
}

/* Characters before the padding; SIZE_MAX when the padding breaks the rule. */
static size_t without_padding(enum base64_rule rule, const char *text, size_t n)
{
    size_t pad = 0;
    while (pad < 2 && pad < n && text[n - 1 - pad] == '=')
        pad++;
    if (n % 4 == 0)
        return n - pad;
    return rule == BASE64_LENIENT && pad == 0 && n % 4 != 1 ? n : SIZE_MAX;
}

bool base64_decode(enum base64_alphabet alphabet, enum base64_rule rule, const char *text, size_t n,
                   unsigned char *out, size_t *out_n)
{
    size_t count = without_padding(rule, text, n);
    uint32_t bits = 0;
    size_t held = 0, size = 0;
    if (count == SIZE_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        int value = value_of(alphabet, text[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[size++] = (unsigned char)(bits >> held);
        }
    }
    if (rule == BASE64_CANONICAL && (bits & ((1u << held) - 1)) != 0)
        return false;
    *out_n = size;
    return true;
}
