/*
 * Markup that has no escape, made text by look-alikes: nothing of it is left, and what is none stays as it is.
 */
#include <string.h>

#include "common/destinations/text.h"
#include "tests/unit/unit.h"

static void expect(text_escape *escape, const char *text, const char *want)
{
    struct buf b;
    buf_init(&b, 1000);
    EXPECT(text_add_escaped(&b, text, 500, TEXT_CODE_POINTS, escape));
    EXPECT_TEXT(buf_text(&b), want);
    buf_free(&b);
}

static void markup_becomes_look_alikes(void)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"*b* **c** ~s~ `d`", "∗b∗ ∗∗c∗∗ ∼s∼ ˋdˋ"},
        {"_i_ a __u__", "＿i_ a ＿＿u_＿"},
        {"<users/all> <https://a|b>", "‹users/all› ‹https:∕/a|b›"},
        {"[good](https://evil)", "[good] (https:∕/evil)"},
        {"[good]: //evil", "[good] : //evil"},
        {"www.evil.example WWW.x", "www․evil.example WWW․x"},
        {"mailto:a@b.example @all", "mailto:a＠b.example ＠all"},
        {"{{DATE(x)}} ${jndi:x} {{{", "{ {DATE(x)}} $ {jndi:x} { { {"},
        {"&#60;b&#62;", "&＃60;b&＃62;"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect(text_escape_lookalike, cases[i].text, cases[i].want);
}

static void a_line_begins_neither_a_list_nor_a_heading(void)
{
    expect(text_escape_lookalike, "# a\n- b\n+ c\n===\n---\n* d", "＃ a\n‐ b\n＋ c\n＝==\n‐--\n∗ d");
    expect(text_escape_lookalike, "a # b - c + d = e", "a # b - c + d = e");
}

static void what_is_no_markup_stays(void)
{
    static const char *const texts[] = {"verification_status: unverified → true_positive",
                                        "/cart?id=1&sort=asc#top",
                                        "[HIGH] CVSS 7.5 — a/b",
                                        "CWE-89 (SQL) 12:30 {a} $x 日本語 🚨",
                                        "snake_case_9_x",
                                        ""};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        expect(text_escape_lookalike, texts[i], texts[i]);
}

static void templates_alone_are_parted(void)
{
    expect(text_escape_template, "{{DATE(x)}} <b> *c* {d} ${e}", "{ {DATE(x)}} <b> *c* {d} $ {e}");
}

UNIT_MAIN(UNIT_CASE(markup_becomes_look_alikes), UNIT_CASE(a_line_begins_neither_a_list_nor_a_heading),
          UNIT_CASE(what_is_no_markup_stays), UNIT_CASE(templates_alone_are_parted))
