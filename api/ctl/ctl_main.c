/*
 * ctl_main - notifyctl: the command line
 *
 * Finds the command and its options, loads the configuration, runs the command, and ends with its exit code.
 * What is wrong with the command line is said with a hint and is exit 2, before anything is touched. Results
 * go to standard output, everything else to standard error.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/ctl/ctl_commands.h"
#include "common/base/hint.h"
#include "common/conf_check.h"
#include "common/model/words.h"

#define DEFAULT_FILE "/etc/pencheff-notify/notify.conf"

/* What the command line said besides the command's own options. */
struct command_line {
    const char *file;
    bool help;
    bool list;
    const char *list_name; /* NULL: all lists */
};

static void print_help(FILE *out, const struct ctl_command *only)
{
    if (!only)
        fputs("usage: notifyctl [-c FILE] COMMAND [OPTION...]\n\n"
              "  -c FILE        configuration file (" DEFAULT_FILE ")\n"
              "  --list [NAME]  the words of the product: events, states, reasons ...\n"
              "  --help, --version\n\n",
              out);
    for (const struct ctl_command *c = only ? only : ctl_commands; c->name; c++) {
        fprintf(out, "%s%s\n    %s\n", only ? "usage: notifyctl [-c FILE] " : "", c->name, c->help);
        for (const struct ctl_option *o = c->options; o->name; o++) {
            char left[64];
            snprintf(left, sizeof left, "%s %s", o->name, o->value ? o->value : "");
            fprintf(out, "    %-20s %s\n", left, o->help);
        }
        if (only)
            break;
    }
    if (!only)
        fputs("\nExit: 0 done, 1 the answer is no, 2 wrong use, 75 a server is away, 78 bad configuration.\n",
              out);
}

static enum ctl_exit print_list(const char *name)
{
    bool found = false;
    for (const struct word_list *l = word_lists; l->name; l++) {
        if (name && strcmp(name, l->name) != 0)
            continue;
        found = true;
        if (!name)
            printf("%s%s:\n", l == word_lists ? "" : "\n", l->name);
        for (size_t i = 0; i < l->count; i++)
            printf("%-24s %s\n", l->entries[i].word, l->entries[i].help);
    }
    if (found)
        return CTL_DONE;
    fprintf(stderr, "notifyctl: no list '%s'; there are:", name);
    for (const struct word_list *l = word_lists; l->name; l++)
        fprintf(stderr, " %s", l->name);
    fputc('\n', stderr);
    return CTL_WRONG_USE;
}

/* Keep NAME as the best guess for WRONG when it is nearer than the best so far. */
static void guess(const char *wrong, const char *name, const char **best, size_t *distance)
{
    size_t d = hint_distance(wrong, name);
    if (d <= *distance) {
        *best = name;
        *distance = d - (d > 0);
    }
}

static const struct ctl_command *find_command(const char *name)
{
    const char *best = NULL;
    size_t distance = hint_limit(name);
    for (const struct ctl_command *c = ctl_commands; c->name; c++) {
        if (strcmp(c->name, name) == 0)
            return c;
        guess(name, c->name, &best, &distance);
    }
    fprintf(stderr, "notifyctl: no command '%s'%s%s; see notifyctl --help\n", name,
            best ? "; did you mean " : "", best ? best : "");
    return NULL;
}

/* The index of option NAME (N bytes) of the command, or -1. */
static int find_option(const struct ctl_command *command, const char *name, size_t n)
{
    for (int i = 0; command && command->options[i].name; i++)
        if (strncmp(command->options[i].name, name, n) == 0 && !command->options[i].name[n])
            return i;
    return -1;
}

static void refuse_option(const struct ctl_command *command, const char *name)
{
    static const char *const everywhere[] = {"--help", "--version", "--list"};
    const char *best = NULL;
    size_t distance = hint_limit(name);
    for (size_t i = 0; i < sizeof everywhere / sizeof everywhere[0]; i++)
        guess(name, everywhere[i], &best, &distance);
    for (int i = 0; command && command->options[i].name; i++)
        guess(name, command->options[i].name, &best, &distance);
    fprintf(stderr, "notifyctl: no option '%s'%s%s%s%s; see notifyctl --help\n", name, command ? " of " : "",
            command ? command->name : "", best ? "; did you mean " : "", best ? best : "");
}

