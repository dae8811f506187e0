/*
 * pagerduty_body - the event that PagerDuty gets
 *
 * Pure. PagerDuty reads no markup anywhere, so texts are cleaned and cut, and nothing is escaped but for JSON; the severity is
 * a word of ours. The summary, which is read aloud and sent as a short message, is what users know from chats without its
 * sign.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/iso8601.h"
#include "common/destinations/message.h"
#include "common/destinations/pagerduty.h"
#include "common/destinations/text.h"
#include "common/destinations/wording.h"

enum {
    RAW_MAX = 65536, /* bytes of one text before it is cut: more than any that is stored */
    PARTS_SIZE = 16384,
    FIXED_MAX = 8192, /* bytes of names, ids and the like */
};

/* So nothing ever has to be left out: no character takes more than four bytes, and control characters, which JSON
 * would make longer, are gone. */
_Static_assert(4 * (MESSAGE_PARTS_MAX * PAGERDUTY_PARAGRAPH_MAX + 4 * PAGERDUTY_VALUE_MAX +
                    PAGERDUTY_SUMMARY_MAX) +
                       FIXED_MAX <=
                   PAGERDUTY_BODY_MAX,
               "an event is never longer than PagerDuty takes");

static const char *severity_of(const struct event *event, const struct facts *facts)
{
    static const char *const words[SEVERITY_COUNT] = {
        [SEVERITY_INFO] = "info",  [SEVERITY_LOW] = "info",          [SEVERITY_MEDIUM] = "warning",
        [SEVERITY_HIGH] = "error", [SEVERITY_CRITICAL] = "critical",
    };
    if (!event)
        return "info";
    if (event->type == EVENT_SCAN_FAILED)
        return "error";
    return event_is_about_finding(event->type) ? words[facts->finding.severity] : "info";
}

/* ---- members ---- */

/* A member of TEXT, one line and cut; false, and nothing, when nothing of it is to be seen. */
static bool add_value(struct buf *b, const char *key, const char *text)
{
    struct buf clean, cut;
    buf_init(&clean, RAW_MAX);
    buf_init(&cut, RAW_MAX);
    text_add_clean(&clean, text, TEXT_ONE_LINE);
    bool any = clean.len > 0;
    if (any) {
        text_add_cut(&cut, buf_text(&clean), PAGERDUTY_VALUE_MAX);
        buf_json_member(b, key, buf_text(&cut));
    }
    buf_free(&clean);
    buf_free(&cut);
    return any;
}

static void add_piece(struct buf *out, const char *text)
{
    if (text)
        buf_printf(out, " · %s", text);
}

/* The words that users know without the sign before them; of a finding, which do not name its target, with that. */
static void add_summary(struct buf *b, const struct message *m, const struct event *event)
{
    struct buf line, cut;
    bool is_new = event && event->type == EVENT_FINDING_NEW;
    const char *words = is_new ? m->headline : m->line;
    buf_init(&line, RAW_MAX);
    buf_init(&cut, RAW_MAX);
    buf_add_text(&line, event ? strchr(words, ' ') + 1 : words);
    if (event && event_is_about_finding(event->type))
        add_piece(&line, message_text(m, "Target"));
    if (is_new)
        add_piece(&line, message_text(m, "Endpoint"));
    text_add_escaped(&cut, buf_text(&line), PAGERDUTY_SUMMARY_MAX, TEXT_UTF16_UNITS, NULL);
    buf_json_member(b, "summary", buf_text(&cut));
    buf_free(&line);
    buf_free(&cut);
}

/* The parts by their labels. */
static void add_details(struct buf *b, const struct message *m, const char *unlabelled)
{
    buf_json_open_object(b, "custom_details");
    for (size_t i = 0; i < m->count; i++) {
        const struct message_part *part = &m->parts[i];
        bool paragraph = part->kind == MESSAGE_PARAGRAPH;
        struct buf cut;
        buf_init(&cut, RAW_MAX);
        text_add_cut(&cut, part->text, paragraph ? PAGERDUTY_PARAGRAPH_MAX : PAGERDUTY_VALUE_MAX);
        buf_json_member(b, part->label ? part->label : unlabelled, buf_text(&cut));
        buf_free(&cut);
    }
    buf_json_member(b, "Reference", m->ids);
    buf_add_char(b, '}');
}

/* The affected system, its part, the group that it belongs to, and what kind of thing happened. */
static void add_place(struct buf *b, const struct event *event, const struct facts *facts)
{
    if (!add_value(b, "source", facts->target.base_url) && !add_value(b, "source", facts->target.name))
        buf_json_member(b, "source", "unnamed target");
    add_value(b, "group", facts->target.name);
    if (!event_is_about_finding(event->type)) {
        buf_json_member(b, "class", event_type_name(event->type));
        return;
    }
    add_value(b, "component", facts->finding.endpoint);
    add_value(b, "class", facts->finding.category);
}

static void add_payload(struct buf *b, const struct event *event, const struct facts *facts)
{
    struct arena arena;
    struct message m;
    char seen[ISO8601_TEXT];
    arena_init(&arena, PARTS_SIZE);
    message_build(&m, &arena, event, facts);
    buf_json_open_object(b, "payload");
    add_summary(b, &m, event);
    buf_json_member(b, "severity", severity_of(event, facts));
    if (event) {
        iso8601_format(event->first_seen_us, seen);
        buf_json_member(b, "timestamp", seen);
        add_place(b, event, facts);
    } else {
        buf_json_member(b, "source", "Pencheff");
    }
    add_details(b, &m, event && event->type == EVENT_SCAN_FAILED ? "Error" : "Change");
    buf_add_char(b, '}');
    arena_free(&arena);
}

void pagerduty_body_build(const struct event *event, const struct facts *facts, int layout, struct buf *b)
{
    (void)layout;
    buf_add_char(b, '{');
    buf_json_member(b, "client", "Pencheff");
    add_payload(b, event, facts);
    buf_add_char(b, '}');
}
