/*
 * conf_rows - conf_table.h as data, and the reference that is printed from it
 *
 * Owns the one array of rows. Knows nothing of files or of how a setting is read.
 */
#include <stddef.h>
#include <string.h>

#include "common/base/conf_read.h"

/* clang-format off */
#define ROW_INT(f, p, d, lo, hi, h) \
    {.type = CONF_INT, .path = p, .help = h, .offset = offsetof(struct conf, f), .number_default = d, .min = lo, .max = hi},
#define ROW_NUM(f, p, d, lo, hi, h) \
    {.type = CONF_NUM, .path = p, .help = h, .offset = offsetof(struct conf, f), .number_default = d, .min = lo, .max = hi},
#define ROW_BOOL(f, p, d, h) \
    {.type = CONF_BOOL, .path = p, .help = h, .offset = offsetof(struct conf, f), .number_default = d},
#define ROW_TEXT(f, p, d, h) \
    {.type = CONF_TEXT, .path = p, .help = h, .offset = offsetof(struct conf, f), .text_default = d},
#define ROW_WORD(f, p, d, w, h) \
    {.type = CONF_WORD, .path = p, .help = h, .offset = offsetof(struct conf, f), .text_default = d, .words = w},
#define ROW_SECRET(f, p, h) \
    {.type = CONF_SECRET, .path = p, .help = h, .offset = offsetof(struct conf, f), .text_default = ""},
#define ROW_LIST(f, p, d, h) \
    {.type = CONF_LIST, .path = p, .help = h, .offset = offsetof(struct conf, f), .text_default = d},
#define ROW_SECRETS(f, p, h) \
    {.type = CONF_SECRETS, .path = p, .help = h, .offset = offsetof(struct conf, f), .text_default = ""},
#define ROW_NUMS(f, p, d, lo, hi, h) \
    {.type = CONF_NUMS, .path = p, .help = h, .offset = offsetof(struct conf, f), .text_default = d, .min = lo, .max = hi},
/* clang-format on */

const struct conf_row conf_rows[CONF_ROW_COUNT] = {
    CONF_TABLE(ROW_INT, ROW_NUM, ROW_BOOL, ROW_TEXT, ROW_WORD, ROW_SECRET, ROW_LIST, ROW_SECRETS, ROW_NUMS)};

static const char *type_name(enum conf_type type)
{
    switch (type) {
    case CONF_INT:
        return "whole number";
    case CONF_NUM:
        return "number";
    case CONF_BOOL:
        return "true or false";
    case CONF_TEXT:
        return "text";
    case CONF_WORD:
        return "word";
    case CONF_SECRET:
        return "secret text";
    case CONF_LIST:
        return "list of texts";
    case CONF_SECRETS:
        return "list of secret texts";
    case CONF_NUMS:
        return "list of numbers";
    }
    return "";
}

/* The default as one would write it in the file; "" when there is none. */
static void format_default(const struct conf_row *row, char *out, size_t size)
{
    out[0] = '\0';
    switch (row->type) {
    case CONF_INT:
    case CONF_NUM:
        snprintf(out, size, "%.15g", row->number_default);
        break;
    case CONF_BOOL:
        snprintf(out, size, "%s", row->number_default != 0 ? "true" : "false");
        break;
    case CONF_TEXT:
    case CONF_WORD:
        if (row->text_default[0])
            snprintf(out, size, "\"%s\"", row->text_default);
        break;
    case CONF_LIST:
        if (row->text_default[0])
            snprintf(out, size, "[\"%s\"]", row->text_default);
        break;
    case CONF_NUMS:
        snprintf(out, size, "[%s]", row->text_default);
        break;
    case CONF_SECRET:
    case CONF_SECRETS:
        break;
    }
}

/* The values that are accepted; BETWEEN stands between the words of a WORD. */
static void format_range(const struct conf_row *row, const char *between, char *out, size_t size)
{
    out[0] = '\0';
    if (row->type == CONF_INT || row->type == CONF_NUM || row->type == CONF_NUMS)
        snprintf(out, size, "%.15g to %.15g", row->min, row->max);
    if (row->type != CONF_WORD)
        return;
    size_t used = 0;
    for (const char *at = row->words; *at && used + 8 < size;) {
        int n = (int)strcspn(at, "|");
        int wrote = snprintf(out + used, size - used, "%.*s%s", n, at, at[n] ? between : "");
        used += wrote > 0 ? (size_t)wrote : 0;
        at += n + (at[n] == '|');
    }
}

bool conf_setting_at(size_t index, struct conf_setting *out)
{
    if (index >= CONF_ROW_COUNT)
        return false;
    const struct conf_row *row = &conf_rows[index];
    *out = (struct conf_setting){.path = row->path, .type = type_name(row->type), .help = row->help};
    format_default(row, out->value, sizeof out->value);
    format_range(row, " or ", out->range, sizeof out->range);
    return true;
}

static void print_text(FILE *out)
{
    fputs("Settings of the configuration file (libconfig syntax). Durations are seconds. \"a.b\" is b in the "
          "group a:\n  a = { b = ...; };\n",
          out);
    for (size_t i = 0; i < CONF_ROW_COUNT; i++) {
        char value[256], range[256];
        format_default(&conf_rows[i], value, sizeof value);
        format_range(&conf_rows[i], " or ", range, sizeof range);
        fprintf(out, "\n%s\n    %s%s%s%s%s\n    %s\n", conf_rows[i].path, type_name(conf_rows[i].type),
                range[0] ? ", " : "", range, value[0] ? ", default " : ", no default", value,
                conf_rows[i].help);
    }
}

static void print_markdown(FILE *out)
{
    fputs("| setting | type | default | range | meaning |\n|---|---|---|---|---|\n", out);
    for (size_t i = 0; i < CONF_ROW_COUNT; i++) {
        char value[256], range[256];
        format_default(&conf_rows[i], value, sizeof value);
        format_range(&conf_rows[i], ", ", range, sizeof range);
        const char *tick = value[0] ? "`" : "";
        fprintf(out, "| `%s` | %s | %s%s%s | %s | %s |\n", conf_rows[i].path, type_name(conf_rows[i].type),
                tick, value, tick, range, conf_rows[i].help);
    }
}

void conf_print_help(FILE *out, bool markdown)
{
    if (markdown)
        print_markdown(out);
    else
        print_text(out);
}
