/*
 * rest_schemas - the schemas of bodies and answers
 *
 * Made of the tables that validate: service_fields.h for integrations, the kinds' settings for config. What is answered is
 * described as it can be: rows that the product wrote may have a kind or a severity that this version does not know.
 */
#include "api/rest/rest_schemas.h"

#include <string.h>

#include "api/rest/rest_form.h"
#include "api/rest/rest_kinds.h"
#include "api/service/service_fields.h"
#include "common/base/check.h"
#include "common/destinations/dest.h"

const struct rest_member rest_members[] = {
    {"Problem", "title", "text", NULL, "The status in words.", false},
    {"Problem", "status", "integer:400:599", NULL, "The status.", false},
    {"Problem", "detail", "text", NULL, "What to do, for people.", false},
    {"Problem", "request_id", "text", NULL, "Under which the server's log has it.", false},
    {"Problem", "errors", "FieldError[]", NULL, "What is wrong, field by field.", true},

    {"FieldError", "field", "text", NULL, "The field, as in config.webhook_url, or the parameter.", false},
    {"FieldError", "detail", "text", NULL, "What is wrong with it and what to do.", false},

    {"Kind", "kind", "words:kinds", NULL, "Its name in integrations.", false},
    {"Kind", "title", "text", NULL, "Its name for people.", false},
    {"Kind", "settings", "Setting[]", NULL, "What its config holds.", false},
    {"Kind", "rate", "number", NULL,
     "Requests a second to one integration, if not configured otherwise; 0: no limit.", false},
    {"Kind", "shows_repeats", "boolean", NULL,
     "A request that is sent again, because its answer was lost, shows twice.", false},
    {"Kind", "docs", "text", NULL, "Its page in the documentation.", false},

    {"Setting", "key", "text", NULL, "Its name in config.", false},
    {"Setting", "form", "text", NULL,
     "What a form asks for: url, text, choice, list, map, or each: one text for all choices or one for each.",
     false},
    {"Setting", "required", "boolean", NULL, "It cannot be left out.", false},
    {"Setting", "unless", "object", NULL, "It can be left out where another setting has this value.", true},
    {"Setting", "secret", "boolean", NULL, "Whoever has it can do harm: a form hides it.", false},
    {"Setting", "old", "boolean", NULL, "A former name of another key: taken, and not to be asked for.",
     false},
    {"Setting", "default", "text?", NULL, "What holds when it is left out.", false},
    {"Setting", "choices", "text[]", NULL, "The words that there are.", true},
    {"Setting", "help", "text", NULL, "What it is, in a sentence.", false},
    {"Setting", "example", "any", NULL, "A value as it could be.", false},
    {"Setting", "schema", "object", NULL, "Its JSON Schema.", false},

    {"SettingsTest", "kind", "words:kinds", NULL, "Where it leads: one of the kinds of destinations.", false},
    {"SettingsTest", "config", "object", NULL, "The settings of its kind. Used once, and not stored.", false},
    {"SettingsTest", "name", "text:1:200?", NULL, "Without effect: a form may be sent as it is.", true},

    {"TestResult", "ok", "boolean", NULL, "It was taken.", false},
    {"TestResult", "status", "integer?", NULL, "The HTTP status of the last answer; null: none came.", false},
    {"TestResult", "response", "text", NULL,
     "The beginning of the last answer, 1,024 bytes at most, with stars for secrets.", false},
    {"TestResult", "detail", "text", NULL, "What a person should know.", false},
    {"TestResult", "error", "words:errors?", NULL, "What went wrong, in a word.", false},
    {"TestResult", "duration_ms", "integer", NULL, "Milliseconds that all of it took.", false},
    {"TestResult", "issue", "TestMade", NULL, "Of Jira: the issue that the test has made.", true},
    {"TestResult", "alert", "TestMade", NULL, "Of Opsgenie: the alert that the test has made.", true},

    {"TestMade", "key", "text?", NULL, "Its name there.", false},
    {"TestMade", "made", "boolean?", NULL, "It was made; null: it may have been.", false},
    {"TestMade", "deleted", "boolean", NULL, "It is gone again, as it should be.", true},

    {"PreviewOf", "kind", "words:kinds", NULL, "Where it would lead: one of the kinds of destinations.",
     false},
    {"PreviewOf", "event_type", "words:events", NULL, "Of which event a sample is shown.", false},
    {"PreviewOf", "severity", "words:severities", "\"high\"",
     "Of the finding that it is about, or that the scan found.", true},
    {"PreviewOf", "config", "object?", NULL,
     "The settings of its kind; without them some of the same form that belong to nobody.", true},

    {"Preview", "requests", "PreviewRequest[]", NULL, "What would be sent; none where nothing would.", false},
    {"Preview", "detail", "text?", NULL, "Why nothing would be sent.", false},

    {"PreviewRequest", "method", "text", NULL, "The HTTP method.", false},
    {"PreviewRequest", "url", "text", NULL, "Where to; what of it is a secret is ***.", false},
    {"PreviewRequest", "headers", "object", NULL, "By name; values that are, or may be, secrets are ***.",
     false},
    {"PreviewRequest", "body", "text", NULL, "As it would be sent, with stars for a credential.", false},

    {"Copy", "name", "text:1:200?", NULL, "Its name; without it that of the original and \" (copy)\".", true},

    {"ExportRequest", "scan_id", "uuid?", NULL,
     "The scan whose findings are sent; else name them in finding_ids.", true},
    {"ExportRequest", "finding_ids", "uuid[500]?", NULL,
     "The findings that are sent; else name their scan in scan_id.", true},
    {"ExportRequest", "severity", "words:severities", "\"info\"", "Findings below it are left out.", true},
    {"ExportRequest", "dry_run", "boolean", "false", "Send nothing, and show what would be sent.", true},

    {"Export", "export_id", "uuid?", NULL, "Its id; null: of a dry run, or there was nothing to send.",
     false},
    {"Export", "integration_id", "uuid", NULL, "Where it leads.", false},
    {"Export", "kind", "text", NULL, "Its kind.", false},
    {"Export", "count", "integer", NULL, "How many findings are sent.", false},
    {"Export", "left_out", "LeftOut", NULL, "How many are not.", false},
    {"Export", "findings", "Exported[]", NULL, "Each that is sent, worst first.", false},
    {"Export", "requests", "PreviewRequest[]", NULL,
     "Of a dry run: the first request of each conversation, as if nothing had been told there before; "
     "several "
     "findings may share one.",
     false},
    {"Export", "detail", "text?", NULL, "Of a dry run: of what is not shown, or would not be sent.", false},

    {"LeftOut", "severity", "integer", NULL, "Below the severity.", false},
    {"LeftOut", "suppressed", "integer", NULL, "Suppressed.", false},

    {"Exported", "finding_id", "uuid", NULL, "The finding.", false},
    {"Exported", "event_id", "text?", NULL, "Its event in the ledger; null: of a dry run.", false},
    {"Exported", "severity", "text", NULL, "Its severity.", false},
    {"Exported", "title", "text", NULL, "Its title.", false},

    {"UnsavedExportRequest", "kind", "words:kinds", NULL, "Where it leads: one of the kinds of destinations.",
     false},
    {"UnsavedExportRequest", "config", "object", NULL, "The settings of its kind. Used once, and not stored.",
     false},
    {"UnsavedExportRequest", "scan_id", "uuid?", NULL,
     "The scan whose findings are sent; else name them in finding_ids.", true},
    {"UnsavedExportRequest", "finding_ids", "uuid[500]?", NULL,
     "The findings that are sent; else name their scan in scan_id.", true},
    {"UnsavedExportRequest", "severity", "words:severities", "\"info\"", "Findings below it are left out.",
     true},
    {"UnsavedExportRequest", "dry_run", "boolean", "false", "Send nothing, and show what would be sent.",
     true},

    {"UnsavedExport", "count", "integer", NULL, "How many findings were meant.", false},
    {"UnsavedExport", "left_out", "LeftOut", NULL, "How many were not.", false},
    {"UnsavedExport", "sent", "integer", NULL, "How many were taken there.", false},
    {"UnsavedExport", "findings", "Sent[]", NULL, "Each that was meant, worst first.", false},
    {"UnsavedExport", "requests", "PreviewRequest[]", NULL, "Of a dry run: as of Export.", false},
    {"UnsavedExport", "detail", "text?", NULL, "Of a dry run: why something would not be sent.", false},

    {"Sent", "finding_id", "uuid", NULL, "The finding.", false},
    {"Sent", "severity", "text?", NULL, "Its severity.", false},
    {"Sent", "title", "text?", NULL, "Its title.", false},
    {"Sent", "ok", "boolean?", NULL, "It was taken; null: of a dry run.", false},
    {"Sent", "status", "integer?", NULL, "The HTTP status of the answer; null: none came.", false},
    {"Sent", "detail", "text?", NULL, "What a person should know.", false},
    {"Sent", "response", "text?", NULL, "The beginning of the answer, with stars for secrets.", false},

    {"Canceled", "canceled", "integer", NULL, "How many will not be sent.", false},

    {"Delivery", "event_id", "text", NULL, "The event.", false},
    {"Delivery", "event_type", "text?", NULL, "Its type.", false},
    {"Delivery", "scan_id", "uuid?", NULL, "The scan that it is about.", false},
    {"Delivery", "finding_id", "uuid?", NULL, "The finding that it is about.", false},
    {"Delivery", "integration_id", "uuid", NULL, "Where it leads.", false},
    {"Delivery", "integration_kind", "text?", NULL, "The kind of the integration; null: it is deleted.",
     false},
    {"Delivery", "integration_name", "text?", NULL, "Its name.", false},
    {"Delivery", "state", "words:states", NULL, "What became of it.", false},
    {"Delivery", "attempt", "integer", NULL, "The attempt that runs or ran last; 0: none since a replay.",
     false},
    {"Delivery", "reason", "text?", NULL, "Why it ended, if not well.", false},
    {"Delivery", "error", "text?", NULL, "What went wrong in the last attempt, in a word.", false},
    {"Delivery", "detail", "text?", NULL, "The same for people.", false},
    {"Delivery", "status", "integer?", NULL, "The HTTP status of the last answer.", false},
    {"Delivery", "duration_ms", "integer?", NULL, "Milliseconds that the last attempt took.", false},
    {"Delivery", "maybe_duplicate", "boolean", NULL, "The receiver may have seen it twice.", false},
    {"Delivery", "batch", "uuid?", NULL, "What the request was that others shared.", false},
    {"Delivery", "export_id", "uuid?", NULL, "The export that it is of; null: an event fired it.", false},
    {"Delivery", "reference", "text?", NULL, "The issue, alert or message that stands for the finding there.",
     false},
    {"Delivery", "reference_state", "text?", NULL, "Whether that is open.", false},
    {"Delivery", "due_at", "time?", NULL, "When the next attempt may begin.", false},
    {"Delivery", "created_at", "time", NULL, "When the integration fired.", false},
    {"Delivery", "updated_at", "time", NULL, "When it changed last.", false},

    {"DeliveryStory", "event_id", "text", NULL, "The event.", false},
    {"DeliveryStory", "integration_id", "uuid", NULL, "Where it leads.", false},
    {"DeliveryStory", "integration_kind", "text", NULL, "The kind of the integration, or (deleted).", false},
    {"DeliveryStory", "integration_name", "text?", NULL, "Its name.", false},
    {"DeliveryStory", "state", "words:states", NULL, "What became of it.", false},
    {"DeliveryStory", "attempt", "integer", NULL,
     "The attempt that runs or ran last; 0: none since a replay.", false},
    {"DeliveryStory", "reason", "text?", NULL, "Why it ended, if not well.", false},
    {"DeliveryStory", "error", "text?", NULL, "What went wrong in the last attempt, in a word.", false},
    {"DeliveryStory", "detail", "text?", NULL, "The same for people.", false},
    {"DeliveryStory", "status", "integer?", NULL, "The HTTP status of the last answer.", false},
    {"DeliveryStory", "duration_ms", "integer?", NULL, "Milliseconds that the last attempt took.", false},
    {"DeliveryStory", "maybe_duplicate", "boolean", NULL, "The receiver may have seen it twice.", false},
    {"DeliveryStory", "batch", "uuid?", NULL, "What the request was that others shared.", false},
    {"DeliveryStory", "response", "text?", NULL, "The start of the last answer.", false},
    {"DeliveryStory", "due_at", "time?", NULL, "When the next attempt may begin.", false},
    {"DeliveryStory", "rank", "integer?", NULL,
     "While it waits in the mailbox: 4 for critical to 0 for info.", false},
    {"DeliveryStory", "owner", "text?", NULL, "The process that has it in hand.", false},
    {"DeliveryStory", "lease_until", "time?", NULL, "Until when.", false},
    {"DeliveryStory", "owed", "boolean", NULL, "Its message is to be published.", false},
    {"DeliveryStory", "swept_at", "time?", NULL, "When it was last looked at for being late.", false},
    {"DeliveryStory", "created_at", "time", NULL, "When the integration fired.", false},
    {"DeliveryStory", "updated_at", "time", NULL, "When it changed last.", false},
    {"DeliveryStory", "mailbox_next_look", "time?", NULL,
     "While it waits in the mailbox: when that is looked at.", false},
    {"DeliveryStory", "mailbox_failing_since", "time?", NULL, "Since when its integration fails.", false},
    {"DeliveryStory", "mailbox_last_error", "text?", NULL, "How.", false},
    {"DeliveryStory", "mailbox_lowered_rate", "number?", NULL,
     "Requests a second to which its answers have lowered the rate.", false},
    {"DeliveryStory", "attempts", "Attempt[]", NULL, "Those that failed, by time.", false},

    {"Attempt", "attempt", "integer?", NULL, "Its number; null: of the life before a replay.", false},
    {"Attempt", "before_replay", "boolean", NULL, "Of the life before a replay.", false},
    {"Attempt", "at", "time", NULL, "When it ended.", false},
    {"Attempt", "error", "text?", NULL, "What went wrong, in a word.", false},
    {"Attempt", "detail", "text?", NULL, "The same for people.", false},
    {"Attempt", "status", "integer?", NULL, "The HTTP status of the answer.", false},
    {"Attempt", "response", "text?", NULL, "The start of the answer; not there in explanations.", true},
    {"Attempt", "duration_ms", "integer?", NULL, "Milliseconds that it took.", false},

    {"DeliveryList", "deliveries", "DeliveryName[]", NULL, "Which: 1 to 500 of them.", false},

    {"DeliveryName", "event_id", "text:1:200", NULL, "The event.", false},
    {"DeliveryName", "integration_id", "uuid", NULL, "The integration.", false},

    {"Change", "event_id", "text", NULL, "The event.", false},
    {"Change", "integration_id", "uuid", NULL, "The integration.", false},
    {"Change", "result", "text", NULL,
     "What became of it: replayed, dropped, not_dead, busy (try again), not_found.", false},

    {"Replayed", "replayed", "integer", NULL, "How many begin again.", false},
    {"Replayed", "deliveries", "Change[]", NULL, "Each.", false},

    {"Dropped", "dropped", "integer", NULL, "How many were given up.", false},
    {"Dropped", "deliveries", "Change[]", NULL, "Each.", false},

    {"Event", "id", "text", NULL, "The id of its message.", false},
    {"Event", "event_type", "text", NULL,
     "One of the events; notify_scan_findings: a task that becomes an event for each finding.", false},
    {"Event", "state", "words:event-states", NULL, "How far it is.", false},
    {"Event", "reason", "text?", NULL, "Why it is dead.", false},
    {"Event", "workspace_id", "uuid?", NULL, "Whose it is.", false},
    {"Event", "scan_id", "uuid?", NULL, "The scan that it is about.", false},
    {"Event", "finding_id", "uuid?", NULL, "The finding that it is about.", false},
    {"Event", "change_summary", "text?", NULL, "What changed.", false},
    {"Event", "error", "text?", NULL, "What the scan failed with.", false},
    {"Event", "queue", "text?", NULL, "The queue that it came from.", false},
    {"Event", "first_seen", "time?", NULL, "When a worker first read it.", false},
    {"Event", "accepted_at", "time?", NULL, "When it was written down.", false},
    {"Event", "scheduled_for", "time?", NULL, "When it is due, if not at once.", false},
    {"Event", "finished_at", "time?", NULL, "When nothing was left to do but its deliveries.", false},
    {"Event", "considered", "integer", NULL, "The integrations of the workspace then.", false},
    {"Event", "matched", "integer", NULL, "Those of them that fired.", false},
    {"Event", "filtered_disabled", "integer", NULL, "Those that were disabled.", false},
    {"Event", "filtered_target", "integer", NULL, "Those that their targets held back.", false},
    {"Event", "filtered_event", "integer", NULL, "Those that their events held back.", false},
    {"Event", "filtered_target_kind", "integer", NULL, "Those that their kinds of targets held back.", false},
    {"Event", "filtered_severity", "integer", NULL, "Those that their severity held back.", false},
    {"Event", "published", "integer?", NULL, "Of a task: the events that were made of it.", false},
    {"Event", "owed", "boolean", NULL, "Its message is to be published.", false},
    {"Event", "swept_at", "time?", NULL, "When it was last looked at for being late.", false},
    {"Event", "export_id", "uuid?", NULL, "The export that made it; null: a producer did.", false},

    {"Explanation", "event", "Event?", NULL,
     "The event as the ledger has it; null: none was received, and this is what one would do.", false},
    {"Explanation", "integrations", "ExplainedIntegration[]", NULL,
     "Each of the workspace, and those that are gone and got it.", false},
    {"Explanation", "conclusion", "text", NULL, "All in all, for people.", false},

    {"ExplainedIntegration", "integration_id", "uuid", NULL, "Its id.", false},
    {"ExplainedIntegration", "kind", "text", NULL, "Its kind, or (deleted).", false},
    {"ExplainedIntegration", "name", "text?", NULL, "Its name.", false},
    {"ExplainedIntegration", "filters", "ExplainedFilter[]", NULL,
     "What each filter says now; not there when they cannot be asked.", true},
    {"ExplainedIntegration", "fires", "boolean", NULL, "Whether it would fire now.", true},
    {"ExplainedIntegration", "delivery", "any", NULL, "A DeliveryStory; null: it did not fire.", false},

    {"ExplainedFilter", "filter", "text", NULL, "Its name.", false},
    {"ExplainedFilter", "passes", "boolean", NULL, "Whether it lets the event pass.", false},
    {"ExplainedFilter", "why", "text", NULL, "What it compared.", false},

    {"Target", "id", "uuid", NULL, "For target_ids of integrations.", false},
    {"Target", "name", "text", NULL, "Its name.", false},
    {"Target", "base_url", "text", NULL, "Where it is.", false},
    {"Target", "kind", "text?", NULL, "url, repo, llm, or a later one.", false},

    {"Stats", "deliveries", "StateCount[]", NULL, "How many there are in each state.", false},
    {"Stats", "integrations", "Health[]", NULL, "How each fares.", false},

    {"StateCount", "state", "words:states", NULL, "The state.", false},
    {"StateCount", "count", "integer?", NULL,
     "How many are in it now; null for those that ended well or were given up.", false},
    {"StateCount", "last_24_hours", "integer", NULL,
     "How many came into it in the last 24 hours and are in it still. Of 10000 delivered ones and more, "
     "as the hours of the overview have them.",
     false},
    {"StateCount", "more", "boolean", NULL, "There may be more: counting ends at 10000.", false},

    {"Health", "integration_id", "uuid", NULL, "The integration.", false},
    {"Health", "kind", "text", NULL, "Its kind.", false},
    {"Health", "name", "text", NULL, "Its name.", false},
    {"Health", "enabled", "boolean", NULL, "It may fire.", false},
    {"Health", "health", "words:health-states", NULL,
     "Broken: its destination said that it is gone; unknown: nothing was sent yet.", false},
    {"Health", "failing_since", "time?", NULL, "The first failure after which nothing succeeded.", false},
    {"Health", "last_error", "text?", NULL, "The last failure, in a word.", false},
    {"Health", "circuit_until", "time?", NULL, "Nothing is sent until then, but a probe.", false},
    {"Health", "broken_since", "time?", NULL, "When its destination said that it is gone.", false},
    {"Health", "lowered_rate", "number?", NULL,
     "Requests a second to which its answers have lowered the rate.", false},
    {"Health", "last_success_at", "time?", NULL, "When something was delivered last.", false},
    {"Health", "last_failure_at", "time?", NULL, "When something failed last.", false},
    {"Health", "deferred", "integer", NULL, "How many wait in its mailbox; 1000: that many or more.", false},

    {"Overview", "integration", "Integration", NULL, "The integration.", false},
    {"Overview", "health", "Health", NULL, "How it fares now.", false},
    {"Overview", "last_delivered_at", "time?", NULL,
     "When something was delivered last; noted once a minute.", false},
    {"Overview", "delivered", "integer", NULL, "Deliveries that ended well in the hours below.", false},
    {"Overview", "failed", "integer", NULL, "Attempts that failed, whether another one followed or not.",
     false},
    {"Overview", "dead", "integer", NULL, "Deliveries that were given up.", false},
    {"Overview", "success_rate", "number?", NULL,
     "Between 0 and 1: of those delivered and those that failed, the share of the first; null: there was "
     "nothing.",
     false},
    {"Overview", "hours", "Hour[]", NULL, "This hour and the 23 before it, the oldest first.", false},

    {"Hour", "at", "time", NULL, "When it began, in UTC.", false},
    {"Hour", "delivered", "integer", NULL, "As above.", false},
    {"Hour", "failed", "integer", NULL, "As above.", false},
    {"Hour", "dead", "integer", NULL, "As above.", false},
    {.schema = NULL},
};

