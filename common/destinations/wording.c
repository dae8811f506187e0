/*
 * wording - what the product says to people, and in which colour
 *
 * Pure. The exact words of compat.md section 5, which users search their channels for and build filters on:
 * changing one here breaks somebody's automation. Knows no destination and no markup; every text from a
 * scanned system is cleaned, so that a line stays one line, and is left to the destination to escape.
 */
#include "common/destinations/wording.h"

#include <math.h>
#include <string.h>

#include "common/base/json.h"
#include "common/destinations/text.h"

enum {
    ERROR_SHOWN_MAX = 200, /* characters; compat.md section 5 */
    IN_DIGEST_MAX = 120,   /* characters of a title or an endpoint, so that all of a digest is seen */
    PIECE_MAX = 4 * EVENT_TEXT_MAX, /* bytes of one cleaned text: more than any that is stored */
};

static const struct {
    const char *sign;
    uint32_t colour;
} looks[SEVERITY_COUNT] = {
    [SEVERITY_INFO] = {"🔵", 0x6B7280},      [SEVERITY_LOW] = {"🟡", 0x3B82F6},
    [SEVERITY_MEDIUM] = {"🟠", 0xF59E0B}, [SEVERITY_HIGH] = {"🔴", 0xEF4444},
    [SEVERITY_CRITICAL] = {"🚨", 0xDC2626},
};

const char *wording_sign(enum severity severity)
{
    return looks[severity].sign;
}

uint32_t wording_severity_colour(enum severity severity)
{
    return looks[severity].colour;
}

const char *wording_error(const struct event *event, const struct facts *facts)
{
    if (event->error || event->type != EVENT_SCAN_FAILED)
        return event->error;
    return facts->scan.error;
}

/* ---- counts ---- */

/* A count is a whole number above zero; anything else is none. */
static int64_t count_of(struct json_object *value)
{
    double number = json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double)
                        ? json_object_get_double(value)
                        : 0;
    return number >= 1 && number <= 1e12 ? (int64_t)number : 0;
}

void wording_read_counts(const char *summary_json, int64_t counts[SEVERITY_COUNT])
{
    const char *why;
    struct json_object *summary = summary_json ? json_parse(summary_json, strlen(summary_json), &why) : NULL;
    memset(counts, 0, SEVERITY_COUNT * sizeof *counts);
    if (json_object_is_type(summary, json_type_object)) {
        json_object_object_foreach(summary, name, value)
        {
            int severity = severity_parse(name);
            if (severity >= 0)
                counts[severity] += count_of(value);
        }
    }
    json_object_put(summary);
}

static void counts_of(const struct facts *facts, int64_t counts[SEVERITY_COUNT])
{
    if (facts->digest)
        memcpy(counts, facts->digest->counts, SEVERITY_COUNT * sizeof *counts);
    else
        wording_read_counts(facts->scan.summary_json, counts);
}

void wording_add_counts(struct buf *out, const struct facts *facts)
{
    int64_t counts[SEVERITY_COUNT];
    bool any = false;
    counts_of(facts, counts);
    for (int s = SEVERITY_COUNT - 1; s >= 0; s--) {
        if (counts[s] == 0)
            continue;
        buf_add_text(out, any ? ", " : "");
        buf_add_int(out, counts[s]);
        buf_add_char(out, ' ');
        buf_add_text(out, severity_name((enum severity)s));
        any = true;
    }
    if (!any)
        buf_add_text(out, "no findings");
}

static enum severity worst_counted(const struct facts *facts)
{
    int64_t counts[SEVERITY_COUNT];
    counts_of(facts, counts);
    for (int s = SEVERITY_COUNT - 1; s > SEVERITY_INFO; s--)
        if (counts[s] > 0)
            return (enum severity)s;
    return SEVERITY_INFO;
}

uint32_t wording_event_colour(const struct event *event, const struct facts *facts)
{
    switch (event->type) {
    case EVENT_FINDING_NEW:
    case EVENT_FINDING_CHANGED:
        return wording_severity_colour(facts->finding.severity);
    case EVENT_SCAN_DONE:
        return wording_severity_colour(worst_counted(facts));
    case EVENT_SCAN_FAILED:
        return wording_severity_colour(SEVERITY_CRITICAL);
    default:
        return wording_severity_colour(SEVERITY_INFO);
    }
}

/* ---- lines ---- */

