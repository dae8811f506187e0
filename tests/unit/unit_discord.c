/*
 * What Discord gets: its settings, its escapes, and what goes when 6,000 characters are not enough. What becomes of a
 * finding's message is in unit_discord_life.c. The exact bytes of the messages, and what follows from each answer, are in tests/golden/discord.
 */
#include <string.h>

#include "common/base/json.h"
#include "common/destinations/discord.h"
#include "tests/unit/chat.h"
#include "tests/unit/settings_case.h"
#include "tests/unit/talk.h"
#include "tests/unit/unit.h"

#define AT(url) "{\"webhook_url\":\"" url "\"}"
#define CARD    AT("https://discord.example/api/webhooks/1/x")
#define STORED                                                                                               \
    {                                                                                                        \
        .status = 200, .body = "{\"id\":\"1\"}", .body_size = 10                                             \
    }

/* ---- settings ---- */

static void settings_are_taken_or_refused_with_advice_and_without_values(void)
{
    static const struct settings_case cases[] = {
        {AT("https://discord.com/api/webhooks/1/SECRET-_3"),
         .url = "https://discord.com/api/webhooks/1/SECRET-_3?wait=true"},
        {AT("https://ptb.discord.com/api/v10/webhooks/1/SECRET?thread_id=7"),
         .url = "https://ptb.discord.com/api/v10/webhooks/1/SECRET?thread_id=7&wait=true"},
        {AT("https://discord.com/api/webhooks/1/SECRET?wait=false&&thread_id=7&wait#top"),
         .url = "https://discord.com/api/webhooks/1/SECRET?thread_id=7&wait=true"},
        {AT("https://discord.com/api/webhooks/1/SECRET?waiting=1#?"),
         .url = "https://discord.com/api/webhooks/1/SECRET?waiting=1&wait=true"},
        {AT("https://discordapp.com/api/webhooks/1/SECRET"), .advised = "write discord.com",
         .url = "https://discordapp.com/api/webhooks/1/SECRET?wait=true"},
        {AT("https://proxy.example/SECRET"), .advised = "does not lead to Discord",
         .url = "https://proxy.example/SECRET?wait=true"},
        {AT("https://discord.com/api/v5/webhooks/1/SECRET"), .refused = "version"},
        {AT("https://discord.com/api/webhooks/1/SECRET/slack"), .refused = "/slack"},
        {AT("https://discord.com/api/webhooks/1/SECRET/github?wait=true"), .refused = "/github"},
        {AT("https://discord.com/api/webhooks/1/SECRET/messages/1"), .refused = "copy it again"},
        {AT("https://discord.com/api/webhooks/1/"), .refused = "copy it again"},
        {AT("https://discord.com/api/webhooks/SECRET/1"), .refused = "copy it again"},
        {AT("https://discord.com/channels/1/SECRET"), .refused = "copy it again"},
        {AT("https://discord.com/v10/webhooks/1/SECRET"), .refused = "copy it again"},
        {AT("https://discord.com"), .refused = "copy it again"},
        {AT("discord.com/api/webhooks/1/SECRET"), .refused = "https://"},
        {AT("https://discord.com/api/webhooks/1/SECRET\\n"), .refused = "control"},
        {"{\"style\":\"text\"}", .refused = "webhook_url"},
        {"{\"webhook_url\":\"https://h\",\"style\":\"x\"}", .refused = "style"},
        {"[]", .refused = "JSON"},
    };
    EXPECT_SETTINGS("discord", cases);
}

static void a_card_is_the_default(void)
{
    struct dest_config_error error;
    struct arena a;
    arena_init(&a, 1024);
    const struct discord_config *card = talk_parse(&a, "discord", CARD, &error);
    EXPECT_INT(card->style, DEST_STYLE_CARD);
    arena_wipe(&a);
}

/* ---- the request ---- */

