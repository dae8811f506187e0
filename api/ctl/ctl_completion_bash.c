/*
 * ctl_completion_bash - the script for bash, 4.2 or later, with or without the package bash-completion
 *
 * "--state=de" reaches it as three words, because "=" breaks words there. compgen -W expands its list, which is ours, and only
 * compares the word that was typed.
 */
#include <stdio.h>
#include <string.h>

#include "api/ctl/ctl_commands.h"
#include "api/ctl/ctl_completion.h"
#include "api/ctl/ctl_line.h"

static const char begin[] =
    "# bash completion for notifyctl, made by: notifyctl completion bash\n"
    "_notifyctl() {\n"
    "    local IFS=$' \\t\\n' cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
    "    local at= kind= words= head= word i\n"
    "    COMPREPLY=()\n"
    "    if [[ $cur == = ]]; then\n"
    "        cur=\n"
    "    elif [[ $prev == = ]]; then\n"
    "        prev=${COMP_WORDS[COMP_CWORD-2]}\n"
    "    fi\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        case $word in\n"
    "        -c | --config)\n"
    "            [[ ${COMP_WORDS[i+1]} == = ]] && ((i++))\n"
    "            ((i++)) ;;\n"
    "        -* | =) ;;\n"
    "        *)\n"
    "            at=\"$at${at:+ }$word\"\n"
    "            case $at in\n"
    "            ";
static const char groups_end[] = ") ;;\n"
                                 "            *) break ;;\n"
                                 "            esac ;;\n"
                                 "        esac\n"
                                 "    done\n"
                                 "    case \"$at $prev\" in\n"
                                 "    *' -c' | *' --config') kind=file ;;\n"
                                 "    *' --list') words='";
static const char options_begin[] = "    *)\n"
                                    "        if [[ $cur == -* ]]; then\n"
                                    "            case $at in\n";
static const char words_begin[] = "            esac\n"
                                  "        else\n"
                                  "            case $at in\n"
                                  "            '') words='";
static const char end[] = "            esac\n"
                          "        fi ;;\n"
                          "    esac\n"
                          "    if [[ $kind == file ]]; then\n"
                          "        compopt -o default 2>/dev/null\n"
                          "        return\n"
                          "    fi\n"
                          "    if [[ $kind == many && $cur == *,* ]]; then\n"
                          "        head=${cur%,*},\n"
                          "        cur=${cur##*,}\n"
                          "    fi\n"
                          "    mapfile -t COMPREPLY < <(compgen -P \"$head\" -W \"$words\" -- \"$cur\")\n"
                          "}\n"
                          "complete -F _notifyctl notifyctl\n";

static void put_words(const struct word_list *list)
{
    for (size_t i = 0; list && i < list->count; i++)
        printf("%s%s", i ? " " : "", list->entries[i].word);
}

/* What may follow each option that takes something. */
static void put_values(const struct ctl_command *c)
{
    bool file;
    for (const struct ctl_option *o = c->options; o->name; o++) {
        const struct word_list *list = completion_of_value(o->value, &file);
        if (!o->value || o->value[0] == '[')
            continue;
        printf("    '%s %s') ", c->name, o->name);
        if (file)
            fputs("kind=file", stdout);
        else {
            printf("kind=%s words='", completion_is_many(o->value) ? "many" : "");
            put_words(list);
            putchar('\'');
        }
        puts(" ;;");
    }
}

static void put_globals(void)
{
    for (int i = 0; i < CTL_GLOBAL_COUNT; i++)
        printf("%s%s", i ? " " : "", ctl_globals[i].name);
}

static void put_options(const struct ctl_command *c)
{
    printf("            '%s') words='", c->name);
    for (const struct ctl_option *o = c->options; o->name; o++)
        printf("%s ", o->name);
    put_globals();
    puts("' ;;");
}

/* The second words of the group that C is the first command of. */
static void put_seconds(const struct ctl_command *first, const char *group)
{
    printf("            %s) words='", group);
    for (const struct ctl_command *c = first; c->name; c++)
        if (ctl_command_is_of(c, group))
            printf("%s%s", c == first ? "" : " ", completion_second_word(c));
    puts("' ;;");
}

void completion_bash(void)
{
    char word[COMPLETION_WORD];
    bool file;
    fputs(begin, stdout);
    completion_put_groups(" | ");
    fputs(groups_end, stdout);
    put_words(completion_of_value(ctl_globals[CTL_LIST].value, &file));
    puts("' ;;");
    for (const struct ctl_command *c = ctl_commands; c->name; c++)
        put_values(c);
    fputs(options_begin, stdout);
    for (const struct ctl_command *c = ctl_commands; c->name; c++)
        put_options(c);
    fputs("            *) words='", stdout);
    put_globals();
    puts("' ;;");
    fputs(words_begin, stdout);
    for (const struct ctl_command *c = ctl_commands; c->name; c++)
        if (completion_first_word(c, word))
            printf("%s%s", c == ctl_commands ? "" : " ", word);
    puts("' ;;");
    for (const struct ctl_command *c = ctl_commands; c->name; c++) {
        const struct word_list *list = completion_of_value(c->words, &file);
        if (completion_second_word(c) && completion_first_word(c, word))
            put_seconds(c, word);
        if (list) {
            printf("            '%s') words='", c->name);
            put_words(list);
            puts("' ;;");
        }
    }
    fputs(end, stdout);
}
