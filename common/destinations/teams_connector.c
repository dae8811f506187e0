/*
 * teams_connector - the MessageCard that servers take which speak the language of Office 365 connectors
 *
 * Pure. Microsoft's own connectors are gone; what is left are servers that are compatible with them. Their Markdown is
 * off in sections (`markdown`: false), but not in the title, and HTML may be on everywhere (connectors-using.md and
 * cards-format.md of MicrosoftDocs/msteams-docs), so markup is replaced by look-alikes in all texts. In sections a line ends where
 * two line breaks are; the summary is what notifications show.
 */
#include <stdio.h>

#include "common/destinations/message_fit.h"
#include "common/destinations/teams.h"
#include "common/destinations/text.h"

enum { RAW_MAX = 65536 }; /* bytes of one text before it is cut: more than any that is stored */

static const char *escape_lines(uint32_t code, uint32_t before)
{
    return code == '\n' ? "\n\n" : text_escape_lookalike(code, before);
}

static void add_text(struct buf *b, const char *key, const char *text, size_t max, text_escape *escape)
{
    struct buf safe;
    buf_init(&safe, RAW_MAX);
    text_add_escaped(&safe, text, max, TEXT_CODE_POINTS, escape);
    buf_json_key(b, key);
    buf_json_bytes(b, buf_text(&safe), safe.len);
    buf_free(&safe);
}

/* To be closed with '}'. */
static void open_section(struct buf *b)
{
    buf_json_open_item(b);
    buf_json_bool(b, "markdown", false);
}

static bool is_shown(const struct message_part *part, enum message_part_kind kind)
{
    return part->kind == kind && !part->detail && !part->dropped;
}

/* All fields in one section; only if there are any. */
static void add_facts(struct buf *b, const struct message *m)
{
    bool any = false;
    for (size_t i = 0; i < m->count; i++) {
        if (!is_shown(&m->parts[i], MESSAGE_FIELD))
            continue;
        if (!any) {
            open_section(b);
            buf_json_open_list(b, "facts");
        }
        any = true;
        buf_json_open_item(b);
        buf_json_member(b, "name", m->parts[i].label);
        add_text(b, "value", m->parts[i].text, m->parts[i].shown, text_escape_lookalike);
        buf_add_char(b, '}');
    }
    if (any)
        buf_add_text(b, "]}");
}

/* Those without a label, which stand before the fields, or those with one, which stand behind. */
static void add_paragraphs(struct buf *b, const struct message *m, bool with_label)
{
    for (size_t i = 0; i < m->count; i++) {
        const struct message_part *part = &m->parts[i];
        if (!is_shown(part, MESSAGE_PARAGRAPH) || (part->label != NULL) != with_label)
            continue;
        open_section(b);
        if (part->label)
            buf_json_member(b, "title", part->label);
        add_text(b, "text", part->text, part->shown, escape_lines);
        buf_add_char(b, '}');
    }
}

static void add_small_print(struct buf *b, const char *text)
{
    open_section(b);
    add_text(b, "text", text, TEAMS_HEADLINE_MAX, text_escape_lookalike);
    buf_add_char(b, '}');
}

static void lay(const struct message *m, const char *left_out, int style, struct buf *b)
{
    char colour[8];
    (void)style;
    snprintf(colour, sizeof colour, "%06X", (unsigned)m->colour);
    buf_add_char(b, '{');
    buf_json_member(b, "@type", "MessageCard");
    buf_json_member(b, "@context", "http://schema.org/extensions");
    buf_json_member(b, "themeColor", colour);
    add_text(b, "summary", m->line, TEAMS_LINE_MAX, text_escape_lookalike);
    add_text(b, "title", m->headline, TEAMS_HEADLINE_MAX, text_escape_lookalike);
    buf_json_open_list(b, "sections");
    add_paragraphs(b, m, false);
    add_facts(b, m);
    add_paragraphs(b, m, true);
    if (left_out)
        add_small_print(b, left_out);
    add_small_print(b, m->ids);
    buf_add_text(b, "]}");
}

void teams_connector_build(const struct event *event, const struct facts *facts, int style, struct buf *b)
{
    message_fit(event, facts, lay, style, TEAMS_MESSAGE_MAX, b);
}