/* ---- ---- */

static void open_schema(struct buf *out, const char *name)
{
    buf_json_key(out, name);
    buf_add_text(out, "{\"type\":\"object\",\"additionalProperties\":false");
}

static void open_properties(struct buf *out)
{
    buf_json_open_object(out, "properties");
}

static void add_required(struct buf *out, const char *name, bool *first)
{
    if (*first)
        buf_json_open_list(out, "required");
    else
        buf_add_char(out, ',');
    buf_json_text(out, name);
    *first = false;
}

/* The rows from FIRST on that are of its schema; the first behind them. */
static const struct rest_member *add_members(struct buf *out, const struct rest_member *first)
{
    const struct rest_member *at;
    bool none = true;
    open_schema(out, first->schema);
    open_properties(out);
    for (at = first; at->schema && strcmp(at->schema, first->schema) == 0; at++) {
        buf_json_key(out, at->name);
        rest_form_schema(out, at->form, at->value, at->help);
    }
    buf_add_char(out, '}');
    for (const struct rest_member *m = first; m != at; m++)
        if (!m->optional)
            add_required(out, m->name, &none);
    buf_add_text(out, none ? "}" : "]}");
    return at;
}

/* ---- integrations ---- */

#define TEXT_OF(number) #number
#define BOUND(number)   TEXT_OF(number)

