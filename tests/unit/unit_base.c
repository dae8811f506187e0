/*
 * The foundations: buf, arena, utf8, json, base64, table, list, uuid.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/base64.h"
#include "common/base/buf.h"
#include "common/base/json.h"
#include "common/base/list.h"
#include "common/base/table.h"
#include "common/base/utf8.h"
#include "common/base/uuid.h"
#include "tests/unit/unit.h"

/* ---- buf ---- */

static void a_buffer_takes_its_maximum_and_not_a_byte_more(void)
{
    struct buf b;
    buf_init(&b, 5);
    EXPECT_TEXT(buf_text(&b), "");
    buf_add_text(&b, "hello");
    EXPECT(!b.overflow);
    buf_add(&b, NULL, 0);
    EXPECT(!b.overflow);
    buf_add_char(&b, '!');
    EXPECT(b.overflow);
    EXPECT_TEXT(buf_text(&b), "hello");
    EXPECT_INT(b.len, 5);
    buf_reset(&b);
    EXPECT(!b.overflow);
    EXPECT_TEXT(buf_text(&b), "");
    buf_add_text(&b, "toolong");
    EXPECT(b.overflow);
    buf_free(&b);
}

static void after_an_overflow_nothing_more_is_taken(void)
{
    struct buf b;
    buf_init(&b, 4);
    buf_add_text(&b, "abc");
    buf_add_text(&b, "de");
    buf_add_text(&b, "f");
    EXPECT_TEXT(buf_text(&b), "abc");
    EXPECT(b.overflow);
    buf_wipe(&b);
    EXPECT(b.data == NULL && b.len == 0);
}

static void a_buffer_grows_to_a_large_maximum(void)
{
    struct buf b;
    buf_init(&b, 100001);
    for (int i = 0; i < 20000; i++)
        buf_printf(&b, "%05d", i);
    EXPECT_INT(b.len, 100000);
    EXPECT(!b.overflow && b.cap <= 100002);
    EXPECT(memcmp(b.data + 99995, "19999", 6) == 0);
    buf_add_text(&b, "ab");
    EXPECT(b.overflow);
    buf_free(&b);
}

static void numbers_are_written_in_full(void)
{
    struct buf b;
    buf_init(&b, 100);
    buf_add_int(&b, INT64_MIN);
    buf_add_char(&b, ' ');
    buf_add_int(&b, INT64_MAX);
    EXPECT_TEXT(buf_text(&b), "-9223372036854775808 9223372036854775807");
    buf_free(&b);
}

static void expect_json_text(const char *bytes, size_t n, const char *want)
{
    struct buf b;
    buf_init(&b, 1000);
    buf_json_bytes(&b, bytes, n);
    EXPECT_TEXT(buf_text(&b), want);
    buf_free(&b);
}

static void json_texts_are_escaped_and_always_valid(void)
{
    expect_json_text("", 0, "\"\"");
    expect_json_text("a\"b\\c/", 6, "\"a\\\"b\\\\c/\"");
    expect_json_text("\n\r\t\b\0\x1f\x7f", 7, "\"\\n\\r\\t\\u0008\\u0000\\u001f\\u007f\"");
    expect_json_text("é→😀", 9, "\"é→😀\"");
    expect_json_text("a\xff\xc3", 3, "\"a\xEF\xBF\xBD\xEF\xBF\xBD\"");
    expect_json_text("\xed\xa0\x80x", 4, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDx\"");
    struct buf b;
    buf_init(&b, 100);
    buf_json_text(&b, NULL);
    EXPECT_TEXT(buf_text(&b), "null");
    buf_free(&b);
}

