/*
 * opsgenie_body - the alert that Opsgenie gets, and the note on one
 *
 * Pure. Opsgenie shows messages, descriptions and notes as HTML (docs.opsgenie.com/v1.0/docs/alerts-and-alert-fields,
 * alert-api). Descriptions and notes are escaped. A message is read aloud and sent as a short message too, where an
 * entity would be noise, and so are the values that rules compare; there brackets become others that look alike. Every
 * text is cut on its own, after escaping, such that the whole always fits: nothing ever has to be left out.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/destinations/life.h"
#include "common/destinations/message.h"
#include "common/destinations/opsgenie.h"
#include "common/destinations/record.h"
#include "common/destinations/tags.h"
#include "common/destinations/text.h"
#include "common/destinations/wording.h"

/* Lengths in UTF-16 units, after escaping. */
enum {
    RAW_MAX = 65536, /* bytes of one text before it is cut: more than any that is stored */
    PARTS_SIZE = 16384,
    HEADLINE_MAX = 600,
    PARAGRAPH_MAX = 4700,
    VALUE_MAX = 200,
    ADDRESS_MAX = 500,
    LABEL_MAX = 20,
    IDS_MAX = 200,
    DETAIL_MAX = 500,
    DETAILS_MOST = 14,
    WHY_MAX = 2000,
};

/* No message has more than two paragraphs and one address (message.c). */
_Static_assert(HEADLINE_MAX + 2 * (PARAGRAPH_MAX + LABEL_MAX) + ADDRESS_MAX +
                       (MESSAGE_PARTS_MAX - 2) * (VALUE_MAX + LABEL_MAX) + IDS_MAX <=
                   OPSGENIE_DESCRIPTION_MAX,
               "a description is never longer than Opsgenie takes");
_Static_assert(DETAILS_MOST *(DETAIL_MAX + LABEL_MAX) <= OPSGENIE_DETAILS_MAX,
               "details are never longer than Opsgenie takes");

/* ---- texts ---- */

/* A tag cannot begin without a bracket. */
static const char *escape_brackets(uint32_t code, uint32_t before)
{
    (void)before;
    return code == '<' ? "‹" : code == '>' ? "›" : NULL;
}

static bool add_plain(struct buf *out, const char *text, size_t max)
{
    return text_add_escaped(out, text, max, TEXT_UTF16_UNITS, escape_brackets);
}

static void add_html(struct buf *out, const char *text, size_t max)
{
    text_add_escaped(out, text, max, TEXT_UTF16_UNITS, text_escape_entities);
}

/* A member of TEXT on one line; nothing when nothing of it is to be seen. */
static void add_value(struct buf *b, const char *key, const char *text, size_t max)
{
    struct buf clean, cut;
    buf_init(&clean, RAW_MAX);
    buf_init(&cut, RAW_MAX);
    text_add_clean(&clean, text, TEXT_ONE_LINE);
    if (clean.len > 0) {
        add_plain(&cut, buf_text(&clean), max);
        buf_json_member(b, key, buf_text(&cut));
    }
    buf_free(&clean);
    buf_free(&cut);
}

/* ---- the alert ---- */

/* The words that users know, in one line; of a finding, which do not name its target, with that. True when all of them
 * are there. */
static bool add_message(struct buf *b, const struct message *m, const struct event *event)
{
    struct buf line, text;
    bool has_lines = event && event->type == EVENT_FINDING_NEW;
    const char *target = event && event_is_about_finding(event->type) ? message_text(m, "Target") : NULL;
    buf_init(&line, RAW_MAX);
    buf_init(&text, RAW_MAX);
    buf_add_text(&line, has_lines ? m->headline : m->line);
    if (target)
        buf_printf(&line, " · %s", target);
    bool whole = add_plain(&text, buf_text(&line), OPSGENIE_MESSAGE_MAX);
    buf_json_member(b, "message", buf_text(&text));
    buf_free(&line);
    buf_free(&text);
    return whole;
}

static void add_part(struct buf *out, const struct message_part *part)
{
    if (part->kind == MESSAGE_FIELD) {
        buf_printf(out, "%s: ", part->label);
        add_html(out, part->text, part->shown > VALUE_MAX ? ADDRESS_MAX : VALUE_MAX);
        buf_add_char(out, '\n');
        return;
    }
    if (part->label)
        buf_printf(out, "\n%s\n", part->label);
    add_html(out, part->text, PARAGRAPH_MAX);
    buf_add_text(out, part->label ? "\n" : "\n\n");
}

/* Everything; the headline too where the message had no room for all of it. */
static void add_description(struct buf *b, const struct message *m, bool with_headline)
{
    struct buf text;
    buf_init(&text, RAW_MAX);
    if (with_headline) {
        add_html(&text, m->headline, HEADLINE_MAX);
        buf_add_text(&text, "\n\n");
    }
    for (size_t i = 0; i < m->count; i++)
        add_part(&text, &m->parts[i]);
    if (m->count > 0)
        buf_add_char(&text, '\n');
    add_html(&text, m->ids, IDS_MAX);
    buf_json_member(b, "description", buf_text(&text));
    buf_free(&text);
}

