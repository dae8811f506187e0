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

/* Room that is there already, which is nearly always. */
static inline bool has_room(const struct buf *b, size_t n)
{
    return n < b->cap - b->len && !b->overflow;
}

static inline void put(struct buf *b, const void *bytes, size_t n)
{
    memcpy(b->data + b->len, bytes, n);
    b->len += n;
    b->data[b->len] = 0;
}

static inline void put_char(struct buf *b, char c)
{
    b->data[b->len++] = c;
    b->data[b->len] = 0;
}

void buf_reserve(struct buf *b, size_t n)
{
    size_t room = b->max - b->len;
    if (!has_room(b, n) && !b->overflow)
        reserve(b, n < room ? n : room);
}

void buf_add(struct buf *b, const void *bytes, size_t n)
{
    if (!has_room(b, n) && !reserve(b, n))
        return;
    if (n)
        put(b, bytes, n);
    else
        b->data[b->len] = 0;
}

void buf_add_text(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_add_char(struct buf *b, char c)
{
    if (has_room(b, 1) || reserve(b, 1))
        put_char(b, c);
}

void buf_add_int(struct buf *b, int64_t value)
{
    char text[24], *at = text + sizeof text;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do
        *--at = (char)('0' + left % 10);
    while (left /= 10);
    if (value < 0)
        *--at = '-';
    buf_add(b, at, (size_t)(text + sizeof text - at));
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

#define EACH_BYTE(value) ((value)*UINT64_C(0x0101010101010101))

/* The top bit of each byte that is less than LEAST; it may be wrong in bytes behind one where it is right. */
static uint64_t bytes_below(uint64_t word, unsigned least)
{
    return (word - EACH_BYTE(least)) & ~word & EACH_BYTE(0x80);
}

/* Eight bytes that stand for themselves in a JSON string. */
static bool is_plain_word(const char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return ((word & EACH_BYTE(0x80)) | bytes_below(word, 0x20) | bytes_below(word ^ EACH_BYTE('"'), 1) |
            bytes_below(word ^ EACH_BYTE('\\'), 1) | bytes_below(word ^ EACH_BYTE(0x7f), 1)) == 0;
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* How many bytes stand for themselves: ASCII's printable ones but for the quote and the backslash. */
static size_t plain_run(const char *bytes, size_t n)
{
    size_t i = 0;
    while (n - i >= sizeof(uint64_t) && is_plain_word(bytes + i))
        i += sizeof(uint64_t);
    if (i > 0 && n - i < sizeof(uint64_t) && is_plain_word(bytes + n - sizeof(uint64_t)))
        return n; /* the last word overlaps the one before */
    while (i < n && is_plain((unsigned char)bytes[i]))
        i++;
    return i;
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

/* One that needs an escape, or a sequence of UTF-8; a byte that is neither becomes U+FFFD. Returns its length. */
static size_t add_special(struct buf *b, const char *bytes, size_t n)
{
    unsigned char c = (unsigned char)*bytes;
    if (c < 0x80) {
        add_escaped(b, c);
        return 1;
    }
    size_t length = utf8_length_at(bytes, n);
    if (length)
        buf_add(b, bytes, length);
    else
        buf_add(b, "\xEF\xBF\xBD", 3);
    return length ? length : 1;
}

/* A string that needs no escapes and has its room, as most do: BEFORE and AFTER stand around it, unless they are 0. */
static bool put_plain_string(struct buf *b, char before, const char *bytes, size_t n, char after)
{
    if (!has_room(b, n + 4) || plain_run(bytes, n) < n)
        return false;
    char *at = b->data + b->len;
    if (before)
        *at++ = before;
    *at++ = '"';
    memcpy(at, bytes, n);
    at += n;
    *at++ = '"';
    if (after)
        *at++ = after;
    *at = 0;
    b->len = (size_t)(at - b->data);
    return true;
}

static void add_string(struct buf *b, const char *bytes, size_t n)
{
    buf_add_char(b, '"');
    for (size_t i = 0; i < n;) {
        size_t run = plain_run(bytes + i, n - i);
        if (run)
            buf_add(b, bytes + i, run);
        i += run;
        if (i < n)
            i += add_special(b, bytes + i, n - i);
    }
    buf_add_char(b, '"');
}

void buf_json_bytes(struct buf *b, const char *bytes, size_t n)
{
    if (!put_plain_string(b, 0, bytes, n, 0))
        add_string(b, bytes, n);
}

void buf_json_text(struct buf *b, const char *text)
{
    if (text)
        buf_json_bytes(b, text, strlen(text));
    else
        buf_add(b, "null", 4);
}

/* A number of up to six digits, three of them decimals, as %g writes it; false when it is none. */
static bool add_short_number(struct buf *b, double value)
{
    if (!(value > 0 && value < 1000))
        return false;
    unsigned thousandths = (unsigned)(value * 1000 + 0.5);
    /* The quotient is the number that is nearest to the decimal, so the decimal reads back as it. */
    if ((double)thousandths / 1000 != value)
        return false;
    unsigned decimals = thousandths % 1000;
    char text[5] = {'.', (char)('0' + decimals / 100), (char)('0' + decimals / 10 % 10),
                    (char)('0' + decimals % 10), 0};
    size_t n = 4;
    while (n > 1 && text[n - 1] == '0')
        n--;
    buf_add_int(b, thousandths / 1000);
    if (n > 1)
        buf_add(b, text, n);
    return true;
}

void buf_json_number(struct buf *b, double value)
{
    if (!isfinite(value)) {
        buf_add(b, "null", 4);
        return;
    }
    if (add_short_number(b, value))
        return;
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
    char before = b->len && b->data[b->len - 1] != '{' ? ',' : 0;
    size_t n = strlen(key);
    if (put_plain_string(b, before, key, n, ':'))
        return;
    if (before)
        buf_add_char(b, before);
    add_string(b, key, n);
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

void buf_json_open_object(struct buf *b, const char *key)
{
    buf_json_key(b, key);
    buf_add_char(b, '{');
}

void buf_json_open_item(struct buf *b)
{
    if (b->len && b->data[b->len - 1] != '[')
        buf_add_char(b, ',');
    buf_add_char(b, '{');
}
