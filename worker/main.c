/*
 * main - notifyd's command line
 *
 * Reads the options and the configuration, reports every error in it, and hands over to the supervisor. Runs in
 * the foreground; a service manager keeps it. Exit: 0 ended as asked or the check passed, 2 wrong use, 78 the
 * configuration is unusable.
 */
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/conf.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/process.h"
#include "common/conf_check.h"
#include "common/libraries.h"
#include "worker/supervisor.h"

#define DEFAULT_FILE "/etc/pencheff-notify/notify.conf"

enum { EXIT_WRONG_USE = 2, EXIT_BAD_CONFIGURATION = 78, OPTION_HELP_CONFIG = 256 };

static const char usage[] =
    "notifyd delivers Pencheff's events from RabbitMQ to the integrations of each workspace.\n"
    "\n"
    "usage: notifyd [-c FILE] [-t]\n"
    "\n"
    "  -c, --config FILE   configuration (default " DEFAULT_FILE ")\n"
    "  -t, --test          check the configuration, report every error, and exit: 0 good, 78 bad\n"
    "      --help-config   print every setting with its type, default, range and meaning\n"
    "      --help-config=markdown   the same as a page\n"
    "  -h, --help          this text\n"
    "  -V, --version       the version\n"
    "\n"
    "signals: TERM, INT drain (twice, or QUIT: at once), HUP read the file again, TTIN, TTOU one worker "
    "more, fewer\n";

static int test_configuration(const char *file)
{
    struct conf_errors errors;
    struct conf *conf = conf_load_for_worker(file, &errors);
    for (size_t i = 0; i < errors.list.count; i++)
        fprintf(stderr, "%s\n", errors.list.items[i]);
    conf_errors_free(&errors);
    if (!conf)
        return EXIT_BAD_CONFIGURATION;
    conf_free(conf);
    printf("%s: the configuration is good\n", file);
    return 0;
}

static int run(const char *file)
{
    struct conf_errors errors;
    struct conf *conf = conf_load_for_worker(file, &errors);
    for (size_t i = 0; i < errors.list.count; i++)
        LOG(LOG_ERROR, "bad_configuration", LOG_TEXT("error", errors.list.items[i]));
    conf_errors_free(&errors);
    if (!conf)
        return EXIT_BAD_CONFIGURATION;
    if (!conf->core_dumps)
        process_hide_memory();
    if (!fault_setup()) {
        LOG(LOG_ERROR, "bad_fault", LOG_TEXT("advice", "NOTIFY_FAULT is point=count[*kills][/text]"));
        conf_free(conf);
        return EXIT_BAD_CONFIGURATION;
    }
    signal(SIGPIPE, SIG_IGN); /* a log that nobody reads any more must not end the pool */
    return supervisor_run(file, conf);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"test", no_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {"help-config", optional_argument, NULL, OPTION_HELP_CONFIG},
        {NULL, 0, NULL, 0},
    };
    const char *file = DEFAULT_FILE;
    bool only_test = false;
    int option;
    libraries_begin();
    while ((option = getopt_long(argc, argv, "c:thV", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            file = optarg;
            break;
        case 't':
            only_test = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return 0;
        case 'V':
            puts("notifyd " NOTIFY_VERSION);
            return 0;
        case OPTION_HELP_CONFIG:
            conf_print_help(stdout, optarg && strcmp(optarg, "markdown") == 0);
            return 0;
        default:
            fputs("notifyd --help lists the options.\n", stderr);
            return EXIT_WRONG_USE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "notifyd: '%s' is not expected here. notifyd --help lists the options.\n",
                argv[optind]);
        return EXIT_WRONG_USE;
    }
    return only_test ? test_configuration(file) : run(file);
}
