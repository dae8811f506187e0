/*
 * An event as an issue of GitHub: what is code, what a title holds, and what goes when there is no room. The exact bytes of
 * the issues are in tests/golden/github.
 */
#include <stdio.h>
#include <string.h>

#include "common/destinations/github.h"
#include "tests/unit/chat.h"
#include "tests/unit/talk.h"
#include "tests/unit/unit.h"

/* An issue without labels and assignees, which each integration adds. */
static void build_whole(const struct event *event, const struct facts *facts, int layout, struct buf *out)
{
    github_body_build(event, facts, layout, out);
    buf_add_char(out, '}');
}

static void mentions_and_references_are_broken_and_nothing_else(void)
{
    static const struct {
        const char *text, *inert, *title;
    } cases[] = {
        {"@a a@b @1 @ @@c", "@\u200Ba a@\u200Bb @\u200B1 @ @@\u200Bc",
         "@\u200Ba a@\u200Bb @\u200B1 @ @@\u200Bc"},
        {"#1 o/r#2 # #a x#", "#\u200B1 o/r#\u200B2 # #a x#", "#\u200B1 o/r#\u200B2 # #a x#"},
        {"`c` ```d```", "`c` ```d```", "'c' '''d'''"},
        {":skull: a:b https://h:80/ :+1: ::", ":skull: a:b https://h:80/ :+1: ::",
         ":\u200Bskull: a:b https://h:80/ :\u200B+1: ::"},
        {"", "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf inert, title;
        buf_init(&inert, 1024);
        buf_init(&title, 1024);
        github_add_inert(&inert, cases[i].text);
        github_add_title(&title, cases[i].text);
        EXPECT_TEXT(buf_text(&inert), cases[i].inert);
        EXPECT_TEXT(buf_text(&title), cases[i].title);
        buf_free(&inert);
        buf_free(&title);
    }
}

/* Only blanks become line breaks, so that what is copied has every character of the text. */
static void prose_is_broken_at_blanks_and_words_stay_whole(void)
{
    char word[161] = "", want[600], text[600];
    struct buf out;
    memset(word, 'w', 160);
    buf_init(&out, 4096);
    snprintf(text, sizeof text, "short\n%s %s é %.60s %.37s end", word, word, word, word);
    snprintf(want, sizeof want, "short\n%s\n%s\né %.60s %.37s\nend", word, word, word, word);
    github_add_prose(&out, text);
    EXPECT_TEXT(buf_text(&out), want);
    buf_free(&out);
}

static void code_is_longer_than_any_run_of_backticks_in_it(void)
{
    struct facts facts = talk_facts();
    struct event event = talk_event();
    event.type = EVENT_FINDING_NEW;
    facts.finding.endpoint = "a ``` b";
    facts.finding.parameter = "`id`";
    facts.finding.description = "one\n`````\ntwo";
    facts.finding.remediation = "plain";
    struct json_object *issue = chat_render(build_whole, &event, &facts, 0);
    const char *body = chat_text(issue, "body");
    EXPECT(strstr(body, "\n- **Endpoint:** ````a ``` b````\n"));
    EXPECT(strstr(body, "\n- **Parameter:** `` `id` ``\n"));
    EXPECT(strstr(body, "\n**Description**\n\n``````text\none\n`````\ntwo\n``````\n"));
    EXPECT(strstr(body, "\n**Remediation**\n\n```text\nplain\n```\n"));
    json_object_put(issue);
}

static void see_limits(struct json_object *issue, size_t bytes, const char *text)
{
    (void)text;
    EXPECT(bytes > 0 && chat_units_at(issue, "title") >= 1 && chat_units_at(issue, "body") >= 1);
    EXPECT(chat_units_at(issue, "title") <= GITHUB_TITLE_MAX);
    EXPECT(chat_units_at(issue, "body") <= GITHUB_BODY_MAX);
}

static void long_text_of_any_width_stays_within_the_limits(void)
{
    chat_each_long(build_whole, 0, see_limits);
}

static void what_has_no_room_goes_least_important_first_and_is_named(void)
{
    static char text[60000];
    struct facts facts = talk_facts();
    struct event event = talk_event();
    event.type = EVENT_FINDING_NEW;
    for (size_t n = 0; n + 4 < sizeof text; n += 4)
        memcpy(text + n, "🚨", 5);
    facts.finding.description = facts.finding.remediation = text;
    struct json_object *issue = chat_render(build_whole, &event, &facts, 0);
    const char *body = chat_text(issue, "body");
    EXPECT(strstr(body, "**Description**") && !strstr(body, "**Remediation**"));
    EXPECT(
        strstr(body, "…\n```\n\nLeft out for length: Remediation\n\n`Pencheff · finding " TALK_FINDING_ID));
    EXPECT(strstr(body, "- **CVSS vector:** `CVSS:3.1/AV:N`"));
    facts.finding.remediation = "bind";
    json_object_put(issue);
    issue = chat_render(build_whole, &event, &facts, 0);
    body = chat_text(issue, "body");
    EXPECT(strstr(body, "**Remediation**") && !strstr(body, "Left out"));
    json_object_put(issue);
}

static void see_bare(struct json_object *issue, size_t bytes, const char *text)
{
    const char *body = chat_text(issue, "body");
    see_limits(issue, bytes, text);
    EXPECT(strstr(body, "`Pencheff · ") && *body != '\n' && !strstr(body, "``"));
}

static void nothing_known_is_still_an_issue(void)
{
    chat_each(build_whole, 0, NULL, see_bare);
}

UNIT_MAIN(UNIT_CASE(mentions_and_references_are_broken_and_nothing_else),
          UNIT_CASE(prose_is_broken_at_blanks_and_words_stay_whole),
          UNIT_CASE(code_is_longer_than_any_run_of_backticks_in_it),
          UNIT_CASE(long_text_of_any_width_stays_within_the_limits),
          UNIT_CASE(what_has_no_room_goes_least_important_first_and_is_named),
          UNIT_CASE(nothing_known_is_still_an_issue))
