/*
 * ctl_completion_zsh - the script for zsh: a function for its completion system, in fpath as _notifyctl, or sourced
 *
 * Words come with what help says of them.
 */
#include <stdio.h>
#include <string.h>

#include "api/ctl/ctl_commands.h"
#include "api/ctl/ctl_completion.h"
#include "api/ctl/ctl_line.h"

static const char begin[] = "#compdef notifyctl\n"
                            "# zsh completion for notifyctl, made by: notifyctl completion zsh\n"
                            "_notifyctl() {\n"
                            "    local cur=$words[CURRENT] prev=$words[CURRENT-1] at= kind= word\n"
                            "    local -i i\n"
                            "    local -a found\n"
                            "    for ((i = 2; i < CURRENT; i++)); do\n"
                            "        word=$words[i]\n"
                            "        case $word in\n"
                            "        (-c | --config) ((i++)) ;;\n"
                            "        (-*) ;;\n"
                            "        (*)\n"
                            "            at=\"$at${at:+ }$word\"\n"
                            "            case $at in\n"
                            "            (";
static const char groups_end[] = ") ;;\n"
                                 "            (*) break ;;\n"
                                 "            esac ;;\n"
                                 "        esac\n"
                                 "    done\n"
                                 "    if [[ $cur == --*=* ]]; then\n"
                                 "        prev=${cur%%=*}\n"
                                 "        cur=${cur#*=}\n"
                                 "        compset -P '*='\n"
                                 "    fi\n"
                                 "    case \"$at $prev\" in\n"
                                 "    (*' -c' | *' --config') kind=file ;;\n"
                                 "    (*' --list')\n"
                                 "        found=(";
static const char options_begin[] = "    (*)\n"
                                    "        if [[ $cur == -* ]]; then\n"
                                    "            kind=option\n"
                                    "            case $at in\n";
static const char words_begin[] = "            esac\n"
                                  "        else\n"
                                  "            case $at in\n"
                                  "            ('') found=(";
static const char end[] = "            esac\n"
                          "        fi ;;\n"
                          "    esac\n"
                          "    if [[ $kind == file ]]; then\n"
                          "        _files\n"
                          "        return\n"
                          "    fi\n"
                          "    [[ $kind == many ]] && compset -P '*,'\n"
                          "    ((${#found})) || return 1\n"
                          "    if [[ $kind == option ]]; then\n"
                          "        _describe -o option found\n"
                          "    else\n"
                          "        _describe word found\n"
                          "    fi\n"
                          "}\n"
                          "if [[ $funcstack[1] == _notifyctl ]]; then\n"
                          "    _notifyctl \"$@\"\n"
                          "else\n"
                          "    compdef _notifyctl notifyctl\n"
                          "fi\n";

/* In single quotes. */
static void put_quoted(const char *text)
{
    putchar('\'');
    for (; *text; text++)
        if (*text == '\'')
            fputs("'\\''", stdout);
        else
            putchar(*text);
    putchar('\'');
}

static void put_pair(const char *word, const char *help)
{
    char text[512];
    snprintf(text, sizeof text, "%s%s%s", word, help && help[0] ? ":" : "", help ? help : "");
    putchar(' ');
    put_quoted(text);
}

static void put_words(const struct word_list *list)
{
    for (size_t i = 0; list && i < list->count; i++)
        put_pair(list->entries[i].word, list->entries[i].help);
}

static void put_values(const struct ctl_command *c)
{
    bool file;
    for (const struct ctl_option *o = c->options; o->name; o++) {
        const struct word_list *list = completion_of_value(o->value, &file);
        if (!o->value || o->value[0] == '[')
            continue;
        printf("    ('%s %s')", c->name, o->name);
        if (file)
            fputs(" kind=file", stdout);
        else {
            printf(" kind=%s found=(", completion_is_many(o->value) ? "many" : "");
            put_words(list);
            fputs(" )", stdout);
        }
        puts(" ;;");
    }
}

static void put_globals(void)
{
    for (int i = 0; i < CTL_GLOBAL_COUNT; i++)
        put_pair(ctl_globals[i].name, ctl_globals[i].help);
}

static void put_options(const struct ctl_command *c)
{
    printf("            ('%s') found=(", c->name);
    for (const struct ctl_option *o = c->options; o->name; o++)
        put_pair(o->name, o->help);
    put_globals();
    puts(" ) ;;");
}

static void put_seconds(const struct ctl_command *first, const char *group)
{
    printf("            (%s) found=(", group);
    for (const struct ctl_command *c = first; c->name; c++)
        if (ctl_command_is_of(c, group))
            put_pair(completion_second_word(c), c->help);
    puts(" ) ;;");
}

static void put_first(const struct ctl_command *c)
{
    char word[COMPLETION_WORD], help[64];
    if (!completion_first_word(c, word))
        return;
    snprintf(help, sizeof help, "%s and others of its kind", c->name);
    put_pair(word, completion_second_word(c) ? help : c->help);
}

void completion_zsh(void)
{
    char word[COMPLETION_WORD];
    bool file;
    fputs(begin, stdout);
    completion_put_groups(" | ");
    fputs(groups_end, stdout);
    put_words(completion_of_value(ctl_globals[CTL_LIST].value, &file));
    puts(" ) ;;");
    for (const struct ctl_command *c = ctl_commands; c->name; c++)
        put_values(c);
    fputs(options_begin, stdout);
    for (const struct ctl_command *c = ctl_commands; c->name; c++)
        put_options(c);
    fputs("            (*) found=(", stdout);
    put_globals();
    puts(" ) ;;");
    fputs(words_begin, stdout);
    for (const struct ctl_command *c = ctl_commands; c->name; c++)
        put_first(c);
    puts(" ) ;;");
    for (const struct ctl_command *c = ctl_commands; c->name; c++) {
        const struct word_list *list = completion_of_value(c->words, &file);
        if (completion_second_word(c) && completion_first_word(c, word))
            put_seconds(c, word);
        if (list) {
            printf("            ('%s') found=(", c->name);
            put_words(list);
            puts(" ) ;;");
        }
    }
    fputs(end, stdout);
}
