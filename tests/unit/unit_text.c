/*
 * Bytes from outside: UTF-8, JSON and base64, each strict; and words that were meant to be others.
 */
#include <string.h>

#include "common/base/arena.h"
#include "common/base/base64.h"
#include "common/base/hint.h"
#include "common/base/json.h"
#include "common/base/utf8.h"
#include "tests/unit/unit.h"

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

/* ---- hints ---- */

static void a_hint_is_given_for_slips_and_not_for_other_words(void)
{
    static const struct {
        const char *wrong, *known;
        size_t distance;
        bool near;
    } cases[] = {
        {"chekc", "check", 1, true},  {"sate", "state", 1, true},
        {"jsno", "json", 1, true},    {"delivery", "deliveries", 3, true},
        {"dead", "seal", 2, false},   {"reveal", "seal", 3, false},
        {"", "seal", 4, false},       {"seal", "seal", 0, true},
        {"lsit", "limit", 2, false},  {"timeuot", "timeout", 1, true},
        {"token", "stats", 5, false},
    };
    char longer[200];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *a = cases[i].wrong, *b = cases[i].known;
        EXPECT_INT(hint_distance(a, b), cases[i].distance);
        EXPECT_INT(hint_distance(b, a), cases[i].distance);
        EXPECT((cases[i].distance <= hint_limit(a, b)) == cases[i].near);
    }
    EXPECT_INT(hint_distance(longer, "y"), 64); /* no more than 64 bytes count */
}

UNIT_MAIN(UNIT_CASE(only_well_formed_utf8_has_a_length),
          UNIT_CASE(copies_are_storable_and_cut_between_characters),
          UNIT_CASE(json_that_other_programs_write_is_read), UNIT_CASE(what_is_no_json_is_refused),
          UNIT_CASE(json_may_be_nested_32_deep_but_no_deeper), UNIT_CASE(json_members_are_found_by_type),
          UNIT_CASE(base64_matches_rfc_4648), UNIT_CASE(base64_keeps_its_alphabets_and_rules_apart),
          UNIT_CASE(a_hint_is_given_for_slips_and_not_for_other_words))