/* As a request gives it; ANSWER: as an answer shows what is stored. */
static const char *form_of(const struct service_field *field, bool answer)
{
    _Static_assert(SERVICE_NAME_MAX == 200 && SERVICE_TARGETS_MAX == 1000, "as the forms below say");
    switch (field->form) {
    case FORM_ID:
    case FORM_UUID:
        return "uuid";
    case FORM_FINDINGS:
        return "uuid[500]?";
    case FORM_KIND:
        return answer ? "text" : "words:kinds";
    case FORM_NAME:
        return answer ? "text" : "text:1:200";
    case FORM_SEVERITY:
        return answer ? "text" : "words:severities";
    case FORM_BOOL:
        return "boolean";
    case FORM_TARGETS:
        return answer ? "uuid[]?" : "uuid[1000]?";
    case FORM_EVENTS:
        return answer ? "text[]?" : "words:events[1000]?";
    case FORM_EVENT:
        return "words:events";
    case FORM_ANY:
        return "any";
    case FORM_TIME:
        return "time";
    case FORM_CONFIG:
        return "object";
    }
    check(false);
    return NULL;
}

static const char *default_of(const struct service_field *field)
{
    static char quoted[64];
    if (!field->value)
        return field->flags & FIELD_NULLABLE ? "null" : NULL;
    if (field->form == FORM_BOOL)
        return field->value;
    struct buf b;
    buf_init(&b, sizeof quoted - 1);
    buf_json_text(&b, field->value);
    check(!b.overflow);
    memcpy(quoted, buf_text(&b), b.len + 1);
    buf_free(&b);
    return quoted;
}

