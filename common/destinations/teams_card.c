/*
 * teams_card - the Adaptive Card that a Teams workflow posts
 *
 * Pure. Everything that anybody else wrote stands in TextRun objects, the only texts of a card that know no Markdown
 * (learn.microsoft.com/adaptive-cards/schema-explorer/text-run); there are no actions, and no entities, without which
 * <at> mentions nobody. TextRuns do expand {{DATE()}} and {{TIME()}}, so these are parted. Facts would read Markdown:
 * fields are rows of two columns instead. Cards know no colours but words, of which the headline's background is made.
 */
#include "common/destinations/message_fit.h"
#include "common/destinations/teams.h"
#include "common/destinations/text.h"
#include "common/destinations/wording.h"

enum { RAW_MAX = 65536 }; /* bytes of one text before it is cut: more than any that is stored */

/* A TextRun; LOOK is what else is in it, as JSON members that begin with a comma. */
static void add_run(struct buf *b, const char *text, size_t max, const char *look)
{
    struct buf safe;
    buf_init(&safe, RAW_MAX);
    text_add_escaped(&safe, text, max, TEXT_CODE_POINTS, text_escape_template);
    buf_json_open_item(b);
    buf_json_member(b, "type", "TextRun");
    buf_json_key(b, "text");
    buf_json_bytes(b, buf_text(&safe), safe.len);
    buf_add_text(b, look);
    buf_add_char(b, '}');
    buf_free(&safe);
}

/* An element in which runs follow one another, to be closed with "]}". */
static void open_runs(struct buf *b, const char *look)
{
    buf_json_open_item(b);
    buf_json_member(b, "type", "RichTextBlock");
    buf_add_text(b, look);
    buf_json_open_list(b, "inlines");
}

static void add_line(struct buf *b, const char *text, size_t max, const char *block_look, const char *look)
{
    open_runs(b, block_look);
    add_run(b, text, max, look);
    buf_add_text(b, "]}");
}

/* The background of a severity's headline: default, emphasis, accent, good, warning, attention are all there are. */
static const char *style_of(uint32_t colour)
{
    static const char *const styles[SEVERITY_COUNT] = {
        [SEVERITY_INFO] = "emphasis",  [SEVERITY_LOW] = "accent",         [SEVERITY_MEDIUM] = "warning",
        [SEVERITY_HIGH] = "attention", [SEVERITY_CRITICAL] = "attention",
    };
    for (int s = 0; s < SEVERITY_COUNT; s++)
        if (wording_severity_colour((enum severity)s) == colour)
            return styles[s];
    return "default";
}

static void add_headline(struct buf *b, const struct message *m)
{
    buf_json_open_item(b);
    buf_json_member(b, "type", "Container");
    buf_json_member(b, "style", style_of(m->colour));
    buf_json_bool(b, "bleed", true);
    buf_json_open_list(b, "items");
    add_line(b, m->headline, TEAMS_HEADLINE_MAX, "", ",\"weight\":\"Bolder\",\"size\":\"Medium\"");
    buf_add_text(b, "]}");
}

static void add_column(struct buf *b, const char *width, const char *text, size_t max, const char *look)
{
    buf_json_open_item(b);
    buf_json_member(b, "type", "Column");
    buf_json_member(b, "width", width);
    buf_json_open_list(b, "items");
    add_line(b, text, max, "", look);
    buf_add_text(b, "]}");
}

static void add_field(struct buf *b, const struct message_part *part)
{
    buf_json_open_item(b);
    buf_json_member(b, "type", "ColumnSet");
    buf_json_member(b, "spacing", "Small");
    buf_json_open_list(b, "columns");
    add_column(b, "80px", part->label, TEAMS_HEADLINE_MAX, ",\"isSubtle\":true");
    add_column(b, "stretch", part->text, part->shown, "");
    buf_add_text(b, "]}");
}

static void add_paragraph(struct buf *b, const struct message_part *part)
{
    if (part->label)
        add_line(b, part->label, TEAMS_HEADLINE_MAX, ",\"separator\":true", ",\"weight\":\"Bolder\"");
    add_line(b, part->text, part->shown, part->label ? ",\"spacing\":\"Small\"" : "", "");
}

static void add_card(struct buf *b, const struct message *m, const char *left_out)
{
    add_headline(b, m);
    for (size_t i = 0; i < m->count; i++) {
        const struct message_part *part = &m->parts[i];
        if (part->detail || part->dropped)
            continue;
        if (part->kind == MESSAGE_FIELD)
            add_field(b, part);
        else
            add_paragraph(b, part);
    }
    if (left_out)
        add_line(b, left_out, TEAMS_HEADLINE_MAX, "", ",\"size\":\"Small\",\"italic\":true");
    add_line(b, m->ids, TEAMS_HEADLINE_MAX, "", ",\"size\":\"Small\",\"isSubtle\":true");
}

/* The envelope that the template "Post to a channel when a webhook request is received" asks for; clients say of cards
 * beyond version 1.4 that they cannot be displayed. */
static void lay(const struct message *m, const char *left_out, int style, struct buf *b)
{
    buf_add_text(b, "{\"type\":\"message\",\"attachments\":[{"
                    "\"contentType\":\"application/vnd.microsoft.card.adaptive\",\"contentUrl\":null,"
                    "\"content\":{\"$schema\":\"http://adaptivecards.io/schemas/adaptive-card.json\","
                    "\"type\":\"AdaptiveCard\",\"version\":\"1.4\",\"msteams\":{\"width\":\"Full\"},"
                    "\"body\":[");
    if (style == TEAMS_CARD)
        add_card(b, m, left_out);
    else
        add_line(b, m->line, TEAMS_LINE_MAX, "", "");
    buf_add_text(b, "]}}]}");
}

void teams_card_build(const struct event *event, const struct facts *facts, int style, struct buf *b)
{
    message_fit(event, facts, lay, style, TEAMS_MESSAGE_MAX, b);
}
