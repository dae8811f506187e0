/* Trace Context: what is read, what is not, and that what is written is what was read. */
#include <string.h>

#include "common/base/hash.h"
#include "common/model/event.h"
#include "tests/unit/unit.h"

/* The example of https://www.w3.org/TR/trace-context/ section 3.2.3. */
#define ID     "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN   "00f067aa0ba902b7"
#define PARENT "00-" ID "-" SPAN "-01"

static bool reads(const char *text)
{
    struct trace t;
    bool good = trace_parse(&t, text, strlen(text));
    EXPECT(t.known == good);
    return good;
}

static void the_specifications_example_is_read_and_written_again(void)
{
    struct trace t;
    char text[TRACE_PARENT_TEXT], id[TRACE_ID_TEXT];
    EXPECT(trace_parse(&t, PARENT, strlen(PARENT)));
    trace_parent_format(&t, t.parent, text);
    trace_id_format(&t, id);
    EXPECT_TEXT(text, PARENT);
    EXPECT_TEXT(id, ID);
    EXPECT_INT(t.flags, 1);
    EXPECT(!trace_is_made(&t));
}

static void what_the_specification_calls_invalid_is_not_read(void)
{
    static const char *const bad[] = {"",
                                      "00",
                                      "00-" ID "-" SPAN "-0",
                                      "00-" ID "-" SPAN "-01-",
                                      "00-" ID "-" SPAN "-01-x",
                                      "00-" ID "-" SPAN "-01x",
                                      "00-" ID "-" SPAN "-0g",
                                      "0g-" ID "-" SPAN "-01",
                                      "ff-" ID "-" SPAN "-01",
                                      "ff-" ID "-" SPAN "-01-x",
                                      "00-00000000000000000000000000000000-" SPAN "-01",
                                      "00-" ID "-0000000000000000-01",
                                      "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01",
                                      "00_" ID "-" SPAN "-01",
                                      "00-" ID "_" SPAN "-01",
                                      "00-" ID "-" SPAN "_01",
                                      " 00-" ID "-" SPAN "-01",
                                      "00-" ID "-" SPAN "-01 "};
    EXPECT(reads("00-" ID "-" SPAN "-00"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        EXPECT(!reads(bad[i]));
}

static void a_later_version_is_read_by_its_first_four_parts(void)
{
    struct trace t;
    char text[TRACE_PARENT_TEXT];
    EXPECT(reads("01-" ID "-" SPAN "-01"));
    EXPECT(reads("cc-" ID "-" SPAN "-01-what-the-future-will-be-like"));
    EXPECT(!reads("cc-" ID "-" SPAN "-01.what"));
    EXPECT(trace_parse(&t, "cc-" ID "-" SPAN "-ff-more", strlen("cc-" ID "-" SPAN "-ff-more")));
    trace_parent_format(&t, t.parent, text);
    EXPECT_TEXT(text, "00-" ID "-" SPAN "-03"); /* our version, and no flag that it does not know */
}

static void a_size_says_where_a_traceparent_ends(void)
{
    static const char two[] = PARENT "-" PARENT;
    struct trace t;
    EXPECT(trace_parse(&t, two, strlen(PARENT)));
    EXPECT(!trace_parse(&t, two, strlen(PARENT) - 1));
    EXPECT(!trace_parse(&t, two, strlen(two)));
    EXPECT(!t.known && !t.flags);
}

static bool is_state(const char *text)
{
    return trace_state_is_good(text, strlen(text));
}

static void a_state_is_passed_on_only_if_it_is_a_plain_list(void)
{
    static const char *const good[] = {"congo=t61rcWkgMzE", "rojo=00f067aa0ba902b7, congo=t61rcWkgMzE",
                                       "fw529a3039@dt=FfAAA/x y"};
    static const char *const bad[] = {"",           "congo", "=x",   "a=",  "a=b,",
                                      "a=b,,c=d",   "a=b=c", "a=b ", "A=b", "a=b\r\nX-Evil: 1",
                                      "a=\xc3\xa4", "a=\x7f"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        EXPECT(is_state(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        EXPECT(!is_state(bad[i]));
    EXPECT(!trace_state_is_good("a=b\0c", 5));
}

static void a_state_has_so_many_members_and_bytes_at_most(void)
{
    char many[200] = "", big[TRACE_STATE_MAX + 1];
    for (int i = 0; i < 32; i++)
        strcat(many, i ? ",a=b" : "a=b");
    EXPECT(is_state(many));
    strcat(many, ",a=b");
    EXPECT(!is_state(many));
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = i % 128 == 0 ? 'k' : i % 128 == 1 ? '=' : i % 128 == 127 ? ',' : 'v';
    EXPECT(trace_state_is_good(big, TRACE_STATE_MAX - 1)); /* without the last comma */
    big[TRACE_STATE_MAX - 1] = 'v';
    EXPECT(trace_state_is_good(big, TRACE_STATE_MAX));
    big[TRACE_STATE_MAX] = 'v';
    EXPECT(!trace_state_is_good(big, TRACE_STATE_MAX + 1));
}

static void a_trace_of_our_own_follows_from_the_name_and_says_that_it_is_ours(void)
{
    struct trace t, again;
    char id[TRACE_ID_TEXT], text[TRACE_PARENT_TEXT];
    trace_make(&t, "ev-1");
    trace_id_format(&t, id);
    EXPECT_TEXT(id, "e8bd59a71e7e467bb66d5c98314e26f7"); /* printf ev-1 | sha256sum | cut -c 1-32 */
    EXPECT(t.known && trace_is_made(&t));
    trace_parent_format(&t, t.parent, text);
    EXPECT(trace_parse(&again, text, strlen(text)) && trace_is_made(&again));
}

static void an_event_has_the_trace_that_was_given_and_else_its_own(void)
{
    char id[TRACE_ID_TEXT];
    struct event event = {.id = "ev-1"};
    EXPECT_TEXT(event_trace_text(&event, id), "e8bd59a71e7e467bb66d5c98314e26f7");
    EXPECT(!event.trace.known);
    EXPECT(trace_parse(&event.trace, PARENT, strlen(PARENT)));
    EXPECT_TEXT(event_trace_text(&event, id), ID);
    EXPECT(event_trace_text(&(struct event){.id = NULL}, id) == NULL);
    EXPECT(event_trace_text(NULL, id) == NULL && event_log_id(NULL) == NULL);
    EXPECT_TEXT(event_log_id(&event), event.id);
}

static void a_row_keeps_the_state_behind_a_blank(void)
{
    struct arena arena;
    struct trace t;
    char row[TRACE_ROW_TEXT];
    arena_init(&arena, 1024);
    EXPECT(trace_row_parse(&t, &arena, PARENT " a=b,c=d e", strlen(PARENT " a=b,c=d e")));
    EXPECT_TEXT(t.state, "a=b,c=d e");
    trace_row_format(&t, row);
    EXPECT_TEXT(row, PARENT " a=b,c=d e");
    EXPECT(trace_row_parse(&t, &arena, PARENT " a", strlen(PARENT " a")) && !t.state);
    EXPECT(trace_row_parse(&t, &arena, PARENT, strlen(PARENT)) && !t.state);
    trace_row_format(&t, row);
    EXPECT_TEXT(row, PARENT);
    EXPECT(!trace_row_parse(&t, &arena, "x", 1) && !t.known);
    arena_free(&arena);
}

UNIT_MAIN(UNIT_CASE(the_specifications_example_is_read_and_written_again),
          UNIT_CASE(what_the_specification_calls_invalid_is_not_read),
          UNIT_CASE(a_later_version_is_read_by_its_first_four_parts),
          UNIT_CASE(a_size_says_where_a_traceparent_ends),
          UNIT_CASE(a_state_is_passed_on_only_if_it_is_a_plain_list),
          UNIT_CASE(a_state_has_so_many_members_and_bytes_at_most),
          UNIT_CASE(a_trace_of_our_own_follows_from_the_name_and_says_that_it_is_ours),
          UNIT_CASE(an_event_has_the_trace_that_was_given_and_else_its_own),
          UNIT_CASE(a_row_keeps_the_state_behind_a_blank))
