/*
 * splunk_body - the event that Splunk indexes
 *
 * Pure. Members have the names of a webhook's body, so that one knows both; what is not known is left out, for Splunk
 * takes a null for the word. Splunk shows texts as they are and reads no markup, so cleaning and JSON are all that a
 * hostile one needs; none becomes the name of a field, or decides where an event is filed. Every text has its share of an
 * event's bytes, and what is longest, description and remediation, stands last and gets what the others leave.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "common/destinations/record.h"
#include "common/destinations/splunk.h"
#include "common/destinations/text.h"
#include "common/destinations/wording.h"

/* Bytes of a text, after JSON's escapes. */
enum {
    RAW_MAX = 65536, /* of one text before it is cut: more than any that is stored */
    MESSAGE_MAX = 600,
    CHANGE_MAX = 600,
    ERROR_MAX = 1000,      /* beside a finding */
    SCAN_ERROR_MAX = 5000, /* without one */
    ID_MAX = 2 * EVENT_ID_MAX,
    NAME_MAX = 300,
    ADDRESS_MAX = 600,
    TITLE_MAX = 500,
    VALUE_MAX = 250,
    WORD_MAX = 130,
};

/* All that is not a text of others: names of members, UUIDs, numbers, brackets. */
enum { FRAME_MAX = 1400, LONG_TEXTS_FRAME = 40 /* ,"description":"","remediation":""}} */ };

_Static_assert(MESSAGE_MAX + CHANGE_MAX + ERROR_MAX + ID_MAX + NAME_MAX + 2 * ADDRESS_MAX + TITLE_MAX +
                       2 * VALUE_MAX + 13 * WORD_MAX + FRAME_MAX + LONG_TEXTS_FRAME + 1000 <=
                   SPLUNK_EVENT_MAX,
               "whatever the others say, there is room for a description");
_Static_assert(MESSAGE_MAX + CHANGE_MAX + SCAN_ERROR_MAX + ID_MAX + NAME_MAX + ADDRESS_MAX + 4 * WORD_MAX +
                       FRAME_MAX <=
                   SPLUNK_EVENT_MAX,
               "an event without a finding has no long texts to cut");

/* ---- members ---- */

/* Of what text_add_clean leaves. */
static const char *escape_json(uint32_t code, uint32_t before)
{
    (void)before;
    switch (code) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    default:
        return NULL;
    }
}

/* CLEAN, if there is anything of it. Returns its bytes. */
static size_t add_clean(struct buf *b, const char *key, const struct buf *clean, size_t max)
{
    if (clean->len == 0)
        return 0;
    buf_json_key(b, key);
    buf_add_char(b, '"');
    size_t before = b->len;
    text_add_escaped(b, buf_text(clean), max, TEXT_BYTES, escape_json);
    size_t added = b->len - before;
    buf_add_char(b, '"');
    return added;
}

static void add_text(struct buf *b, const char *key, const char *text, size_t max)
{
    struct buf clean;
    buf_init(&clean, RAW_MAX);
    text_add_clean(&clean, text, TEXT_ONE_LINE);
    add_clean(b, key, &clean, max);
    buf_free(&clean);
}

static void add_lines(struct buf *b, const char *key, const char *text, size_t max)
{
    struct buf clean;
    buf_init(&clean, RAW_MAX);
    text_add_clean(&clean, text, TEXT_LINES);
    add_clean(b, key, &clean, max);
    buf_free(&clean);
}

static void add_number(struct buf *b, const char *key, bool known, double value)
{
    if (!known || !isfinite(value))
        return;
    buf_json_key(b, key);
    buf_json_number(b, value);
}

static void add_whole(struct buf *b, const char *key, int64_t value)
{
    buf_json_key(b, key);
    buf_add_int(b, value);
}

/* ---- the parts of an event ---- */

static void add_target(struct buf *b, const struct facts_target *target)
{
    buf_json_open_object(b, "target");
    record_add_id(b, "id", &target->id);
    add_text(b, "name", target->name, NAME_MAX);
    add_text(b, "url", target->base_url, ADDRESS_MAX);
    add_text(b, "kind", target->kind, WORD_MAX);
    buf_add_char(b, '}');
}

/* All five, that a sum over them is one; names that are no severity are not passed on. */
static void add_summary(struct buf *b, const char *summary_json)
{
    int64_t counts[SEVERITY_COUNT];
    if (!summary_json)
        return;
    wording_read_counts(summary_json, counts);
    buf_json_open_object(b, "summary");
    for (int s = SEVERITY_COUNT - 1; s >= 0; s--)
        add_whole(b, severity_name((enum severity)s), counts[s]);
    buf_add_char(b, '}');
}

static void add_scan(struct buf *b, const struct facts_scan *scan)
{
    buf_json_open_object(b, "scan");
    record_add_id(b, "id", &scan->id);
    add_text(b, "profile", scan->profile, WORD_MAX);
    add_text(b, "status", scan->status, WORD_MAX);
    add_text(b, "grade", scan->grade, WORD_MAX);
    if (scan->has_score)
        add_whole(b, "score", scan->score);
    add_summary(b, scan->summary_json);
    buf_add_char(b, '}');
}

static bool is_between(bool known, double value, double most)
{
    return known && value >= 0 && value <= most;
}

