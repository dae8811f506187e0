#ifndef NOTIFY_BASE_CONF_READ_H
#define NOTIFY_BASE_CONF_READ_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/conf.h"

/*
 * The inside of the configuration: the rows of conf_table.h as data, the reading in progress, and the way to
 * refuse a setting. For the conf_*.c files, for checks that need other modules (common/conf_check.c) and for
 * tests; everybody else needs conf.h alone.
 */
enum conf_type {
    CONF_INT,
    CONF_NUM,
    CONF_BOOL,
    CONF_TEXT,
    CONF_WORD,
    CONF_SECRET,
    CONF_LIST,
    CONF_SECRETS,
    CONF_NUMS,
};

struct conf_row {
    const char *path;
    const char *help;
    const char *text_default; /* of TEXT, WORD, LIST and NUMS */
    const char *words;        /* of WORD: "one|of|these" */
    double number_default;    /* of INT, NUM and BOOL */
    double min, max;          /* of INT, NUM and NUMS */
    size_t offset;            /* of the member in struct conf */
    enum conf_type type;
};

#define CONF_ROW_ID(field, ...) CONF_ROW_##field,
enum conf_row_id {
    CONF_TABLE(CONF_ROW_ID, CONF_ROW_ID, CONF_ROW_ID, CONF_ROW_ID, CONF_ROW_ID, CONF_ROW_ID, CONF_ROW_ID,
               CONF_ROW_ID, CONF_ROW_ID) CONF_ROW_COUNT
};

/* By enum conf_row_id, in the table's order. */
extern const struct conf_row conf_rows[CONF_ROW_COUNT];

enum { CONF_FILE_MAX = 1048576 }; /* bytes of a configuration file: far more than anybody writes by hand */

/* One reading. Texts that end up in `conf` are allocated in conf->arena, places and errors in errors->arena.
 */
struct conf_reader {
    struct conf *conf;
    struct conf_errors *errors;
    const char *file;                  /* as errors name it */
    const char *where[CONF_ROW_COUNT]; /* where the setting was made, "FILE:LINE"; NULL: nowhere, a default */
    bool refused[CONF_ROW_COUNT];      /* something was said about it: further checks keep quiet */
    bool unreadable;                   /* no tree at all: what is missing cannot be told */
    bool (*wanted)(const char *path);  /* of a row: false leaves its default; NULL: all are wanted */
};

/* Add an error about a setting: "WHERE: setting: FORMAT". The text must never hold a secret's value. */
void conf_refuse(struct conf_reader *r, enum conf_row_id row, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Add an error about a place that belongs to no setting. */
void conf_refuse_at(struct conf_reader *r, const char *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Parse N bytes of libconfig text into r->conf; adds every error it finds. TEXT[N] must be writable memory:
 * it is overwritten with zeros before the call returns, because it may hold secrets. */
void conf_read_text(struct conf_reader *r, char *text, size_t n);
enum { CONF_SCAN_WHY = 256 }; /* room for why, with its NUL */
/*
 * Copy TEXT to OUT so that libconfig reads it right: an L is put behind whole numbers that are too long for
 * 32 bits. False when a string or comment does not end, or a setting's name has a dot, with the line where it
 * begins and why.
 */
bool conf_scan(const char *text, struct buf *out, int *line, char why[CONF_SCAN_WHY]);
/* Put the defaults into r->conf. */
void conf_read_defaults(struct conf_reader *r);
/* Split TEXT at every byte of SEPARATORS; blanks around items and empty items fall away. */
void conf_split(struct arena *arena, const char *text, const char *separators, struct conf_texts *out);
/* The checks that reach beyond one setting's type and range, and the values that follow from others. */
void conf_check_rules(struct conf_reader *r);
/* Those of them that are about where the API is. */
void conf_check_api_address(struct conf_reader *r);

/*
 * As conf_load, with a further check that runs before the errors are counted (NULL: none), so that the errors
 * of all checks come out together.
 */
typedef void conf_check_fn(struct conf_reader *r);
struct conf *conf_load_with(const char *file, conf_check_fn *more, struct conf_errors *errors);
/* As conf_load, from memory; neither the environment nor *_file settings are looked at. NAME stands for the
 * file in errors. */
struct conf *conf_load_text(const char *name, const char *text, size_t n, struct conf_errors *errors);

#endif
