#ifndef NOTIFY_CTL_CTL_COMPLETION_H
#define NOTIFY_CTL_CTL_COMPLETION_H

#include <stdbool.h>

#include "api/ctl/ctl.h"
#include "common/model/words.h"

enum { COMPLETION_WORD = 32 };

/* Print the script for one shell on standard output. */
void completion_bash(void);
void completion_zsh(void);
void completion_fish(void);

/* The first word of a command's name, in OUT; false when an earlier command begins with it too. */
bool completion_first_word(const struct ctl_command *command, char out[COMPLETION_WORD]);
/* The second one; NULL: it has none. Points into the name. */
const char *completion_second_word(const struct ctl_command *command);
/* What may follow an option, or stand behind a command: words of a list, or NULL; in *FILE whether it is a file's name. */
const struct word_list *completion_of_value(const char *value, bool *file);
/* The value is several words with commas between them. */
bool completion_is_many(const char *value);
/* Print the first words that need a second one, with BETWEEN between them. */
void completion_put_groups(const char *between);

#endif
