/*
 * What Google Chat gets: both layouts of every event, hostile and long text. The exact bytes of the messages are in
 * tests/golden/google_chat.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/json.h"
#include "common/destinations/google_chat.h"
#include "tests/unit/chat.h"
#include "tests/unit/talk.h"
#include "tests/unit/unit.h"

static struct json_object *widgets_of(struct json_object *message)
{
    struct json_object *card = json_get(chat_item(message, "cardsV2", 0), "card");
    return json_get(chat_item(card, "sections", 0), "widgets");
}

/* The HTML of widget I. */
static const char *html_of(struct json_object *message, size_t i)
{
    struct json_object *widget = json_object_array_get_idx(widgets_of(message), i);
    struct json_object *paragraph = json_get(widget, "textParagraph");
    return chat_text(paragraph ? paragraph : json_get(widget, "decoratedText"), "text");
}

static void expect_message(enum event_type type, const char *headline, const char *rest, const char *colour)
{
    struct facts facts = talk_facts();
    struct event event = talk_event();
    char line[500], html[500];
    event.type = type;
    facts.finding.title = "SQL injection";
    snprintf(line, sizeof line, "%s%s", headline, rest);
    snprintf(html, sizeof html, "<font color=\"%s\"><b>%s</b></font>", colour, headline);
    struct json_object *text = chat_render(google_chat_body_build, &event, &facts, DEST_STYLE_TEXT);
    struct json_object *card = chat_render(google_chat_body_build, &event, &facts, DEST_STYLE_CARD);
    EXPECT_TEXT(chat_text(text, "text"), line);
    EXPECT_TEXT(chat_text(card, "fallbackText"), line);
    EXPECT(!json_get(text, "thread") == !event_is_about_finding(type));
    EXPECT_INT(json_object_object_length(text), event_is_about_finding(type) ? 2 : 1);
    EXPECT(json_get(card, "text") == NULL);
    EXPECT_TEXT(html_of(card, 0), html);
    EXPECT(json_object_array_length(widgets_of(card)) > 3);
    json_object_put(text);
    json_object_put(card);
}

static void every_event_has_both_layouts(void)
{
    expect_message(EVENT_SCAN_STARTED, "🚀 Scan started — Shop [deep]", "", "#6B7280");
    expect_message(EVENT_SCAN_DONE, "✅ Scan done — Shop · Grade C · 2 high", "", "#EF4444");
    expect_message(EVENT_SCAN_FAILED, "❌ Scan failed — Shop", ": row's error", "#DC2626");
    expect_message(EVENT_FINDING_NEW, "🔴 [HIGH] CVSS 7.5 — SQL injection", "\n/cart?id=1", "#EF4444");
    expect_message(EVENT_FINDING_CHANGED, "🔁 Finding updated — SQL injection",
                   ": verification_status: unverified → true_positive", "#EF4444");
}

static void html_is_escaped_and_lines_are_broken(void)
{
    struct facts facts = talk_facts();
    struct event event = talk_event();
    event.change_summary = "a & b < c > \"d\" 'e' &lt;\nf";
    struct json_object *card = chat_render(google_chat_body_build, &event, &facts, DEST_STYLE_CARD);
    EXPECT_TEXT(html_of(card, 1), "a &amp; b &lt; c &gt; &quot;d&quot; &#39;e&#39; &amp;lt;<br>f");
    json_object_put(card);
}

static void expect_inert(struct json_object *root, const char *key, int members)
{
    const char *line = chat_text(root, key);
    EXPECT(!strpbrk(line, "<>*~`") && !strstr(line, "://") && !strstr(line, "\xe2\x80\xae"));
    EXPECT(strstr(line, "‹users/all›") && !strstr(json_print(root), "<a"));
    EXPECT_INT(json_object_object_length(root), members + (json_get(root, "thread") ? 1 : 0));
}

static void see_inert_card(struct json_object *root, size_t bytes, const char *hostile)
{
    (void)bytes;
    (void)hostile;
    expect_inert(root, "fallbackText", 2);
}

static void see_inert_text(struct json_object *root, size_t bytes, const char *hostile)
{
    (void)bytes;
    (void)hostile;
    expect_inert(root, "text", 1);
}

static void hostile_text_is_only_text(void)
{
    static const char hostile[] =
        "<users/all> <https://evil.example|https://good.example> *b* _i_ ~s~ `c` <a href='x'>y</a> "
        "\"}}]}]}}],\"text\":\"x\"\\ https://evil.example \xe2\x80\xae\xff\x01";
    chat_each(google_chat_body_build, DEST_STYLE_CARD, hostile, see_inert_card);
    chat_each(google_chat_body_build, DEST_STYLE_TEXT, hostile, see_inert_text);
}

static void expect_within_limits(struct json_object *root, size_t bytes, const char *text)
{
    if (bytes > GOOGLE_CHAT_MESSAGE_MAX)
        unit_fail(__FILE__, __LINE__, "%zu bytes of %.8s", bytes, text);
    if (json_get(root, "cardsV2"))
        EXPECT(json_object_array_length(widgets_of(root)) <= GOOGLE_CHAT_WIDGETS_MAX);
}

static void long_text_of_any_width_stays_within_the_limits(void)
{
    chat_each_long(google_chat_body_build, DEST_STYLE_CARD, expect_within_limits);
    chat_each_long(google_chat_body_build, DEST_STYLE_TEXT, expect_within_limits);
}

/* Quotes become six bytes each. */
static void what_has_no_room_is_left_out_and_named(void)
{
    static char text[20000];
    struct facts facts = talk_facts();
    struct event event = talk_event();
    memset(text, '"', sizeof text - 1);
    event.type = EVENT_FINDING_NEW;
    chat_fill(&facts, &event, text);
    struct json_object *card = chat_render(google_chat_body_build, &event, &facts, DEST_STYLE_CARD);
    size_t count = json_object_array_length(widgets_of(card));
    EXPECT(strncmp(html_of(card, count - 2), "<i>Left out for length: ", 24) == 0);
    EXPECT(strstr(html_of(card, count - 2), "Remediation") && !strstr(json_print(card), "<b>Remediation"));
    EXPECT(strstr(html_of(card, count - 1), "finding " TALK_FINDING_ID));
    json_object_put(card);
}

static void see_bare(struct json_object *root, size_t bytes, const char *text)
{
    (void)bytes;
    (void)text;
    EXPECT(!strstr(json_print(root), "\"text\":\"\"") && json_object_array_length(widgets_of(root)) >= 2);
}

static void nothing_known_is_still_a_message(void)
{
    chat_each(google_chat_body_build, DEST_STYLE_CARD, NULL, see_bare);
}

UNIT_MAIN(UNIT_CASE(every_event_has_both_layouts), UNIT_CASE(html_is_escaped_and_lines_are_broken),
          UNIT_CASE(hostile_text_is_only_text), UNIT_CASE(long_text_of_any_width_stays_within_the_limits),
          UNIT_CASE(what_has_no_room_is_left_out_and_named), UNIT_CASE(nothing_known_is_still_a_message))
