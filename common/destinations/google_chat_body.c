/*
 * google_chat_body - the message that a space of Google Chat gets
 *
 * Pure. A card's texts are HTML (developers.google.com/workspace/chat/format-messages), which has an escape for each of
 * its characters and <a href> as its only link; everything that anybody else wrote stands there. A message's plain text
 * is the markup that people type. It has no escapes at all (an entity shows as it is written), and makes a link of an
 * address and fetches the first one for a preview: there markup is replaced by look-alikes, and so it is in
 * `fallbackText`, which notifications show.
 */
#include <stdio.h>

#include "common/destinations/alert.h"
#include "common/destinations/google_chat.h"
#include "common/destinations/message_fit.h"
#include "common/destinations/text.h"

enum {
    RAW_MAX = 65536,        /* bytes of one text before it is cut: more than any that is stored */
    HTML_MAX = 8 * RAW_MAX, /* no character becomes more than six */
};

/* ---- texts ---- */

static const char *escape_html(uint32_t code, uint32_t before)
{
    switch (code) {
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    case '\n':
        return "<br>";
    default:
        return text_escape_entities(code, before);
    }
}

/* TEXT, cut at MAX characters as they are seen, as HTML. */
static void add_html(struct buf *html, const char *text, size_t max)
{
    struct buf cut;
    buf_init(&cut, RAW_MAX);
    text_add_cut(&cut, text, max);
    text_add_escaped(html, buf_text(&cut), HTML_MAX, TEXT_BYTES, escape_html);
    buf_free(&cut);
}

static void add_plain(struct buf *b, const char *key, const char *text)
{
    struct buf safe;
    buf_init(&safe, RAW_MAX);
    text_add_escaped(&safe, text, GOOGLE_CHAT_TEXT_MAX, TEXT_UTF16_UNITS, text_escape_lookalike);
    buf_json_key(b, key);
    buf_json_bytes(b, buf_text(&safe), safe.len);
    buf_free(&safe);
}

/* ---- a card ---- */

/* A widget of KIND, to be closed with "}}". */
static void open_widget(struct buf *b, const char *kind)
{
    buf_json_open_item(b);
    buf_json_open_object(b, kind);
}

/* The member `text` of a widget; BEFORE and AFTER are HTML of ours. */
static void add_text(struct buf *b, const char *before, const char *text, size_t max, const char *after)
{
    struct buf html;
    buf_init(&html, HTML_MAX);
    buf_add_text(&html, before);
    add_html(&html, text, max);
    buf_add_text(&html, after);
    buf_json_member(b, "text", buf_text(&html));
    buf_free(&html);
}

static void add_paragraph(struct buf *b, const char *before, const char *text, size_t max, const char *after)
{
    open_widget(b, "textParagraph");
    add_text(b, before, text, max, after);
    buf_add_text(b, "}}");
}

static void add_headline(struct buf *b, const struct message *m)
{
    char before[48];
    snprintf(before, sizeof before, "<font color=\"#%06X\"><b>", (unsigned)m->colour);
    add_paragraph(b, before, m->headline, GOOGLE_CHAT_HEADLINE_MAX, "</b></font>");
}

static void add_field(struct buf *b, const struct message_part *part)
{
    open_widget(b, "decoratedText");
    buf_json_member(b, "topLabel", part->label);
    add_text(b, "", part->text, part->shown, "");
    buf_json_bool(b, "wrapText", true);
    buf_add_text(b, "}}");
}

static void add_part(struct buf *b, const struct message_part *part)
{
    char before[64] = "";
    if (part->kind == MESSAGE_FIELD) {
        add_field(b, part);
        return;
    }
    if (part->label)
        snprintf(before, sizeof before, "<b>%s</b><br>", part->label);
    add_paragraph(b, before, part->text, part->shown, "");
}

static void add_card(struct buf *b, const struct message *m, const char *left_out)
{
    buf_json_open_list(b, "cardsV2");
    buf_add_text(b, "{\"cardId\":\"pencheff\",\"card\":{\"sections\":[{\"widgets\":[");
    add_headline(b, m);
    for (size_t i = 0; i < m->count; i++)
        if (!m->parts[i].detail && !m->parts[i].dropped)
            add_part(b, &m->parts[i]);
    if (left_out)
        add_paragraph(b, "<i>", left_out, GOOGLE_CHAT_HEADLINE_MAX, "</i>");
    add_paragraph(b, "<font color=\"#6B7280\">", m->ids, GOOGLE_CHAT_HEADLINE_MAX, "</font>");
    buf_add_text(b, "]}]}}]");
}

/* All about one finding goes to one. */
static void add_thread(struct buf *b, const struct message *m)
{
    char key[ALERT_KEY_TEXT];
    alert_key(m->event, m->facts, key);
    buf_json_open_object(b, "thread");
    buf_json_member(b, "threadKey", key);
    buf_add_char(b, '}');
}

static void lay(const struct message *m, const char *left_out, int style, struct buf *b)
{
    buf_add_char(b, '{');
    if (style == DEST_STYLE_CARD) {
        add_plain(b, "fallbackText", m->line);
        add_card(b, m, left_out);
    } else {
        add_plain(b, "text", m->line);
    }
    if (m->event && event_is_about_finding(m->event->type))
        add_thread(b, m);
    buf_add_char(b, '}');
}

void google_chat_body_build(const struct event *event, const struct facts *facts, int style, struct buf *b)
{
    message_fit(event, facts, lay, style, GOOGLE_CHAT_MESSAGE_MAX, b);
}
