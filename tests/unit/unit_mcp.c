/*
 * The pure parts of notify-mcp: lines, messages, results that fit.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/mcp/lines.h"
#include "api/mcp/result.h"
#include "api/mcp/rpc.h"
#include "api/mcp/tools.h"
#include "api/mcp/value.h"
#include "common/base/check.h"
#include "tests/unit/unit.h"

/* ---- lines ---- */

struct seen {
    char text[256];
};

static bool note(void *owner, const char *line, size_t n)
{
    struct seen *seen = owner;
    size_t used = strlen(seen->text);
    if (line)
        snprintf(seen->text + used, sizeof seen->text - used, "[%.*s]", (int)n, line);
    else
        snprintf(seen->text + used, sizeof seen->text - used, "(too long)");
    return used % 2 == 0; /* whatever is answered, nothing is lost */
}

static const char *lines_of(const char *text, size_t piece, size_t max)
{
    static struct seen seen;
    struct lines l;
    seen.text[0] = '\0';
    lines_init(&l, max);
    for (size_t n = strlen(text); n > 0;) {
        size_t take = n < piece ? n : piece;
        size_t used = lines_feed(&l, text, take, note, &seen);
        text += used;
        n -= used;
    }
    lines_end(&l, note, &seen);
    lines_free(&l);
    return seen.text;
}

static void lines_are_the_same_whatever_the_pieces_they_come_in(void)
{
    for (size_t piece = 1; piece < 40; piece++)
        EXPECT_TEXT(lines_of("one\n\r\n  \ntwo\r\nthree\n\nend", piece, 10), "[one][two][three][end]");
}

static void a_line_beyond_the_limit_is_told_once_and_the_next_is_taken(void)
{
    for (size_t piece = 1; piece < 40; piece++) {
        EXPECT_TEXT(lines_of("12345\n123456\n12345\n", piece, 5), "[12345](too long)[12345]");
        EXPECT_TEXT(lines_of("1234567890123", piece, 5), "(too long)");
    }
}

/* ---- messages ---- */

static struct rpc_message read_message(struct json_object **value, const char *text)
{
    struct rpc_message m;
    const char *why;
    *value = json_parse(text, strlen(text), &why);
    rpc_read(&m, *value);
    return m;
}

static void a_message_is_what_its_members_say(void)
{
    static const struct {
        const char *text;
        enum rpc_kind kind;
        int code;
    } cases[] = {
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}", RPC_REQUEST, 0},
        {"{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"m\",\"params\":{}}", RPC_REQUEST, 0},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":[]}", RPC_NOTIFICATION, 0},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}", RPC_ANSWER, 0},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{}}", RPC_ANSWER, 0},
        {"{\"jsonrpc\":\"2.0\",\"id\":1}", RPC_WRONG, RPC_INVALID_REQUEST},
        {"{\"jsonrpc\":2.0,\"id\":1,\"method\":\"m\"}", RPC_WRONG, RPC_INVALID_REQUEST},
        {"{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"m\"}", RPC_WRONG, RPC_INVALID_REQUEST},
        {"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"m\"}", RPC_WRONG, RPC_INVALID_REQUEST},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":null}", RPC_WRONG, RPC_INVALID_PARAMS},
        {"[]", RPC_WRONG, RPC_INVALID_REQUEST},
        {"null", RPC_WRONG, RPC_INVALID_REQUEST},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json_object *value;
        struct rpc_message m = read_message(&value, cases[i].text);
        EXPECT_INT(m.kind, cases[i].kind);
        EXPECT_INT(m.code, cases[i].code);
        json_object_put(value);
    }
}

static void an_id_is_the_same_only_with_its_type(void)
{
    struct json_object *one = value_number(1), *other = value_number(1), *two = value_number(2),
                       *text = value_text("1");
    EXPECT(rpc_same_id(one, other));
    EXPECT(!rpc_same_id(one, two));
    EXPECT(!rpc_same_id(one, text));
    EXPECT(!rpc_same_id(one, NULL) && !rpc_same_id(NULL, NULL));
    json_object_put(one);
    json_object_put(other);
    json_object_put(two);
    json_object_put(text);
}

/* ---- results ---- */

static const struct result_form plain = {NULL, NULL};

static struct json_object *parse(const char *text)
{
    const char *why;
    struct json_object *value = json_parse(text, strlen(text), &why);
    EXPECT(value != NULL);
    return value;
}

static void what_fits_is_left_as_it_is(void)
{
    struct json_object *value = parse("{\"a\":[1,2,3],\"b\":\"text\"}");
    EXPECT(result_bound(value, 4096, &plain));
    EXPECT_TEXT(json_print(value), "{\"a\":[1,2,3],\"b\":\"text\"}");
    json_object_put(value);
}

static void what_is_no_number_of_json_becomes_null(void)
{
    struct json_object *value = parse("{\"a\":[NaN,1],\"b\":Infinity,\"c\":{\"d\":NaN}}");
    EXPECT(result_bound(value, 4096, &plain));
    EXPECT_TEXT(json_print(value), "{\"a\":[null,1],\"b\":null,\"c\":{\"d\":null}}");
    json_object_put(value);
}

static struct json_object *texts(size_t count, size_t length)
{
    struct json_object *list = value_list();
    char *text = mem_zalloc(length + 1);
    memset(text, 'x', length);
    for (size_t i = 0; i < count; i++)
        value_append(list, value_text(text));
    free(text);
    return list;
}

