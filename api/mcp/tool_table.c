/*
 * tool_table - what an agent can do
 *
 * The tools, their arguments and their results, each once: tools/list, the check of arguments and the page in docs are made of these
 * rows. An argument that needs a flag, and a tool that does, are not there without it.
 */
#include <stdint.h>
#include <string.h>

#include "api/mcp/tools.h"
#include "common/base/check.h"
#include "common/base/hint.h"

/* ---- arguments ---- */

#define THE_PAGE                                                                                             \
    {"limit", "integer:1:500", "50", "Entries of one page.", 0, false},                                      \
    {                                                                                                        \
        "cursor", "text:1:500", NULL,                                                                        \
            "Where the page begins: what the page before said in next. Repeat its other arguments, too.", 0, \
            false                                                                                            \
    }
#define THE_ONE(help)                                                                                        \
    {                                                                                                        \
        "integration", "text:1:200", NULL, help, 0, true                                                     \
    }
#define THE_END                                                                                              \
    {                                                                                                        \
        .name = NULL                                                                                         \
    }
#define THE_FIELDS(given, severity, enabled)                                                                 \
    {"config",                                                                                               \
     "object",                                                                                               \
     NULL,                                                                                                   \
     "The settings of its kind, such as {\"webhook_url\": \"https://...\"}; stored encrypted and never "     \
     "shown. Replaced as a whole.",                                                                          \
     0,                                                                                                      \
     given},                                                                                                 \
        {"severity_filter",                                                                                  \
         "words:severities",                                                                                 \
         severity,                                                                                           \
         "Findings below it do not fire; scan events always do.",                                            \
         0,                                                                                                  \
         false},                                                                                             \
        {"enabled", "boolean", enabled, "Whether it may fire.", 0, false},                                   \
        {"target_ids", "uuid[1000]?", NULL, "Only scans of these targets fire; null or empty: all.", 0,      \
         false},                                                                                             \
    {                                                                                                        \
        "events", "words:events[1000]?", NULL, "Only these events fire; null or empty: all.", 0, false       \
    }

static const struct tool_arg export_args[] = {
    {"integration", "text:1:200", NULL,
     "A saved integration of this kind, by its id or its exact name. May be left out when exactly one of "
     "them is enabled.",
     0, false},
    {"scan_id", "uuid", NULL, "Send the findings of this scan. Give this or finding_ids, not both.", 0,
     false},
    {"finding_ids", "uuid[500]", NULL, "Send these findings.", 0, false},
    {"severity", "words:severities", "\"info\"", "Only findings at or above it.", 0, false},
    {"dry_run", "boolean", "false",
     "Send nothing, and return the first request of each conversation, with stars for secrets.", 0, false},
    {"wait", "boolean", "true", "Wait for the outcome of each finding, as long as mcp.wait says.", 0, false},
    {"config", "object", NULL,
     "Settings that are not saved, instead of an integration: sent at once, at most 20 findings, not in the "
     "ledger.",
     TOOL_ALLOW_ADHOC, false},
    THE_END};

static const struct tool_arg list_args[] = {
    {"kind", "words:kinds", NULL, "Those of this kind only.", 0, false},
    {"name", "text:1:200", NULL, "Those whose name contains this only, in either case.", 0, false},
    THE_PAGE,
    THE_END};

static const struct tool_arg test_args[] = {THE_ONE("Which one, by its id or its exact name."), THE_END};

static const struct tool_arg explain_args[] = {
    {"scan_id", "uuid", NULL, "The scan. With event_type; or give event_id alone.", 0, false},
    {"event_type", "words:events", NULL, "The type of the event.", 0, false},
    {"finding_id", "uuid", NULL, "The finding, where the event is about one.", 0, false},
    {"event_id", "text:1:200", NULL, "The event, as list_deliveries shows it.", 0, false},
    {"integration", "text:1:200", NULL, "For this integration only, by its id or its exact name.", 0, false},
    THE_END};

static const struct tool_arg deliveries_args[] = {
    {"integration", "text:1:200", NULL, "Those to this one only, by its id or its exact name.", 0, false},
    {"state", "words:states", NULL, "Deliveries in this state only.", 0, false},
    {"reason", "words:reasons", NULL, "Those that ended for this reason only.", 0, false},
    {"event_type", "words:events", NULL, "Those of events of this type only.", 0, false},
    {"event_id", "text:1:200", NULL, "Those of this event only.", 0, false},
    {"scan_id", "uuid", NULL, "Those of events of this scan only.", 0, false},
    {"finding_id", "uuid", NULL, "Those of events about this finding only.", 0, false},
    {"export_id", "uuid", NULL, "Those of this export only.", 0, false},
    THE_PAGE,
    THE_END};

static const struct tool_arg create_args[] = {
    {"kind", "words:kinds", NULL, "Where it leads: one of the kinds of destinations.", 0, true},
    {"name", "text:1:200", NULL, "What people call it.", 0, true},
    THE_FIELDS(true, "\"high\"", "true"),
    THE_END};

