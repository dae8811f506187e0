/*
 * main - notifyd's command line
 *
 * Reads the options and the configuration, reports every error in it, and hands over to the supervisor. Runs in
 * the foreground; a service manager keeps it. Exit: 0 ended as asked or the check passed, 2 wrong use, 78 the
 * configuration is unusable.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/base/command_line.h"
#include "common/base/conf.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/process.h"
#include "common/conf_check.h"
#include "common/libraries.h"
#include "worker/binary_check.h"
#include "worker/figure_table.h"
#include "worker/reexec.h"
#include "worker/supervisor.h"
#include "worker/supervisor_parts.h"

enum { EXIT_NO_HANDOVER = 70 }; /* EX_SOFTWARE of sysexits.h: a service manager starts us anew */

static const char usage[] =
    "notifyd delivers Pencheff's events from RabbitMQ to the integrations of each workspace.\n"
    "\n"
    "usage: notifyd [-c FILE] [-t]\n"
    "\n"
    "  -c, --config FILE   configuration (default " COMMAND_LINE_FILE ")\n"
    "  -t, --test          check the configuration, report every error, and exit: 0 good, 78 bad\n"
    "      --help-config   print every setting with its type, default, range and meaning\n"
    "      --help-config=markdown   the same as a page\n"
    "      --help-metrics, --help-metrics=markdown   the same of the metrics that the agent shows\n"
    "  -h, --help          this text\n"
    "  -V, --version       the version\n"
    "\n"
    "signals: TERM, INT drain (twice, or QUIT: at once), HUP check program and file and go over to them, "
    "TTIN, TTOU one worker more, fewer,\n"
    "USR1, USR2 the log one level more talkative, less\n";

/* A supervisor that means to execute us in its place asks whether we can take over. */
static int cannot_take_over(struct handover *h, const char *why)
{
    fprintf(stderr, "this version (" NOTIFY_VERSION ") cannot take over from the one that runs: %s\n", why);
    handover_free(h);
    return EXIT_WRONG_USE;
}

static int test_handover(void)
{
    struct handover h;
    struct shared_header *header;
    const char *why;
    switch (reexec_take(&h, &header, true, &why)) {
    case REEXEC_GOOD:
        if (!reload_can_adopt(&h, header, &why))
            return cannot_take_over(&h, why);
        printf(BINARY_CHECK_SAYS HANDOVER_BEGINS "\n");
        break;
    case REEXEC_BAD:
        return cannot_take_over(&h, why);
    case REEXEC_NONE:
        break;
    }
    handover_free(&h);
    return 0;
}

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
    return test_handover();
}

/*
 * Begin with CONF, or without one in the place of a supervisor that was sure of it a moment before: its children are not to
 * pay for an edit in between.
 */
static int supervise(const char *file, struct conf *conf, const struct handover *handover,
                     struct shared_header *header)
{
    if (!conf || !conf->core_dumps)
        process_hide_memory();
    if (!fault_setup()) {
        LOG(LOG_ERROR, "bad_fault", LOG_TEXT("advice", "NOTIFY_FAULT is point=count[*kills][/text]"));
        conf_free(conf);
        return EXIT_BAD_CONFIGURATION;
    }
    signal(SIGPIPE, SIG_IGN); /* a log that nobody reads any more must not end the pool */
    return supervisor_run(file, conf, handover, header);
}

static int run(const char *file)
{
    struct conf_errors errors;
    struct handover handover;
    struct shared_header *header = NULL;
    const char *why;
    enum reexec_state state = reexec_take(&handover, &header, false, &why);
    if (state == REEXEC_BAD) {
        LOG(LOG_ERROR, "handover_refused", LOG_TEXT("why", why),
            LOG_TEXT("advice", "start without " REEXEC_ENVIRONMENT " in the environment"));
        handover_free(&handover);
        return EXIT_NO_HANDOVER;
    }
    if (state == REEXEC_GOOD && *handover.log_level)
        log_setup(handover.log_level, handover.log_json, "supervisor");
    struct conf *conf = conf_load_for_worker(file, &errors);
    for (size_t i = 0; i < errors.list.count; i++)
        LOG(LOG_ERROR, "bad_configuration", LOG_TEXT("error", errors.list.items[i]));
    conf_errors_free(&errors);
    int code = EXIT_BAD_CONFIGURATION;
    if (conf || state == REEXEC_GOOD)
        code = supervise(file, conf, state == REEXEC_GOOD ? &handover : NULL, header);
    handover_free(&handover);
    return code;
}

/* An option of notifyd's alone: the other programs have figures of their own, or none. */
static bool printed_metrics(int argc, char **argv)
{
    bool markdown = argc == 2 && strcmp(argv[1], "--help-metrics=markdown") == 0;
    if (!markdown && (argc != 2 || strcmp(argv[1], "--help-metrics") != 0))
        return false;
    figures_print_help(stdout, markdown);
    return true;
}

int main(int argc, char **argv)
{
    struct command_line line = {.program = "notifyd", .usage = usage, .prints_settings = true};
    int code;
    reexec_begin(argv);
    libraries_begin();
    if (printed_metrics(argc, argv))
        return 0;
    if (!command_line_read(&line, argc, argv, &code))
        return code;
    return line.only_test ? test_configuration(line.file) : run(line.file);
}