static void add_integration(struct buf *out)
{
    bool first = true;
    open_schema(out, "Integration");
    open_properties(out);
    for (int i = 0; i < FIELD_COUNT; i++) {
        const struct service_field *f = &service_fields[i];
        if (!f->shown)
            continue;
        buf_json_key(out, f->name);
        rest_form_schema(out, form_of(f, true), NULL, f->help);
    }
    buf_add_char(out, '}');
    for (int i = 0; i < FIELD_COUNT; i++)
        if (service_fields[i].shown)
            add_required(out, service_fields[i].name, &first);
    buf_add_text(out, "]}");
}

/* What can be given. */
static void add_fields(struct buf *out, bool with_defaults)
{
    open_properties(out);
    for (int i = 0; i < FIELD_COUNT; i++) {
        const struct service_field *f = &service_fields[i];
        if (f->flags & FIELD_READ_ONLY)
            continue;
        buf_json_key(out, f->name);
        rest_form_schema(out, form_of(f, false), with_defaults ? default_of(f) : NULL, f->help);
    }
    buf_add_char(out, '}');
}

/* The settings of each kind where config says nothing but that it is an object. */
static void add_config_by_kind(struct buf *out)
{
    buf_json_open_list(out, "allOf");
    for (size_t i = 0; dest_all[i]; i++) {
        buf_printf(out,
                   "%s{\"if\":{\"properties\":{\"kind\":{\"const\":\"%s\"}},\"required\":[\"kind\"]},"
                   "\"then\":{\"properties\":{\"config\":{\"$ref\":\"#/components/schemas/Config.%s\"}}}}",
                   i ? "," : "", dest_all[i]->kind, dest_all[i]->kind);
    }
    buf_add_char(out, ']');
}

static void add_create(struct buf *out)
{
    bool first = true;
    open_schema(out, "IntegrationCreate");
    add_fields(out, true);
    for (int i = 0; i < FIELD_COUNT; i++)
        if (service_fields[i].flags & FIELD_REQUIRED)
            add_required(out, service_fields[i].name, &first);
    buf_add_char(out, ']');
    add_config_by_kind(out);
    buf_add_char(out, '}');
}

static void add_update(struct buf *out)
{
    open_schema(out, "IntegrationUpdate");
    add_fields(out, false);
    buf_add_char(out, '}');
}

void rest_schemas_add(struct buf *out)
{
    add_integration(out);
    add_create(out);
    add_update(out);
    for (size_t i = 0; dest_all[i]; i++) {
        char name[64];
        snprintf(name, sizeof name, "Config.%s", dest_all[i]->kind);
        buf_json_key(out, name);
        rest_settings_schema(out, dest_all[i]);
    }
    for (const struct rest_member *at = rest_members; at->schema;)
        at = add_members(out, at);
}