static void json_numbers_are_short_and_read_back_exactly(void)
{
    static const struct {
        double value;
        const char *want;
    } cases[] = {
        {0, "0"},
        {7.5, "7.5"},
        {-0.1, "-0.1"},
        {1e300, "1e+300"},
        {0.97565, "0.97565"},
        {1.0 / 3, "0.3333333333333333"},
        {100000, "100000"},
        {NAN, "null"},
        {INFINITY, "null"},
        {-INFINITY, "null"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf b;
        buf_init(&b, 100);
        buf_json_number(&b, cases[i].value);
        EXPECT_TEXT(buf_text(&b), cases[i].want);
        buf_free(&b);
    }
}

static void json_keys_put_their_own_commas(void)
{
    struct buf b;
    buf_init(&b, 100);
    buf_add_char(&b, '{');
    buf_json_key(&b, "a");
    buf_add_char(&b, '{');
    buf_json_key(&b, "b{");
    buf_json_text(&b, "{");
    buf_json_key(&b, "c");
    buf_add_int(&b, 1);
    buf_add_text(&b, "}");
    buf_json_key(&b, "d");
    buf_json_text(&b, NULL);
    buf_add_char(&b, '}');
    EXPECT_TEXT(buf_text(&b), "{\"a\":{\"b{\":\"{\",\"c\":1},\"d\":null}");
    buf_free(&b);
}

/* ---- arena ---- */

static void arena_memory_is_zeroed_aligned_and_separate(void)
{
    struct arena a;
    arena_init(&a, 256);
    unsigned char *all[200];
    for (size_t i = 0; i < 200; i++) {
        size_t size = i * 7 % 400;
        all[i] = arena_alloc(&a, size + 1);
        EXPECT((uintptr_t)all[i] % _Alignof(max_align_t) == 0);
        for (size_t n = 0; n <= size; n++)
            EXPECT(all[i][n] == 0);
        memset(all[i], (int)i, size + 1);
    }
    for (size_t i = 0; i < 200; i++)
        for (size_t n = 0; n <= i * 7 % 400; n++)
            EXPECT_INT(all[i][n], i);
    EXPECT(a.held > 200);
    arena_free(&a);
    EXPECT_INT(a.held, 0);
    EXPECT_TEXT(arena_text(&a, "again", 3), "aga");
    arena_wipe(&a);
}

static void a_large_request_does_not_waste_the_current_block(void)
{
    struct arena a;
    arena_init(&a, 1000);
    char *first = arena_alloc(&a, 10);
    arena_alloc(&a, 5000);
    char *second = arena_alloc(&a, 10);
    EXPECT(second > first && second - first < 100);
    arena_free(&a);
}

static void arena_texts_are_copies(void)
{
    struct arena a;
    char from[] = "text";
    arena_init(&a, 100);
    char *copy = arena_strdup(&a, from);
    from[0] = 'x';
    EXPECT_TEXT(copy, "text");
    EXPECT(arena_strdup(&a, NULL) == NULL);
    EXPECT_TEXT(arena_printf(&a, "%d-%s", 5, "a"), "5-a");
    EXPECT_TEXT(arena_text(&a, NULL, 0), "");
    arena_free(&a);
}

/* ---- utf8 ---- */

static void only_well_formed_utf8_has_a_length(void)
{
    static const struct {
        const char *text;
        size_t want;
    } cases[] = {
        {"a", 1},
        {"\xc2\x80", 2},
        {"\xdf\xbf", 2},
        {"\xe0\xa0\x80", 3},
        {"\xed\x9f\xbf", 3},
        {"\xee\x80\x80", 3},
        {"\xef\xbf\xbf", 3},
        {"\xf0\x90\x80\x80", 4},
        {"\xf4\x8f\xbf\xbf", 4},
        {"\x80", 0},     /* a continuation alone */
        {"\xc0\x80", 0}, /* overlong */
        {"\xc1\xbf", 0},
        {"\xe0\x9f\xbf", 0},
        {"\xf0\x8f\xbf\xbf", 0},
        {"\xed\xa0\x80", 0}, /* surrogate */
        {"\xed\xbf\xbf", 0},
        {"\xf4\x90\x80\x80", 0}, /* above U+10FFFF */
        {"\xf5\x80\x80\x80", 0},
        {"\xff", 0},
        {"\xc3", 0}, /* cut off */
        {"\xe2\x82", 0},
        {"\xf0\x9f\x98", 0},
        {"\xe2\x82 ", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        EXPECT_INT(utf8_length_at(cases[i].text, strlen(cases[i].text)), cases[i].want);
    EXPECT_INT(utf8_length_at("", 0), 0);
    EXPECT_INT(utf8_length_at("\0", 1), 1);
}

static void expect_copy(const char *bytes, size_t n, size_t max, const char *want)
{
    struct arena a;
    arena_init(&a, 1000);
    char *copy = utf8_storable_copy(&a, bytes, n, max);
    EXPECT_TEXT(copy, want);
    EXPECT(strlen(copy) <= max);
    EXPECT(utf8_is_storable(copy, strlen(copy)));
    arena_free(&a);
}

static void copies_are_storable_and_cut_between_characters(void)
{
    expect_copy("plain", 5, 5, "plain");
    expect_copy("plain!", 6, 5, "pl…");
    expect_copy("a\0b", 3, 50,
                "a\xEF\xBF\xBD"
                "b");
    expect_copy("\xff", 1, 4, "\xEF\xBF\xBD");
    expect_copy("\xff\xff", 2, 4, "…");
    expect_copy("äöü", 6, 6, "äöü");
    expect_copy("äöüx", 7, 6, "ä…");
    expect_copy("😀😀", 8, 7, "😀…");
    expect_copy("😀😀", 8, 6, "…");
    expect_copy("", 0, 4, "");
    expect_copy("\xff\xff\xff", 3, 9, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
    expect_copy("aaaa\xff", 5, 6, "aaa…");
}

/* ---- json ---- */

static bool json_reads(const char *text, size_t n)
{
    const char *why = NULL;
    struct json_object *value = json_parse(text, n, &why);
    if (!value)
        EXPECT(why != NULL && *why);
    json_object_put(value);
    return value != NULL;
}

static void json_that_other_programs_write_is_read(void)
{
    static const char *const good[] = {
        "{}",
        "[]",
        "0",
        "-1.5e3",
        "\"\"",
        "true",
        " { \"a\" : [ 1 , null ] } ",
        "\"\\ud83d\\ude00\"",
        "1e400",
        "[NaN,Infinity,-Infinity]",
        "\"it's\"",
        "{\"a\":1,\"a\":2}",
        "\"\\u0000\"",
        "\"/\\/\"",
        "123456789012345678901234567890",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (!json_reads(good[i], strlen(good[i])))
            unit_fail(__FILE__, __LINE__, "not read: %s", good[i]);
}

static void what_is_no_json_is_refused(void)
{
    static const char *const bad[] = {
        "",
        " ",
        "{",
        "[1",
        "[1,]",
        "{\"a\":1,}",
        "{'a':1}",
        "'a'",
        "{a:1}",
        "1 2",
        "{} x",
        "tru",
        "True",
        "TRUE",
        "nan",
        "01",
        "1.",
        ".5",
        "+1",
        "-",
        "1e",
        "\"",
        "\"a",
        "\"\\x\"",
        "\"\\u12\"",
        "\"a\nb\"",
        "\"\t\"",
        "\"\xff\"",
        "\"\xc1\xa4\"",
        "\"\xed\xa0\x80\"",
        "\"\xf4\x90\x80\x80\"",
        "\"\xc3\"",
        "\xef\xbb\xbf{}",
        "/* c */ 1",
        "// c\n1",
        "[1 2]",
        "{\"a\" 1}",
        "{\"a\":}",
        "[,1]",
        "]",
        "\xff",
        "infinity",
        "-NaN",
        "[\"a\" \"b\"]",
        "nul",
        "{\"a\":1 \"b\":2}",
        "0x10",
        "1.e5",
        "--1",
        "\"\\u{1}\"",
        "[1,,2]",
        "\x01",
        "[\x0b]",
        "-Inf",
        "1_000",
        "Infinity1",
        "NaNa",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (json_reads(bad[i], strlen(bad[i])))
            unit_fail(__FILE__, __LINE__, "read: %s", bad[i]);
    EXPECT(!json_reads("{}\0", 3));
    EXPECT(!json_reads("{}\0{}", 5));
    EXPECT(!json_reads("1\0", 2));
    EXPECT(!json_reads("\0", 1));
    EXPECT(!json_reads("\"a\0b\"", 5));
    EXPECT(!json_reads("[1,\0 2]", 7));
}

static void json_may_be_nested_32_deep_but_no_deeper(void)
{
    char text[200];
    for (size_t depth = 1; depth < 100; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        if (json_reads(text, 2 * depth) != (depth <= JSON_DEPTH_MAX))
            unit_fail(__FILE__, __LINE__, "depth %zu", depth);
    }
}

static void json_members_are_found_by_type(void)
{
    static const char text[] = "{\"t\":\"a\\u0000b\",\"n\":null,\"i\":5}";
    const char *why;
    struct arena a;
    arena_init(&a, 100);
    struct json_object *root = json_parse(text, strlen(text), &why);
    EXPECT(json_is_text(json_get(root, "t")));
    EXPECT(json_get(root, "n") == NULL && json_get(root, "x") == NULL);
    EXPECT(json_get(NULL, "x") == NULL);
    EXPECT(json_get(json_get(root, "i"), "x") == NULL);
    EXPECT_TEXT(json_get_text(&a, root, "t", 100), "a\xEF\xBF\xBD"
                                                   "b");
    EXPECT(json_get_text(&a, root, "i", 100) == NULL);
    EXPECT(json_get_text(&a, root, "x", 100) == NULL);
    json_object_put(root);
    arena_free(&a);
}

/* ---- base64 ---- */

static void base64_matches_rfc_4648(void)
{
    static const char *const want[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    for (size_t n = 0; n < sizeof want / sizeof want[0]; n++) {
        unsigned char bytes[16];
        size_t size = 99;
        struct buf b;
        buf_init(&b, 100);
        base64_encode(BASE64_STANDARD, "foobar", n, &b);
        EXPECT_TEXT(buf_text(&b), want[n]);
        EXPECT(base64_decode(BASE64_STANDARD, BASE64_CANONICAL, want[n], strlen(want[n]), bytes, &size));
        EXPECT_INT(size, n);
        EXPECT(memcmp(bytes, "foobar", n) == 0);
        buf_free(&b);
    }
}

static void base64_keeps_its_alphabets_and_rules_apart(void)
{
    static const struct {
        const char *text;
        bool standard, url, lenient; /* lenient: of the standard alphabet */
    } cases[] = {
        {"+/+/", true, false, true},     {"-_-_", false, true, false},      {"Zg", false, false, true},
        {"Zg=", false, false, false},    {"Zh==", false, false, true},      {"Zm9=", false, false, true},
        {"Z", false, false, false},      {"=", false, false, false},        {"====", false, false, false},
        {"Z===", false, false, false},   {"Zg==Zg==", false, false, false}, {"Zm 9", false, false, false},
        {"Zm9v\n", false, false, false}, {"Zm=v", false, false, false},     {"Zm9vY", false, false, false},
    };
    unsigned char bytes[64];
    size_t size;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *t = cases[i].text;
        size_t n = strlen(t);
        EXPECT(base64_decode(BASE64_STANDARD, BASE64_CANONICAL, t, n, bytes, &size) == cases[i].standard);
        EXPECT(base64_decode(BASE64_URL, BASE64_CANONICAL, t, n, bytes, &size) == cases[i].url);
        EXPECT(base64_decode(BASE64_STANDARD, BASE64_LENIENT, t, n, bytes, &size) == cases[i].lenient);
    }
}

/* ---- table and list ---- */

struct member {
    struct table_entry entry;
    struct list link;
    int number;
};

static void a_table_finds_all_members_of_a_hash(void)
{
    enum { COUNT = 3000 };
    struct table t;
    struct member *all = calloc(COUNT, sizeof *all);
    table_init(&t);
    EXPECT(table_first(&t, 1) == NULL && table_any(&t) == NULL);
    for (int i = 0; i < COUNT; i++) {
        all[i].number = i;
        table_insert(&t, &all[i].entry, (uint64_t)(i % 1000) * 0x9e3779b97f4a7c15u);
    }
    EXPECT_INT(t.count, COUNT);
    for (int i = 0; i < COUNT; i += 2)
        table_remove(&t, &all[i].entry);
    for (int hash = 0; hash < 1000; hash++) {
        int seen = 0;
        for (struct table_entry *e = table_first(&t, (uint64_t)hash * 0x9e3779b97f4a7c15u); e;
             e = table_next(e)) {
            EXPECT(((struct member *)e)->number % 1000 == hash);
            seen++;
        }
        EXPECT_INT(seen, hash % 2 ? 3 : 0);
    }
    struct table_entry *e;
    while ((e = table_any(&t)))
        table_remove(&t, e);
    EXPECT_INT(t.count, 0);
    table_free(&t);
    free(all);
}

static int sum_in_order(struct list *head)
{
    int sum = 0;
    struct list *at;
    list_for_each (at, head)
        sum = sum * 10 + list_entry(at, struct member, link)->number;
    return sum;
}

static void a_list_keeps_its_order(void)
{
    struct member m[6];
    struct list a, b, *at, *next;
    list_init(&a);
    list_init(&b);
    for (int i = 0; i < 6; i++) {
        m[i].number = i + 1;
        list_init(&m[i].link);
    }
    list_remove(&m[0].link); /* in no list: nothing happens */
    list_append(&a, &m[1].link);
    list_append(&a, &m[2].link);
    list_prepend(&a, &m[0].link);
    EXPECT_INT(sum_in_order(&a), 123);
    list_append(&b, &m[3].link);
    list_append(&b, &m[4].link);
    list_splice(&a, &b);
    EXPECT_INT(sum_in_order(&a), 12345);
    EXPECT(list_is_empty(&b));
    list_splice(&a, &b);
    EXPECT_INT(sum_in_order(&a), 12345);
    list_for_each_safe (at, next, &a)
        if (list_entry(at, struct member, link)->number % 2)
            list_remove(at);
    EXPECT_INT(sum_in_order(&a), 24);
    EXPECT(list_shift(&a) == &m[1].link && list_shift(&a) == &m[3].link && list_shift(&a) == NULL);
}

/* ---- uuid ---- */

static void only_canonical_uuids_are_read(void)
{
    static const char good[] = "0123aBcd-4567-89ab-cdef-0123456789Ab";
    static const char *const bad[] = {
        "",
        "0123abcd-4567-89ab-cdef-0123456789a",
        "0123abcd-4567-89ab-cdef-0123456789ab0",
        "0123abcd-4567-89ab-cdef-0123456789a ",
        " 0123abcd-4567-89ab-cdef-0123456789ab",
        "{0123abcd-4567-89ab-cdef-0123456789ab}",
        "0123abcd456789abcdef0123456789ab",
        "0123abcd04567-89ab-cdef-0123456789ab",
        "0123abcg-4567-89ab-cdef-0123456789ab",
        "0123abc-d4567-89ab-cdef-0123456789ab",
    };
    struct uuid u, v;
    char text[UUID_TEXT];
    EXPECT(uuid_parse(&u, good));
    uuid_format(&u, text);
    EXPECT_TEXT(text, "0123abcd-4567-89ab-cdef-0123456789ab");
    EXPECT(uuid_parse(&v, text) && uuid_equal(&u, &v));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        EXPECT(!uuid_parse(&v, bad[i]));
}

static void random_uuids_are_version_4_and_differ(void)
{
    struct uuid a, b;
    char text[UUID_TEXT];
    uuid_random(&a);
    uuid_random(&b);
    EXPECT(!uuid_equal(&a, &b));
    uuid_format(&a, text);
    EXPECT_INT(text[14], '4');
    EXPECT(strchr("89ab", text[19]) != NULL);
}

UNIT_MAIN(UNIT_CASE(a_buffer_takes_its_maximum_and_not_a_byte_more),
          UNIT_CASE(after_an_overflow_nothing_more_is_taken), UNIT_CASE(a_buffer_grows_to_a_large_maximum),
          UNIT_CASE(numbers_are_written_in_full), UNIT_CASE(json_texts_are_escaped_and_always_valid),
          UNIT_CASE(json_numbers_are_short_and_read_back_exactly), UNIT_CASE(json_keys_put_their_own_commas),
          UNIT_CASE(arena_memory_is_zeroed_aligned_and_separate),
          UNIT_CASE(a_large_request_does_not_waste_the_current_block), UNIT_CASE(arena_texts_are_copies),
          UNIT_CASE(only_well_formed_utf8_has_a_length),
          UNIT_CASE(copies_are_storable_and_cut_between_characters),
          UNIT_CASE(json_that_other_programs_write_is_read), UNIT_CASE(what_is_no_json_is_refused),
          UNIT_CASE(json_may_be_nested_32_deep_but_no_deeper), UNIT_CASE(json_members_are_found_by_type),
          UNIT_CASE(base64_matches_rfc_4648), UNIT_CASE(base64_keeps_its_alphabets_and_rules_apart),
          UNIT_CASE(a_table_finds_all_members_of_a_hash), UNIT_CASE(a_list_keeps_its_order),
          UNIT_CASE(only_canonical_uuids_are_read), UNIT_CASE(random_uuids_are_version_4_and_differ))