/* What both may have of ROOM: half each, and what one does not need the other one's. */
static void add_long_texts(struct buf *b, const struct facts_finding *f, size_t room)
{
    struct buf description, remediation, measured;
    buf_init(&description, RAW_MAX);
    buf_init(&remediation, RAW_MAX);
    buf_init(&measured, 2 * RAW_MAX);
    text_add_clean(&description, f->description, TEXT_LINES);
    text_add_clean(&remediation, f->remediation, TEXT_LINES);
    text_add_escaped(&measured, buf_text(&remediation), room / 2, TEXT_BYTES, escape_json);
    size_t used = add_clean(b, "description", &description, room - measured.len);
    add_clean(b, "remediation", &remediation, room - used);
    buf_free(&description);
    buf_free(&remediation);
    buf_free(&measured);
}

/* Up to its end, which the caller writes, as it does the event's. */
static void open_finding(struct buf *b, const struct facts_finding *f)
{
    buf_json_open_object(b, "finding");
    record_add_id(b, "id", &f->id);
    add_text(b, "pencheff_finding_id", f->pencheff_finding_id, WORD_MAX);
    add_text(b, "title", f->title, TITLE_MAX);
    buf_json_member(b, "severity", severity_name(f->severity));
    add_number(b, "cvss_score", is_between(f->has_cvss_score, f->cvss_score, 10), fabs(f->cvss_score));
    add_text(b, "cvss_vector", f->cvss_vector, WORD_MAX);
    add_text(b, "category", f->category, WORD_MAX);
    add_text(b, "owasp_category", f->owasp_category, WORD_MAX);
    add_text(b, "cwe_id", f->cwe_id, WORD_MAX);
    add_text(b, "endpoint", f->endpoint, ADDRESS_MAX);
    add_text(b, "parameter", f->parameter, VALUE_MAX);
    add_text(b, "verification_status", f->verification_status, WORD_MAX);
    buf_json_bool(b, "suppressed", f->suppressed);
    add_text(b, "suppress_reason", f->suppress_reason, VALUE_MAX);
    add_number(b, "epss", is_between(f->has_epss, f->epss, 1), fabs(f->epss));
    buf_json_bool(b, "kev", f->kev);
    add_number(b, "risk_score", f->has_risk_score, f->risk_score);
    add_text(b, "reachability", f->reachability, WORD_MAX);
    add_text(b, "resolved_at", f->resolved_at, WORD_MAX);
    add_text(b, "created_at", f->created_at, WORD_MAX);
}

/* The words that users know; without the endpoint, which has a member of its own. */
static void add_message(struct buf *b, const struct event *event, const struct facts *facts)
{
    struct buf line;
    buf_init(&line, RAW_MAX);
    if (event->type == EVENT_FINDING_NEW)
        wording_add_headline(&line, event, facts);
    else
        wording_add_line(&line, event, facts);
    add_clean(b, "message", &line, MESSAGE_MAX);
    buf_free(&line);
}

static void add_event(struct buf *b, const struct event *event, const struct facts *facts)
{
    bool has_finding = event_is_about_finding(event->type);
    size_t start = b->len;
    record_open(b, event_type_name(event->type));
    add_text(b, "id", event->id, ID_MAX);
    add_message(b, event, facts);
    add_text(b, "change_summary", event->change_summary, CHANGE_MAX);
    add_lines(b, "error", wording_error(event, facts), has_finding ? ERROR_MAX : SCAN_ERROR_MAX);
    record_add_id(b, "workspace_id", &facts->scan.workspace_id);
    add_target(b, &facts->target);
    add_scan(b, &facts->scan);
    if (has_finding) {
        open_finding(b, &facts->finding);
        add_long_texts(b, &facts->finding, SPLUNK_EVENT_MAX - (b->len - start) - LONG_TEXTS_FRAME);
        buf_add_char(b, '}');
    }
    buf_add_char(b, '}');
}

/* ---- the rest of the envelope ---- */

/* compat.md section 5. */
static const char *sourcetype_of(const struct event *event)
{
    static const char *const words[EVENT_TYPE_COUNT] = {
        [EVENT_SCAN_STARTED] = "pencheff:scan_started", [EVENT_SCAN_DONE] = "pencheff:scan_done",
        [EVENT_SCAN_FAILED] = "pencheff:scan_failed",   [EVENT_FINDING_NEW] = "pencheff:finding",
        [EVENT_FINDING_CHANGED] = "pencheff:finding",
    };
    return event ? words[event->type] : "pencheff:test";
}

/* In seconds, without an exponent, which Splunk refuses (code 15). */
static void add_time(struct buf *b, int64_t us)
{
    int64_t ms = us > 0 ? us / 1000 : 0;
    buf_json_key(b, "time");
    buf_printf(b, "%" PRId64 ".%03d", ms / 1000, (int)(ms % 1000));
}

void splunk_body_build(const struct event *event, const struct facts *facts, int layout, struct buf *b)
{
    (void)layout;
    buf_json_member(b, "sourcetype", sourcetype_of(event));
    if (event)
        add_time(b, event->first_seen_us);
    buf_json_key(b, "event");
    if (event)
        add_event(b, event, facts);
    else
        record_add_test(b);
    buf_add_char(b, '}');
}
