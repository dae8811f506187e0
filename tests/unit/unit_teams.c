/*
 * What Teams gets: the layouts of every event, hostile and long text. The exact bytes of the messages are in
 * tests/golden/teams.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/json.h"
#include "common/destinations/teams.h"
#include "tests/unit/chat.h"
#include "tests/unit/talk.h"
#include "tests/unit/unit.h"

static dest_body_builder *const builders[] = {[TEAMS_CARD] = teams_card_build,
                                              [TEAMS_TEXT] = teams_card_build,
                                              [TEAMS_CONNECTOR] = teams_connector_build};

static struct json_object *body_of(struct json_object *message)
{
    struct json_object *attachment = chat_item(message, "attachments", 0);
    EXPECT_TEXT(chat_text(message, "type"), "message");
    EXPECT_TEXT(chat_text(attachment, "contentType"), "application/vnd.microsoft.card.adaptive");
    struct json_object *card = json_get(attachment, "content");
    EXPECT_TEXT(chat_text(card, "type"), "AdaptiveCard");
    EXPECT_TEXT(chat_text(card, "version"), "1.4");
    return json_get(card, "body");
}

/* Of a RichTextBlock. */
static const char *run_of(struct json_object *block)
{
    EXPECT_TEXT(chat_text(chat_item(block, "inlines", 0), "type"), "TextRun");
    return chat_text(chat_item(block, "inlines", 0), "text");
}

static void expect_message(enum event_type type, const char *headline, const char *rest, const char *style,
                           const char *colour)
{
    struct facts facts = talk_facts();
    struct event event = talk_event();
    char line[500];
    event.type = type;
    facts.finding.title = "SQL injection";
    snprintf(line, sizeof line, "%s%s", headline, rest);
    struct json_object *card = chat_render(teams_card_build, &event, &facts, TEAMS_CARD);
    struct json_object *text = chat_render(teams_card_build, &event, &facts, TEAMS_TEXT);
    struct json_object *connector = chat_render(teams_connector_build, &event, &facts, TEAMS_CONNECTOR);
    struct json_object *top = json_object_array_get_idx(body_of(card), 0);
    EXPECT_TEXT(chat_text(top, "style"), style);
    EXPECT_TEXT(run_of(chat_item(top, "items", 0)), headline);
    EXPECT(json_object_array_length(body_of(card)) > 3);
    EXPECT_INT(json_object_array_length(body_of(text)), 1);
    EXPECT_TEXT(run_of(json_object_array_get_idx(body_of(text), 0)), line);
    EXPECT_TEXT(chat_text(connector, "@type"), "MessageCard");
    EXPECT_TEXT(chat_text(connector, "title"), headline);
    EXPECT(strncmp(chat_text(connector, "summary"), headline, strlen(headline)) == 0);
    EXPECT_TEXT(chat_text(connector, "themeColor"), colour);
    json_object_put(card);
    json_object_put(text);
    json_object_put(connector);
}

static void every_event_has_all_three_layouts(void)
{
    expect_message(EVENT_SCAN_STARTED, "🚀 Scan started — Shop [deep]", "", "emphasis", "6B7280");
    expect_message(EVENT_SCAN_DONE, "✅ Scan done — Shop · Grade C · 2 high", "", "attention", "EF4444");
    expect_message(EVENT_SCAN_FAILED, "❌ Scan failed — Shop", ": row's error", "attention", "DC2626");
    expect_message(EVENT_FINDING_NEW, "🔴 [HIGH] CVSS 7.5 — SQL injection", "\n/cart?id=1", "attention",
                   "EF4444");
    expect_message(EVENT_FINDING_CHANGED, "🔁 Finding updated — SQL injection",
                   ": verification_status: unverified → true_positive", "attention", "EF4444");
}

static void a_card_has_the_severitys_background(void)
{
    static const char *const styles[] = {[SEVERITY_INFO] = "emphasis",
                                         [SEVERITY_LOW] = "accent",
                                         [SEVERITY_MEDIUM] = "warning",
                                         [SEVERITY_HIGH] = "attention",
                                         [SEVERITY_CRITICAL] = "attention"};
    for (int severity = 0; severity < SEVERITY_COUNT; severity++) {
        struct facts facts = talk_facts();
        struct event event = talk_event();
        facts.finding.severity = (enum severity)severity;
        struct json_object *card = chat_render(teams_card_build, &event, &facts, TEAMS_CARD);
        EXPECT_TEXT(chat_text(json_object_array_get_idx(body_of(card), 0), "style"), styles[severity]);
        json_object_put(card);
    }
}

static void expect_inert(const char *text)
{
    EXPECT(strstr(text, "{ {DATE") && !strstr(text, "{{") && !strstr(text, "${"));
    EXPECT(!strstr(text, "\xe2\x80\xae") && !strstr(text, "\"TextBlock\"") && !strstr(text, "FactSet"));
}

static void see_inert_card(struct json_object *root, size_t bytes, const char *hostile)
{
    (void)bytes;
    (void)hostile;
    expect_inert(json_print(root));
    EXPECT_INT(json_object_object_length(root), 2);
}

static void see_inert_connector(struct json_object *root, size_t bytes, const char *hostile)
{
    (void)bytes;
    (void)hostile;
    expect_inert(json_print(root));
    EXPECT(!strpbrk(json_print(root), "<>*") && !strstr(json_print(root), "\"markdown\":true"));
    EXPECT_INT(json_object_object_length(root), 6);
}

static void hostile_text_is_only_text(void)
{
    static const char hostile[] = "[good](https://evil.example) <at>all</at> **b** _i_ {{DATE(2026-01-01)}} "
                                  "\"}]}],\"actions\":[{\"x\":\"\\ \xe2\x80\xae\xff\x01 ${x} <b>c</b> &#60;";
    chat_each(teams_card_build, TEAMS_CARD, hostile, see_inert_card);
    chat_each(teams_card_build, TEAMS_TEXT, hostile, see_inert_card);
    chat_each(teams_connector_build, TEAMS_CONNECTOR, hostile, see_inert_connector);
}

static void expect_within_limits(struct json_object *root, size_t bytes, const char *text)
{
    (void)root;
    if (bytes > TEAMS_MESSAGE_MAX)
        unit_fail(__FILE__, __LINE__, "%zu bytes of %.8s", bytes, text);
}

static void long_text_of_any_width_stays_within_the_limit(void)
{
    for (int style = TEAMS_CARD; style <= TEAMS_CONNECTOR; style++)
        chat_each_long(builders[style], style, expect_within_limits);
}

static void see_bare(struct json_object *root, size_t bytes, const char *text)
{
    (void)bytes;
    (void)text;
    EXPECT(!strstr(json_print(root), "[]") && !strstr(json_print(root), ":\"\""));
}

static void nothing_known_is_still_a_message(void)
{
    for (int style = TEAMS_CARD; style <= TEAMS_CONNECTOR; style++)
        chat_each(builders[style], style, NULL, see_bare);
}

UNIT_MAIN(UNIT_CASE(every_event_has_all_three_layouts), UNIT_CASE(a_card_has_the_severitys_background),
          UNIT_CASE(hostile_text_is_only_text), UNIT_CASE(long_text_of_any_width_stays_within_the_limit),
          UNIT_CASE(nothing_known_is_still_a_message))
