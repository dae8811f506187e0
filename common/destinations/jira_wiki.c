/*
 * jira_wiki - the description of an issue in Data Center, whose Jira reads wiki markup
 *
 * Pure. Of a text no character is left that the renderer reads as more than itself. Those that it lets be escaped are
 * (com.atlassian.renderer.v2.components.BackslashEscapeRendererComponent lists them); the others are entities, which it keeps
 * as they are: a backslash, which doubled breaks the line, a number sign, the colon of addresses and of smileys, and what HTML
 * reads. At the beginning of a line so are the h of "h1." and the b of "bq.".
 */
#include <string.h>

#include "common/destinations/jira.h"

enum { RAW_MAX = 1 << 20 };

const char *jira_escape_value(uint32_t code, uint32_t before)
{
    static const char *const escapes[128] = {
        ['!'] = "\\!",   ['['] = "\\[",   [']'] = "\\]",   ['^'] = "\\^",  ['~'] = "\\~",  ['+'] = "\\+",
        ['?'] = "\\?",   ['%'] = "\\%",   ['{'] = "\\{",   ['}'] = "\\}",  ['('] = "\\(",  [')'] = "\\)",
        ['*'] = "\\*",   ['_'] = "\\_",   ['-'] = "\\-",   ['|'] = "\\|",  ['@'] = "\\@",  ['\\'] = "&#92;",
        ['#'] = "&#35;", [':'] = "&#58;", ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;",
    };
    (void)before;
    return code < 128 ? escapes[code] : NULL;
}

const char *jira_escape_lines(uint32_t code, uint32_t before)
{
    bool first = before == 0 || before == '\n';
    if (first && code == 'h')
        return "&#104;";
    if (first && code == 'b')
        return "&#98;";
    return jira_escape_value(code, before);
}

static void add_escaped(struct buf *out, const char *text, size_t max, text_escape *escape)
{
    struct buf cut;
    buf_init(&cut, RAW_MAX);
    text_add_cut(&cut, text, max);
    text_add_escaped(out, buf_text(&cut), RAW_MAX, TEXT_BYTES, escape);
    buf_free(&cut);
}

static void add_part(struct buf *out, const struct message_part *part, bool after_field, size_t paragraph_max)
{
    bool field = part->kind == MESSAGE_FIELD;
    if (out->len > 0 && !(field && after_field))
        buf_add_char(out, '\n');
    if (field) {
        buf_printf(out, "* *%s:* ", part->label);
        add_escaped(out, part->text, JIRA_FIELD_MAX, jira_escape_value);
    } else {
        if (part->label)
            buf_printf(out, "h3. %s\n\n", part->label);
        add_escaped(out, part->text, paragraph_max, jira_escape_lines);
    }
    buf_add_char(out, '\n');
}

void jira_wiki_add(struct buf *out, const struct message *m, size_t paragraph_max, struct arena *arena)
{
    const char *left_out = message_left_out(m, arena);
    bool after_field = false;
    for (size_t i = 0; i < m->count; i++) {
        if (m->parts[i].dropped)
            continue;
        add_part(out, &m->parts[i], after_field, paragraph_max);
        after_field = m->parts[i].kind == MESSAGE_FIELD;
    }
    if (left_out)
        buf_printf(out, "\n%s\n", left_out);
    buf_add_text(out, out->len ? "\n" : "");
    add_escaped(out, m->ids, JIRA_FIELD_MAX, jira_escape_lines);
}