static void a_list_that_is_too_long_loses_its_end_and_says_so(void)
{
    for (size_t count = 50; count < 4000; count += 500) {
        struct json_object *value = value_object(), *list = texts(count, 100);
        value_set(value, "rows", list);
        value_set(value, "next", value_text("here"));
        EXPECT(result_bound(value, 4096, &plain));
        size_t left = json_object_array_length(list);
        EXPECT(strlen(json_print(value)) <= 4096);
        EXPECT(left > 20 && left < count);
        char wanted[64];
        snprintf(wanted, sizeof wanted, "rows shows %zu of %zu; ask again", left, count);
        EXPECT(strncmp(json_object_get_string(json_get(value, "cut")), wanted, strlen(wanted)) == 0);
        EXPECT_TEXT(json_object_get_string(json_get(value, "next")), "here");
        json_object_put(value);
    }
}

static void a_text_that_is_too_long_is_cut_between_characters(void)
{
    struct json_object *value = value_object(), *list = value_list();
    struct buf text;
    buf_init(&text, 65536);
    for (int i = 0; i < 6000; i++)
        buf_add_text(&text, "\xC3\xA9");
    value_append(list, value_text(buf_text(&text)));
    value_set(value, "requests", list);
    EXPECT(result_bound(value, 4096, &plain));
    const char *printed = json_print(value);
    EXPECT(strlen(printed) <= 4096 && strlen(printed) > 2000);
    EXPECT(strstr(printed, "\xC3\xA9\xE2\x80\xA6\"") != NULL);
    EXPECT(strstr(printed, "of 12000 bytes") != NULL);
    json_object_put(value);
    buf_free(&text);
}

static void a_page_that_is_cut_leads_no_further(void)
{
    static const struct result_form page = {.page = "rows"};
    struct json_object *value = value_object(), *list = texts(500, 100);
    char wanted[64];
    value_set(value, "rows", list);
    value_set(value, "next", value_text("here"));
    EXPECT(result_bound(value, 4096, &page));
    EXPECT(json_get(value, "next") == NULL);
    snprintf(wanted, sizeof wanted, "a smaller limit: %zu", json_object_array_length(list));
    EXPECT(strstr(json_object_get_string(json_get(value, "cut")), wanted) != NULL);
    json_object_put(value);
}

static void what_went_well_is_cut_first(void)
{
    struct json_object *value = value_object(), *list = value_list();
    for (int i = 0; i < 500; i++) {
        struct json_object *row = value_object();
        value_set(row, "state", value_text(i % 100 == 99 ? "dead" : "delivered"));
        value_set(row, "number", value_number(i));
        value_append(list, row);
    }
    value_set(value, "rows", list);
    EXPECT(result_bound(value, 4096, &plain));
    size_t left = json_object_array_length(list);
    EXPECT(left > 20 && left < 200);
    for (size_t i = 0; i < 5; i++) { /* the bad ones, and the first of the others, in their order */
        struct json_object *row = json_object_array_get_idx(list, left - 5 + i);
        EXPECT(json_object_get_int(json_get(row, "number")) == (int)i * 100 + 99 || i == 0);
    }
    EXPECT(json_object_get_int(json_get(json_object_array_get_idx(list, 0), "number")) == 0);
    json_object_put(value);
}

static void what_cannot_be_cut_is_no_result(void)
{
    struct json_object *value = value_object();
    for (int i = 0; i < 500; i++) {
        char name[16];
        snprintf(name, sizeof name, "k%d", i);
        value_set(value, name, value_text("0123456789"));
    }
    EXPECT(!result_bound(value, 4096, &plain));
    json_object_put(value);
}

/* ---- tools ---- */

static void every_tool_is_well_formed_and_has_its_result(void)
{
    for (const struct tool *t = tool_table; t->name; t++) {
        bool found = false;
        for (const struct tool_member *m = tool_members; m->schema; m++)
            found = found || strcmp(m->schema, t->result) == 0;
        EXPECT(found);
        EXPECT(t->begin && t->title && t->help);
        EXPECT(strspn(t->name, "abcdefghijklmnopqrstuvwxyz_") == strlen(t->name));
        EXPECT(tool_find(t->name) == t);
    }
    EXPECT(tool_find("nothing") == NULL);
    EXPECT_TEXT(tool_nearest("list_delivery", 0), "list_deliveries");
    EXPECT(tool_nearest("delete_integratin", 0) == NULL);
    EXPECT_TEXT(tool_nearest("delete_integratin", TOOL_ALLOW_WRITE), "delete_integration");
}

UNIT_MAIN(UNIT_CASE(lines_are_the_same_whatever_the_pieces_they_come_in),
          UNIT_CASE(a_line_beyond_the_limit_is_told_once_and_the_next_is_taken),
          UNIT_CASE(a_message_is_what_its_members_say), UNIT_CASE(an_id_is_the_same_only_with_its_type),
          UNIT_CASE(what_fits_is_left_as_it_is), UNIT_CASE(what_is_no_number_of_json_becomes_null),
          UNIT_CASE(a_list_that_is_too_long_loses_its_end_and_says_so),
          UNIT_CASE(a_text_that_is_too_long_is_cut_between_characters),
          UNIT_CASE(a_page_that_is_cut_leads_no_further), UNIT_CASE(what_went_well_is_cut_first),
          UNIT_CASE(what_cannot_be_cut_is_no_result), UNIT_CASE(every_tool_is_well_formed_and_has_its_result))
