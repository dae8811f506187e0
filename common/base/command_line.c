/*
 * command_line - the options that the services share
 *
 * Answers those that ask about the program, and says what is wrong; the others are the caller's to act on.
 */
#include "common/base/command_line.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "common/base/conf.h"

enum { OPTION_HELP_CONFIG = 256 };

/* Whether the program goes on after OPTION. */
static bool take(struct command_line *line, int option, int *code)
{
    *code = 0;
    switch (option) {
    case 'c':
        line->file = optarg;
        return true;
    case 't':
        line->only_test = true;
        return true;
    case 'h':
        fputs(line->usage, stdout);
        return false;
    case 'V':
        printf("%s " NOTIFY_VERSION "\n", line->program);
        return false;
    case OPTION_HELP_CONFIG:
        conf_print_help(stdout, optarg && strcmp(optarg, "markdown") == 0);
        return false;
    default:
        fprintf(stderr, "%s --help lists the options.\n", line->program);
        *code = EXIT_WRONG_USE;
        return false;
    }
}

bool command_line_read(struct command_line *line, int argc, char **argv, int *code)
{
    static const struct option with_settings[] = {
        {"help-config", optional_argument, NULL, OPTION_HELP_CONFIG},
        {"config", required_argument, NULL, 'c'},
        {"test", no_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    const struct option *options = line->prints_settings ? with_settings : with_settings + 1;
    int option;
    line->file = COMMAND_LINE_FILE;
    line->only_test = false;
    while ((option = getopt_long(argc, argv, "c:thV", options, NULL)) != -1)
        if (!take(line, option, code))
            return false;
    if (optind < argc) {
        fprintf(stderr, "%s: '%s' is not expected here. %s --help lists the options.\n", line->program,
                argv[optind], line->program);
        *code = EXIT_WRONG_USE;
        return false;
    }
    return true;
}
