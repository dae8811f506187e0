/*
 * An event as an issue of Jira: a document for Cloud, wiki markup for Data Center, and what goes when there is no room. The
 * exact bytes of the issues are in tests/golden/jira.
 */
#include <string.h>

#include "common/base/json.h"
#include "common/destinations/jira.h"
#include "tests/unit/chat.h"
#include "tests/unit/talk.h"
#include "tests/unit/unit.h"

/* An issue without the fields that each integration adds. */
static void build_whole(const struct event *event, const struct facts *facts, int layout, struct buf *out)
{
    jira_body_build(event, facts, layout, out);
    buf_add_text(out, "}}");
}

static const char *description_of(struct json_object *issue)
{
    struct json_object *description = json_get(json_get(issue, "fields"), "description");
    return json_is_text(description) ? json_object_get_string(description) : json_print(description);
}

static void expect_escaped(const char *text, text_escape *escape, const char *want)
{
    struct buf out;
    buf_init(&out, 4096);
    text_add_escaped(&out, text, 4096, TEXT_BYTES, escape);
    EXPECT_TEXT(buf_text(&out), want);
    buf_free(&out);
}

/* The renderer's own list (BackslashEscapeRendererComponent) has neither the backslash nor the number sign. */
static void wiki_markup_is_escaped_as_its_renderer_undoes_it(void)
{
    expect_escaped("[~admin] {code}x{code} !i! |a|", jira_escape_value,
                   "\\[\\~admin\\] \\{code\\}x\\{code\\} \\!i\\! \\|a\\|");
    expect_escaped("*b* _i_ -d- +u+ ^s^ ??c??", jira_escape_value,
                   "\\*b\\* \\_i\\_ \\-d\\- \\+u\\+ \\^s\\^ \\?\\?c\\?\\?");
    expect_escaped("\\\\ # :) https://x a@b &lt; <b> 5%", jira_escape_value,
                   "&#92;&#92; &#35; &#58;\\) https&#58;//x a\\@b &amp;lt; &lt;b&gt; 5\\%");
    expect_escaped("h1. x\nbq. y\noh b", jira_escape_lines, "&#104;1. x\n&#98;q. y\noh b");
    expect_escaped("h1. x é日", jira_escape_value, "h1. x é日");
}

static void lines_of_a_document_stand_in_nodes_of_their_own(void)
{
    struct facts facts = talk_facts();
    struct event event = talk_event();
    event.type = EVENT_FINDING_NEW;
    facts.finding.description = "one\n\n[two|x] \"";
    struct json_object *issue = chat_render(build_whole, &event, &facts, JIRA_DOCUMENT);
    EXPECT(strstr(
        description_of(issue),
        "{\"type\":\"heading\",\"attrs\":{\"level\":3},\"content\":[{\"type\":\"text\",\"text\":"
        "\"Description\"}]},"
        "{\"type\":\"paragraph\",\"content\":[{\"type\":\"text\",\"text\":\"one\"},{\"type\":\"hardBreak\"},"
        "{\"type\":\"hardBreak\"},{\"type\":\"text\",\"text\":\"[two|x] \\\"\"}]}"));
    EXPECT(strstr(description_of(issue),
                  "{\"type\":\"listItem\",\"content\":[{\"type\":\"paragraph\",\"content\":["
                  "{\"type\":\"text\",\"text\":\"Parameter\",\"marks\":[{\"type\":\"strong\"}]},"
                  "{\"type\":\"text\",\"text\":\": id\"}]}]}"));
    EXPECT(!strstr(description_of(issue), "\"text\":\"\""));
    json_object_put(issue);
}

static void see_limits(struct json_object *issue, size_t bytes, const char *text)
{
    struct json_object *fields = json_get(issue, "fields");
    (void)text;
    EXPECT(bytes > 0 && chat_units_at(fields, "summary") >= 1);
    EXPECT(chat_units_at(fields, "summary") <= JIRA_SUMMARY_MAX &&
           !strchr(chat_text(fields, "summary"), '\n'));
    EXPECT(chat_units(description_of(issue)) <= JIRA_DESCRIPTION_MAX);
}

static void long_text_of_any_width_stays_within_the_limits(void)
{
    chat_each_long(build_whole, JIRA_DOCUMENT, see_limits);
    chat_each_long(build_whole, JIRA_WIKI, see_limits);
}

