/*
 * conf_read - libconfig text to a struct conf
 *
 * Walks the parsed tree and puts each value into its member, checking name, type and range against conf_rows.
 * Every wrong setting is one error; only a syntax error stops the walk, because libconfig stops there too.
 *
 * What libconfig would read wrongly is seen to before, in conf_scan.c. An included file is opened by
 * libconfig itself, relative to the working directory, and does not go through there: a number beyond 32 bits
 * in one is not noticed.
 *
 * Owns nothing. Called by conf.c only.
 */
#include <ctype.h>
#include <errno.h>
#include <libconfig.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/base/conf_read.h"
#include "common/base/hint.h"

static const char *place_of(struct conf_reader *r, const config_setting_t *s)
{
    const char *file = config_setting_source_file(s);
    return arena_printf(&r->errors->arena, "%s:%d", file ? file : r->file, config_setting_source_line(s));
}

/* The setting that PATH was probably meant to be; NULL when nothing is near. */
static const char *nearest(const char *path)
{
    const char *last = strrchr(path, '.');
    last = last ? last + 1 : path;
    const char *best = NULL;
    size_t best_distance = SIZE_MAX;
    for (size_t i = 0; i < CONF_ROW_COUNT; i++) {
        const char *known = conf_rows[i].path;
        const char *known_last = strrchr(known, '.');
        known_last = known_last ? known_last + 1 : known;
        /* The right name in the wrong group is as near as one slip of the pen. */
        size_t distance = strcmp(last, known_last) == 0 ? 1 : hint_distance(path, known);
        if (distance <= hint_limit(path, known) && distance < best_distance) {
            best_distance = distance;
            best = known;
        }
    }
    return best;
}

static const struct conf_row *find_row(const char *path)
{
    for (size_t i = 0; i < CONF_ROW_COUNT; i++)
        if (strcmp(conf_rows[i].path, path) == 0)
            return &conf_rows[i];
    return NULL;
}

static bool is_group_path(const char *path)
{
    size_t n = strlen(path);
    for (size_t i = 0; i < CONF_ROW_COUNT; i++)
        if (strncmp(conf_rows[i].path, path, n) == 0 && conf_rows[i].path[n] == '.')
            return true;
    return false;
}

/* The number of S, whichever way it is written; false when it is none. */
static bool number_of(const config_setting_t *s, double *out)
{
    switch (config_setting_type(s)) {
    case CONFIG_TYPE_INT:
        *out = config_setting_get_int(s);
        return true;
    case CONFIG_TYPE_INT64:
        *out = (double)config_setting_get_int64(s);
        return true;
    case CONFIG_TYPE_FLOAT:
        *out = config_setting_get_float(s);
        return true;
    default:
        return false;
    }
}

/* True when VALUE lies in the row's range. */
static bool in_range(struct conf_reader *r, enum conf_row_id id, double value)
{
    const struct conf_row *row = &conf_rows[id];
    if (value >= row->min && value <= row->max)
        return true;
    conf_refuse(r, id, "%.15g is out of range; give %.15g to %.15g", value, row->min, row->max);
    return false;
}

static void read_number(struct conf_reader *r, enum conf_row_id id, const config_setting_t *s)
{
    void *field = (char *)r->conf + conf_rows[id].offset;
    double value;
    bool whole = conf_rows[id].type == CONF_INT;
    if (!number_of(s, &value) || (whole && config_setting_type(s) == CONFIG_TYPE_FLOAT))
        conf_refuse(r, id, "must be a %s, written without quotes", whole ? "whole number" : "number");
    else if (in_range(r, id, value) && whole)
        *(long *)field = (long)value;
    else if (!whole)
        *(double *)field = value;
}

/* True when WORD is one of the words in LIST, which are separated by '|'. */
static bool word_in_list(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = list; *at;) {
        size_t length = strcspn(at, "|");
        if (length == n && memcmp(at, word, n) == 0)
            return true;
        at += length + (at[length] == '|');
    }
    return false;
}

static void read_text(struct conf_reader *r, enum conf_row_id id, const config_setting_t *s)
{
    const struct conf_row *row = &conf_rows[id];
    if (config_setting_type(s) != CONFIG_TYPE_STRING)
        conf_refuse(r, id, "must be a text in double quotes");
    else if (row->type == CONF_SECRET && !config_setting_get_string(s)[0])
        conf_refuse(r, id, "is empty");
    else if (row->type == CONF_WORD && !word_in_list(row->words, config_setting_get_string(s)))
        conf_refuse(r, id, "must be one of: %s", row->words);
    else
        *(const char **)((char *)r->conf + row->offset) =
            arena_strdup(&r->conf->arena, config_setting_get_string(s));
}

