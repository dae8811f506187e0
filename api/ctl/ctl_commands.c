/*
 * ctl_commands - the commands of notifyctl, once, with their options and help
 *
 * Adding a command: its row here, its function in a file of its own. Parsing, help, completion and the manual page follow. What
 * stands for an option's value says what may be completed there (ctl_complete.c).
 */
#include "api/ctl/ctl_commands.h"

/* clang-format off */
/* Which dead things: of all commands about them, and with ids of the ledger's for those that change it. */
#define DEAD_FILTERS                                                                                         \
    {"--reason", "REASON", "only those that are dead for this reason; see --list reasons"},                  \
    {"--error", "ERROR", "only deliveries whose last attempt failed like this; see --list errors"},          \
    {"--integration", "UUID", "only deliveries to this integration"},                                        \
    {"--kind", "KIND", "only deliveries to integrations of this kind; see --list kinds"},                    \
    {"--workspace", "UUID", "only those of this workspace"},                                                 \
    {"--scan", "UUID", "only those of this scan"},                                                           \
    {"--event-type", "TYPE", "only those of events of this type; see --list events"},                        \
    {"--older-than", "AGE", "only what died longer ago: 90 (seconds), 30m, 2h, 3d"},                         \
    {"--younger-than", "AGE", "only what died since then"},                                                  \
    {"--since", "TIME", "only what died at this time or later: 2026-11-22, or 2026-11-22T01:59+01:00 (UTC)"}, \
    {"--until", "TIME", "only what died at this time or earlier"}
#define DEAD_CHANGES                                                                                         \
    {"--all", NULL, "everything that is dead; without a filter this must be said"},                          \
    {"--dry-run", NULL, "change nothing, and show how many it would be, by integration and reason"},         \
    {"--yes", NULL, "do not ask; on a terminal more than 100 are asked about"}
/* clang-format on */