/* The value of the option at ARGV[*AT]: VALUE when it came with "=", else the next word, which is stepped
 * over. */
static bool take_value(const char *name, const char *value, char **argv, int *at, const char **out)
{
    if (!value && argv[*at + 1])
        value = argv[++*at];
    if (!value)
        fprintf(stderr, "notifyctl: %s needs a value; see notifyctl --help\n", name);
    *out = value ? value : *out;
    return value != NULL;
}

/* Take ARGV[*AT], an option; steps over its value. False when it is wrong, which was said. */
static bool take_option(struct ctl *ctl, struct command_line *line, char **argv, int *at)
{
    char *name = argv[*at];
    if (strcmp(name, "-h") == 0 || strcmp(name, "--help") == 0) {
        line->help = true;
        return true;
    }
    if (strcmp(name, "--list") == 0) {
        line->list = true;
        if (argv[*at + 1] && argv[*at + 1][0] != '-')
            line->list_name = argv[++*at];
        return true;
    }
    if (strcmp(name, "-c") == 0)
        return take_value(name, NULL, argv, at, &line->file);

    size_t n = strcspn(name, "=");
    const char *value = name[n] ? name + n + 1 : NULL;
    int option = find_option(ctl->command, name, n);
    if (!ctl->command || option < 0) {
        refuse_option(ctl->command, name);
        return false;
    }
    if (ctl->command->options[option].value)
        return take_value(name, value, argv, at, &ctl->values[option]);
    if (value)
        fprintf(stderr, "notifyctl: %.*s takes no value\n", (int)n, name);
    ctl->values[option] = "";
    return !value;
}

/* False when the command line is wrong, which was said. */
static bool parse(struct ctl *ctl, struct command_line *line, char **argv)
{
    for (int i = 1; argv[i]; i++) {
        if (argv[i][0] == '-' && argv[i][1]) {
            if (!take_option(ctl, line, argv, &i))
                return false;
        } else if (ctl->command) {
            fprintf(stderr, "notifyctl: %s takes no further words ('%s'); see notifyctl --help\n",
                    ctl->command->name, argv[i]);
            return false;
        } else {
            ctl->command = find_command(argv[i]);
            if (!ctl->command)
                return false;
        }
    }
    if (!ctl->command && !line->help && !line->list)
        fputs("notifyctl: no command given; see notifyctl --help\n", stderr);
    return ctl->command || line->help || line->list;
}

const char *ctl_value(const struct ctl *ctl, const char *name)
{
    int option = find_option(ctl->command, name, strlen(name));
    return option < 0 ? NULL : ctl->values[option];
}

bool ctl_number(const struct ctl *ctl, const char *name, long min, long max, long default_value, long *out)
{
    const char *text = ctl_value(ctl, name);
    *out = default_value;
    if (!text)
        return true;
    char *end;
    errno = 0;
    *out = strtol(text, &end, 10);
    if (!errno && end != text && !*end && *out >= min && *out <= max)
        return true;
    fprintf(stderr, "notifyctl: %s needs a whole number from %ld to %ld\n", name, min, max);
    return false;
}

static enum ctl_exit run(struct ctl *ctl, const char *file)
{
    struct conf_errors errors;
    ctl->conf = conf_load_checked(file, &errors);
    if (!ctl->conf && ctl->command->bad_conf)
        ctl->command->bad_conf(&errors);
    else
        for (size_t i = 0; i < errors.list.count; i++)
            fprintf(stderr, "notifyctl: %s\n", errors.list.items[i]);
    conf_errors_free(&errors);
    if (!ctl->conf)
        return CTL_BAD_CONF;
    enum ctl_exit code = ctl->command->run(ctl);
    conf_free(ctl->conf);
    return code;
}

int main(int argc, char **argv)
{
    struct ctl ctl = {.command = NULL};
    struct command_line line = {.file = DEFAULT_FILE};
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("notifyctl " NOTIFY_VERSION);
        return CTL_DONE;
    }
    if (!parse(&ctl, &line, argv))
        return CTL_WRONG_USE;

    enum ctl_exit code = CTL_DONE;
    if (line.help)
        print_help(stdout, ctl.command);
    else if (line.list)
        code = print_list(line.list_name);
    else
        code = run(&ctl, line.file);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "notifyctl: standard output: %s\n", strerror(errno));
        return CTL_NO;
    }
    return (int)code;
}
