/*
 * ctl_main - notifyctl: help, lists, or one command
 *
 * Has the command line taken apart, loads the configuration, runs the command, and ends with its exit code.
 * A wrong command line is exit 2 before anything is touched. Results go to standard output, everything else
 * to standard error.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/ctl/ctl_commands.h"
#include "api/ctl/ctl_line.h"
#include "api/ctl/ctl_lists.h"
#include "common/conf_check.h"

static void print_options(FILE *out, const char *indent, const struct ctl_option *options, size_t count)
{
    for (size_t i = 0; i < count && options[i].name; i++) {
        const struct ctl_option *o = &options[i];
        const char short_form[] = {'-', o->letter, ',', ' ', '\0'};
        char left[64];
        snprintf(left, sizeof left, "%s%s %s", o->letter ? short_form : "", o->name,
                 o->value ? o->value : "");
        fprintf(out, "%s%-20s %s\n", indent, left, o->help);
    }
}

/* Of one command, of those of a group, or of all. */
static void print_help(FILE *out, const struct ctl *ctl)
{
    bool all = !ctl->command && !ctl->group;
    if (all) {
        fputs("usage: notifyctl [-c FILE] COMMAND [OPTION...]\n\n", out);
        print_options(out, "  ", ctl_globals, CTL_GLOBAL_COUNT);
        fputc('\n', out);
    }
    for (const struct ctl_command *c = ctl_commands; c->name; c++) {
        if ((ctl->command && c != ctl->command) || (ctl->group && !ctl_command_is_of(c, ctl->group)))
            continue;
        fprintf(out, "%s%s%s%s\n    %s\n", all ? "" : "usage: notifyctl [-c FILE] ", c->name,
                c->words ? " " : "", c->words ? c->words : "", c->help);
        print_options(out, "    ", c->options, CTL_OPTIONS_MAX);
    }
    if (!all)
        return;
    for (size_t i = 0; i < CTL_EXIT_COUNT; i++)
        fprintf(out, "%s%d %s", i ? ", " : "\nExit: ", (int)ctl_exits[i].code, ctl_exits[i].help);
    fputs(".\n", out);
}

/* WITH_LIST: a column says which list a word is of. */
static void print_words(const struct word_list *list, bool with_list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct word_list_entry *e = &list->entries[i];
        if (with_list)
            printf("%-24s %-8s %s\n", e->word, list->name, e->help);
        else
            printf("%-24s %s\n", e->word, e->help);
    }
}

/* One list, or all when NAME is "". Whoever asks for reasons has read one of them beside a state, so the
 * states come with them (contract section 4). */
static enum ctl_exit print_list(const char *name)
{
    const struct word_list *list = ctl_list_find(name);
    if (list && strcmp(name, "reasons") == 0) {
        print_words(list, true);
        print_words(word_list_find("states"), true);
    } else if (list) {
        print_words(list, false);
    } else if (!name[0]) {
        for (size_t i = 0; (list = ctl_list_at(i)); i++) {
            printf("%s%s:\n", i ? "\n" : "", list->name);
            print_words(list, false);
        }
    } else {
        fprintf(stderr, "notifyctl: no list '%s'; there are:", name);
        for (size_t i = 0; (list = ctl_list_at(i)); i++)
            fprintf(stderr, " %s", list->name);
        fputc('\n', stderr);
        return CTL_WRONG_USE;
    }
    return CTL_DONE;
}

static enum ctl_exit run(struct ctl *ctl, const char *file)
{
    struct conf_errors errors;
    if (ctl->command->needs_no_conf)
        return ctl->command->run(ctl);
    ctl->conf = conf_load_checked(file, &errors);
    if (!ctl->conf && ctl->command->bad_conf)
        ctl->command->bad_conf(ctl, &errors);
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

static enum ctl_exit answer(struct ctl *ctl, const char *const *globals)
{
    if (globals[CTL_VERSION])
        puts("notifyctl " NOTIFY_VERSION);
    else if (globals[CTL_HELP])
        print_help(stdout, ctl);
    else if (globals[CTL_LIST])
        return print_list(globals[CTL_LIST]);
    else
        return run(ctl, globals[CTL_CONFIG] ? globals[CTL_CONFIG] : CTL_DEFAULT_FILE);
    return CTL_DONE;
}

int main(int argc, char **argv)
{
    (void)argc;
    struct ctl ctl = {.command = NULL};
    const char *globals[CTL_GLOBAL_COUNT] = {NULL};
    if (!ctl_line_parse(&ctl, globals, argv))
        return CTL_WRONG_USE;
    enum ctl_exit code = answer(&ctl, globals);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "notifyctl: standard output: %s\n", strerror(errno));
        return CTL_NO;
    }
    return (int)code;
}