/* A text of many lines costs a document more than its length: it is cut shorter before anything goes. */
static void long_texts_are_cut_before_parts_are_left_out(void)
{
    static char lines[16000], marks[16000];
    struct facts facts = talk_facts();
    struct event event = talk_event();
    event.type = EVENT_FINDING_NEW;
    for (size_t n = 0; n + 3 < sizeof lines; n += 2)
        memcpy(lines + n, "a\n", 3);
    memset(marks, ':', sizeof marks - 1);
    facts.finding.description = lines;
    struct json_object *issue = chat_render(build_whole, &event, &facts, JIRA_DOCUMENT);
    EXPECT(strstr(description_of(issue), "\"Remediation\"") && strstr(description_of(issue), "…"));
    EXPECT(!strstr(description_of(issue), "Left out"));
    json_object_put(issue);
    facts.target.name = facts.finding.endpoint = facts.finding.cvss_vector = marks;
    issue = chat_render(build_whole, &event, &facts, JIRA_WIKI);
    EXPECT(strstr(description_of(issue),
                  "\n\nLeft out for length: CVSS vector, Risk score, Reachability, First seen, "
                  "Description, Remediation\n\nPencheff · finding "));
    EXPECT(strstr(description_of(issue), "* *CVSS:* 7.5\n") && !strstr(description_of(issue), "h3."));
    json_object_put(issue);
}

/* As a comment that begins with words as long as they may be. */
static const char *words;

static void build_comment(const struct event *event, const struct facts *facts, int layout, struct buf *out)
{
    struct buf told;
    buf_init(&told, out->max);
    jira_comment_build(event, facts, layout, &told);
    jira_comment_add(out, (enum jira_layout)(layout - JIRA_COMMENT), words, &told);
    buf_free(&told);
}

static const char *comment_of(struct json_object *root)
{
    struct json_object *body = json_get(root, "body");
    return json_is_text(body) ? json_object_get_string(body) : json_print(body);
}

static void see_comment(struct json_object *root, size_t bytes, const char *text)
{
    (void)text;
    EXPECT(bytes > 0 && chat_units(comment_of(root)) <= JIRA_DESCRIPTION_MAX);
    EXPECT(strstr(comment_of(root), "Pencheff · ") && !strstr(comment_of(root), "\"text\":\"\""));
    EXPECT(chat_item(root, "properties", 0) != NULL);
}

static void comments_stay_within_the_limits_whatever_they_say(void)
{
    static char blanks[9000], quotes[9000], marks[9000];
    static const char *const all[] = {"Updated", blanks, quotes, marks};
    memset(blanks, ' ', sizeof blanks - 1);
    memset(quotes, '"', sizeof quotes - 1);
    memset(marks, ':', sizeof marks - 1);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        words = all[i];
        chat_each(build_comment, JIRA_COMMENT + JIRA_DOCUMENT, NULL, see_comment);
        chat_each(build_comment, JIRA_COMMENT + JIRA_WIKI, NULL, see_comment);
    }
    chat_each_long(build_comment, JIRA_COMMENT + JIRA_DOCUMENT, see_comment);
    chat_each_long(build_comment, JIRA_COMMENT + JIRA_WIKI, see_comment);
}

static void the_words_of_a_comment_are_one_line_of_plain_text(void)
{
    static const char wiki[] = "Closed&#58; suppressed \\(\\*a\\* \\[b\\|c\\]\\)\n\n🔁 Finding updated";
    struct facts facts = talk_open_facts();
    struct event event = talk_event();
    words = "Closed: suppressed (*a*\n[b|c])";
    struct json_object *root = chat_render(build_comment, &event, &facts, JIRA_COMMENT + JIRA_DOCUMENT);
    EXPECT(strstr(comment_of(root),
                  "{\"version\":1,\"type\":\"doc\",\"content\":[{\"type\":\"paragraph\",\"content\":["
                  "{\"type\":\"text\",\"text\":\"Closed: suppressed (*a* [b|c])\",\"marks\":"
                  "[{\"type\":\"strong\"}]}]},{\"type\":\"paragraph\""));
    json_object_put(root);
    root = chat_render(build_comment, &event, &facts, JIRA_COMMENT + JIRA_WIKI);
    EXPECT(strncmp(comment_of(root), wiki, strlen(wiki)) == 0);
    json_object_put(root);
}

static void see_bare(struct json_object *issue, size_t bytes, const char *text)
{
    see_limits(issue, bytes, text);
    EXPECT(strstr(description_of(issue), "Pencheff · ") && !strstr(description_of(issue), "[]"));
}

static void nothing_known_is_still_an_issue(void)
{
    chat_each(build_whole, JIRA_DOCUMENT, NULL, see_bare);
    chat_each(build_whole, JIRA_WIKI, NULL, see_bare);
}

UNIT_MAIN(UNIT_CASE(wiki_markup_is_escaped_as_its_renderer_undoes_it),
          UNIT_CASE(lines_of_a_document_stand_in_nodes_of_their_own),
          UNIT_CASE(long_text_of_any_width_stays_within_the_limits),
          UNIT_CASE(long_texts_are_cut_before_parts_are_left_out), UNIT_CASE(nothing_known_is_still_an_issue),
          UNIT_CASE(comments_stay_within_the_limits_whatever_they_say),
          UNIT_CASE(the_words_of_a_comment_are_one_line_of_plain_text))
