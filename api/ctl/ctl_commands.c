/*
 * ctl_commands - the commands of notifyctl, once, with their options and help
 *
 * Adding a command: its row here, its function in a file of its own.
 */
#include "api/ctl/ctl_commands.h"

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
     .help = "count deliveries, events and queued messages",
     .options = {{"--json", NULL, "an object instead of tables"}},
     .run = ctl_stats},
    {.name = NULL},
};

const char *const ctl_commands_later[] = {
    "token", "integration", "explain", "dead", "audit", "rotate-keys", "prune", NULL,
};
