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

static struct json_object *first(struct json_object *object, const char *key)
{
    struct json_object *list = json_get(object, key);
    return json_object_is_type(list, json_type_array) ? json_object_array_get_idx(list, 0) : NULL;
}

static const char *text_of(struct json_object *object, const char *key)
{
    struct json_object *value = json_get(object, key);
    return json_is_text(value) ? json_object_get_string(value) : "no text";
}

static struct json_object *body_of(struct json_object *message)
{
    struct json_object *attachment = first(message, "attachments");
    EXPECT_TEXT(text_of(message, "type"), "message");
    EXPECT_TEXT(text_of(attachment, "contentType"), "application/vnd.microsoft.card.adaptive");
    struct json_object *card = json_get(attachment, "content");
    EXPECT_TEXT(text_of(card, "type"), "AdaptiveCard");
    EXPECT_TEXT(text_of(card, "version"), "1.4");
    return json_get(card, "body");
}

/* Of a RichTextBlock. */
static const char *run_of(struct json_object *block)
{
    EXPECT_TEXT(text_of(first(block, "inlines"), "type"), "TextRun");
    return text_of(first(block, "inlines"), "text");
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
    EXPECT_TEXT(text_of(top, "style"), style);
    EXPECT_TEXT(run_of(first(top, "items")), headline);
    EXPECT(json_object_array_length(body_of(card)) > 3);
    EXPECT_INT(json_object_array_length(body_of(text)), 1);
    EXPECT_TEXT(run_of(json_object_array_get_idx(body_of(text), 0)), line);
    EXPECT_TEXT(text_of(connector, "@type"), "MessageCard");
    EXPECT_TEXT(text_of(connector, "title"), headline);
    EXPECT(strncmp(text_of(connector, "summary"), headline, strlen(headline)) == 0);
    EXPECT_TEXT(text_of(connector, "themeColor"), colour);
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
        EXPECT_TEXT(text_of(json_object_array_get_idx(body_of(card), 0), "style"), styles[severity]);
        json_object_put(card);
    }
}

static void hostile_text_is_only_text(void)
{
    static const char hostile[] = "[good](https://evil.example) <at>all</at> **b** _i_ {{DATE(2026-01-01)}} "
                                  "\"}]}],\"actions\":[{\"x\":\"\\ \xe2\x80\xae\xff\x01 ${x} <b>c</b> &#60;";
    for (int type = 0; type < EVENT_TYPE_COUNT; type++)
        for (int style = TEAMS_CARD; style <= TEAMS_CONNECTOR; style++) {
            struct facts facts = talk_facts();
            struct event event = talk_event();
            event.type = (enum event_type)type;
            chat_fill(&facts, &event, hostile);
            struct json_object *root = chat_render(builders[style], &event, &facts, style);
            const char *text = json_print(root);
            EXPECT(strstr(text, "{ {DATE") && !strstr(text, "{{") && !strstr(text, "${"));
            EXPECT(!strstr(text, "\xe2\x80\xae") && !strstr(text, "\"TextBlock\"") &&
                   !strstr(text, "FactSet"));
            EXPECT(style != TEAMS_CONNECTOR || !strpbrk(text, "<>*"));
            EXPECT(style != TEAMS_CONNECTOR || !strstr(text, "\"markdown\":true"));
            EXPECT_INT(json_object_object_length(root), style == TEAMS_CONNECTOR ? 6 : 2);
            json_object_put(root);
        }
}

static void expect_within_limits(struct json_object *root, size_t bytes, const char *letter)
{
    (void)root;
    if (bytes > TEAMS_MESSAGE_MAX)
        unit_fail(__FILE__, __LINE__, "%zu bytes of %s", bytes, letter);
}

static void long_text_of_any_width_stays_within_the_limit(void)
{
    for (int style = TEAMS_CARD; style <= TEAMS_CONNECTOR; style++)
        chat_each_long(builders[style], style, expect_within_limits);
}

static void nothing_known_is_still_a_message(void)
{
    struct facts facts = {.has_finding = true};
    struct event event = {.id = "e"};
    for (int type = 0; type < EVENT_TYPE_COUNT; type++)
        for (int style = TEAMS_CARD; style <= TEAMS_CONNECTOR; style++) {
            event.type = (enum event_type)type;
            struct json_object *root = chat_render(builders[style], &event, &facts, style);
            EXPECT(!strstr(json_print(root), "[]") && !strstr(json_print(root), ":\"\""));
            json_object_put(root);
        }
}

UNIT_MAIN(UNIT_CASE(every_event_has_all_three_layouts), UNIT_CASE(a_card_has_the_severitys_background),
          UNIT_CASE(hostile_text_is_only_text), UNIT_CASE(long_text_of_any_width_stays_within_the_limit),
          UNIT_CASE(nothing_known_is_still_a_message))