static bool is_sequence(const config_setting_t *s)
{
    return config_setting_type(s) == CONFIG_TYPE_ARRAY || config_setting_type(s) == CONFIG_TYPE_LIST;
}

static void read_texts(struct conf_reader *r, enum conf_row_id id, const config_setting_t *s)
{
    if (!is_sequence(s)) {
        conf_refuse(r, id, "must be a list of texts: [\"one\", \"two\"]");
        return;
    }
    struct conf_texts *out = (struct conf_texts *)(void *)((char *)r->conf + conf_rows[id].offset);
    size_t count = (size_t)config_setting_length(s);
    out->items = arena_alloc(&r->conf->arena, (count + 1) * sizeof *out->items);
    out->count = count;
    for (unsigned i = 0; i < count; i++) {
        const config_setting_t *item = config_setting_get_elem(s, i);
        const char *text = config_setting_get_string(item);
        out->items[i] = text ? arena_strdup(&r->conf->arena, text) : "";
        if (!text)
            conf_refuse(r, id, "item %u must be a text in double quotes", i + 1);
    }
}

static void read_numbers(struct conf_reader *r, enum conf_row_id id, const config_setting_t *s)
{
    if (!is_sequence(s)) {
        conf_refuse(r, id, "must be a list of numbers: [1, 2, 3]");
        return;
    }
    struct conf_numbers *out = (struct conf_numbers *)(void *)((char *)r->conf + conf_rows[id].offset);
    size_t count = (size_t)config_setting_length(s);
    out->items = arena_alloc(&r->conf->arena, (count + 1) * sizeof *out->items);
    out->count = count;
    for (unsigned i = 0; i < count; i++) {
        if (!number_of(config_setting_get_elem(s, i), &out->items[i]))
            conf_refuse(r, id, "item %u must be a number", i + 1);
        else
            in_range(r, id, out->items[i]);
    }
}

static void read_setting(struct conf_reader *r, enum conf_row_id id, const config_setting_t *s)
{
    r->where[id] = place_of(r, s);
    switch (conf_rows[id].type) {
    case CONF_INT:
    case CONF_NUM:
        read_number(r, id, s);
        break;
    case CONF_BOOL:
        if (config_setting_type(s) == CONFIG_TYPE_BOOL)
            *(bool *)((char *)r->conf + conf_rows[id].offset) = config_setting_get_bool(s) != 0;
        else
            conf_refuse(r, id, "must be true or false, without quotes");
        break;
    case CONF_TEXT:
    case CONF_WORD:
    case CONF_SECRET:
        read_text(r, id, s);
        break;
    case CONF_LIST:
    case CONF_SECRETS:
        read_texts(r, id, s);
        break;
    case CONF_NUMS:
        read_numbers(r, id, s);
        break;
    }
}

/* One setting or group of the group at PREFIX ("" or "broker."). Groups are one level deep in the table, so
 * this calls itself once at most. */
static void read_group(struct conf_reader *r, const config_setting_t *group, const char *prefix)
{
    int count = config_setting_length(group);
    for (int i = 0; i < count; i++) {
        const config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
        char path[256];
        int n = snprintf(path, sizeof path, "%s%s", prefix, config_setting_name(s));
        const struct conf_row *row = n < (int)sizeof path ? find_row(path) : NULL;
        if (row && r->wanted && !r->wanted(path)) {
            continue;
        } else if (row) {
            read_setting(r, (enum conf_row_id)(row - conf_rows), s);
        } else if (is_group_path(path) && config_setting_type(s) == CONFIG_TYPE_GROUP) {
            char inner[sizeof path + 1];
            snprintf(inner, sizeof inner, "%s.", path);
            read_group(r, s, inner);
        } else if (is_group_path(path)) {
            conf_refuse_at(r, place_of(r, s), "%s: is a group; write %s = { ... };", path, path);
        } else {
            const char *hint = nearest(path);
            conf_refuse_at(r, place_of(r, s),
                           "%.100s: is not a setting%s%s; notifyd --help-config lists them all", path,
                           hint ? "; did you mean " : "", hint ? hint : "");
        }
    }
}