static void add_score(struct buf *b, const struct facts_finding *f)
{
    char score[32];
    if (!f->has_cvss_score || f->cvss_score < 0 || f->cvss_score > 10)
        return;
    snprintf(score, sizeof score, "%.1f", fabs(f->cvss_score));
    buf_json_member(b, "cvss", score);
}

static void add_finding_details(struct buf *b, const struct facts_finding *f)
{
    record_add_id(b, "finding", &f->id);
    buf_json_member(b, "severity", severity_name(f->severity));
    add_score(b, f);
    add_value(b, "endpoint", f->endpoint, DETAIL_MAX);
    add_value(b, "parameter", f->parameter, DETAIL_MAX);
    add_value(b, "category", f->category, DETAIL_MAX);
    add_value(b, "owasp", f->owasp_category, DETAIL_MAX);
    add_value(b, "cwe", f->cwe_id, DETAIL_MAX);
    add_value(b, "status", f->verification_status, DETAIL_MAX);
    buf_json_member(b, "kev", f->kev ? "yes" : "no");
}

/* Pairs of texts, for rules and actions that read them. */
static void add_details(struct buf *b, const struct event *event, const struct facts *facts)
{
    buf_json_open_object(b, "details");
    buf_json_member(b, "event", event_type_name(event->type));
    record_add_id(b, "scan", &facts->scan.id);
    add_value(b, "target", facts->target.name, DETAIL_MAX);
    add_value(b, "address", facts->target.base_url, DETAIL_MAX);
    if (event_is_about_finding(event->type))
        add_finding_details(b, &facts->finding);
    buf_add_char(b, '}');
}

/* compat.md section 5. */
static const char *priority_of(const struct event *event, const struct facts *facts)
{
    static const char *const words[SEVERITY_COUNT] = {
        [SEVERITY_INFO] = "P5", [SEVERITY_LOW] = "P4",      [SEVERITY_MEDIUM] = "P3",
        [SEVERITY_HIGH] = "P2", [SEVERITY_CRITICAL] = "P1",
    };
    if (event && event->type == EVENT_SCAN_FAILED)
        return "P3";
    return event && event_is_about_finding(event->type) ? words[facts->finding.severity] : "P5";
}

static void add_tags(struct buf *b, struct arena *arena, const struct event *event, const struct facts *facts)
{
    struct tags tags;
    tags_build(&tags, arena, event, facts, NULL);
    tags_add_json(b, "tags", tags.items, tags.count);
}

static void add_alert(struct buf *b, struct arena *arena, const struct message *m, const struct event *event,
                      const struct facts *facts)
{
    bool whole = add_message(b, m, event);
    add_description(b, m, !whole);
    add_tags(b, arena, event, facts);
    if (event) {
        add_details(b, event, facts);
        add_value(b, "entity", facts->target.base_url ? facts->target.base_url : facts->target.name,
                  OPSGENIE_ENTITY_MAX);
    }
    buf_json_member(b, "priority", priority_of(event, facts));
}

/* ---- the note ---- */

/* WHY, which may be NULL, on a line of its own before the rest. */
static void add_note(struct buf *b, const struct message *m, const char *why)
{
    struct buf text;
    buf_init(&text, RAW_MAX);
    if (why) {
        add_html(&text, why, WHY_MAX);
        buf_add_char(&text, '\n');
    }
    add_html(&text, m->line, OPSGENIE_NOTE_MAX - WHY_MAX - 1 - IDS_MAX);
    buf_add_char(&text, '\n');
    add_html(&text, m->ids, IDS_MAX - 1);
    buf_json_member(b, "note", buf_text(&text));
    buf_free(&text);
}

/* NULL when nothing is over. */
static const char *why_closed(struct arena *arena, const struct event *event, const struct facts *facts)
{
    bool over = event_is_about_finding(event->type) && life_end_of(&facts->finding) != LIFE_GOES_ON;
    return over ? life_words(LIFE_CLOSE, event, &facts->finding, arena) : NULL;
}

/* Who says so; Opsgenie knows no such members where only the priority is said. */
static void add_sender(struct buf *b)
{
    buf_json_member(b, "source", "Pencheff");
    buf_json_member(b, "user", "Pencheff");
}

void opsgenie_body_build(const struct event *event, const struct facts *facts, int layout, struct buf *b)
{
    struct arena arena;
    struct message m;
    arena_init(&arena, PARTS_SIZE);
    message_build(&m, &arena, event, facts);
    buf_add_char(b, '{');
    if (layout == OPSGENIE_ALERT)
        add_alert(b, &arena, &m, event, facts);
    else if (layout == OPSGENIE_PRIORITY)
        buf_json_member(b, "priority", priority_of(event, facts));
    else
        add_note(b, &m, layout == OPSGENIE_END ? why_closed(&arena, event, facts) : NULL);
    if (layout != OPSGENIE_PRIORITY)
        add_sender(b);
    buf_add_char(b, '}');
    arena_free(&arena);
}
