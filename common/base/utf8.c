/*
 * utf8 - is it well-formed, and make it so
 *
 * Pure. Everything that arrived from outside goes through utf8_storable_copy before it is stored or
 * rendered, so the rest of the product never meets a NUL or a broken sequence inside a text.
 */
#include "common/base/utf8.h"

#include <stdint.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/check.h"

static bool is_continuation(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

size_t utf8_length_at(const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text;
    if (n == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xC2 || p[0] > 0xF4)
        return 0;
    if (n < 2 || !is_continuation(p[1]))
        return 0;
    if (p[0] < 0xE0)
        return 2;
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) || (p[0] == 0xF0 && p[1] < 0x90) ||
        (p[0] == 0xF4 && p[1] > 0x8F))
        return 0;
    if (n < 3 || !is_continuation(p[2]))
        return 0;
    if (p[0] < 0xF0)
        return 3;
    return n >= 4 && is_continuation(p[3]) ? 4 : 0;
}

/* Eight bytes of ASCII at TEXT, none of them a NUL. */
static bool is_plain_word(const char *text)
{
    const uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;
    uint64_t word;
    memcpy(&word, text, sizeof word);
    /* The subtraction borrows into the top bit of a byte that is zero, and tells nothing wrong when there is none. */
    return ((word | (word - ones)) & tops) == 0;
}

bool utf8_is_storable(const char *text, size_t n)
{
    for (size_t i = 0; i < n;) {
        if (n - i >= 8 && is_plain_word(text + i)) {
            i += 8;
            continue;
        }
        size_t length = utf8_length_at(text + i, n - i);
        if (length == 0 || text[i] == 0)
            return false;
        i += length;
    }
    return true;
}

char *utf8_storable_copy(struct arena *a, const char *text, size_t n, size_t max)
{
    check(max >= 4);
    if (n <= max && utf8_is_storable(text, n))
        return arena_text(a, text, n);
    char *out = arena_alloc(a, (n < max / 3 ? n * 3 : max) + 4);
    size_t len = 0, cut_at = 0; /* cut_at: the last place where an ellipsis still fits */
    for (size_t i = 0; i < n;) {
        size_t length = utf8_length_at(text + i, n - i);
        bool good = length > 0 && text[i] != 0;
        size_t add = good ? length : 3;
        if (len + add > max) {
            memcpy(out + cut_at, "\xE2\x80\xA6", 4);
            return out;
        }
        memcpy(out + len, good ? text + i : "\xEF\xBF\xBD", add);
        len += add;
        i += length ? length : 1;
        if (len + 3 <= max)
            cut_at = len;
    }
    out[len] = 0;
    return out;
}
