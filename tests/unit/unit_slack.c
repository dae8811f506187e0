/*
 * What Slack gets: both layouts of every event, hostile and long text. The exact bytes of the messages are in
 * tests/golden/slack.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/json.h"
#include "common/destinations/slack.h"
#include "tests/unit/chat.h"
#include "tests/unit/talk.h"
#include "tests/unit/unit.h"

static struct json_object *render(const struct event *event, const struct facts *facts, enum dest_style style)
{
    return chat_render(slack_body_build, event, facts, style);
}

/* The text of a block's plain_text object. */
static const char *block_text(struct json_object *block)
{
    struct json_object *text = json_get(block, "text");
    EXPECT_TEXT(chat_text(text, "type"), "plain_text");
    return chat_text(text, "text");
}

static bool is_false(struct json_object *object, const char *key)
{
    struct json_object *value = json_get(object, key);
    return json_object_is_type(value, json_type_boolean) && !json_object_get_boolean(value);
}

static void expect_message(enum event_type type, const char *headline, const char *rest, const char *colour)
{
    struct facts facts = talk_facts();
    struct event event = talk_event();
    char line[500];
    event.type = type;
    facts.finding.title = "SQL injection";
    snprintf(line, sizeof line, "%s%s", headline, rest);
    struct json_object *text = render(&event, &facts, DEST_STYLE_TEXT);
    struct json_object *card = render(&event, &facts, DEST_STYLE_CARD);
    EXPECT_TEXT(chat_text(text, "text"), line);
    EXPECT_TEXT(chat_text(card, "text"), line);
    EXPECT(is_false(text, "unfurl_links") && is_false(text, "unfurl_media") && is_false(text, "mrkdwn"));
    EXPECT(is_false(card, "unfurl_links") && is_false(card, "unfurl_media") && is_false(card, "mrkdwn"));
    EXPECT(!json_get(text, "attachments") && !chat_item(text, "blocks", 1));
    EXPECT_TEXT(block_text(chat_item(text, "blocks", 0)), line);
    EXPECT_TEXT(chat_text(chat_item(card, "blocks", 0), "type"), "header");
    EXPECT_TEXT(block_text(chat_item(card, "blocks", 0)), headline);
    EXPECT_TEXT(chat_text(chat_item(card, "attachments", 0), "color"), colour);
    EXPECT(chat_item(chat_item(card, "attachments", 0), "blocks", 1) != NULL);
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

/* No text that anybody else wrote stands anywhere but in plain_text and in the fallback. */
static void no_object_of_a_message_is_mrkdwn(void)
{
    struct facts facts = talk_facts();
    struct event event = talk_event();
    for (int type = 0; type < EVENT_TYPE_COUNT; type++)
        for (int style = DEST_STYLE_CARD; style <= DEST_STYLE_TEXT; style++) {
            event.type = (enum event_type)type;
            struct json_object *root = render(&event, &facts, (enum dest_style)style);
            EXPECT(!strstr(json_print(root), "\"type\":\"mrkdwn\""));
            EXPECT(strstr(json_print(root), "\"type\":\"plain_text\""));
            json_object_put(root);
        }
}

static void expect_inert(struct json_object *root)
{
    const char *text = json_print(root);
    EXPECT(!strpbrk(text, "<>") && strstr(text, "&lt;!channel&gt;") && !strstr(text, "\xe2\x80\xae"));
    EXPECT(strstr(text, "&amp;lt;!here"));
}

static void see_inert_card(struct json_object *root, size_t bytes, const char *hostile)
{
    (void)bytes;
    (void)hostile;
    expect_inert(root);
    EXPECT_INT(json_object_object_length(root), 6);
}

static void see_inert_text(struct json_object *root, size_t bytes, const char *hostile)
{
    (void)bytes;
    (void)hostile;
    expect_inert(root);
    EXPECT_INT(json_object_object_length(root), 5);
}

static void hostile_text_is_only_text(void)
{
    static const char hostile[] = "<!channel> <@U1> <https://evil.example|https://good.example>\n"
                                  "\",\"blocks\":[],\"x\":\"\\ *b* _i_ ~s~ `c` @here #general &lt;!here&gt; "
                                  "\xe2\x80\xae\xff\x01 <!subteam^S1> <!date^0^{date}|x>";
    chat_each(slack_body_build, DEST_STYLE_CARD, hostile, see_inert_card);
    chat_each(slack_body_build, DEST_STYLE_TEXT, hostile, see_inert_text);
}

static void expect_limits(struct json_object *blocks)
{
    EXPECT(json_object_array_length(blocks) >= 1 && json_object_array_length(blocks) <= SLACK_BLOCKS_MAX);
    for (size_t i = 0; i < json_object_array_length(blocks); i++) {
        struct json_object *block = json_object_array_get_idx(blocks, i);
        bool header = strcmp(chat_text(block, "type"), "header") == 0;
        if (json_get(block, "text"))
            EXPECT(chat_units(block_text(block)) <= (header ? SLACK_HEADER_MAX : SLACK_SECTION_MAX));
        struct json_object *field;
        size_t count = 0;
        while ((field = chat_item(block, "fields", count))) {
            EXPECT(chat_units(chat_text(field, "text")) <= SLACK_FIELD_MAX);
            count++;
        }
        EXPECT(count <= SLACK_FIELDS_MAX);
    }
}

static void expect_within_limits(struct json_object *root, size_t bytes, const char *letter)
{
    (void)bytes;
    (void)letter;
    EXPECT(chat_units(chat_text(root, "text")) <= SLACK_TEXT_MAX);
    expect_limits(json_get(root, "blocks"));
    if (json_get(root, "attachments"))
        expect_limits(json_get(chat_item(root, "attachments", 0), "blocks"));
}

static void long_text_of_any_width_stays_within_the_limits(void)
{
    chat_each_long(slack_body_build, DEST_STYLE_CARD, expect_within_limits);
    chat_each_long(slack_body_build, DEST_STYLE_TEXT, expect_within_limits);
}

/* Wherever the buffer ends, even in the middle of a list that is built aside, while the rest would fit. */
static void a_message_that_does_not_fit_is_never_half_a_message(void)
{
    static char text[3000];
    struct facts facts = talk_facts();
    struct event event = talk_event();
    size_t fitted = 0;
    memset(text, '&', sizeof text - 1);
    chat_fill(&facts, &event, text);
    facts.finding.title = "short";
    event.change_summary = NULL;
    for (size_t max = 500; max < 12000; max += (size_t)unit_step(23, 233)) {
        const char *why;
        struct buf b;
        buf_init(&b, max);
        slack_body_build(&event, &facts, DEST_STYLE_CARD, &b);
        struct json_object *root = json_parse(buf_text(&b), b.len, &why);
        EXPECT(b.overflow || root);
        fitted += !b.overflow;
        json_object_put(root);
        buf_free(&b);
    }
    EXPECT(fitted > 0);
}

static void a_title_that_the_header_cuts_is_shown_whole_below(void)
{
    struct facts facts = talk_facts();
    struct event event = talk_event();
    char title[201] = "";
    memset(title, 't', sizeof title - 1);
    event.type = EVENT_FINDING_NEW;
    facts.finding.title = title;
    struct json_object *root = render(&event, &facts, DEST_STYLE_CARD);
    const char *header = block_text(chat_item(root, "blocks", 0));
    EXPECT_INT(chat_units(header), SLACK_HEADER_MAX);
    EXPECT_TEXT(header + strlen(header) - strlen("…"), "…");
    EXPECT(strstr(block_text(chat_item(chat_item(root, "attachments", 0), "blocks", 0)), title) != NULL);
    json_object_put(root);
}

static void see_bare(struct json_object *root, size_t bytes, const char *text)
{
    expect_within_limits(root, bytes, text);
    EXPECT(json_get(root, "attachments") && !strstr(json_print(root), "\"fields\":[]"));
}

static void nothing_known_is_still_a_message(void)
{
    chat_each(slack_body_build, DEST_STYLE_CARD, NULL, see_bare);
}

UNIT_MAIN(UNIT_CASE(every_event_has_both_layouts), UNIT_CASE(no_object_of_a_message_is_mrkdwn),
          UNIT_CASE(hostile_text_is_only_text), UNIT_CASE(long_text_of_any_width_stays_within_the_limits),
          UNIT_CASE(a_message_that_does_not_fit_is_never_half_a_message),
          UNIT_CASE(a_title_that_the_header_cuts_is_shown_whole_below),
          UNIT_CASE(nothing_known_is_still_a_message))