static const struct tool_arg update_args[] = {
    THE_ONE("Which one, by its id or its exact name. What is left out of the others stays as it is."),
    {"name", "text:1:200", NULL, "Its new name.", 0, false},
    THE_FIELDS(false, NULL, NULL),
    THE_END};

static const struct tool_arg delete_args[] = {
    THE_ONE("Which one, by its id or its exact name. Its settings are gone with it."), THE_END};

/* ---- results ---- */

#define CUT(schema)                                                                                          \
    {                                                                                                        \
        schema, "cut", "text",                                                                               \
            "What was left out of this result, which would be longer than "                                  \
            "mcp.result_bytes, and how to see it.",                                                          \
            true                                                                                             \
    }

const struct tool_member tool_members[] = {
    {"Export", "summary", "text", "What came of it, in a sentence.", false},
    {"Export", "export_id", "uuid?", "Under which list_deliveries shows it; null: nothing was kept of it.",
     false},
    {"Export", "integration_id", "uuid?", "Where it went; null: to settings that are not saved.", false},
    {"Export", "count", "integer", "How many findings are chosen.", false},
    {"Export", "finished", "boolean", "Nothing of it is still to be done.", false},
    {"Export", "delivered", "integer", "How many were taken by the destination.", false},
    {"Export", "failed", "integer",
     "How many will not be delivered; with config, also those that had no answer.", false},
    {"Export", "left_out", "object", "How many were left out: by severity, and because they are suppressed.",
     true},
    {"Export", "findings", "ExportFinding[]", "What is sent, and what became of it.", false},
    {"Export", "requests", "ExportRequest[]",
     "Of a dry run: the first request of each conversation; findings may share one.", true},
    {"Export", "detail", "text?", "What a person should know.", true},
    CUT("Export"),
    {"ExportFinding", "finding_id", "uuid", "The finding.", false},
    {"ExportFinding", "event_id", "text?", "The event that stands for it in the ledger.", true},
    {"ExportFinding", "severity", "text?", "Its severity.", true},
    {"ExportFinding", "title", "text?", "Its title: data from a scanned system.", true},
    {"ExportFinding", "state", "text?", "What became of it, as in list_deliveries.", true},
    {"ExportFinding", "ok", "boolean?", "Of settings that are not saved: it was taken.", true},
    {"ExportFinding", "status", "integer?", "The HTTP status of the last answer.", true},
    {"ExportFinding", "reason", "text?", "Why it ended, if not well.", true},
    {"ExportFinding", "detail", "text?", "The same for people.", true},
    {"ExportFinding", "reference", "text?", "The issue, alert or message that stands for it there.", true},
    {"ExportFinding", "response", "text?", "What the destination answered.", true},
    {"ExportRequest", "method", "text", "The method.", false},
    {"ExportRequest", "url", "text", "Where to, with stars for secrets.", false},
    {"ExportRequest", "headers", "any", "The headers.", true},
    {"ExportRequest", "body", "any", "The body.", true},

    {"Integrations", "integrations", "Integration[]", "Those that were found.", false},
    {"Integrations", "next", "text?",
     "The cursor of the next page; null: this is the last, or cut says how to go on.", false},
    CUT("Integrations"),
    {"Integration", "id", "uuid", "Its id.", false},
    {"Integration", "kind", "text", "Where it leads.", false},
    {"Integration", "name", "text", "What people call it.", false},
    {"Integration", "enabled", "boolean", "It may fire.", false},
    {"Integration", "severity_filter", "text", "Findings below it do not fire.", false},
    {"Integration", "target_ids", "any", "Only scans of these targets fire; null: all.", true},
    {"Integration", "events", "any", "Only these events fire; null: all.", true},

    {"Test", "integration_id", "uuid", "What was tested.", false},
    {"Test", "ok", "boolean", "The destination took it.", false},
    {"Test", "status", "integer?", "The HTTP status of the last answer; null: none came.", true},
    {"Test", "response", "text", "How that began, with stars for secrets.", true},
    {"Test", "detail", "text", "What to do, for people.", true},
    CUT("Test"),

    {"Explained", "explanations", "Explanation[]", "One for each such event, at most five.", false},
    CUT("Explained"),
    {"Explanation", "conclusion", "text", "All in all.", false},
    {"Explanation", "event", "object?", "The event as the ledger has it; null: none was received.", true},
    {"Explanation", "integrations", "object[]",
     "Each integration with the verdict of its filters, and what happened there.", true},

    {"Deliveries", "deliveries", "Delivery[]", "Latest change first.", false},
    {"Deliveries", "next", "text?",
     "The cursor of the next page; null: this is the last, or cut says how to go on.", false},
    CUT("Deliveries"),
    {"Delivery", "event_id", "text", "The event.", false},
    {"Delivery", "integration_id", "uuid", "Where it leads.", false},
    {"Delivery", "state", "text", "What became of it.", false},
    {"Delivery", "reason", "text?", "Why it ended, if not well.", true},
    {"Delivery", "detail", "text?", "The same for people.", true},
    {"Delivery", "status", "integer?", "The HTTP status of the last answer.", true},

    {"Deleted", "deleted", "uuid", "The integration that is gone.", false},
    {.schema = NULL},
};

/* ---- tools ---- */

