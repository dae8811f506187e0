/*
 * Configuration files whose settings have any values. As fuzz_conf.c, but always of settings that exist, so that the
 * checks of each are reached; and what stands in a setting that is a secret is in no error.
 *
 * Input, for each setting: two bytes for which, a byte for the kind of its value, and a text that ends with NUL. The items
 * of lists are parted by bytes 1.
 */
#include "tests/fuzz/conf_check_loaded.h"
#include "tests/fuzz/fuzz.h"

enum { FILE_MOST = 65536 };

#define MARK "Zq9.Zq9.Zq9"

enum kind { WHOLE, LONG, REAL, FLAG, TEXT, TEXTS, NUMBERS, RAW, KINDS };

struct setting {
    bool given;
    enum kind kind;
    const char *text;
    size_t size;
};

static void add_text(struct buf *out, const char *text, size_t n, bool secret)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == '"' || text[i] == '\\')
            buf_printf(out, "\\x%02x", (unsigned char)text[i]);
        else
            buf_add_char(out, text[i]);
    }
    buf_add_text(out, secret ? MARK "\"" : "\"");
}

/* The number that its bytes are. */
static void add_number(struct buf *out, const char *text, size_t n, enum kind kind)
{
    int64_t number = 0;
    memcpy(&number, text, n < sizeof number ? n : sizeof number);
    if (kind == REAL)
        buf_printf(out, "%.6f", (double)number / 1000);
    else
        buf_printf(out, "%lld%s", (long long)number, kind == LONG ? "L" : "");
}

static void add_list(struct buf *out, const struct setting *s, bool secret)
{
    buf_add_char(out, '[');
    for (size_t at = 0; at <= s->size;) {
        const char *end = memchr(s->text + at, 1, s->size - at);
        size_t n = end ? (size_t)(end - s->text) - at : s->size - at;
        if (at > 0)
            buf_add_char(out, ',');
        if (s->kind == TEXTS)
            add_text(out, s->text + at, n, secret);
        else
            add_number(out, s->text + at, n, REAL);
        at += n + 1;
    }
    buf_add_char(out, ']');
}

static void add_value(struct buf *out, const struct setting *s, bool secret)
{
    switch (s->kind) {
    case TEXT:
        add_text(out, s->text, s->size, secret);
        break;
    case TEXTS:
    case NUMBERS:
        add_list(out, s, secret);
        break;
    case FLAG:
        buf_add_text(out, s->size & 1 ? "true" : "false");
        break;
    case RAW:
        buf_add(out, s->text, s->size);
        break;
    default:
        add_number(out, s->text, s->size, s->kind);
    }
}

/* The part of PATH before its dot; 0: it belongs to no group. */
static size_t group_of(const char *path)
{
    const char *dot = strchr(path, '.');
    return dot ? (size_t)(dot - path) : 0;
}

static bool is_secret(const struct conf_row *row)
{
    return row->type == CONF_SECRET || row->type == CONF_SECRETS;
}

static void write_setting(struct buf *out, size_t row, const struct setting *s)
{
    buf_printf(out, "%s = ",
               conf_rows[row].path + (group_of(conf_rows[row].path) ? group_of(conf_rows[row].path) + 1 : 0));
    add_value(out, s, is_secret(&conf_rows[row]));
    buf_add_text(out, ";\n");
}

/* All of a group's settings where the first of them stands. */
static void write_file(struct buf *out, struct setting settings[CONF_ROW_COUNT])
{
    for (size_t i = 0; i < CONF_ROW_COUNT; i++) {
        const char *path = conf_rows[i].path;
        size_t group = group_of(path);
        if (!settings[i].given)
            continue;
        buf_add(out, path, group);
        buf_add_text(out, group ? " = {\n" : "");
        for (size_t j = i; j < (group ? CONF_ROW_COUNT : i + 1); j++) {
            if (!settings[j].given || strncmp(conf_rows[j].path, path, group + 1) != 0)
                continue;
            write_setting(out, j, &settings[j]);
            settings[j].given = false;
        }
        buf_add_text(out, group ? "};\n" : "");
    }
}

/* Which setting, so that inputs mean the same when there are more settings: the next one round a ring of their names'
 * hashes. */
static size_t pick_row(struct fuzz_input *in)
{
    uint16_t at = (uint16_t)(fuzz_byte(in) << 8), nearest = UINT16_MAX;
    size_t found = 0;
    at |= fuzz_byte(in);
    for (size_t row = 0; row < CONF_ROW_COUNT; row++) {
        uint32_t hash = 2166136261u; /* FNV-1a */
        for (const char *p = conf_rows[row].path; *p; p++)
            hash = (hash ^ (unsigned char)*p) * UINT32_C(16777619);
        uint16_t distance = (uint16_t)((hash ^ hash >> 16) - at);
        if (distance <= nearest) {
            nearest = distance;
            found = row;
        }
    }
    return found;
}

/* False when the secret's mark stands in what is no secret. */
static bool read_settings(struct fuzz_input *in, struct arena *a, struct setting settings[CONF_ROW_COUNT])
{
    bool kept = true;
    while (in->size > 0) {
        size_t row = pick_row(in);
        struct setting *s = &settings[row];
        s->kind = (enum kind)(fuzz_byte(in) % KINDS);
        s->text = fuzz_text(in, a, &s->size);
        s->given = !(s->kind == RAW && strstr(s->text, "@include"));
        kept &= is_secret(&conf_rows[row]) || !strstr(s->text, MARK);
    }
    return kept;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct setting settings[CONF_ROW_COUNT] = {0};
    struct conf_errors errors;
    struct buf file;
    struct arena a;
    arena_init(&a, 1024);
    buf_init(&file, FILE_MOST);
    bool kept = read_settings(&in, &a, settings);
    write_file(&file, settings);
    struct conf *conf = conf_load_text("fuzz", buf_text(&file), file.len, &errors);
    conf_check_loaded(conf, &errors);
    for (size_t i = 0; kept && i < errors.list.count; i++)
        check(!strstr(errors.list.items[i], MARK));
    conf_errors_free(&errors);
    conf_free(conf);
    buf_free(&file);
    arena_free(&a);
    return 0;
}
