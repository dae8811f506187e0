#ifndef NOTIFY_BASE_CONF_H
#define NOTIFY_BASE_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/base/arena.h"
#include "common/base/conf_table.h"
#include "common/base/kind_table.h"

struct conf_texts {
    const char **items;
    size_t count;
};

struct conf_numbers {
    double *items;
    size_t count;
};

#define CONF_FIELD_INT(field, ...)     long field;
#define CONF_FIELD_NUM(field, ...)     double field;
#define CONF_FIELD_BOOL(field, ...)    bool field;
#define CONF_FIELD_TEXT(field, ...)    const char *field;
#define CONF_FIELD_LIST(field, ...)    struct conf_texts field;
#define CONF_FIELD_NUMBERS(field, ...) struct conf_numbers field;

/* One member per row of conf_table.h. Texts are never NULL; unset ones are "". */
struct conf {
    CONF_TABLE(CONF_FIELD_INT, CONF_FIELD_NUM, CONF_FIELD_BOOL, CONF_FIELD_TEXT, CONF_FIELD_TEXT,
               CONF_FIELD_TEXT, CONF_FIELD_LIST, CONF_FIELD_LIST, CONF_FIELD_NUMBERS)
    struct arena arena; /* owns all texts; wiped by conf_free */
};

/* What was wrong, all of it: one text per error, "FILE:LINE: setting: what to do". */
struct conf_errors {
    struct conf_texts list;
    struct arena arena;
};

/*
 * Read FILE, then the environment (AMQP_URL, DATABASE_URL, FERNET_KEY), then the *_file settings, then check.
 * NULL when anything is wrong, with every error in *ERRORS (free with conf_errors_free in either case).
 * FILE may be NULL: the defaults and the environment.
 */
struct conf *conf_load(const char *file, struct conf_errors *errors);
/*
 * Only the settings for which WANTED (of their path) is true, from FILE alone: for a program that must not hold keys. All others
 * are left at their defaults, and so are secrets; *_file settings and the environment are not looked at. Else as conf_load.
 */
struct conf *conf_load_part(const char *file, bool (*wanted)(const char *path), struct conf_errors *errors);
void conf_errors_free(struct conf_errors *errors);
/* Wipes the secrets, then frees. NULL is allowed. */
void conf_free(struct conf *conf);

/* The reference: every setting with its type, default, range and help; as text, or as Markdown for docs. */
void conf_print_help(FILE *out, bool markdown);

/* One setting of that reference. */
struct conf_setting {
    const char *path, *type, *help; /* static */
    char value[256];                /* the default as one would write it; "": none */
    char range[256];                /* what is accepted; "": anything of its type */
};
/* The setting of that number, counted from 0; false behind the last. */
bool conf_setting_at(size_t index, struct conf_setting *out);

#endif