static void a_request_says_who_we_are_in_discords_form(void)
{
    struct talk t;
    talk_begin(&t, "discord", CARD, "abc", 1);
    t.event.type = EVENT_SCAN_DONE;
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT_TEXT(t.request.method, "POST");
    EXPECT(!t.request.once);
    EXPECT_INT(t.request.header_count, 2);
    EXPECT(strncmp(talk_header(&t, "User-Agent"), "DiscordBot (", 12) == 0);
    EXPECT_INT(t.request.answer_max, 65536);
    EXPECT(t.dest->repeat_hurts && !strstr(t.request.body, "webhooks"));
    struct dest_response stored = STORED;
    EXPECT_INT(talk_next(&t, &stored), DEST_FINISHED);
    EXPECT_INT(t.job.verdict.kind, VERDICT_DELIVERED);
    talk_end(&t);
}

static void a_header_is_set_in_place_and_refused_with_a_line_break(void)
{
    struct dest_request r;
    dest_request_json(&r, "GET", "https://h", NULL, 0);
    EXPECT(dest_request_set_header(&r, "User-Agent", "x") && r.header_count == 1);
    EXPECT_TEXT(r.headers[0].value, "x");
    EXPECT(!dest_request_set_header(&r, "User-Agent", "x\ny"));
    EXPECT_TEXT(r.headers[0].value, "x");
    EXPECT(dest_request_set_header(&r, "Accept", "y") && r.header_count == 2);
}

/* ---- texts ---- */

static const char *escaped(struct arena *a, const char *text)
{
    struct buf b;
    buf_init(&b, 1000);
    text_add_escaped(&b, text, 1000, TEXT_UTF16_UNITS, discord_escape);
    const char *out = arena_text(a, b.data, b.len);
    buf_free(&b);
    return out;
}

static void markup_is_escaped_and_words_are_not(void)
{
    struct arena a;
    arena_init(&a, 1024);
    EXPECT_TEXT(escaped(&a, "**b** _i_ ~~s~~ ||p|| `c` \\"),
                "\\*\\*b\\*\\* \\_i\\_ \\~\\~s\\~\\~ \\|\\|p\\|\\| \\`c\\` \\\\");
    EXPECT_TEXT(escaped(&a, "<@1> <@&2> <#3> <t:0:R> :x: @here"),
                "\\<\\@1\\> \\<\\@&2\\> \\<\\#3\\> \\<t\\:0\\:R\\> \\:x\\: \\@here");
    EXPECT_TEXT(escaped(&a, "[a](https://b.example) discord.gg/c"),
                "\\[a\\](https\\:\\/\\/b.example) discord.gg\\/c");
    EXPECT_TEXT(escaped(&a, "- l\n1. n\n-# s\n# h\n> q"), "\\- l\n1\\. n\n\\-\\# s\n\\# h\n\\> q");
    EXPECT_TEXT(escaped(&a, "CVE-2024-1, a.b (c) d!"), "CVE-2024-1, a.b (c) d!");
    arena_wipe(&a);
}

/* Checks each, and gives all together. */
static size_t lengths_of(struct json_object *embed)
{
    struct json_object *fields = json_get(embed, "fields"), *footer = json_get(embed, "footer");
    size_t title = chat_units_at(embed, "title"), description = chat_units_at(embed, "description");
    size_t sum = title + description + chat_units_at(footer, "text");
    EXPECT(title >= 1 && title <= DISCORD_TITLE_MAX && description <= DISCORD_DESCRIPTION_MAX);
    EXPECT(json_object_array_length(fields) <= DISCORD_FIELDS_MAX);
    for (size_t i = 0; i < json_object_array_length(fields); i++) {
        struct json_object *field = json_object_array_get_idx(fields, i);
        EXPECT(chat_units_at(field, "value") >= 1 && chat_units_at(field, "value") <= DISCORD_VALUE_MAX);
        sum += chat_units_at(field, "name") + chat_units_at(field, "value");
    }
    return sum;
}

