/*
 * ctl_completion - notifyctl completion: scripts that complete the command line, made from its tables
 *
 * A script holds every word that it offers: nothing is asked of a server, or of notifyctl, while somebody types, and no word of the
 * command line is ever evaluated: scripts compare words and pass them on in quotes. What follows the tables by itself: commands,
 * options, and the lists that ctl_lists.c gives to what stands for a value.
 */
#include "api/ctl/ctl_completion.h"

#include <stdio.h>
#include <string.h>

#include "api/ctl/ctl_commands.h"
#include "api/ctl/ctl_lists.h"

bool completion_first_word(const struct ctl_command *command, char out[COMPLETION_WORD])
{
    size_t n = strcspn(command->name, " ");
    snprintf(out, COMPLETION_WORD, "%.*s", (int)n, command->name);
    for (const struct ctl_command *c = ctl_commands; c != command; c++)
        if (strncmp(c->name, out, n) == 0 && (!c->name[n] || c->name[n] == ' '))
            return false;
    return true;
}

const char *completion_second_word(const struct ctl_command *command)
{
    const char *space = strchr(command->name, ' ');
    return space ? space + 1 : NULL;
}

const struct word_list *completion_of_value(const char *value, bool *file)
{
    *file = value && strcmp(value, "FILE") == 0;
    return ctl_list_of_value(value);
}

bool completion_is_many(const char *value)
{
    return value && strstr(value, ",...");
}

void completion_put_groups(const char *between)
{
    char word[COMPLETION_WORD];
    bool any = false;
    for (const struct ctl_command *c = ctl_commands; c->name; c++)
        if (completion_second_word(c) && completion_first_word(c, word)) {
            printf("%s%s", any ? between : "", word);
            any = true;
        }
}

enum ctl_exit ctl_completion(const struct ctl *ctl)
{
    static const struct {
        const char *shell;
        void (*print)(void);
    } scripts[] = {{"bash", completion_bash}, {"zsh", completion_zsh}, {"fish", completion_fish}};
    if (!ctl_is_listed("SHELL", ctl->words[0], "shells"))
        return CTL_WRONG_USE;
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++)
        if (strcmp(ctl->words[0], scripts[i].shell) == 0)
            scripts[i].print();
    return CTL_DONE;
}
