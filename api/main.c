/*
 * main - notify-api's command line
 *
 * Reads the options and the configuration, reports every error in it, and hands over to api. Runs in the foreground; a service
 * manager keeps it. Exit: 0 ended as asked or the check passed, 2 wrong use, 78 the configuration is unusable.
 */
#include <stdbool.h>
#include <stdio.h>

#include "api/api.h"
#include "common/base/command_line.h"
#include "common/base/log.h"
#include "common/base/process.h"
#include "common/conf_check.h"
#include "common/libraries.h"

static const char usage[] =
    "notify-api serves the integrations API of pencheff-notify.\n"
    "\n"
    "usage: notify-api [-c FILE] [-t]\n"
    "\n"
    "  -c, --config FILE   configuration (default " COMMAND_LINE_FILE ")\n"
    "  -t, --test          check the configuration, report every error, and exit: 0 good, 78 bad\n"
    "  -h, --help          this text\n"
    "  -V, --version       the version\n"
    "\n"
    "signals: TERM, INT end when what has begun is answered (twice, or QUIT: at once), USR1, USR2 the log "
    "one level more talkative, less\n";

static int run(const char *file, bool only_test)
{
    struct conf_errors errors;
    struct conf *conf = conf_load_for_api(file, &errors);
    for (size_t i = 0; i < errors.list.count; i++)
        fprintf(stderr, "notify-api: %s\n", errors.list.items[i]);
    conf_errors_free(&errors);
    if (!conf)
        return EXIT_BAD_CONFIGURATION;
    if (only_test) {
        conf_free(conf);
        printf("%s: the configuration is good\n", file);
        return 0;
    }
    if (!conf->core_dumps)
        process_hide_memory();
    int code = api_run(conf);
    conf_free(conf);
    return code;
}

int main(int argc, char **argv)
{
    struct command_line line = {.program = "notify-api", .usage = usage};
    int code;
    libraries_begin();
    if (!command_line_read(&line, argc, argv, &code))
        return code;
    return run(line.file, line.only_test);
}
