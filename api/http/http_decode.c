/*
 * http_decode - percent-encoding
 *
 * Pure. What does not come out as text that PostgreSQL can hold (UTF-8 without NUL) is refused here, so nobody behind has to
 * ask again.
 */
#include "api/http/http_decode.h"

#include "common/base/utf8.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

const char *http_decode(struct arena *arena, const char *text, size_t n, bool plus_is_space)
{
    size_t size = 0;
    char *out = arena_alloc(arena, n + 1);
    for (size_t i = 0; i < n; i++) {
        if (text[i] != '%') {
            out[size++] = plus_is_space && text[i] == '+' ? ' ' : text[i];
            continue;
        }
        int high = n - i > 2 ? hex_value(text[i + 1]) : -1;
        int low = n - i > 2 ? hex_value(text[i + 2]) : -1;
        if (high < 0 || low < 0)
            return NULL;
        out[size++] = (char)(high << 4 | low);
        i += 2;
    }
    out[size] = 0;
    return utf8_is_storable(out, size) ? out : NULL;
}
