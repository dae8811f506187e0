/*
 * buf - a byte buffer with a maximum, and JSON output on it
 *
 * Owns its bytes. Invariant: len <= cap <= max + 1; after an overflow nothing more is taken, so a reader
 * never sees a text with a hole in it. Knows nothing of what is written, except JSON's quoting.
 */
#include "common/base/buf.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/utf8.h"

void buf_init(struct buf *b, size_t max)
{
    memset(b, 0, sizeof *b);
    b->max = max;
}

void buf_free(struct buf *b)
{
    free(b->data);
    buf_init(b, b->max);
}

void buf_wipe(struct buf *b)
{
    if (b->data)
        explicit_bzero(b->data, b->cap);
    buf_free(b);
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->overflow = false;
    if (b->data)
        b->data[0] = 0;
}

static bool reserve(struct buf *b, size_t n)
{
    if (b->overflow || n > b->max - b->len) {
        b->overflow = true;
        return false;
    }
    size_t need = b->len + n + 1;
    if (need <= b->cap)
        return true;
    size_t cap = b->cap ? b->cap : 64;
    while (cap < need)
        cap *= 2;
    if (cap > b->max + 1)
        cap = b->max + 1;
    b->data = mem_realloc(b->data, cap);
    b->cap = cap;
    return true;
}

void buf_add(struct buf *b, const void *bytes, size_t n)
{
    if (!reserve(b, n))
        return;
    if (n)
        memcpy(b->data + b->len, bytes, n);
    b->len += n;
    b->data[b->len] = 0;
}

void buf_add_text(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_add_char(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_add_int(struct buf *b, int64_t value)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%" PRId64, value);
    buf_add(b, text, (size_t)n);
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    check(n >= 0);
    if (reserve(b, (size_t)n)) {
        vsnprintf(b->data + b->len, (size_t)n + 1, format, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

const char *buf_text(const struct buf *b)
{
    return b->data ? b->data : "";
}

static bool needs_no_escape(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void add_escaped(struct buf *b, unsigned char c)
{
    switch (c) {
    case '"':
        buf_add(b, "\\\"", 2);
        break;
    case '\\':
        buf_add(b, "\\\\", 2);
        break;
    case '\n':
        buf_add(b, "\\n", 2);
        break;
    case '\r':
        buf_add(b, "\\r", 2);
        break;
    case '\t':
        buf_add(b, "\\t", 2);
        break;
    default: {
        char text[8];
        int n = snprintf(text, sizeof text, "\\u%04x", c);
        buf_add(b, text, (size_t)n);
    }
    }
}

void buf_json_bytes(struct buf *b, const char *bytes, size_t n)
{
    buf_add_char(b, '"');
    size_t i = 0;
    while (i < n) {
        size_t run = i;
        while (run < n && needs_no_escape((unsigned char)bytes[run]))
            run++;
        if (run > i)
            buf_add(b, bytes + i, run - i);
        i = run;
        if (i >= n)
            break;
        unsigned char c = (unsigned char)bytes[i];
        if (c < 0x80) {
            add_escaped(b, c);
            i++;
            continue;
        }
        size_t length = utf8_length_at(bytes + i, n - i);
        if (length)
            buf_add(b, bytes + i, length);
        else
            buf_add(b, "\xEF\xBF\xBD", 3);
        i += length ? length : 1;
    }
    buf_add_char(b, '"');
}

void buf_json_text(struct buf *b, const char *text)
{
    if (text)
        buf_json_bytes(b, text, strlen(text));
    else
        buf_add(b, "null", 4);
}

void buf_json_number(struct buf *b, double value)
{
    if (!isfinite(value)) {
        buf_add(b, "null", 4);
        return;
    }
    char text[40];
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    buf_add_text(b, text);
}

void buf_json_key(struct buf *b, const char *key)
{
    if (b->len && b->data[b->len - 1] != '{')
        buf_add_char(b, ',');
    buf_json_bytes(b, key, strlen(key));
    buf_add_char(b, ':');
}

void buf_json_member(struct buf *b, const char *key, const char *text)
{
    buf_json_key(b, key);
    buf_json_text(b, text);
}

void buf_json_bool(struct buf *b, const char *key, bool value)
{
    buf_json_key(b, key);
    buf_add_text(b, value ? "true" : "false");
}

void buf_json_open_list(struct buf *b, const char *key)
{
    buf_json_key(b, key);
    buf_add_char(b, '[');
}

void buf_json_open_item(struct buf *b)
{
    if (b->len && b->data[b->len - 1] != '[')
        buf_add_char(b, ',');
    buf_add_char(b, '{');
}
