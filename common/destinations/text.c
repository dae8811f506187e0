/*
 * text - untrusted text, cleaned, cut and escaped for a message
 *
 * Pure. One pass over code points each, so nothing is ever cut inside a UTF-8 sequence or an entity, and a
 * length is kept after escaping, not before it. Which text goes where, and with which limit, is the
 * destination's to say, and a destination with an escape of its own hands it in.
 */
#include "common/destinations/text.h"

#include <stdint.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/utf8.h"

#define ELLIPSIS    "\xE2\x80\xA6"
#define REPLACEMENT "\xEF\xBF\xBD"

/* One character of a text: its bytes as they are to be written, and its number. */
struct character {
    const char *bytes;
    size_t size;
    uint32_t code;
};

struct reader {
    const char *at;
    const char *end;
};

static struct reader reader_of(const char *text)
{
    const char *start = text ? text : "";
    return (struct reader){start, start + strlen(start)};
}

static uint32_t code_of(const char *bytes, size_t size)
{
    static const unsigned char first_bits[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t code = (unsigned char)bytes[0] & first_bits[size];
    for (size_t i = 1; i < size; i++)
        code = code << 6 | ((unsigned char)bytes[i] & 0x3F);
    return code;
}

static bool next(struct reader *r, struct character *c)
{
    if (r->at == r->end)
        return false;
    size_t size = utf8_length_at(r->at, (size_t)(r->end - r->at));
    *c = size ? (struct character){r->at, size, code_of(r->at, size)}
              : (struct character){REPLACEMENT, 3, 0xFFFD};
    r->at += size ? size : 1;
    return true;
}

/* Unicode 15: default ignorable code points and the marks of direction, except the variation selectors. */
static bool is_invisible(uint32_t code)
{
    static const uint32_t ranges[][2] = {
        {0x00AD, 0x00AD}, {0x034F, 0x034F}, {0x061C, 0x061C}, {0x115F, 0x1160},   {0x17B4, 0x17B5},
        {0x180B, 0x180F}, {0x200B, 0x200F}, {0x202A, 0x202E}, {0x2060, 0x206F},   {0x3164, 0x3164},
        {0xFEFF, 0xFEFF}, {0xFFA0, 0xFFA0}, {0xFFF9, 0xFFFB}, {0xE0000, 0xE0FFF},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (code >= ranges[i][0] && code <= ranges[i][1])
            return true;
    return false;
}

static bool is_line_end(uint32_t code)
{
    return code == '\n' || code == '\v' || code == '\f' || code == '\r' || code == 0x85 || code == 0x2028 ||
           code == 0x2029;
}

static bool is_blank(uint32_t code)
{
    return code == ' ' || code == '\t' || code == 0xA0 || code == 0x1680 || code == 0x3000 ||
           (code >= 0x2000 && code <= 0x200A) || code == 0x202F || code == 0x205F;
}

static bool is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code < 0xA0);
}

void text_add_clean(struct buf *out, const char *text, enum text_shape shape)
{
    struct reader r = reader_of(text);
    struct character c;
    bool any = false, blank = false;
    int lines = 0;
    uint32_t before = 0;
    while (next(&r, &c)) {
        if (is_line_end(c.code)) {
            if (c.code != '\n' || before != '\r')
                lines++;
        } else if (is_blank(c.code)) {
            blank = true;
        } else if (!is_control(c.code) && !is_invisible(c.code)) {
            if (any && lines > 0 && shape == TEXT_LINES)
                buf_add(out, "\n\n", lines > 1 ? 2 : 1);
            else if (any && (blank || lines > 0))
                buf_add_char(out, ' ');
            buf_add(out, c.bytes, c.size);
            any = true;
            blank = false;
            lines = 0;
        }
        before = c.code;
    }
}

static size_t units_of(const char *bytes, size_t n, enum text_unit unit)
{
    size_t count = 0;
    if (unit == TEXT_BYTES)
        return n;
    for (size_t i = 0; i < n; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        count += (byte & 0xC0) != 0x80;                    /* begins a character */
        count += unit == TEXT_UTF16_UNITS && byte >= 0xF0; /* one beyond U+FFFF: a surrogate pair */
    }
    return count;
}

size_t text_length(const char *text, enum text_unit unit)
{
    return text ? units_of(text, strlen(text), unit) : 0;
}

bool text_add_escaped(struct buf *out, const char *text, size_t max, enum text_unit unit, text_escape *escape)
{
    check(max >= 1);
    struct reader r = reader_of(text);
    struct character c;
    size_t ellipsis = units_of(ELLIPSIS, 3, unit);
    size_t used = 0, cut_at = out->len; /* cut_at: the last place where an ellipsis still fits */
    uint32_t before = 0;
    while (next(&r, &c)) {
        const char *instead = escape ? escape(c.code, before) : NULL;
        const char *bytes = instead ? instead : c.bytes;
        size_t n = instead ? strlen(instead) : c.size, more = units_of(bytes, n, unit);
        if (used + more > max) {
            out->len = cut_at;
            if (max >= ellipsis)
                buf_add_text(out, ELLIPSIS);
            return false;
        }
        buf_add(out, bytes, n);
        used += more;
        if (used + ellipsis <= max)
            cut_at = out->len;
        before = c.code;
    }
    return true;
}

bool text_add_cut(struct buf *out, const char *text, size_t max)
{
    return text_add_escaped(out, text, max, TEXT_CODE_POINTS, NULL);
}

const char *text_escape_entities(uint32_t code, uint32_t before)
{
    (void)before;
    switch (code) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    default:
        return NULL;
    }
}
