/*
 * Text on its way into a message: cleaned, cut between characters, escaped for Slack.
 */
#include <stdio.h>
#include <string.h>

#include "common/destinations/text.h"
#include "tests/unit/unit.h"

static void expect_clean(const char *text, enum text_shape shape, const char *want)
{
    struct buf b;
    buf_init(&b, 1000);
    text_add_clean(&b, text, shape);
    EXPECT_TEXT(buf_text(&b), want);
    buf_free(&b);
}

static void what_cannot_be_seen_is_taken_out(void)
{
    expect_clean(NULL, TEXT_ONE_LINE, "");
    expect_clean("", TEXT_ONE_LINE, "");
    expect_clean("plain", TEXT_ONE_LINE, "plain");
    expect_clean("a\x01\x1b[31mb\x7f\xc2\x9b", TEXT_ONE_LINE, "a[31mb");
    expect_clean("user\xe2\x80\xaegnp.exe", TEXT_ONE_LINE, "usergnp.exe"); /* U+202E */
    expect_clean("a\xe2\x81\xa6"
                 "b\xe2\x81\xa9",
                 TEXT_ONE_LINE, "ab"); /* U+2066, U+2069 */
    expect_clean("pay\xe2\x80\x8bpal\xef\xbb\xbf\xe2\x81\xa0\xc2\xad", TEXT_ONE_LINE, "paypal");
    expect_clean("tag\xf3\xa0\x81\xa1", TEXT_ONE_LINE, "tag"); /* U+E0061 */
    expect_clean("bro\xffken\xc3", TEXT_ONE_LINE, "bro\xef\xbf\xbdken\xef\xbf\xbd");
    expect_clean("größe → 日本 🚨", TEXT_ONE_LINE, "größe → 日本 🚨");
    expect_clean("\xe2\x80\x8b \n\xe2\x80\x8b", TEXT_ONE_LINE, "");
}

static void one_line_stays_one_line(void)
{
    expect_clean("  a \t b  ", TEXT_ONE_LINE, "a b");
    expect_clean("a\r\nb\nc\vd\fe\xe2\x80\xa8"
                 "f\xe2\x80\xa9g\xc2\x85h",
                 TEXT_ONE_LINE, "a b c d e f g h");
    expect_clean("a\xc2\xa0\xe3\x80\x80"
                 "b",
                 TEXT_ONE_LINE, "a b");
}

static void lines_stay_and_empty_ones_do_not_pile_up(void)
{
    expect_clean("\n\n a\r\nb \n\n\n\n c\n\n", TEXT_LINES, "a\nb\n\nc");
    expect_clean("a\r\n\r\nb\r\rc\xe2\x80\xa8"
                 "d",
                 TEXT_LINES, "a\n\nb\n\nc\nd");
}

static void expect_cut(const char *text, size_t max, const char *want)
{
    struct buf b;
    buf_init(&b, 1000);
    buf_add_text(&b, "before ");
    bool whole = text_add_cut(&b, text, max);
    EXPECT_TEXT(buf_text(&b) + 7, want);
    EXPECT_INT(whole, strcmp(text ? text : "", want) == 0);
    buf_free(&b);
}

static void a_cut_counts_characters_and_says_that_it_cut(void)
{
    expect_cut(NULL, 1, "");
    expect_cut("abcd", 4, "abcd");
    expect_cut("abcde", 4, "abc…");
    expect_cut("abcde", 1, "…");
    expect_cut("a", 1, "a");
    expect_cut("äöüß", 4, "äöüß");
    expect_cut("äöüßa", 4, "äöü…");
    expect_cut("🚨🚨🚨", 3, "🚨🚨🚨");
    expect_cut("🚨🚨🚨", 2, "🚨…");
}

static void expect_slack(const char *text, size_t max, const char *want, bool whole)
{
    struct buf b;
    buf_init(&b, 1000);
    EXPECT_INT(text_add_escaped(&b, text, max, TEXT_UTF16_UNITS, text_escape_entities), whole);
    EXPECT_TEXT(buf_text(&b), want);
    buf_free(&b);
}

static void slack_gets_entities_for_its_three_characters(void)
{
    expect_slack("<!channel> & <@U1|x> &amp; 'a' \"b\"", 1000,
                 "&lt;!channel&gt; &amp; &lt;@U1|x&gt; &amp;amp; 'a' \"b\"", true);
    expect_slack(NULL, 1, "", true);
}

static void a_limit_holds_after_escaping_and_no_entity_is_split(void)
{
    expect_slack("a&b", 7, "a&amp;b", true);
    expect_slack("a&b", 6, "a…", false);
    expect_slack("&&&", 10, "&amp;…", false);
    expect_slack("&&", 10, "&amp;&amp;", true);
    expect_slack("&", 4, "…", false);
    expect_slack("<", 1, "…", false);
    expect_slack("a🚨", 3, "a🚨", true); /* two UTF-16 units */
    expect_slack("a🚨", 2, "a…", false);
    expect_slack("a🚨b", 3, "a…", false);
}

UNIT_MAIN(UNIT_CASE(what_cannot_be_seen_is_taken_out), UNIT_CASE(one_line_stays_one_line),
          UNIT_CASE(lines_stay_and_empty_ones_do_not_pile_up),
          UNIT_CASE(a_cut_counts_characters_and_says_that_it_cut),
          UNIT_CASE(slack_gets_entities_for_its_three_characters),
          UNIT_CASE(a_limit_holds_after_escaping_and_no_entity_is_split))