const struct ctl_command ctl_commands[] = {
    {.name = "migrate",
     .help = "make or update our tables in the database; safe to run again, and from several hosts at once",
     .options = {{"--wait", "SECONDS", "how long to wait for locks that others hold (60)"}},
     .run = ctl_migrate},
    {.name = "check",
     .help = "look at configuration, broker, database, rights, keys and clock; one line each",
     .options = {{"--json", NULL, "an array of objects instead of lines"}},
     .run = ctl_check,
     .bad_conf = ctl_check_bad_conf},
    {.name = "seal",
     .help = "encrypt an integration's settings: JSON on standard input, config_encrypted on standard output",
     .options = {{"--kind", "KIND", "check them as this destination does; without it nothing is checked"}},
     .run = ctl_seal},
    {.name = "deliveries",
     .help = "list deliveries, the latest first",
     .options = {{"--event", "ID", "only those of this event"},
                 {"--integration", "UUID", "only those to this integration"},
                 {"--state", "STATE", "only those in this state; see --list states"},
                 {"--limit", "N", "at most so many (50)"},
                 {"--json", NULL, "an array of objects instead of a table"}},
     .run = ctl_deliveries},
    {.name = "stats",
     .help = "count deliveries, events and queued messages; with --watch what moves and what fails, again "
             "and again",
     .options = {{"--watch", "[SECONDS]",
                  "show rates, queues, what is overdue, dead or fails now, every so many seconds, until q or "
                  "Ctrl-C (2)"},
                 {"--json", NULL, "an object instead of tables; with --watch one a line each time"}},
     .run = ctl_stats},
    {.name = "dead list",
     .help =
         "list dead deliveries, and events that died before they reached any integration, the latest first",
     .options = {DEAD_FILTERS,
                 {"--limit", "N", "at most so many (50)"},
                 {"--unread", NULL,
                  "instead: messages that never became an event, from the queue notify.dead"},
                 {"--json", NULL, "an array of objects instead of a table"}},
     .run = ctl_dead_list},
    {.name = "dead show",
     .words = "EVENT [INTEGRATION]",
     .help = "everything that the ledger knows of an event and its deliveries, with the attempts",
     .options = {{"--unread", NULL,
                  "EVENT is the message id, or the start of the SHA-256, of an unread message"},
                 {"--json", NULL, "an object instead of texts; with --unread, an array"}},
     .run = ctl_dead_show},
    {.name = "dead replay",
     .words = "[EVENT [INTEGRATION]]",
     .help = "let dead deliveries and events start again, with all their attempts",
     .options = {DEAD_FILTERS,
                 {"--limit", "N", "at most so many deliveries, and so many events (all)"},
                 {"--rate", "N",
                  "so many a second, so that what was down is not flooded; 0: as fast as it goes (50)"},
                 DEAD_CHANGES,
                 {"--json", NULL, "an object instead of a sentence"}},
     .run = ctl_dead_replay},
    {.name = "dead drop",
     .words = "[EVENT [INTEGRATION]]",
     .help = "give dead deliveries, or unread messages, up for good",
     .options = {DEAD_FILTERS,
                 {"--limit", "N", "at most so many (all)"},
                 {"--rate", "N", "so many a second; 0: as fast as it goes (0)"},
                 DEAD_CHANGES,
                 {"--unread", NULL,
                  "instead: take unread messages off the queue notify.dead; EVENT as in dead show"},
                 {"--json", NULL, "an object instead of a sentence"}},
     .run = ctl_dead_drop},
    {.name = "explain",
     .help = "say why an event reached each integration, or why not; with --scan and --type also what would "
             "become of one",
     .options = {{"--event", "ID", "this event"},
                 {"--scan", "UUID", "instead: the events of this scan ..."},
                 {"--type", "TYPE", "... of this type; see --list events ..."},
                 {"--finding", "UUID", "... about this finding"},
                 {"--json", NULL, "an array of objects instead of texts"}},
     .run = ctl_explain},
    {.name = "prune",
     .help = "delete now what is older than the settings of retention say, without waiting for notifyd",
     .options = {{"--older-than", "AGE",
                  "events and deliveries that are older: 30d, at least 1d (retention.deliveries_days)"},
                 {"--json", NULL, "an object instead of a line"}},
     .run = ctl_prune},
    {.name = "rotate-keys",
     .help =
         "seal the settings of all integrations with the first key, while everything runs; exit 0 when no "
         "row needs another key",
     .options = {{"--dry-run", NULL, "change nothing, and say how many need another key"},
                 {"--batch", "N", "rows of one transaction, 1 to 1000 (100)"},
                 {"--json", NULL, "an object instead of sentences"}},
     .run = ctl_rotate_keys},
    {.name = "audit",
     .help = "does the ledger add up, and does the broker hold a message for all that waits?",
     .options = {{"--json", NULL, "an object instead of lines"}},
     .run = ctl_audit},
    {.name = "integration list",
     .help = "list the integrations of a workspace, in the order in which they were created",
     .options = {{"--workspace", "UUID", "the workspace; needed"},
                 {"--json", NULL, "an array of objects instead of a table"}},
     .run = ctl_integration_list},
    {.name = "integration create",
     .help = "create an integration; prints its id",
     .options = {{"--workspace", "UUID", "the workspace; needed"},
                 {"--kind", "KIND", "where it leads: slack, webhook, jira ..."},
                 {"--name", "NAME", "for people"},
                 {"--config-file", "FILE", "its settings as a JSON object; -: standard input"},
                 {"--severity", "SEVERITY", "the least severe findings that it is told of (high)"},
                 {"--targets", "UUID,...", "only scans of these targets (all)"},
                 {"--events", "EVENT,...", "only these events; see --list events (all)"},
                 {"--enabled", "BOOL", "true or false (true)"},
                 {"--json", NULL, "the integration as an object"}},
     .run = ctl_integration_create},
    {.name = "integration update",
     .words = "ID",
     .help = "change what is given of an integration, and nothing else",
     .options = {{"--workspace", "UUID", "its workspace; needed"},
                 {"--name", "NAME", "for people"},
                 {"--config-file", "FILE", "its settings, all of them, as a JSON object; -: standard input"},
                 {"--severity", "SEVERITY", "the least severe findings that it is told of"},
                 {"--targets", "UUID,...", "only scans of these targets; all: of every one"},
                 {"--events", "EVENT,...", "only these events; all: every one"},
                 {"--enabled", "BOOL", "true or false"},
                 {"--json", NULL, "the integration as an object"}},
     .run = ctl_integration_update},
    {.name = "integration delete",
     .words = "ID",
     .help = "remove an integration; what waits for it is canceled",
     .options = {{"--workspace", "UUID", "its workspace; needed"}},
     .run = ctl_integration_delete},
    {.name = "integration test",
     .words = "ID",
     .help =
         "send a test through an integration for real, as a delivery would be sent; exit 0 when it was taken",
     .options = {{"--workspace", "UUID", "its workspace; needed"},
                 {"--json", NULL, "an object instead of lines"}},
     .run = ctl_integration_test},
    {.name = "token create",
     .help = "make a token for the API of a workspace; it is shown this once",
     .options = {{"--workspace", "UUID", "the workspace; needed"},
                 {"--scope", "SCOPE", "read or write; needed"},
                 {"--expires", "AGE", "how long it is good: 12h, 90d (for ever)"},
                 {"--name", "NAME", "what it is for; shown in lists and in the log of changes (token)"},
                 {"--json", NULL, "an object with all that is known of it"}},
     .run = ctl_token_create},
    {.name = "token list",
     .help = "list tokens, without the tokens themselves",
     .options = {{"--workspace", "UUID", "only those of this workspace"},
                 {"--json", NULL, "an array of objects instead of a table"}},
     .run = ctl_token_list},
    {.name = "token revoke",
     .words = "ID",
     .help = "let nobody use a token any more; ID is the token's id, or the token itself",
     .run = ctl_token_revoke},
    {.name = "completion",
     .words = "SHELL",
     .help = "print what lets a shell complete commands, options and words; SHELL is bash, zsh or fish",
     .run = ctl_completion,
     .needs_no_conf = true},
    {.name = NULL},
};

const struct ctl_exit_help ctl_exits[CTL_EXIT_COUNT] = {{CTL_DONE, "done"},
                                                        {CTL_NO, "the answer is no"},
                                                        {CTL_WRONG_USE, "wrong use"},
                                                        {CTL_AWAY, "a server is away"},
                                                        {CTL_BAD_CONF, "bad configuration"}};
