/*
 * message - an event in the parts that people are shown
 *
 * Pure. Which facts are worth a reader's time, what they are called, in which order they stand and which go
 * first when there is no room: decided here for all destinations, so that each of them knows its markup and
 * its limits only.
 */
#include "common/destinations/message.h"

#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/destinations/life.h"
#include "common/destinations/text.h"
#include "common/destinations/wording.h"

/* What a reader of a channel will still read, in characters. */
enum {
    ADDRESS_SHOWN_MAX = 500,
    VALUE_SHOWN_MAX = 200,
    PARAGRAPH_SHOWN_MAX = 1000,
    DIGEST_SHOWN_MAX = 2000, /* more than it has */
    RAW_MAX = 65536,         /* bytes of one text: more than any that is stored */
};

/* Info's (compat.md section 5). */
#define TEST_COLOUR 0x6B7280

struct builder {
    struct message *message;
    struct arena *arena;
    struct buf scratch;
};

/* ---- adding parts ---- */

/* A copy of what is in the scratch buffer, which is empty afterwards. */
static const char *keep(struct builder *b)
{
    const char *text = arena_text(b->arena, buf_text(&b->scratch), b->scratch.len);
    buf_reset(&b->scratch);
    return text;
}

/* Nothing when there is nothing to be seen in TEXT. */
static struct message_part *add(struct builder *b, enum message_part_kind kind, const char *label,
                                const char *text, size_t shown, int rank)
{
    text_add_clean(&b->scratch, text, kind == MESSAGE_FIELD ? TEXT_ONE_LINE : TEXT_LINES);
    const char *clean = keep(b);
    if (!*clean)
        return NULL;
    check(b->message->count < MESSAGE_PARTS_MAX);
    struct message_part *part = &b->message->parts[b->message->count++];
    *part = (struct message_part){.kind = kind, .label = label, .text = clean, .shown = shown, .rank = rank};
    return part;
}

static void add_field(struct builder *b, const char *label, const char *text, int rank)
{
    add(b, MESSAGE_FIELD, label, text, VALUE_SHOWN_MAX, rank);
}

static void add_address(struct builder *b, const char *label, const char *text, int rank)
{
    add(b, MESSAGE_FIELD, label, text, ADDRESS_SHOWN_MAX, rank);
}

static void add_detail(struct builder *b, const char *label, const char *text, int rank)
{
    struct message_part *part = add(b, MESSAGE_FIELD, label, text, VALUE_SHOWN_MAX, rank);
    if (part)
        part->detail = true;
}

static void add_paragraph(struct builder *b, const char *label, const char *text, int rank)
{
    add(b, MESSAGE_PARAGRAPH, label, text, PARAGRAPH_SHOWN_MAX, rank);
}

/* ---- the parts of each event ---- */

static void add_scan(struct builder *b, const struct event *event, const struct facts *facts)
{
    char score[32];
    add_field(b, "Target", facts->target.name, 0);
    add_address(b, "Address", facts->target.base_url, 1);
    add_field(b, "Profile", facts->scan.profile, 3);
    if (event->type != EVENT_SCAN_DONE)
        return;
    snprintf(score, sizeof score, "%ld", facts->scan.score);
    wording_add_counts(&b->scratch, facts);
    const char *counts = keep(b);
    add_field(b, "Grade", facts->scan.grade, 1);
    add_field(b, "Score", facts->scan.has_score ? score : NULL, 2);
    add_field(b, "Findings", counts, 0);
}

static void add_digest(struct builder *b, const struct facts *facts)
{
    wording_add_counts(&b->scratch, facts);
    const char *counts = keep(b);
    wording_add_digest_lines(&b->scratch, facts->digest);
    const char *lines = keep(b);
    add_field(b, "Target", facts->target.name, 0);
    add_address(b, "Address", facts->target.base_url, 1);
    add_field(b, "Findings", counts, 0);
    add(b, MESSAGE_PARAGRAPH, NULL, lines, DIGEST_SHOWN_MAX, 2);
}

static bool is_share(bool known, double value)
{
    return known && value >= 0 && value <= 1;
}

static const char *one_decimal(struct arena *arena, bool known, double value, const char *unit)
{
    return known ? arena_printf(arena, "%.1f%s", value, unit) : NULL;
}

