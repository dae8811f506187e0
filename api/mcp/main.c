/*
 * main - notify-mcp's command line
 *
 * Reads the options, the few settings that it needs and the token, reports every error in them, and hands over to mcp. Started by an
 * agent's program, which talks to it over standard input and output. Exit: 0 ended as asked, 2 wrong use, 78 the configuration or the
 * token is unusable.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/mcp/client.h"
#include "api/mcp/mcp.h"
#include "api/mcp/mcp_conf.h"
#include "api/mcp/tools.h"
#include "common/base/check.h"
#include "common/base/log.h"
#include "common/base/log_limit.h"
#include "common/base/process.h"
#include "common/libraries.h"

#define DEFAULT_FILE "/etc/pencheff-notify/notify.conf"

enum {
    EXIT_WRONG_USE = 2,
    EXIT_BAD_CONFIGURATION = 78,
    OPTION_URL = 256,
    OPTION_CA,
    OPTION_HTTP,
    OPTION_WRITE,
    OPTION_ADHOC
};

static const char usage[] =
    "notify-mcp lets agents send findings to the integrations of a workspace (Model Context Protocol, "
    "stdio).\n"
    "\n"
    "usage: NOTIFY_TOKEN=... notify-mcp [-c FILE | --api-url URL] [--allow-write] [--allow-adhoc]\n"
    "\n"
    "  -c, --config FILE   configuration (default " DEFAULT_FILE "); no key is read from it\n"
    "      --api-url URL   where the API is, instead of the configuration, of which nothing is read without "
    "-c\n"
    "      --ca-file FILE  PEM file of authorities to trust, instead of mcp.ca_file\n"
    "      --allow-http    send the token to another host in clear\n"
    "      --allow-write   also create_integration, update_integration, delete_integration: with these an\n"
    "                      agent can send findings, and all later ones, to any place\n"
    "      --allow-adhoc   also exports with settings that are given in the call\n"
    "  -h, --help          this text\n"
    "  -V, --version       the version\n"
    "\n"
    "The environment's NOTIFY_TOKEN is an API token: notifyctl token create --scope write (or read, which\n"
    "exports nothing). Agents get what the token may do; give them one of their own.\n";

/* Put what the API's token is into memory of our own, and take it out of the environment; NULL: it was said what is wrong. */
static char *take_token(void)
{
    char *given = getenv("NOTIFY_TOKEN");
    const char *fault = given ? client_token_fault(given) : "is not set";
    if (fault) {
        fprintf(stderr,
                "notify-mcp: the environment's NOTIFY_TOKEN %s; it must be an API token, as notifyctl token "
                "create "
                "makes them\n",
                fault);
        return NULL;
    }
    char *token = mem_strdup(given);
    explicit_bzero(given, strlen(given)); /* where other processes could see it */
    unsetenv("NOTIFY_TOKEN");
    return token;
}

/* What a program opens later must not become standard input, output or error. */
static bool hold_descriptors(void)
{
    for (int fd = 0; fd < 3; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        if (fd == STDOUT_FILENO) {
            fputs("notify-mcp: standard output is closed; start it with a pipe to the client there\n",
                  stderr);
            return false;
        }
        if (open("/dev/null", O_RDWR) != fd)
            return false;
    }
    return true;
}

static int serve(const struct conf *conf, struct mcp_options *options)
{
    char *own_url = options->url ? NULL : mcp_conf_url(conf);
    if (own_url)
        options->url = own_url;
    options->allow_http = options->allow_http || conf->mcp_allow_http;
    if (!options->ca_file)
        options->ca_file = conf->mcp_ca_file;
    const char *fault = client_url_fault(options->url, options->allow_http);
    int code = EXIT_BAD_CONFIGURATION;
    if (fault)
        fprintf(stderr, "notify-mcp: %s %s %s\n", own_url ? "api.url, or api.listen:" : "--api-url",
                options->url, fault);
    else if (options->ca_file[0] && access(options->ca_file, R_OK) != 0)
        fprintf(stderr, "notify-mcp: the file of authorities %s cannot be read: %s\n", options->ca_file,
                strerror(errno));
    else
        code = mcp_run(conf, options);
    free(own_url);
    return code;
}

static int run(const char *file, struct mcp_options *options)
{
    struct conf_errors errors;
    if (!hold_descriptors())
        return EXIT_WRONG_USE;
    char *token = take_token();
    if (!token)
        return EXIT_BAD_CONFIGURATION;
    process_hide_memory();
    struct conf *conf = mcp_conf_load(file, &errors);
    for (size_t i = 0; i < errors.list.count; i++)
        fprintf(stderr, "notify-mcp: %s\n", errors.list.items[i]);
    conf_errors_free(&errors);
    if (!conf)
        fputs("notify-mcp: without a configuration, say where the API is: --api-url URL\n", stderr);
    int code = EXIT_BAD_CONFIGURATION;
    if (conf) {
        log_setup(conf->log_level, strcmp(conf->log_format, "json") == 0, "mcp");
        log_limit_set(conf->log_burst, conf->log_interval);
        options->token = token;
        code = serve(conf, options);
    }
    conf_free(conf);
    explicit_bzero(token, strlen(token));
    free(token);
    return code;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"api-url", required_argument, NULL, OPTION_URL},
        {"ca-file", required_argument, NULL, OPTION_CA},
        {"allow-http", no_argument, NULL, OPTION_HTTP},
        {"allow-write", no_argument, NULL, OPTION_WRITE},
        {"allow-adhoc", no_argument, NULL, OPTION_ADHOC},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    const char *file = NULL;
    struct mcp_options given = {.url = NULL};
    int option;
    libraries_begin();
    while ((option = getopt_long(argc, argv, "c:hV", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            file = optarg;
            break;
        case OPTION_URL:
            given.url = optarg;
            break;
        case OPTION_CA:
            given.ca_file = optarg;
            break;
        case OPTION_HTTP:
            given.allow_http = true;
            break;
        case OPTION_WRITE:
            given.open |= TOOL_ALLOW_WRITE;
            break;
        case OPTION_ADHOC:
            given.open |= TOOL_ALLOW_ADHOC;
            break;
        case 'h':
            fputs(usage, stdout);
            return 0;
        case 'V':
            puts("notify-mcp " NOTIFY_VERSION);
            return 0;
        default:
            fputs("notify-mcp --help lists the options.\n", stderr);
            return EXIT_WRONG_USE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "notify-mcp: '%s' is not an option; notify-mcp --help lists them.\n", argv[optind]);
        return EXIT_WRONG_USE;
    }
    return run(file || given.url ? file : DEFAULT_FILE, &given);
}
