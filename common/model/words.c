/*
 * words - names for the enums of lists.h
 *
 * Pure. Generated from the lists, so a word can neither be missing nor be spelled twice.
 */
#include "common/model/words.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#define WORDS_ENTRY(e, w, h) {w, h},

static const struct word_list_entry event_types[] = {EVENT_TYPE_LIST(WORDS_ENTRY)};
static const struct word_list_entry severities[] = {SEVERITY_LIST(WORDS_ENTRY)};
static const struct word_list_entry match_verdicts[] = {MATCH_LIST(WORDS_ENTRY)};
static const struct word_list_entry event_states[] = {EVENT_STATE_LIST(WORDS_ENTRY)};
static const struct word_list_entry delivery_states[] = {DELIVERY_STATE_LIST(WORDS_ENTRY)};
static const struct word_list_entry health_states[] = {HEALTH_STATE_LIST(WORDS_ENTRY)};
static const struct word_list_entry reasons[] = {REASON_LIST(WORDS_ENTRY)};
static const struct word_list_entry error_words[] = {ERROR_WORD_LIST(WORDS_ENTRY)};
static const struct word_list_entry shadow_verdicts[] = {SHADOW_VERDICT_LIST(WORDS_ENTRY)};

const struct word_list word_lists[] = {
    {"events", event_types, EVENT_TYPE_COUNT},
    {"severities", severities, SEVERITY_COUNT},
    {"filters", match_verdicts, MATCH_COUNT},
    {"event-states", event_states, EVENT_STATE_COUNT},
    {"states", delivery_states, DELIVERY_STATE_COUNT},
    {"health-states", health_states, HEALTH_STATE_COUNT},
    {"reasons", reasons + 1, REASON_COUNT - 1},
    {"errors", error_words + 1, ERROR_WORD_COUNT - 1},
    {"shadow-verdicts", shadow_verdicts, SHADOW_VERDICT_COUNT},
    {NULL, NULL, 0},
};
static_assert(REASON_NONE == 0 && ERROR_NONE == 0, "the first entry is left out above");

const struct word_list *word_list_find(const char *name)
{
    for (const struct word_list *l = word_lists; l->name; l++)
        if (strcmp(name, l->name) == 0)
            return l;
    return NULL;
}

const char *word_list_help(const struct word_list *list, const char *word)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->entries[i].word, word) == 0)
            return list->entries[i].help;
    return NULL;
}

static int parse(const struct word_list_entry *entries, int count, const char *word)
{
    for (int i = 0; i < count; i++)
        if (strcmp(entries[i].word, word) == 0)
            return i;
    return -1;
}

const char *event_type_name(enum event_type type)
{
    return event_types[type].word;
}

const char *severity_name(enum severity severity)
{
    return severities[severity].word;
}

const char *match_verdict_name(enum match_verdict verdict)
{
    return match_verdicts[verdict].word;
}

const char *event_state_name(enum event_state state)
{
    return event_states[state].word;
}

const char *delivery_state_name(enum delivery_state state)
{
    return delivery_states[state].word;
}

const char *reason_name(enum reason reason)
{
    return reasons[reason].word;
}

const char *error_word_name(enum error_word word)
{
    return error_words[word].word;
}

const char *shadow_verdict_name(enum shadow_verdict verdict)
{
    return shadow_verdicts[verdict].word;
}

int event_type_parse(const char *word)
{
    return parse(event_types, EVENT_TYPE_COUNT, word);
}

int severity_parse(const char *word)
{
    for (int i = 0; i < SEVERITY_COUNT; i++)
        if (strcasecmp(severities[i].word, word) == 0)
            return i;
    return -1;
}

int event_state_parse(const char *word)
{
    return parse(event_states, EVENT_STATE_COUNT, word);
}

int delivery_state_parse(const char *word)
{
    return parse(delivery_states, DELIVERY_STATE_COUNT, word);
}

int reason_parse(const char *word)
{
    return parse(reasons, REASON_COUNT, word);
}

int error_word_parse(const char *word)
{
    return parse(error_words, ERROR_WORD_COUNT, word);
}
