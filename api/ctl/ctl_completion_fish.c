/*
 * ctl_completion_fish - the script for fish, 3.0 or later
 *
 * One line for each word and option, under the condition that the command before it is the right one. fish expands what stands
 * behind -a, so only plain words stand there.
 */
#include <stdio.h>
#include <string.h>

#include "api/ctl/ctl_commands.h"
#include "api/ctl/ctl_completion.h"
#include "api/ctl/ctl_line.h"

static const char begin[] = "# fish completion for notifyctl, made by: notifyctl completion fish\n"
                            "function __notifyctl_at\n"
                            "    set -l at\n"
                            "    set -l skip no\n"
                            "    for word in (commandline -opc)[2..-1]\n"
                            "        if test $skip = yes\n"
                            "            set skip no\n"
                            "            continue\n"
                            "        end\n"
                            "        switch \"$word\"\n"
                            "            case -c --config\n"
                            "                set skip yes\n"
                            "            case '-*'\n"
                            "            case '*'\n"
                            "                set -a at \"$word\"\n"
                            "                contains -- \"$at\"";
static const char groups_end[] = "; or break\n"
                                 "        end\n"
                                 "    end\n"
                                 "    test \"$at\" = \"$argv[1]\"\n"
                                 "end\n"
                                 "complete -c notifyctl -f\n";

/* As fish reads single quotes: a backslash before a quote. */
static void put_quoted(const char *text)
{
    putchar('\'');
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
    putchar('\'');
}

static void put_words(const struct word_list *list)
{
    fputs(" -a '", stdout);
    for (size_t i = 0; i < list->count; i++)
        printf("%s%s", i ? " " : "", list->entries[i].word);
    putchar('\'');
}

/* AT: the command; NULL: any. */
static void put_option(const char *at, const struct ctl_option *o)
{
    bool file;
    const struct word_list *list = completion_of_value(o->value, &file);
    fputs("complete -c notifyctl", stdout);
    if (at)
        printf(" -n \"__notifyctl_at '%s'\"", at);
    if (o->letter)
        printf(" -s %c", o->letter);
    printf(" -l %s", o->name + 2);
    if (list)
        fputs(" -x", stdout);
    else if (o->value && o->value[0] != '[')
        fputs(file ? " -r -F" : " -x", stdout);
    if (list)
        put_words(list);
    fputs(" -d ", stdout);
    put_quoted(o->help);
    putchar('\n');
}

static void put_word(const char *at, const char *word, const char *help)
{
    printf("complete -c notifyctl -n \"__notifyctl_at '%s'\" -a %s -d ", at, word);
    put_quoted(help);
    putchar('\n');
}

void completion_fish(void)
{
    char word[COMPLETION_WORD], help[64];
    bool file;
    fputs(begin, stdout);
    putchar(' ');
    completion_put_groups(" ");
    fputs(groups_end, stdout);
    for (int i = 0; i < CTL_GLOBAL_COUNT; i++)
        put_option(NULL, &ctl_globals[i]);
    for (const struct ctl_command *c = ctl_commands; c->name; c++) {
        bool first = completion_first_word(c, word);
        snprintf(help, sizeof help, "%s and others of its kind", c->name);
        if (first)
            put_word("", word, completion_second_word(c) ? help : c->help);
        if (completion_second_word(c))
            put_word(word, completion_second_word(c), c->help);
        const struct word_list *list = completion_of_value(c->words, &file);
        for (size_t i = 0; list && i < list->count; i++)
            put_word(c->name, list->entries[i].word, list->entries[i].help);
        for (const struct ctl_option *o = c->options; o->name; o++)
            put_option(c->name, o);
    }
}
