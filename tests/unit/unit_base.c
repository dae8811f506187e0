/*
 * The foundations that hold things: buf, arena, table, list, hash, uuid.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/base/hash.h"
#include "common/base/list.h"
#include "common/base/table.h"
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

/* Texts of all lengths up to three words, with one byte in each place that does not stand for itself. */
static void json_texts_are_escaped_wherever_it_is_needed(void)
{
    static const struct {
        char byte;
        const char *want;
    } cases[] = {{'"', "\\\""},
                 {'\\', "\\\\"},
                 {'\n', "\\n"},
                 {0, "\\u0000"},
                 {0x1f, "\\u001f"},
                 {0x7f, "\\u007f"},
                 {(char)0x80, "\xEF\xBF\xBD"},
                 {(char)0xff, "\xEF\xBF\xBD"},
                 {' ', " "},
                 {'~', "~"},
                 {'!', "!"},
                 {'#', "#"},
                 {'[', "["},
                 {']', "]"}};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        for (size_t n = 1; n <= 24; n++) {
            for (size_t at = 0; at < n; at++) {
                char text[24], want[64];
                memset(text, 'x', n);
                text[at] = cases[c].byte;
                snprintf(want, sizeof want, "\"%.*s%s%.*s\"", (int)at, "xxxxxxxxxxxxxxxxxxxxxxxx",
                         cases[c].want, (int)(n - at - 1), "xxxxxxxxxxxxxxxxxxxxxxxx");
                expect_json_text(text, n, want);
            }
        }
    }
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

/* All that have three decimals at most and three digits before them, and the two numbers beside each. */
static void json_numbers_with_few_decimals_are_those_of_printf(void)
{
    struct buf b;
    char want[40];
    buf_init(&b, 100);
    for (int i = 1; i < 1000000; i += unit_step(7, 701)) {
        double value = i / 1000.0;
        snprintf(want, sizeof want, "%.6g", value);
        buf_reset(&b);
        buf_json_number(&b, value);
        EXPECT_TEXT(buf_text(&b), want);
        buf_reset(&b);
        buf_json_number(&b, nextafter(value, i % 2 ? 0 : 2000));
        EXPECT(strcmp(buf_text(&b), want) != 0);
        EXPECT(strtod(buf_text(&b), NULL) == nextafter(value, i % 2 ? 0 : 2000));
    }
    buf_free(&b);
}

static void reserving_more_than_the_maximum_is_no_overflow(void)
{
    struct buf b;
    buf_init(&b, 5);
    buf_add_text(&b, "ab");
    buf_reserve(&b, 100);
    EXPECT(!b.overflow);
    buf_add_text(&b, "cde");
    EXPECT_TEXT(buf_text(&b), "abcde");
    buf_add_char(&b, 'f');
    EXPECT(b.overflow);
    buf_reserve(&b, 1);
    EXPECT(b.overflow);
    EXPECT_TEXT(buf_text(&b), "abcde");
    buf_free(&b);
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

static void json_lists_and_objects_put_their_own_commas(void)
{
    struct buf b;
    buf_init(&b, 200);
    buf_json_open_item(&b);
    buf_json_member(&b, "a", "[");
    buf_json_open_list(&b, "b");
    buf_json_open_item(&b);
    buf_json_bool(&b, "c", true);
    buf_add_char(&b, '}');
    buf_json_open_item(&b);
    buf_json_bool(&b, "d", false);
    buf_add_text(&b, "}]");
    buf_json_open_object(&b, "e");
    buf_json_member(&b, "f", NULL);
    buf_add_text(&b, "}}");
    EXPECT_TEXT(buf_text(&b), "{\"a\":\"[\",\"b\":[{\"c\":true},{\"d\":false}],\"e\":{\"f\":null}}");
    buf_free(&b);
}

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
    struct member *all = mem_calloc(COUNT, sizeof *all);
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

/* RFC 4231: cases 1, 2, 3 and 6, whose key is longer than a block. Parts count as the bytes that they are. */
static void hmacs_are_those_of_rfc_4231(void)
{
    static const struct {
        char key_byte;
        size_t key_size;
        const char *key;
        char byte;
        size_t size;
        const char *text;
        const char *want;
    } cases[] = {
        {0x0b, 20, NULL, 0, 0, "Hi There",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {0, 0, "Jefe", 0, 0, "what do ya want for nothing?",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {(char)0xaa, 20, NULL, (char)0xdd, 50, NULL,
         "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {(char)0xaa, 131, NULL, 0, 0, "Test Using Larger Than Block-Size Key - Hash Key First",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char key[131], data[50], hex[SHA256_HEX];
        unsigned char mac[SHA256_SIZE];
        memset(key, cases[i].key_byte, sizeof key);
        memset(data, cases[i].byte, sizeof data);
        const char *k = cases[i].key ? cases[i].key : key, *d = cases[i].text ? cases[i].text : data;
        size_t k_n = cases[i].key ? strlen(k) : cases[i].key_size,
               n = cases[i].text ? strlen(d) : cases[i].size;
        hash_hmac_sha256(k, k_n, d, n, mac);
        hash_hex(mac, sizeof mac, hex);
        EXPECT_TEXT(hex, cases[i].want);
        const struct hash_part parts[] = {{d, 3}, {d + 3, 0}, {d + 3, n - 3}};
        hash_hmac_sha256_parts(k, k_n, parts, 3, mac);
        hash_hex(mac, sizeof mac, hex);
        EXPECT_TEXT(hex, cases[i].want);
    }
}

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
          UNIT_CASE(json_texts_are_escaped_wherever_it_is_needed),
          UNIT_CASE(json_numbers_are_short_and_read_back_exactly),
          UNIT_CASE(json_numbers_with_few_decimals_are_those_of_printf),
          UNIT_CASE(reserving_more_than_the_maximum_is_no_overflow), UNIT_CASE(hmacs_are_those_of_rfc_4231),
          UNIT_CASE(json_keys_put_their_own_commas), UNIT_CASE(json_lists_and_objects_put_their_own_commas),
          UNIT_CASE(arena_memory_is_zeroed_aligned_and_separate),
          UNIT_CASE(a_large_request_does_not_waste_the_current_block), UNIT_CASE(arena_texts_are_copies),
          UNIT_CASE(a_table_finds_all_members_of_a_hash), UNIT_CASE(a_list_keeps_its_order),
          UNIT_CASE(only_canonical_uuids_are_read), UNIT_CASE(random_uuids_are_version_4_and_differ))