static void add_finding(struct builder *b, const struct facts *facts)
{
    const struct facts_finding *f = &facts->finding;
    bool scored = f->has_cvss_score && f->cvss_score >= 0 && f->cvss_score <= 10;
    char severity[32];
    snprintf(severity, sizeof severity, "%s %s", wording_sign(f->severity), severity_name(f->severity));
    add_field(b, "Severity", severity, 0);
    add_field(b, "Closed", life_end_words(f, b->arena), 0);
    add_field(b, "Target", facts->target.name, 0);
    add_address(b, "Endpoint", f->endpoint, 0);
    add_field(b, "Parameter", f->parameter, 1);
    add_field(b, "Category", f->category, 4);
    add_field(b, "OWASP", f->owasp_category, 3);
    add_field(b, "CWE", f->cwe_id, 2);
    add_field(b, "Status", f->verification_status, 2);
    /* A probability (first.org/epss); anything else is no answer to "how likely". */
    add_field(b, "EPSS", one_decimal(b->arena, is_share(f->has_epss, f->epss), 100 * f->epss, " %"), 5);
    add_field(b, "Exploited", f->kev ? "yes, listed as known exploited (KEV)" : NULL, 1);
    add_detail(b, "CVSS", one_decimal(b->arena, scored, f->cvss_score, ""), 1);
    add_detail(b, "CVSS vector", f->cvss_vector, 6);
    add_detail(b, "Risk score", one_decimal(b->arena, f->has_risk_score, f->risk_score, ""), 6);
    add_detail(b, "Reachability", f->reachability, 6);
    add_detail(b, "First seen", f->created_at, 7);
}

static const char *ids_of(struct builder *b, const struct event *event, const struct facts *facts)
{
    char id[UUID_TEXT];
    buf_add_text(&b->scratch, "Pencheff");
    if (event_is_about_finding(event->type)) {
        uuid_format(&facts->finding.id, id);
        buf_printf(&b->scratch, " · finding %s", id);
    }
    uuid_format(&facts->scan.id, id);
    buf_printf(&b->scratch, " · scan %s", id);
    return keep(b);
}

void message_build(struct message *out, struct arena *arena, const struct event *event,
                   const struct facts *facts)
{
    struct builder b = {.message = out, .arena = arena};
    memset(out, 0, sizeof *out);
    if (!event) {
        *out = (struct message){
            .headline = WORDING_TEST, .line = WORDING_TEST, .ids = "Pencheff", .colour = TEST_COLOUR};
        return;
    }
    out->event = event;
    out->facts = facts;
    buf_init(&b.scratch, RAW_MAX);
    wording_add_line(&b.scratch, event, facts);
    out->line = keep(&b);
    wording_add_headline(&b.scratch, event, facts);
    out->headline = keep(&b);
    out->colour = wording_event_colour(event, facts) & 0xFFFFFF;
    out->ids = ids_of(&b, event, facts);
    if (event->type == EVENT_FINDING_CHANGED)
        add_paragraph(&b, NULL, event->change_summary, 0);
    if (event->type == EVENT_SCAN_FAILED)
        add_paragraph(&b, NULL, wording_error(event, facts), 0);
    if (facts->digest)
        add_digest(&b, facts);
    else if (event_is_about_finding(event->type))
        add_finding(&b, facts);
    else
        add_scan(&b, event, facts);
    if (event->type == EVENT_FINDING_NEW) {
        add_paragraph(&b, "Description", facts->finding.description, 8);
        add_paragraph(&b, "Remediation", facts->finding.remediation, 9);
    }
    buf_free(&b.scratch);
}

const char *message_text(const struct message *m, const char *label)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->parts[i].label && strcmp(m->parts[i].label, label) == 0)
            return m->parts[i].text;
    return NULL;
}

/* ---- when there is no room for all ---- */

bool message_drop(struct message *m, bool detail)
{
    struct message_part *least = NULL;
    for (size_t i = 0; i < m->count; i++) {
        struct message_part *part = &m->parts[i];
        if (!part->dropped && (detail || !part->detail) && (!least || part->rank >= least->rank))
            least = part;
    }
    if (least)
        least->dropped = true;
    return least != NULL;
}

const char *message_left_out(const struct message *m, struct arena *arena)
{
    struct buf text;
    buf_init(&text, 1024);
    for (size_t i = 0; i < m->count; i++) {
        if (!m->parts[i].dropped)
            continue;
        buf_add_text(&text, text.len ? ", " : "Left out for length: ");
        buf_add_text(&text, m->parts[i].label ? m->parts[i].label : "the text");
    }
    const char *out = text.len ? arena_text(arena, text.data, text.len) : NULL;
    buf_free(&text);
    return out;
}
