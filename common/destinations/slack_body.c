/*
 * slack_body - the message that a Slack channel gets
 *
 * Pure. In both layouts everything that anybody else wrote stands in plain_text objects, which know neither
 * mrkdwn nor automatic links, with & < > escaped, so that it can be no mention, link or emphasis; `text`, which
 * shows in notifications and where blocks do not, is escaped likewise, with mrkdwn off. Lengths hold after
 * escaping (text.h). "text" is the line that users know and nothing else; "card" has a title above an
 * attachment, because attachments are the only blocks with a bar of colour
 * (docs.slack.dev/messaging/formatting-message-text, docs.slack.dev/reference/block-kit).
 */
#include <stdio.h>

#include "common/destinations/message.h"
#include "common/destinations/slack.h"
#include "common/destinations/text.h"

enum {
    RAW_MAX = 65536, /* bytes of one text before it is cut: more than any that is stored */
    PARTS_SIZE = 16384,
};

/* ---- texts ---- */

/* A JSON string of TEXT, escaped for Slack and at most MAX characters long. */
static bool add_escaped(struct buf *b, const char *text, size_t max)
{
    struct buf escaped;
    buf_init(&escaped, RAW_MAX);
    bool whole = text_add_escaped(&escaped, text, max, TEXT_UTF16_UNITS, text_escape_entities);
    buf_json_bytes(b, buf_text(&escaped), escaped.len);
    buf_free(&escaped);
    return whole;
}

/* The inside of a plain_text object. Without emoji, `:skull:` in a title stays what it is. */
static bool add_plain(struct buf *b, const char *text, size_t max)
{
    buf_json_member(b, "type", "plain_text");
    buf_json_key(b, "text");
    bool whole = add_escaped(b, text, max);
    buf_json_bool(b, "emoji", false);
    return whole;
}

/* A block of TYPE with one text; true when all of TEXT is in it. */
static bool add_text_block(struct buf *b, const char *type, const char *text, size_t max)
{
    buf_json_open_item(b);
    buf_json_member(b, "type", type);
    buf_json_open_object(b, "text");
    bool whole = add_plain(b, text, max);
    buf_add_text(b, "}}");
    return whole;
}

/* ---- parts of a card ---- */

/* The label on a line of its own above what is shown of the text. */
static void part_text(struct buf *out, const struct message_part *part)
{
    buf_init(out, RAW_MAX);
    if (part->label)
        buf_printf(out, "%s\n", part->label);
    text_add_cut(out, part->text, part->shown);
}

static void add_paragraph(struct buf *b, const struct message_part *part)
{
    struct buf text;
    part_text(&text, part);
    add_text_block(b, "section", buf_text(&text), SLACK_SECTION_MAX);
    buf_free(&text);
}

/* All fields side by side, in as many sections as it takes; only if there are any: Slack refuses an empty list. */
static void add_fields(struct buf *b, const struct message *m)
{
    size_t n = 0;
    for (size_t i = 0; i < m->count; i++) {
        struct buf text;
        if (m->parts[i].kind != MESSAGE_FIELD || m->parts[i].detail)
            continue;
        if (n > 0 && n % SLACK_FIELDS_MAX == 0)
            buf_add_text(b, "]}");
        if (n++ % SLACK_FIELDS_MAX == 0) {
            buf_json_open_item(b);
            buf_json_member(b, "type", "section");
            buf_json_open_list(b, "fields");
        }
        part_text(&text, &m->parts[i]);
        buf_json_open_item(b);
        add_plain(b, buf_text(&text), SLACK_FIELD_MAX);
        buf_add_char(b, '}');
        buf_free(&text);
    }
    if (n > 0)
        buf_add_text(b, "]}");
}

/* Small print, so that a message can be found by what the product calls the thing. */
static void add_context(struct buf *b, const char *ids)
{
    buf_json_open_item(b);
    buf_json_member(b, "type", "context");
    buf_json_open_list(b, "elements");
    buf_json_open_item(b);
    add_plain(b, ids, SLACK_FIELD_MAX);
    buf_add_text(b, "}]}");
}

/* The paragraphs that stand before the fields, the fields, the other paragraphs. */
static void add_details(struct buf *b, const struct message *m)
{
    bool fields_shown = false;
    for (size_t i = 0; i < m->count; i++) {
        if (m->parts[i].kind == MESSAGE_PARAGRAPH) {
            add_paragraph(b, &m->parts[i]);
        } else if (!fields_shown) {
            add_fields(b, m);
            fields_shown = true;
        }
    }
    add_context(b, m->ids);
}

/* ---- the two layouts ---- */

static void add_card(struct buf *b, const struct message *m)
{
    char colour[8];
    buf_json_open_list(b, "blocks");
    bool whole = add_text_block(b, "header", m->headline, SLACK_HEADER_MAX);
    buf_add_char(b, ']');
    snprintf(colour, sizeof colour, "#%06X", (unsigned)m->colour);
    buf_json_open_list(b, "attachments");
    buf_json_open_item(b);
    buf_json_member(b, "color", colour);
    buf_json_open_list(b, "blocks");
    if (!whole)
        add_text_block(b, "section", m->headline, SLACK_SECTION_MAX);
    add_details(b, m);
    buf_add_text(b, "]}]");
}

void slack_body_build(const struct event *event, const struct facts *facts, int style, struct buf *b)
{
    struct arena arena;
    struct message m;
    arena_init(&arena, PARTS_SIZE);
    message_build(&m, &arena, event, facts);
    buf_add_char(b, '{');
    buf_json_key(b, "text");
    add_escaped(b, m.line, SLACK_TEXT_MAX);
    buf_json_bool(b, "mrkdwn", false);
    buf_json_bool(b, "unfurl_links", false);
    buf_json_bool(b, "unfurl_media", false);
    if (style == DEST_STYLE_CARD) {
        add_card(b, &m);
    } else {
        buf_json_open_list(b, "blocks");
        add_text_block(b, "section", m.line, SLACK_SECTION_MAX);
        buf_add_char(b, ']');
    }
    buf_add_char(b, '}');
    arena_free(&arena);
}
