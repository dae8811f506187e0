/*
 * github_body - an event as an issue of GitHub, or as a comment to the one that its finding has
 *
 * Pure. What anybody else wrote stands in code, in spans and in fences that are longer than any run of backticks in them:
 * there GitHub makes no mention, no reference to an issue or commit, no link, no emoji and no HTML of it (spec.commonmark.org
 * 0.31.2 sections 4.5 and 6.1), and somebody who copies an address copies what it is. Mentions and references are broken
 * all the same, because mails that people answer quote code as text (dependabot/dependabot-core#3157). A title knows code
 * and emoji, and nothing to escape them with.
 */
#include <string.h>

#include "common/destinations/alert.h"
#include "common/destinations/github.h"
#include "common/destinations/message.h"
#include "common/destinations/text.h"
#include "common/destinations/wording.h"

#define ZERO_WIDTH_SPACE "\xE2\x80\x8B"

enum {
    FIELD_MAX = 2100,      /* characters of one value: an endpoint has 2,048 */
    PARAGRAPH_MAX = 10000, /* characters */
    COLUMNS = 100,         /* of prose; a fence shows long lines with a scroll bar */
    RAW_MAX = 262144,      /* bytes of one text: more than any that is stored */
    PARTS_SIZE = 65536,
    SHORTCODE_MAX = 64, /* characters between the colons of an emoji */
    REASON_MAX = 500,   /* characters of why a finding is closed */
    HEAD_MAX = 4000,    /* UTF-16 units that are kept free for what happened, with its marks */
};

/* ---- texts ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_reference(const char *at)
{
    return (at[0] == '@' && is_word(at[1])) || (at[0] == '#' && is_digit(at[1]));
}

void github_add_inert(struct buf *out, const char *text)
{
    for (const char *at = text; *at; at++) {
        buf_add_char(out, *at);
        if (is_reference(at))
            buf_add_text(out, ZERO_WIDTH_SPACE);
    }
}

/* ":skull:" */
static bool is_shortcode(const char *at)
{
    size_t n = 1;
    if (at[0] != ':')
        return false;
    while (n <= SHORTCODE_MAX && (is_word(at[n]) || at[n] == '_' || at[n] == '+' || at[n] == '-'))
        n++;
    return n > 1 && at[n] == ':';
}

void github_add_title(struct buf *out, const char *text)
{
    for (const char *at = text; *at; at++) {
        buf_add_char(out, *at == '`' ? '\'' : *at);
        if (is_reference(at) || is_shortcode(at))
            buf_add_text(out, ZERO_WIDTH_SPACE);
    }
}

static bool begins_character(char c)
{
    return ((unsigned char)c & 0xC0) != 0x80;
}

void github_add_prose(struct buf *out, const char *text)
{
    size_t blank = 0, column = 0,
           since = 0; /* blank: place of the line's last one, plus 1; since: columns behind it */
    size_t start = out->len;
    github_add_inert(out, text);
    for (size_t i = start; i < out->len; i++) {
        if (out->data[i] == '\n') {
            blank = column = 0;
            continue;
        }
        column += begins_character(out->data[i]);
        since += begins_character(out->data[i]);
        if (out->data[i] == ' ') {
            blank = i + 1;
            since = 0;
        }
        if (column > COLUMNS && blank) {
            out->data[blank - 1] = '\n';
            column = since;
            blank = 0;
        }
    }
}