#define EXPORT(tool, of, words)                                                                              \
    {                                                                                                        \
        .name = (tool), .title = "Export findings to " words,                                                \
        .help =                                                                                              \
            "Send findings of a scan, or named ones, to " words ", past the filters of the integration "     \
            "and to no other destination. Each finding is in the ledger, marked with the export, and is "    \
            "tried again while that makes sense. Suppressed findings are left out. Needs a token of "        \
            "scope write.",                                                                                  \
        .kind = (of), .hints = TOOL_REACHES_OUT, .args = export_args, .result = "Export",                    \
        .begin = tool_export                                                                                 \
    }

const struct tool tool_table[] = {
    EXPORT("export_to_slack", "slack", "Slack"),
    EXPORT("export_to_teams", "teams", "Microsoft Teams"),
    EXPORT("export_to_google_chat", "google_chat", "Google Chat"),
    EXPORT("export_to_discord", "discord", "Discord"),
    EXPORT("export_to_pagerduty", "pagerduty", "PagerDuty"),
    EXPORT("export_to_opsgenie", "opsgenie", "Opsgenie"),
    EXPORT("export_to_splunk", "splunk", "Splunk"),
    EXPORT("export_to_github", "github", "GitHub Issues"),
    EXPORT("export_to_jira", "jira", "Jira"),
    EXPORT("send_webhook", "webhook", "a signed webhook"),
    {
        .name = "list_integrations",
        .title = "List integrations",
        .help = "The integrations of the workspace: where findings can be sent. Settings are never shown. A "
                "page that is filtered may be shorter than its limit, and have a next one.",
        .hints = TOOL_READS | TOOL_REPEATS,
        .args = list_args,
        .result = "Integrations",
        .begin = tool_list_integrations,
    },
    {
        .name = "test_integration",
        .title = "Test an integration",
        .help = "Really send a test through an integration and say what its destination answered: go by ok, "
                "then by detail. In Jira an issue is made and deleted at once. Needs a token of scope write.",
        .hints = TOOL_REACHES_OUT,
        .args = test_args,
        .result = "Test",
        .begin = tool_test_integration,
    },
    {
        .name = "explain_delivery",
        .title = "Explain a delivery",
        .help = "Why an event reached each integration or did not: what its filters said, attempts, answers, "
                "the next attempt. Give scan_id and event_type (and finding_id), or event_id.",
        .hints = TOOL_READS | TOOL_REPEATS,
        .args = explain_args,
        .result = "Explained",
        .begin = tool_explain_delivery,
    },
    {
        .name = "list_deliveries",
        .title = "List deliveries",
        .help = "What became of events, integration by integration, latest change first. A page that is "
                "filtered may be shorter than its limit, and have a next one.",
        .hints = TOOL_READS | TOOL_REPEATS,
        .args = deliveries_args,
        .result = "Deliveries",
        .begin = tool_list_deliveries,
    },
    {
        .name = "create_integration",
        .title = "Create an integration",
        .help =
            "Save another integration: findings go where it leads from then on. Test it afterwards. Needs a "
            "token of scope write.",
        .hints = TOOL_REACHES_OUT,
        .needs = TOOL_ALLOW_WRITE,
        .args = create_args,
        .result = "Integration",
        .begin = tool_create_integration,
    },
    {
        .name = "update_integration",
        .title = "Change an integration",
        .help =
            "Change what is given and nothing else; config is replaced as a whole, and findings go where it "
            "leads from then on. Needs a token of scope write.",
        .hints = TOOL_DESTROYS | TOOL_REPEATS | TOOL_REACHES_OUT,
        .needs = TOOL_ALLOW_WRITE,
        .args = update_args,
        .result = "Integration",
        .begin = tool_update_integration,
    },
    {
        .name = "delete_integration",
        .title = "Delete an integration",
        .help = "Remove an integration with its settings: nothing more is sent through it, and what waits is "
                "canceled. It cannot be undone. Needs a token of scope write.",
        .hints = TOOL_DESTROYS | TOOL_REPEATS,
        .needs = TOOL_ALLOW_WRITE,
        .args = delete_args,
        .result = "Deleted",
        .begin = tool_delete_integration,
    },
    {.name = NULL},
};

/* ---- looking them up ---- */

enum {
    SLIPS_MAX = 3 /* names have much in common: more, and it would be another tool that does something else */
};

const struct tool *tool_find(const char *name)
{
    for (const struct tool *t = tool_table; t->name; t++)
        if (strcmp(t->name, name) == 0)
            return t;
    return NULL;
}

const char *tool_flag(unsigned needs)
{
    return needs & TOOL_ALLOW_WRITE ? "--allow-write" : "--allow-adhoc";
}

const char *tool_nearest(const char *name, unsigned open)
{
    const char *best = NULL;
    size_t best_distance = SIZE_MAX;
    for (const struct tool *t = tool_table; t->name; t++) {
        size_t distance = hint_distance(name, t->name);
        if ((t->needs & ~open) || distance > SLIPS_MAX || distance >= best_distance)
            continue;
        best = t->name;
        best_distance = distance;
    }
    return best;
}
