#ifndef NOTIFY_MODEL_WORDS_H
#define NOTIFY_MODEL_WORDS_H

#include <stddef.h>

#include "common/model/lists.h"

/* The enums behind the lists of lists.h, with a name for each member. */
#define WORDS_ENUM_EVENT(e, w, h)    EVENT_##e,
#define WORDS_ENUM_SEVERITY(e, w, h) SEVERITY_##e,
#define WORDS_ENUM_MATCH(e, w, h)    MATCH_##e,
#define WORDS_ENUM_EVSTATE(e, w, h)  EVENT_STATE_##e,
#define WORDS_ENUM_DELSTATE(e, w, h) DELIVERY_##e,
#define WORDS_ENUM_HEALTH(e, w, h)   HEALTH_##e,
#define WORDS_ENUM_REASON(e, w, h)   REASON_##e,
#define WORDS_ENUM_ERROR(e, w, h)    ERROR_##e,
#define WORDS_ENUM_SHADOW(e, w, h)   SHADOW_##e,

enum event_type { EVENT_TYPE_LIST(WORDS_ENUM_EVENT) EVENT_TYPE_COUNT };
enum severity { SEVERITY_LIST(WORDS_ENUM_SEVERITY) SEVERITY_COUNT };
enum match_verdict { MATCH_LIST(WORDS_ENUM_MATCH) MATCH_COUNT };
enum event_state { EVENT_STATE_LIST(WORDS_ENUM_EVSTATE) EVENT_STATE_COUNT };
enum delivery_state { DELIVERY_STATE_LIST(WORDS_ENUM_DELSTATE) DELIVERY_STATE_COUNT };
enum health_state { HEALTH_STATE_LIST(WORDS_ENUM_HEALTH) HEALTH_STATE_COUNT };
enum reason { REASON_LIST(WORDS_ENUM_REASON) REASON_COUNT };
enum error_word { ERROR_WORD_LIST(WORDS_ENUM_ERROR) ERROR_WORD_COUNT };
enum shadow_verdict { SHADOW_VERDICT_LIST(WORDS_ENUM_SHADOW) SHADOW_VERDICT_COUNT };

/* Words as they stand in the database, in headers, in logs. Static text. */
const char *event_type_name(enum event_type type);
const char *severity_name(enum severity severity);
const char *match_verdict_name(enum match_verdict verdict);
const char *event_state_name(enum event_state state);
const char *delivery_state_name(enum delivery_state state);
const char *reason_name(enum reason reason);
const char *error_word_name(enum error_word word);
const char *shadow_verdict_name(enum shadow_verdict verdict);

/* The value of a word, or -1. Exact, but for severity, which ignores case (compat.md section 4). */
int event_type_parse(const char *word);
int severity_parse(const char *word);
int event_state_parse(const char *word);
int delivery_state_parse(const char *word);
int reason_parse(const char *word);
int error_word_parse(const char *word);

/* For printing whole lists (`notifyctl --list NAME`). */
struct word_list_entry {
    const char *word;
    const char *help;
};
struct word_list {
    const char *name;
    const struct word_list_entry *entries;
    size_t count;
};
/* events, severities, filters, event-states, states, health-states, reasons, errors, shadow-verdicts, without NONE. Ends with a NULL name. */
extern const struct word_list word_lists[];
/* A list by its name, NULL when there is none; what it says of WORD, NULL when it is not in it. Static. */
const struct word_list *word_list_find(const char *name);
const char *word_list_help(const struct word_list *list, const char *word);

#endif