/* BEFORE, the text on one line and cut, AFTER; nothing at all when nothing of the text is to be seen. */
static bool add_piece(struct buf *out, const char *before, const char *text, size_t max, const char *after)
{
    struct buf clean;
    buf_init(&clean, PIECE_MAX);
    text_add_clean(&clean, text, TEXT_ONE_LINE);
    bool any = clean.len > 0;
    if (any) {
        buf_add_text(out, before);
        text_add_cut(out, buf_text(&clean), max);
        buf_add_text(out, after);
    }
    buf_free(&clean);
    return any;
}

static void add_target(struct buf *out, const struct facts_target *target)
{
    if (!add_piece(out, "", target->name, PIECE_MAX, "") &&
        !add_piece(out, "", target->base_url, PIECE_MAX, ""))
        buf_add_text(out, "unnamed target");
}

static void add_title(struct buf *out, const struct facts_finding *finding, size_t max)
{
    if (!add_piece(out, "", finding->title, max, ""))
        buf_add_text(out, "untitled finding");
}

static void add_new_finding(struct buf *out, const struct facts_finding *f, size_t title_max)
{
    buf_printf(out, "%s [", wording_sign(f->severity));
    for (const char *p = severity_name(f->severity); *p; p++)
        buf_add_char(out, (char)(*p - 'a' + 'A'));
    buf_add_text(out, "] ");
    if (f->has_cvss_score && f->cvss_score >= 0 && f->cvss_score <= 10)
        buf_printf(out, "CVSS %.1f ", fabs(f->cvss_score));
    buf_add_text(out, "— ");
    add_title(out, f, title_max);
}

static void add_scan_done(struct buf *out, const struct facts *facts)
{
    buf_add_text(out, "✅ Scan done — ");
    add_target(out, &facts->target);
    add_piece(out, " · Grade ", facts->scan.grade, PIECE_MAX, "");
    buf_add_text(out, " · ");
    wording_add_counts(out, facts);
}

static void add_digest(struct buf *out, const struct facts *facts)
{
    buf_printf(out, "%s %zu new findings — ", wording_sign(worst_counted(facts)), facts->digest->count);
    add_target(out, &facts->target);
}

void wording_add_digest_lines(struct buf *out, const struct facts_digest *d)
{
    for (size_t i = 0; i < d->worst_count; i++) {
        buf_add_text(out, i > 0 ? "\n" : "");
        add_new_finding(out, d->worst[i], IN_DIGEST_MAX);
        add_piece(out, " · ", d->worst[i]->endpoint, IN_DIGEST_MAX, "");
    }
    if (d->count > d->worst_count)
        buf_printf(out, "\nand %zu more", d->count - d->worst_count);
}

static void add_digest_line(struct buf *out, const struct facts *facts)
{
    add_digest(out, facts);
    buf_add_text(out, ": ");
    wording_add_counts(out, facts);
    buf_add_char(out, '\n');
    wording_add_digest_lines(out, facts->digest);
}

void wording_add_headline(struct buf *out, const struct event *event, const struct facts *facts)
{
    if (facts->digest) {
        add_digest(out, facts);
        return;
    }
    switch (event->type) {
    case EVENT_SCAN_STARTED:
        buf_add_text(out, "🚀 Scan started — ");
        add_target(out, &facts->target);
        add_piece(out, " [", facts->scan.profile, PIECE_MAX, "]");
        break;
    case EVENT_SCAN_DONE:
        add_scan_done(out, facts);
        break;
    case EVENT_SCAN_FAILED:
        buf_add_text(out, "❌ Scan failed — ");
        add_target(out, &facts->target);
        break;
    case EVENT_FINDING_NEW:
        add_new_finding(out, &facts->finding, PIECE_MAX);
        break;
    case EVENT_FINDING_CHANGED:
        buf_add_text(out, "🔁 Finding updated — ");
        add_title(out, &facts->finding, PIECE_MAX);
        break;
    case EVENT_TYPE_COUNT:
        break;
    }
}

void wording_add_line(struct buf *out, const struct event *event, const struct facts *facts)
{
    if (facts->digest) {
        add_digest_line(out, facts);
        return;
    }
    wording_add_headline(out, event, facts);
    if (event->type == EVENT_SCAN_FAILED)
        add_piece(out, ": ", wording_error(event, facts), ERROR_SHOWN_MAX, "");
    else if (event->type == EVENT_FINDING_CHANGED)
        add_piece(out, ": ", event->change_summary, PIECE_MAX, "");
    else if (event->type == EVENT_FINDING_NEW)
        add_piece(out, "\n", facts->finding.endpoint, PIECE_MAX, "");
}