static size_t longest_run(const char *text, char of)
{
    size_t longest = 0, run = 0;
    for (const char *at = text; *at; at++) {
        run = *at == of ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest;
}

static void add_run(struct buf *out, size_t n)
{
    for (; n > 0; n--)
        buf_add_char(out, '`');
}

/* TEXT, one line that does not begin or end with a blank, as a code span. */
static void add_span(struct buf *out, const char *text)
{
    size_t n = strlen(text), run = longest_run(text, '`') + 1;
    bool apart = n > 0 && (text[0] == '`' || text[n - 1] == '`');
    add_run(out, run);
    buf_printf(out, "%s%s%s", apart ? " " : "", text, apart ? " " : "");
    add_run(out, run);
}

static void add_fence(struct buf *out, const char *text)
{
    size_t run = longest_run(text, '`') + 1;
    run = run < 3 ? 3 : run;
    add_run(out, run);
    buf_printf(out, "text\n%s\n", text);
    add_run(out, run);
    buf_add_char(out, '\n');
}

/* ---- the issue ---- */

static void add_part(struct buf *out, const struct message_part *part, bool after_field)
{
    struct buf inert, cut;
    bool field = part->kind == MESSAGE_FIELD;
    buf_init(&inert, RAW_MAX);
    buf_init(&cut, RAW_MAX);
    (field ? github_add_inert : github_add_prose)(&inert, part->text);
    text_add_cut(&cut, buf_text(&inert), field ? FIELD_MAX : PARAGRAPH_MAX);
    if (out->len > 0 && !(field && after_field))
        buf_add_char(out, '\n');
    if (field) {
        buf_printf(out, "- **%s:** ", part->label);
        add_span(out, buf_text(&cut));
        buf_add_char(out, '\n');
    } else {
        if (part->label)
            buf_printf(out, "**%s**\n\n", part->label);
        add_fence(out, buf_text(&cut));
    }
    buf_free(&inert);
    buf_free(&cut);
}

/* OPENING is markdown, FOOT a line of text. */
static void add_markdown(struct buf *out, const struct message *m, const char *opening, const char *foot,
                         struct arena *arena)
{
    const char *left_out = message_left_out(m, arena);
    bool after_field = false;
    buf_add_text(out, opening);
    for (size_t i = 0; i < m->count; i++) {
        if (m->parts[i].dropped)
            continue;
        add_part(out, &m->parts[i], after_field);
        after_field = m->parts[i].kind == MESSAGE_FIELD;
    }
    if (left_out)
        buf_printf(out, "\n%s\n", left_out);
    buf_add_text(out, out->len ? "\n" : "");
    add_span(out, foot);
}

/* All of it that has room in MAX units, as a JSON string: the least important parts go first. */
static void add_fitting(struct buf *b, struct message *m, const char *opening, const char *foot, size_t max,
                        struct arena *arena)
{
    struct buf text;
    buf_init(&text, RAW_MAX);
    add_markdown(&text, m, opening, foot, arena);
    while ((text.overflow || text_length(buf_text(&text), TEXT_UTF16_UNITS) > max) && message_drop(m, true)) {
        buf_reset(&text);
        add_markdown(&text, m, opening, foot, arena);
    }
    buf_json_bytes(b, buf_text(&text), text.len);
    buf_free(&text);
}

/* The small print and the marker, which is looked for at the end. */
static void add_body(struct buf *b, struct message *m, struct arena *arena)
{
    char marker[ALERT_MARKER_TEXT];
    alert_marker(m->event, m->facts, marker);
    buf_json_key(b, "body");
    add_fitting(b, m, "", arena_printf(arena, "%s · %s", m->ids, marker), GITHUB_BODY_MAX, arena);
}

static void add_title(struct buf *b, const char *headline)
{
    struct buf inert, cut;
    buf_init(&inert, RAW_MAX);
    buf_init(&cut, RAW_MAX);
    github_add_title(&inert, headline);
    text_add_escaped(&cut, buf_text(&inert), GITHUB_TITLE_MAX, TEXT_UTF16_UNITS, NULL);
    buf_json_key(b, "title");
    buf_json_bytes(b, buf_text(&cut), cut.len);
    buf_free(&inert);
    buf_free(&cut);
}

static void add_issue(struct buf *b, struct message *m, struct arena *arena)
{
    buf_add_char(b, '{');
    add_title(b, m->headline);
    add_body(b, m, arena);
}

static void add_test(struct buf *b)
{
    buf_add_char(b, '{');
    buf_json_member(b, "title", "");
    buf_json_member(b, "body", WORDING_TEST);
}

bool github_body_has_marker(const char *body, const char *marker)
{
    size_t n = strlen(body), size = strlen(marker);
    while (n > 0 && strchr(" \t\r\n", body[n - 1]))
        n--;
    size_t line = n;
    while (line > 0 && body[line - 1] != '\n')
        line--;
    static const char start[] = "`Pencheff · ";
    return n - line >= sizeof start + size && strncmp(body + line, start, sizeof start - 1) == 0 &&
           body[n - 1] == '`' && strncmp(body + n - 1 - size, marker, size) == 0;
}

/* ---- a comment ---- */

/* TEXT of anybody, on one line of at most MAX characters, as a code span. */
static void add_code(struct buf *out, const char *text, size_t max)
{
    struct buf clean, inert, cut;
    buf_init(&clean, RAW_MAX);
    buf_init(&inert, RAW_MAX);
    buf_init(&cut, RAW_MAX);
    text_add_clean(&clean, text, TEXT_ONE_LINE);
    github_add_inert(&inert, buf_text(&clean));
    text_add_cut(&cut, buf_text(&inert), max);
    add_span(out, buf_text(&cut));
    buf_free(&clean);
    buf_free(&inert);
    buf_free(&cut);
}

/* Leave out what the issue says already, and what does not change. */
static void keep_news(struct message *m)
{
    static const char *const news[] = {"Severity", "Status",     "EPSS",        "Exploited",
                                       "CVSS",     "Risk score", "Reachability"};
    size_t kept = 0;
    for (size_t i = 0; i < m->count; i++) {
        const char *label = m->parts[i].label;
        bool is_news = label == NULL; /* the change */
        for (size_t n = 0; n < sizeof news / sizeof news[0] && !is_news; n++)
            is_news = strcmp(label, news[n]) == 0;
        if (is_news)
            m->parts[kept++] = m->parts[i];
    }
    m->count = kept;
}

static void add_rest_of_comment(struct buf *b, struct message *m, struct arena *arena)
{
    struct buf opening;
    buf_init(&opening, RAW_MAX);
    buf_add_text(&opening, "\n\n");
    add_code(&opening, m->headline, FIELD_MAX);
    buf_add_char(&opening, '\n');
    keep_news(m);
    add_fitting(b, m, buf_text(&opening), m->ids, GITHUB_BODY_MAX - HEAD_MAX, arena);
    buf_free(&opening);
}

/* "**Closed:** `resolved`", "**Found again**", "**Updated**, closed: `resolved`" */
static void add_head(struct buf *out, enum life_act act, const struct event *event,
                     const struct facts_finding *finding, struct arena *arena)
{
    const char *end = life_end_words(finding, arena);
    if (act == LIFE_CLOSE)
        buf_add_text(out, "**Closed:** ");
    else
        buf_printf(out, "**%s**%s", life_words(act, event, finding, arena), end ? ", closed: " : "");
    if (end)
        add_code(out, end, REASON_MAX);
}

void github_comment_add(struct buf *out, enum life_act act, const struct event *event,
                        const struct facts *facts, const struct buf *rest)
{
    struct arena arena;
    struct buf head;
    arena_init(&arena, 1024);
    buf_init(&head, RAW_MAX);
    add_head(&head, act, event, &facts->finding, &arena);
    buf_add_text(out, "{\"body\":");
    buf_json_bytes(out, buf_text(&head), head.len);
    if (!out->overflow && !rest->overflow) {
        out->len--; /* one string of two */
        buf_add(out, rest->data + 1, rest->len - 1);
    }
    buf_add_char(out, '}');
    out->overflow |= rest->overflow;
    buf_free(&head);
    arena_free(&arena);
}

void github_body_build(const struct event *event, const struct facts *facts, int layout, struct buf *b)
{
    struct arena arena;
    struct message m;
    if (!event) {
        add_test(b);
        return;
    }
    arena_init(&arena, PARTS_SIZE);
    message_build(&m, &arena, event, facts);
    (layout == GITHUB_ISSUE ? add_issue : add_rest_of_comment)(b, &m, &arena);
    arena_free(&arena);
}