static void see_card(struct json_object *body, size_t bytes, const char *text)
{
    struct json_object *embed = json_object_array_get_idx(json_get(body, "embeds"), 0);
    const char *footer = json_object_get_string(json_get(json_get(embed, "footer"), "text"));
    bool has_remediation = strstr(json_object_get_string(json_get(embed, "title")), "HIGH") != NULL;
    EXPECT(bytes > 0 && lengths_of(embed) <= DISCORD_EMBEDS_TEXT_MAX);
    if (*text == '*' && has_remediation)
        EXPECT(strstr(footer, "\nLeft out for length: ") && strstr(footer, "Remediation") &&
               !strstr(footer, "Severity"));
}

static void see_line(struct json_object *body, size_t bytes, const char *text)
{
    (void)text;
    EXPECT(bytes > 0 && chat_units_at(body, "content") <= DISCORD_CONTENT_MAX);
}

static void see_edited_line(struct json_object *body, size_t bytes, const char *text)
{
    (void)text;
    EXPECT(bytes > 0 && chat_units_at(body, "content") < DISCORD_CONTENT_MAX - DISCORD_WORDS_MAX);
}

static void a_message_is_never_longer_than_discord_takes_and_says_what_it_left_out(void)
{
    chat_each_long(discord_body_build, DEST_STYLE_CARD, see_card);
    chat_each_long(discord_body_build, DEST_STYLE_TEXT, see_line);
    chat_each_long(discord_body_build, DISCORD_EDIT + DEST_STYLE_CARD, see_card);
    chat_each_long(discord_body_build, DISCORD_EDIT + DEST_STYLE_TEXT, see_edited_line);
}

static void a_title_that_is_cut_is_shown_whole_below(void)
{
    struct facts facts = talk_facts();
    struct event event = talk_event();
    char title[401] = "";
    memset(title, 't', sizeof title - 1);
    event.change_summary = "unsuppressed";
    facts.finding.title = title;
    struct json_object *root = chat_render(discord_body_build, &event, &facts, DEST_STYLE_CARD);
    struct json_object *embed = json_object_array_get_idx(json_get(root, "embeds"), 0);
    const char *below = json_object_get_string(json_get(embed, "description"));
    EXPECT_INT(chat_units_at(embed, "title"), DISCORD_TITLE_MAX);
    EXPECT(strstr(below, title) && strstr(below, "\n\nunsuppressed"));
    json_object_put(root);
}

/* ---- answers ---- */

static void a_wait_is_the_longest_that_is_asked_for_and_a_year_at_most(void)
{
    struct dest_response r = {.status = 429, .body = "{\"retry_after\":1e300}", .body_size = 21};
    EXPECT(discord_judge(&r).not_before == 365.0 * 86400);
    r = (struct dest_response){
        .status = 429, .body = "{\"retry_after\":2.5}", .body_size = 19, .retry_after = 2};
    EXPECT(discord_judge(&r).not_before == 2.5);
    r.fields[ANSWER_RATE_RESET_AFTER] = "3.25";
    EXPECT(discord_judge(&r).not_before == 3.25);
    r.fields[ANSWER_RATE_RESET_AFTER] = "-3";
    r.body = "{\"retry_after\":-99}";
    EXPECT(discord_judge(&r).not_before == 2);
    r.body = "{\"retry_after\":null}";
    r.body_size = 20;
    r.retry_after = 0;
    EXPECT(discord_judge(&r).not_before == 0);
}

UNIT_MAIN(UNIT_CASE(settings_are_taken_or_refused_with_advice_and_without_values),
          UNIT_CASE(a_card_is_the_default), UNIT_CASE(a_request_says_who_we_are_in_discords_form),
          UNIT_CASE(a_header_is_set_in_place_and_refused_with_a_line_break),
          UNIT_CASE(markup_is_escaped_and_words_are_not),
          UNIT_CASE(a_message_is_never_longer_than_discord_takes_and_says_what_it_left_out),
          UNIT_CASE(a_title_that_is_cut_is_shown_whole_below),
          UNIT_CASE(a_wait_is_the_longest_that_is_asked_for_and_a_year_at_most))
