/*
 * webhook_body - the JSON that a webhook's receiver gets
 *
 * Pure, and the same for every webhook of an event, so it is built once. Members and their order are the
 * contract's (section 5) and only grow. Text from scanned systems goes through buf_json_text and can become
 * nothing but a string; the scan's summary, which is JSON already, is read and written anew. Everything that
 * a retry would change (the time of the attempt, its number) is in headers, not here.
 */
#include <math.h>
#include <string.h>

#include "common/base/iso8601.h"
#include "common/base/json.h"
#include "common/destinations/record.h"
#include "common/destinations/webhook.h"
#include "common/destinations/wording.h"

enum { BODY_USUAL = 2000 /* bytes of most bodies, at most */ };

static void add_number(struct buf *b, const char *key, bool known, double value)
{
    buf_json_key(b, key);
    buf_json_number(b, known ? value : NAN);
}

/* The counts by severity: an object of whole numbers; other values in it become null. */
static void add_summary(struct buf *b, const char *text)
{
    const char *why;
    struct json_object *summary = text ? json_parse(text, strlen(text), &why) : NULL;
    buf_json_key(b, "summary");
    if (!json_object_is_type(summary, json_type_object)) {
        buf_json_text(b, NULL);
        json_object_put(summary);
        return;
    }
    buf_add_char(b, '{');
    json_object_object_foreach(summary, key, value)
    {
        buf_json_key(b, key);
        if (json_object_is_type(value, json_type_int))
            buf_add_int(b, json_object_get_int64(value));
        else if (json_object_is_type(value, json_type_double))
            buf_json_number(b, json_object_get_double(value));
        else
            buf_json_text(b, json_is_text(value) ? json_object_get_string(value) : NULL);
    }
    buf_add_char(b, '}');
    json_object_put(summary);
}

static void add_target(struct buf *b, const struct facts_target *target)
{
    buf_json_open_object(b, "target");
    record_add_id(b, "id", &target->id);
    buf_json_member(b, "name", target->name);
    buf_json_member(b, "url", target->base_url);
    buf_json_member(b, "kind", target->kind);
    buf_add_char(b, '}');
}

static void add_scan(struct buf *b, const struct facts_scan *scan)
{
    buf_json_open_object(b, "scan");
    record_add_id(b, "id", &scan->id);
    buf_json_member(b, "profile", scan->profile);
    buf_json_member(b, "status", scan->status);
    buf_json_member(b, "grade", scan->grade);
    buf_json_key(b, "score");
    if (scan->has_score)
        buf_add_int(b, scan->score);
    else
        buf_json_text(b, NULL);
    add_summary(b, scan->summary_json);
    buf_add_char(b, '}');
}

/* One spelling for the severities that we know; a word that we do not know stays as it is stored. */
static const char *severity_word(const struct facts_finding *f)
{
    if (f->severity_text && severity_parse(f->severity_text) < 0)
        return f->severity_text;
    return severity_name(f->severity);
}

static void add_finding(struct buf *b, const struct facts_finding *f)
{
    buf_add_char(b, '{');
    record_add_id(b, "id", &f->id);
    buf_json_member(b, "pencheff_finding_id", f->pencheff_finding_id);
    buf_json_member(b, "title", f->title);
    buf_json_member(b, "severity", severity_word(f));
    buf_json_member(b, "category", f->category);
    buf_json_member(b, "owasp_category", f->owasp_category);
    buf_json_member(b, "cwe_id", f->cwe_id);
    add_number(b, "cvss_score", f->has_cvss_score, f->cvss_score);
    buf_json_member(b, "cvss_vector", f->cvss_vector);
    buf_json_member(b, "endpoint", f->endpoint);
    buf_json_member(b, "parameter", f->parameter);
    buf_json_member(b, "description", f->description);
    buf_json_member(b, "remediation", f->remediation);
    buf_json_member(b, "verification_status", f->verification_status);
    buf_json_bool(b, "suppressed", f->suppressed);
    buf_json_member(b, "suppress_reason", f->suppress_reason);
    add_number(b, "epss", f->has_epss, f->epss);
    buf_json_bool(b, "kev", f->kev);
    add_number(b, "risk_score", f->has_risk_score, f->risk_score);
    buf_json_member(b, "reachability", f->reachability);
    buf_json_member(b, "resolved_at", f->resolved_at);
    buf_json_member(b, "created_at", f->created_at);
    buf_add_char(b, '}');
}

void webhook_body_build(const struct event *event, const struct facts *facts, int layout, struct buf *b)
{
    char seen[ISO8601_TEXT];
    (void)layout;
    if (!event) {
        record_add_test(b);
        return;
    }
    iso8601_format(event->first_seen_us, seen);
    buf_reserve(b, BODY_USUAL);
    record_open(b, event_type_name(event->type));
    buf_json_member(b, "id", event->id);
    buf_json_member(b, "timestamp", seen);
    record_add_id(b, "workspace_id", &facts->scan.workspace_id);
    add_target(b, &facts->target);
    add_scan(b, &facts->scan);
    buf_json_key(b, "finding");
    if (event_is_about_finding(event->type) && facts->has_finding)
        add_finding(b, &facts->finding);
    else
        buf_json_text(b, NULL);
    buf_json_member(b, "change_summary", event->change_summary);
    buf_json_member(b, "error", wording_error(event, facts));
    buf_add_char(b, '}');
}
