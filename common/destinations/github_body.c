/*
 * github_body - an event as an issue of GitHub
 *
 * Pure. What anybody else wrote stands in code, in spans and in fences that are longer than any run of backticks in them:
 * there GitHub makes no mention, no reference to an issue or commit, no link, no emoji and no HTML of it (spec.commonmark.org
 * 0.31.2 sections 4.5 and 6.1), and somebody who copies an address copies what it is. Mentions and references are broken
 * all the same, because mails that people answer quote code as text (dependabot/dependabot-core#3157). A title knows code
 * and emoji, and nothing to escape them with.
 */
#include <string.h>

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

static void add_markdown(struct buf *out, const struct message *m, struct arena *arena)
{
    const char *left_out = message_left_out(m, arena);
    bool after_field = false;
    for (size_t i = 0; i < m->count; i++) {
        if (m->parts[i].dropped)
            continue;
        add_part(out, &m->parts[i], after_field);
        after_field = m->parts[i].kind == MESSAGE_FIELD;
    }
    if (left_out)
        buf_printf(out, "\n%s\n", left_out);
    buf_add_text(out, out->len ? "\n" : "");
    add_span(out, m->ids);
}

/* All of it that GitHub takes: the least important parts go first. */
static void add_body(struct buf *b, struct message *m, struct arena *arena)
{
    struct buf text;
    buf_init(&text, RAW_MAX);
    add_markdown(&text, m, arena);
    while ((text.overflow || text_length(buf_text(&text), TEXT_UTF16_UNITS) > GITHUB_BODY_MAX) &&
           message_drop(m, true)) {
        buf_reset(&text);
        add_markdown(&text, m, arena);
    }
    buf_json_key(b, "body");
    buf_json_bytes(b, buf_text(&text), text.len);
    buf_free(&text);
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

void github_body_build(const struct event *event, const struct facts *facts, int layout, struct buf *b)
{
    struct arena arena;
    struct message m;
    (void)layout;
    buf_add_char(b, '{');
    if (!event) {
        buf_json_member(b, "title", "");
        buf_json_member(b, "body", WORDING_TEST);
        return;
    }
    arena_init(&arena, PARTS_SIZE);
    message_build(&m, &arena, event, facts);
    add_title(b, m.headline);
    add_body(b, &m, &arena);
    arena_free(&arena);
}
