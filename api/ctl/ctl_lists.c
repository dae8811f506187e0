/*
 * ctl_lists - all words that notifyctl knows, for --list, for checks of values, and for completion
 *
 * Pure. Owns no word but those of its own command line: the product's stand in lists.h, kinds in the destinations, counters in
 * the worker's table.
 */
#include "api/ctl/ctl_lists.h"

#include <string.h>

#include "common/destinations/dest.h"
#include "worker/counters.h"

#define LISTS_ENTRY(e, w, h)        {w, h},
#define LISTS_FIGURE(e, t, l, w, h) {w, h},
#define COUNT(entries)              (sizeof(entries) / sizeof((entries)[0]))

enum { KINDS_MAX = 64, LISTS_MAX = 64 };

static struct word_list_entry
    kinds[KINDS_MAX]; /* filled when first asked for: their titles are the destinations' */

static const struct word_list_entry counters[] = {COUNTER_LIST(LISTS_FIGURE)};
static const struct word_list_entry scopes[] = {
    {"read", "look at everything of its workspace, change nothing"},
    {"write", "also change its integrations, replay, drop and send"},
};
static const struct word_list_entry shells[] = {
    {"bash", "share/bash-completion/completions/notifyctl"},
    {"zsh", "share/zsh/site-functions/_notifyctl"},
    {"fish", "share/fish/vendor_completions.d/notifyctl.fish"},
};
static const struct word_list_entry truths[] = {{"true", "yes"}, {"false", "no"}};

static struct word_list own[] = {
    {"kinds", kinds, 0},
    {"counters", counters, COUNT(counters)},
    {"scopes", scopes, COUNT(scopes)},
    {"shells", shells, COUNT(shells)},
};
static struct word_list_entry names[LISTS_MAX]; /* of the lists themselves */
static struct word_list name_list = {"lists", names, 0};
static const struct word_list booleans = {"booleans", truths, COUNT(truths)};

static void fill_kinds(void)
{
    size_t count = 0;
    for (; dest_all[count] && count < KINDS_MAX; count++)
        kinds[count] = (struct word_list_entry){dest_all[count]->kind, dest_all[count]->title};
    own[0].count = count;
}

const struct word_list *ctl_list_at(size_t index)
{
    size_t model = 0;
    while (word_lists[model].name)
        model++;
    if (!own[0].count)
        fill_kinds();
    if (index < model)
        return &word_lists[index];
    return index - model < COUNT(own) ? &own[index - model] : NULL;
}

const struct word_list *ctl_list_find(const char *name)
{
    const struct word_list *list;
    for (size_t i = 0; (list = ctl_list_at(i)); i++)
        if (strcmp(list->name, name) == 0)
            return list;
    return NULL;
}

static const struct word_list *list_of_lists(void)
{
    const struct word_list *list;
    size_t count = 0;
    for (; count < LISTS_MAX && (list = ctl_list_at(count)); count++)
        names[count] = (struct word_list_entry){list->name, ""};
    name_list.count = count;
    return &name_list;
}

const struct word_list *ctl_list_of_value(const char *value)
{
    static const char *const lists[][2] = {
        {"STATE", "states"}, {"REASON", "reasons"}, {"ERROR", "errors"},
        {"KIND", "kinds"},   {"TYPE", "events"},    {"EVENT,...", "events"},
        {"SCOPE", "scopes"}, {"SHELL", "shells"},   {"SEVERITY", "severities"},
    };
    if (value && strcmp(value, "BOOL") == 0)
        return &booleans;
    if (value && strcmp(value, "[NAME]") == 0)
        return list_of_lists();
    for (size_t i = 0; value && i < COUNT(lists); i++)
        if (strcmp(value, lists[i][0]) == 0)
            return ctl_list_find(lists[i][1]);
    return NULL;
}
