#ifndef NOTIFY_CTL_CTL_LISTS_H
#define NOTIFY_CTL_CTL_LISTS_H

#include "common/model/words.h"

/*
 * Every list that `notifyctl --list` shows: those of words.h, then what else has words. NULL behind the last one. Static.
 */
const struct word_list *ctl_list_at(size_t index);
/* The one of this name; NULL when there is none. */
const struct word_list *ctl_list_find(const char *name);
/* The list whose words may stand where help says VALUE ("STATE", "EVENT,..."); NULL: none. */
const struct word_list *ctl_list_of_value(const char *value);

#endif
