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

#include "common/destinations/slack.h"
#include "common/destinations/text.h"
#include "common/destinations/wording.h"

/* What a reader of a channel will still read, in characters; the limits of Slack are in slack.h. */
enum {
    ADDRESS_SHOWN_MAX = 500,
    VALUE_SHOWN_MAX = 200,
    DESCRIPTION_SHOWN_MAX = 1000,
    ERROR_SHOWN_MAX = 1000,
    CHANGE_SHOWN_MAX = 1000,
    RAW_MAX = 65536, /* bytes of one text before it is cut: more than any that is stored */
};

/* ---- texts ---- */

/* A JSON string of TEXT, escaped for Slack and at most MAX characters long. */
static bool add_escaped(struct buf *b, const char *text, size_t max)
{
    struct buf escaped;
    buf_init(&escaped, RAW_MAX);
    bool whole = text_add_slack(&escaped, text, max);
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
    buf_json_key(b, "text");
    buf_add_char(b, '{');
    bool whole = add_plain(b, text, max);
    buf_add_text(b, "}}");
    return whole;
}

/* ---- parts of a card ---- */

/* LABEL on a line of its own above the value, which is cut at SHOWN characters; nothing without a value. */
static void add_field(struct buf *b, const char *label, const char *value, size_t shown)
{
    struct buf clean, field;
    buf_init(&clean, RAW_MAX);
    buf_init(&field, RAW_MAX);
    text_add_clean(&clean, value, TEXT_ONE_LINE);
    if (clean.len) {
        buf_printf(&field, "%s\n", label);
        text_add_cut(&field, buf_text(&clean), shown);
        buf_json_open_item(b);
        add_plain(b, buf_text(&field), SLACK_FIELD_MAX);
        buf_add_char(b, '}');
    }
    buf_free(&field);
    buf_free(&clean);
}

/* The fields side by side, if there are any: Slack refuses an empty list. */
static void add_fields(struct buf *b, const struct buf *fields)
{
    b->overflow |= fields->overflow; /* half a list is no JSON */
    if (!fields->len)
        return;
    buf_json_open_item(b);
    buf_json_member(b, "type", "section");
    buf_json_open_list(b, "fields");
    buf_add(b, fields->data, fields->len);
    buf_add_text(b, "]}");
}

/* A paragraph, with its line breaks; nothing when there is nothing to be seen in it. */
static void add_paragraph(struct buf *b, const char *label, const char *text, size_t shown)
{
    struct buf clean, paragraph;
    buf_init(&clean, RAW_MAX);
    buf_init(&paragraph, RAW_MAX);
    text_add_clean(&clean, text, TEXT_LINES);
    if (clean.len) {
        if (label)
            buf_printf(&paragraph, "%s\n", label);
        text_add_cut(&paragraph, buf_text(&clean), shown);
        add_text_block(b, "section", buf_text(&paragraph), SLACK_SECTION_MAX);
    }
    buf_free(&paragraph);
    buf_free(&clean);
}

static void add_scan_fields(struct buf *fields, const struct event *event, const struct facts *facts)
{
    char score[32];
    struct buf counts;
    add_field(fields, "Target", facts->target.name, VALUE_SHOWN_MAX);
    add_field(fields, "Address", facts->target.base_url, ADDRESS_SHOWN_MAX);
    add_field(fields, "Profile", facts->scan.profile, VALUE_SHOWN_MAX);
    if (event->type != EVENT_SCAN_DONE)
        return;
    snprintf(score, sizeof score, "%ld", facts->scan.score);
    buf_init(&counts, 256);
    wording_add_counts(&counts, facts->scan.summary_json);
    add_field(fields, "Grade", facts->scan.grade, VALUE_SHOWN_MAX);
    add_field(fields, "Score", facts->scan.has_score ? score : NULL, VALUE_SHOWN_MAX);
    add_field(fields, "Findings", buf_text(&counts), VALUE_SHOWN_MAX);
    buf_free(&counts);
}

