#ifndef NOTIFY_DESTINATIONS_DEST_SETTING_H
#define NOTIFY_DESTINATIONS_DEST_SETTING_H

#include <stdbool.h>
#include <stddef.h>

struct dest;

/*
 * The settings of a kind, as they are described to people and to programs: what a dashboard makes its form of, and the
 * document of the API its schema. Each kind has a table; its config_parse reads the keys that are in it and no others, and
 * knows more about them than can be said here.
 */
enum dest_setting_form {
    SETTING_URL,
    SETTING_TEXT,   /* of one line */
    SETTING_CHOICE, /* a text of `choices` */
    SETTING_LIST,   /* of texts */
    SETTING_MAP,    /* an object of texts, under names of any kind */
    SETTING_EACH,   /* one text; or an object of texts, each under one of `choices`; or false for none */
};

enum { DEST_CHOICES_MAX = 6 };

struct dest_setting {
    const char *key; /* NULL: the table ends */
    enum dest_setting_form form;
    bool required;
    bool secret; /* never shown again; a form hides it */
    bool old;    /* the name of former versions for another key: accepted, and no form asks for it */
    /* Required but where the setting `key` has `value`. */
    struct {
        const char *key, *value;
    } unless;
    const char *value; /* that it has when it is left out; NULL: none */
    const char *choices[DEST_CHOICES_MAX];
    size_t max;       /* bytes, of each text in it */
    size_t count_max; /* texts, of a list or a map */
    const char *
        pattern; /* of the text, or of each of a list's, as JSON Schema has it; NULL: none that can be said in short */
    const char *help;    /* one sentence */
    const char *example; /* JSON */
};

/* The setting KEY of a kind; NULL: it has none of that name. */
const struct dest_setting *dest_setting_find(const struct dest *dest, const char *key);
/* The one that somebody may have meant by KEY; NULL: none. */
const struct dest_setting *dest_setting_near(const struct dest *dest, const char *key);

/* What several kinds have. */
#define DEST_SETTING_STYLE                                                                                   \
    {                                                                                                        \
        .key = "style", .form = SETTING_CHOICE, .value = "card", .choices = {"card", "text"},                \
        .help = "A card with the details, or one line of text.", .example = "\"card\""                       \
    }
#define DEST_SETTING_WEBHOOK_URL(text, url)                                                                  \
    {                                                                                                        \
        .key = "webhook_url", .form = SETTING_URL, .required = true, .secret = true,                         \
        .max = DEST_CONFIG_URL_MAX, .help = text, .example = "\"" url "\""                                   \
    }

#endif
