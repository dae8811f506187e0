/*
 * Text from scanned systems, cleaned, cut and escaped (text.h), against what each must leave as it is: cleaning twice
 * changes nothing more, a cut keeps a beginning and its limit, and what was escaped can be read back.
 */
#include "common/base/utf8.h"
#include "common/destinations/text.h"
#include "tests/fuzz/fuzz.h"

enum { ROOM = 1 << 20 };

static const char ellipsis[] = "\xe2\x80\xa6";

static size_t count_characters(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

/* What an eye does not see or is deceived by, in UTF-8, beside control characters. */
static void check_visible(const char *text, bool lines)
{
    static const char *const others[] = {"\xc2\x85",     "\xc2\xa0",     "\xc2\xad",     "\xe2\x80\x8b",
                                         "\xe2\x80\x8d", "\xe2\x80\x8f", "\xe2\x80\xa8", "\xe2\x80\xae",
                                         "\xe2\x81\xa6", "\xe2\x81\xa9", "\xef\xbb\xbf", "\xf3\xa0\x81\xa1"};
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++)
        check((unsigned char)text[i] >= 0x20 ? text[i] != 0x7f : lines && text[i] == '\n');
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        check(!strstr(text, others[i]));
    check(utf8_is_storable(text, n) && !strstr(text, "  ") && !strstr(text, "\n\n\n"));
    check(n == 0 || (!strchr(" \n", text[0]) && !strchr(" \n", text[n - 1])));
}

static void check_clean(const char *text, enum text_shape shape)
{
    struct buf once, twice;
    buf_init(&once, ROOM);
    buf_init(&twice, ROOM);
    text_add_clean(&once, text, shape);
    check_visible(buf_text(&once), shape == TEXT_LINES);
    text_add_clean(&twice, buf_text(&once), shape);
    check(strcmp(buf_text(&once), buf_text(&twice)) == 0);
    buf_free(&once);
    buf_free(&twice);
}

/* TEXT is valid. OUT is all of it, or a beginning and an ellipsis. */
static void check_beginning(const char *text, const char *out, bool whole)
{
    size_t n = strlen(out), end = sizeof ellipsis - 1;
    if (whole) {
        check(strcmp(out, text) == 0);
        return;
    }
    check(n >= end && strcmp(out + n - end, ellipsis) == 0);
    check(strlen(text) > n - end && memcmp(text, out, n - end) == 0);
}

static void check_cut(const char *text, size_t max)
{
    struct buf out;
    buf_init(&out, ROOM);
    bool whole = text_add_cut(&out, text, max);
    check(whole == (count_characters(text) <= max) && count_characters(buf_text(&out)) <= max);
    check_beginning(text, buf_text(&out), whole);
    buf_free(&out);
}

/* UTF-16 units. */
static size_t count_units(const char *text)
{
    size_t n = count_characters(text);
    for (; *text; text++)
        n += ((unsigned char)*text & 0xf8) == 0xf0;
    return n;
}

/* Entities to characters; every & must begin one. */
static void read_back(const char *text, struct buf *out)
{
    static const struct {
        const char *entity, *character;
    } entities[] = {{"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}};
    while (*text) {
        size_t i = 0;
        check(*text != '<' && *text != '>');
        while (i < 3 && strncmp(text, entities[i].entity, strlen(entities[i].entity)) != 0)
            i++;
        check(i < 3 || *text != '&');
        if (i < 3)
            buf_add_text(out, entities[i].character);
        else
            buf_add_char(out, *text);
        text += i < 3 ? strlen(entities[i].entity) : 1;
    }
}

static void check_slack(const char *text, size_t max)
{
    struct buf out, back;
    buf_init(&out, ROOM);
    buf_init(&back, ROOM);
    bool whole = text_add_escaped(&out, text, max, TEXT_UTF16_UNITS, text_escape_entities);
    check(count_units(buf_text(&out)) <= max);
    read_back(buf_text(&out), &back);
    check_beginning(text, buf_text(&back), whole);
    buf_free(&out);
    buf_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct arena a;
    size_t n;
    arena_init(&a, 256);
    size_t max = 1 + fuzz_byte(&in);
    const char *text = fuzz_text(&in, &a, &n);
    check_clean(text, TEXT_ONE_LINE);
    check_clean(text, TEXT_LINES);
    const char *valid = utf8_storable_copy(&a, text, n, ROOM);
    check_cut(valid, max);
    check_slack(valid, max);
    arena_free(&a);
    return 0;
}