static void add_finding_fields(struct buf *fields, const struct facts *facts)
{
    const struct facts_finding *f = &facts->finding;
    char severity[32], epss[32];
    snprintf(severity, sizeof severity, "%s %s", wording_sign(f->severity), severity_name(f->severity));
    snprintf(epss, sizeof epss, "%.1f %%", f->has_epss ? 100 * f->epss : 0);
    add_field(fields, "Severity", severity, VALUE_SHOWN_MAX);
    add_field(fields, "Target", facts->target.name, VALUE_SHOWN_MAX);
    add_field(fields, "Endpoint", f->endpoint, ADDRESS_SHOWN_MAX);
    add_field(fields, "Parameter", f->parameter, VALUE_SHOWN_MAX);
    add_field(fields, "Category", f->category, VALUE_SHOWN_MAX);
    add_field(fields, "OWASP", f->owasp_category, VALUE_SHOWN_MAX);
    add_field(fields, "CWE", f->cwe_id, VALUE_SHOWN_MAX);
    add_field(fields, "Status", f->verification_status, VALUE_SHOWN_MAX);
    /* A probability (first.org/epss); anything else is no answer to "how likely". */
    add_field(fields, "EPSS", f->has_epss && f->epss >= 0 && f->epss <= 1 ? epss : NULL, VALUE_SHOWN_MAX);
    add_field(fields, "Exploited", f->kev ? "yes, listed as known exploited (KEV)" : NULL, VALUE_SHOWN_MAX);
}

/* Small print, so that a message can be found by what the product calls the thing. */
static void add_context(struct buf *b, const struct event *event, const struct facts *facts)
{
    char id[UUID_TEXT];
    struct buf text;
    buf_init(&text, RAW_MAX);
    buf_add_text(&text, "Pencheff");
    if (event_is_about_finding(event->type)) {
        uuid_format(&facts->finding.id, id);
        buf_printf(&text, " · finding %s", id);
    }
    uuid_format(&facts->scan.id, id);
    buf_printf(&text, " · scan %s", id);
    buf_json_open_item(b);
    buf_json_member(b, "type", "context");
    buf_json_open_list(b, "elements");
    buf_json_open_item(b);
    add_plain(b, buf_text(&text), SLACK_FIELD_MAX);
    buf_add_text(b, "}]}");
    buf_free(&text);
}

static void add_details(struct buf *b, const struct event *event, const struct facts *facts)
{
    struct buf fields;
    buf_init(&fields, b->max);
    if (event->type == EVENT_FINDING_CHANGED)
        add_paragraph(b, NULL, event->change_summary, CHANGE_SHOWN_MAX);
    if (event->type == EVENT_SCAN_FAILED)
        add_paragraph(b, NULL, wording_error(event, facts), ERROR_SHOWN_MAX);
    if (event_is_about_finding(event->type))
        add_finding_fields(&fields, facts);
    else
        add_scan_fields(&fields, event, facts);
    add_fields(b, &fields);
    buf_free(&fields);
    if (event->type == EVENT_FINDING_NEW) {
        add_paragraph(b, "Description", facts->finding.description, DESCRIPTION_SHOWN_MAX);
        add_paragraph(b, "Remediation", facts->finding.remediation, DESCRIPTION_SHOWN_MAX);
    }
    add_context(b, event, facts);
}

/* ---- the two layouts ---- */

static void add_card(struct buf *b, const struct event *event, const struct facts *facts)
{
    char colour[8];
    struct buf headline;
    buf_init(&headline, RAW_MAX);
    wording_add_headline(&headline, event, facts);
    buf_json_open_list(b, "blocks");
    bool whole = add_text_block(b, "header", buf_text(&headline), SLACK_HEADER_MAX);
    buf_add_char(b, ']');
    snprintf(colour, sizeof colour, "#%06X", (unsigned)(wording_event_colour(event, facts) & 0xFFFFFF));
    buf_json_open_list(b, "attachments");
    buf_json_open_item(b);
    buf_json_member(b, "color", colour);
    buf_json_open_list(b, "blocks");
    if (!whole)
        add_text_block(b, "section", buf_text(&headline), SLACK_SECTION_MAX);
    add_details(b, event, facts);
    buf_add_text(b, "]}]");
    buf_free(&headline);
}

void slack_body_build(const struct event *event, const struct facts *facts, enum dest_style style,
                      struct buf *b)
{
    struct buf line;
    buf_init(&line, RAW_MAX);
    wording_add_line(&line, event, facts);
    buf_add_char(b, '{');
    buf_json_key(b, "text");
    add_escaped(b, buf_text(&line), SLACK_TEXT_MAX);
    buf_json_bool(b, "mrkdwn", false);
    buf_json_bool(b, "unfurl_links", false);
    buf_json_bool(b, "unfurl_media", false);
    if (style == DEST_STYLE_CARD) {
        add_card(b, event, facts);
    } else {
        buf_json_open_list(b, "blocks");
        add_text_block(b, "section", buf_text(&line), SLACK_SECTION_MAX);
        buf_add_char(b, ']');
    }
    buf_add_char(b, '}');
    buf_free(&line);
}