/* Overwrite every text of the tree: libconfig frees its memory as it is. */
static void wipe_tree(const config_setting_t *s)
{
    if (config_setting_type(s) == CONFIG_TYPE_STRING) {
        char *text = (char *)config_setting_get_string(s);
        explicit_bzero(text, strlen(text));
    } else if (config_setting_is_aggregate(s)) {
        for (int i = 0; i < config_setting_length(s); i++)
            wipe_tree(config_setting_get_elem(s, (unsigned)i));
    }
}

static void refuse_syntax(struct conf_reader *r, const config_t *config)
{
    const char *file = config_error_file(config) ? config_error_file(config) : r->file;
    const char *text = config_error_text(config);
    const char *advice = "look for a missing ;, quote or bracket on this line or the one before";
    r->unreadable = true;
    if (strstr(text, "duplicate"))
        advice = "the name stands there twice in its group; remove one";
    else if (strstr(text, "mismatched"))
        advice = "write all numbers of a list alike, e.g. [1.0, 2.5]";
    else if (strstr(text, "include"))
        advice = "check the path behind @include";
    conf_refuse_at(r, arena_printf(&r->errors->arena, "%s:%d", file, config_error_line(config)), "%s; %s",
                   text, advice);
}

void conf_read_text(struct conf_reader *r, char *text, size_t n)
{
    struct buf scanned;
    int line = 0;
    char why[CONF_SCAN_WHY];
    buf_init(&scanned, 2 * (size_t)CONF_FILE_MAX);
    if (memchr(text, '\0', n))
        conf_refuse_at(r, r->file, "holds a NUL byte; it must be plain text");
    else if (!conf_scan(text, &scanned, &line, why))
        conf_refuse_at(r, arena_printf(&r->errors->arena, "%s:%d", r->file, line), "%s", why);
    r->unreadable = r->errors->list.count > 0;
    explicit_bzero(text, n);
    if (!r->unreadable && scanned.len) {
        config_t config;
        config_init(&config);
        errno = 0;
        int good = config_read_string(&config, scanned.data);
        mem_check(errno != ENOMEM); /* a text that found no memory is NULL, without an error */
        if (good)
            read_group(r, config_root_setting(&config), "");
        else
            refuse_syntax(r, &config);
        wipe_tree(config_root_setting(&config));
        config_destroy(&config);
    }
    buf_wipe(&scanned);
}

static bool is_separator(char c, const char *separators)
{
    return c && strchr(separators, c);
}

void conf_split(struct arena *arena, const char *text, const char *separators, struct conf_texts *out)
{
    size_t most = 1;
    for (const char *at = text; *at; at++)
        most += is_separator(*at, separators);
    out->items = arena_alloc(arena, most * sizeof *out->items);
    out->count = 0;
    while (*text) {
        size_t n = strcspn(text, separators);
        const char *start = text, *end = text + n;
        while (start < end && isspace((unsigned char)*start))
            start++;
        while (end > start && isspace((unsigned char)end[-1]))
            end--;
        if (end > start)
            out->items[out->count++] = arena_text(arena, start, (size_t)(end - start));
        text += n + (text[n] != '\0');
    }
}

static void default_numbers(struct conf *conf, const struct conf_row *row)
{
    struct conf_numbers *out = (struct conf_numbers *)(void *)((char *)conf + row->offset);
    struct conf_texts texts;
    conf_split(&conf->arena, row->text_default, ",", &texts);
    out->items = arena_alloc(&conf->arena, (texts.count + 1) * sizeof *out->items);
    out->count = texts.count;
    for (size_t i = 0; i < texts.count; i++)
        out->items[i] = strtod(texts.items[i], NULL);
}

void conf_read_defaults(struct conf_reader *r)
{
    for (size_t i = 0; i < CONF_ROW_COUNT; i++) {
        const struct conf_row *row = &conf_rows[i];
        void *field = (char *)r->conf + row->offset;
        switch (row->type) {
        case CONF_INT:
            *(long *)field = (long)row->number_default;
            break;
        case CONF_NUM:
            *(double *)field = row->number_default;
            break;
        case CONF_BOOL:
            *(bool *)field = row->number_default != 0;
            break;
        case CONF_TEXT:
        case CONF_WORD:
        case CONF_SECRET:
            *(const char **)field = row->text_default;
            break;
        case CONF_LIST:
        case CONF_SECRETS:
            conf_split(&r->conf->arena, row->text_default, ",", field);
            break;
        case CONF_NUMS:
            default_numbers(r->conf, row);
            break;
        }
    }
}
