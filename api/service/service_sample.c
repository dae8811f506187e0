/*
 * service_sample - an event that never happened
 *
 * Pure. What is shown of it may be copied into a ticket or a chat, so each of its texts says that it is a sample, names are in
 * .example (RFC 2606), and ids are zeros with a digit at their end.
 */
#include "api/service/service_sample.h"

#include "common/base/check.h"
#include "common/base/clock.h"

static struct uuid id(unsigned char number)
{
    struct uuid u = {.bytes = {[6] = 0x40, [8] = 0x80, [15] = number}}; /* version 4, variant 1 */
    return u;
}

static const char *summary_of(enum severity severity)
{
    switch (severity) {
    case SEVERITY_INFO:
        return "{\"info\": 1}";
    case SEVERITY_LOW:
        return "{\"low\": 1}";
    case SEVERITY_MEDIUM:
        return "{\"medium\": 1}";
    case SEVERITY_HIGH:
        return "{\"high\": 1}";
    case SEVERITY_CRITICAL:
        return "{\"critical\": 1}";
    case SEVERITY_COUNT:
        break;
    }
    return NULL;
}

/* Some score of the range that CVSS v3.1 calls by this name (section 5). */
static double score_of(enum severity severity)
{
    static const double scores[SEVERITY_COUNT] = {
        [SEVERITY_LOW] = 3.1, [SEVERITY_MEDIUM] = 5.4, [SEVERITY_HIGH] = 8.2, [SEVERITY_CRITICAL] = 9.8};
    return scores[severity];
}

static struct facts_finding finding_of(enum severity severity)
{
    return (struct facts_finding){
        .id = id(4),
        .pencheff_finding_id = "SAMPLE-1",
        .title = "Sample finding: SQL injection in the search form",
        .severity_text = severity_name(severity),
        .severity = severity,
        .category = "sample",
        .owasp_category = "A03:2021",
        .cwe_id = "CWE-89",
        .has_cvss_score = severity != SEVERITY_INFO,
        .cvss_score = score_of(severity),
        .endpoint = "https://sample.example/search?q=sample",
        .parameter = "q",
        .description = "This is a sample, to show what a notification looks like. No scan has found it.",
        .remediation = "Nothing is to be done: this is a sample.",
        .verification_status = "true_positive",
        .created_at = "2000-01-01T00:00:00Z",
    };
}

void service_sample(enum event_type type, enum severity severity, struct event *event, struct facts *facts)
{
    bool finding = event_is_about_finding(type);
    check(severity >= 0 && severity < SEVERITY_COUNT);
    *event = (struct event){
        .id = "sample",
        .type = type,
        .scan_id = id(3),
        .has_finding = finding,
        .finding_id = finding ? id(4) : (struct uuid){{0}},
        .change_summary =
            type == EVENT_FINDING_CHANGED ? "verification_status: unverified → true_positive (sample)" : NULL,
        .error = type == EVENT_SCAN_FAILED ? "this is a sample of a scan that failed" : NULL,
        .first_seen_us = clock_wall_us(),
    };
    *facts = (struct facts){
        .scan = {.id = id(3),
                 .workspace_id = id(1),
                 .status = type == EVENT_SCAN_STARTED  ? "running"
                           : type == EVENT_SCAN_FAILED ? "failed"
                                                       : "done",
                 .profile = "sample",
                 .grade = type == EVENT_SCAN_DONE ? "C" : NULL,
                 .summary_json = type == EVENT_SCAN_DONE ? summary_of(severity) : NULL,
                 .error = event->error},
        .target = {.id = id(2), .name = "Sample target", .base_url = "https://sample.example", .kind = "url"},
        .has_finding = finding,
    };
    if (finding)
        facts->finding = finding_of(severity);
}
