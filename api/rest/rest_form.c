/*
 * rest_form - forms of values: what is checked, and what is said of them
 *
 * Pure. Forms are ours, so one that is not understood ends the program, when the document is made.
 */
#include "api/rest/rest_form.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/iso8601.h"
#include "common/base/utf8.h"
#include "common/base/uuid.h"
#include "common/destinations/dest.h"
#include "common/model/words.h"

enum { BASE_MAX = 48 };

/* A form taken apart. */
struct form {
    char base[BASE_MAX]; /* without the bounds */
    bool bounded, list, nullable;
    long least, most;
    long list_max; /* 0: none */
};

static struct form read_form(const char *text)
{
    struct form f = {.base = ""};
    size_t n = strlen(text);
    check(n > 0);
    if (text[n - 1] == '?') {
        f.nullable = true;
        n--;
    }
    if (text[n - 1] == ']') {
        f.list = true;
        while (text[n - 1] != '[')
            n--;
        f.list_max = strtol(text + n, NULL, 10);
        n--;
    }
    check(n > 0 && n < BASE_MAX);
    memcpy(f.base, text, n);
    char *bounds = strncmp(f.base, "words:", 6) == 0 ? NULL : strchr(f.base, ':');
    if (bounds) {
        char *end;
        f.bounded = true;
        *bounds = '\0';
        f.least = strtol(bounds + 1, &end, 10);
        check(*end == ':');
        f.most = strtol(end + 1, &end, 10);
        check(*end == '\0');
    }
    return f;
}

/* ---- words ---- */

/* Word I of the list NAME; NULL behind the last. */
static const char *word_of(const char *name, size_t i)
{
    if (strcmp(name, "kinds") == 0)
        return dest_all[i] ? dest_all[i]->kind : NULL;
    const struct word_list *list = word_list_find(name);
    check(list != NULL);
    return i < list->count ? list->entries[i].word : NULL;
}

static const char *words_of(const struct form *f)
{
    return strncmp(f->base, "words:", 6) == 0 ? f->base + 6 : NULL;
}

/* ---- schemas ---- */

static void add_type(struct buf *out, const char *type, bool nullable)
{
    if (nullable)
        buf_printf(out, "\"type\":[\"%s\",\"null\"]", type);
    else
        buf_printf(out, "\"type\":\"%s\"", type);
}

static void add_words(struct buf *out, const char *list, bool nullable)
{
    add_type(out, "string", nullable);
    buf_json_open_list(out, "enum");
    for (size_t i = 0; word_of(list, i); i++) {
        if (i)
            buf_add_char(out, ',');
        buf_json_text(out, word_of(list, i));
    }
    buf_add_text(out, nullable ? ",null]" : "]");
}

static void add_bounds(struct buf *out, const struct form *f, const char *least, const char *most)
{
    if (f->bounded)
        buf_printf(out, ",\"%s\":%ld,\"%s\":%ld", least, f->least, most, f->most);
}

/* What stands within the braces, for one value. */
static void add_one(struct buf *out, const struct form *f, bool nullable)
{
    static const char *const plain[] = {"number", "boolean", "object"};
    const char *words = words_of(f);
    if (words) {
        add_words(out, words, nullable);
    } else if (strcmp(f->base, "text") == 0) {
        add_type(out, "string", nullable);
        add_bounds(out, f, "minLength", "maxLength");
    } else if (strcmp(f->base, "integer") == 0) {
        add_type(out, "integer", nullable);
        add_bounds(out, f, "minimum", "maximum");
    } else if (strcmp(f->base, "uuid") == 0) {
        add_type(out, "string", nullable);
        buf_add_text(out, ",\"format\":\"uuid\"");
    } else if (strcmp(f->base, "time") == 0) {
        add_type(out, "string", nullable);
        buf_add_text(out, ",\"format\":\"date-time\"");
    } else if (*f->base >= 'A' && *f->base <= 'Z') {
        buf_printf(out,
                   nullable ? "\"oneOf\":[{\"$ref\":\"#/components/schemas/%s\"},{\"type\":\"null\"}]"
                            : "\"$ref\":\"#/components/schemas/%s\"",
                   f->base);
    } else if (strcmp(f->base, "any") != 0) {
        size_t i = 0;
        while (i < sizeof plain / sizeof plain[0] && strcmp(plain[i], f->base) != 0)
            i++;
        check(i < sizeof plain / sizeof plain[0]);
        add_type(out, f->base, nullable);
    }
}

void rest_form_schema(struct buf *out, const char *form, const char *value, const char *help)
{
    struct form f = read_form(form);
    buf_add_char(out, '{');
    if (f.list) {
        add_type(out, "array", f.nullable);
        buf_add_text(out, ",\"items\":{");
        add_one(out, &f, false);
        buf_add_char(out, '}');
        if (f.list_max)
            buf_printf(out, ",\"maxItems\":%ld,\"uniqueItems\":true", f.list_max);
    } else {
        add_one(out, &f, f.nullable);
    }
    if (value) {
        buf_json_key(out, "default");
        buf_add_text(out, value);
    }
    if (help)
        buf_json_member(out, "description", help);
    buf_add_char(out, '}');
}

/* ---- values of the query ---- */

static const char *word_fault(struct arena *arena, const char *list, const char *text)
{
    const char *all = "";
    for (size_t i = 0; word_of(list, i); i++) {
        if (strcmp(word_of(list, i), text) == 0)
            return NULL;
        all = arena_printf(arena, "%s%s%s", all, *all ? ", " : "", word_of(list, i));
    }
    return arena_printf(arena, "must be one of %s", all);
}

static const char *integer_fault(struct arena *arena, const struct form *f, const char *text)
{
    size_t sign = *text == '-', digits = strspn(text + sign, "0123456789");
    errno = 0;
    long value = strtol(text, NULL, 10);
    bool good = digits > 0 && !text[sign + digits] && !errno &&
                (!f->bounded || (value >= f->least && value <= f->most));
    if (good)
        return NULL;
    return f->bounded ? arena_printf(arena, "must be a whole number from %ld to %ld", f->least, f->most)
                      : "must be a whole number";
}

static const char *text_fault(struct arena *arena, const struct form *f, const char *text)
{
    long n = 0;
    for (const char *at = text; *at; at++)
        n += ((unsigned char)*at & 0xc0) != 0x80;
    if (!f->bounded || (n >= f->least && n <= f->most))
        return NULL;
    return arena_printf(arena, "must have %ld to %ld characters", f->least, f->most);
}

static const char *fault_of(struct arena *arena, const struct form *f, const char *text)
{
    const char *words = words_of(f);
    struct uuid id;
    int64_t us;
    if (words)
        return word_fault(arena, words, text);
    if (strcmp(f->base, "integer") == 0)
        return integer_fault(arena, f, text);
    if (strcmp(f->base, "uuid") == 0)
        return uuid_parse(&id, text) ? NULL : "must be a UUID";
    if (strcmp(f->base, "boolean") == 0)
        return strcmp(text, "true") == 0 || strcmp(text, "false") == 0 ? NULL : "must be true or false";
    if (strcmp(f->base, "time") == 0)
        return iso8601_parse(text, strlen(text), &us) ? NULL : "must be a time as in 2026-11-23T13:00:00Z";
    check(strcmp(f->base, "text") == 0);
    return text_fault(arena, f, text);
}

const char *rest_form_fault(struct arena *arena, const char *form, const char *text)
{
    struct form f = read_form(form);
    check(!f.list);
    return fault_of(arena, &f, text);
}

/* ---- values of JSON ---- */

static const char *number_fault(struct arena *arena, const struct form *f, struct json_object *value)
{
    double number = json_object_get_double(value);
    bool whole = json_object_is_type(value, json_type_int) || (json_object_is_type(value, json_type_double) &&
                                                               isfinite(number) && number == trunc(number));
    bool good = whole && (!f->bounded || (number >= (double)f->least && number <= (double)f->most));
    if (good)
        return NULL;
    return f->bounded ? arena_printf(arena, "must be a whole number from %ld to %ld", f->least, f->most)
                      : "must be a whole number";
}

static const char *one_fault(struct arena *arena, const struct form *f, struct json_object *value)
{
    const char *base = f->base;
    if (strcmp(base, "any") == 0)
        return NULL;
    if (strcmp(base, "integer") == 0)
        return number_fault(arena, f, value);
    if (strcmp(base, "number") == 0)
        return json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double)
                   ? NULL
                   : "must be a number";
    if (strcmp(base, "boolean") == 0)
        return json_object_is_type(value, json_type_boolean) ? NULL : "must be true or false, without quotes";
    if (strcmp(base, "object") == 0)
        return json_object_is_type(value, json_type_object) ? NULL : "must be an object";
    if (!json_is_text(value))
        return "must be a text";
    const char *text = json_object_get_string(value);
    if (!utf8_is_storable(text, (size_t)json_object_get_string_len(value)))
        return "must have no NUL in it";
    return fault_of(arena, f, text);
}

/* Has the list an entry twice? Only asked of lists of texts. */
static bool has_twin(struct json_object *list, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (json_object_equal(json_object_array_get_idx(list, i), json_object_array_get_idx(list, j)))
            return true;
    return false;
}

static const char *list_fault(struct arena *arena, const struct form *f, struct json_object *value)
{
    if (!json_object_is_type(value, json_type_array))
        return "must be a list";
    size_t n = json_object_array_length(value);
    if (f->list_max && n > (size_t)f->list_max)
        return arena_printf(arena, "must have at most %ld entries", f->list_max);
    for (size_t i = 0; i < n; i++) {
        struct json_object *entry = json_object_array_get_idx(value, i);
        const char *why = entry ? one_fault(arena, f, entry) : "must not be null";
        if (!why && f->list_max && has_twin(value, i))
            why = "stands there twice";
        if (why)
            return arena_printf(arena, "is wrong at entry %zu, which %s", i + 1, why);
    }
    return NULL;
}

const char *rest_form_value_fault(struct arena *arena, const char *form, struct json_object *value)
{
    struct form f = read_form(form);
    if (!value)
        return f.nullable ? NULL : "must not be null; leave it out instead";
    return f.list ? list_fault(arena, &f, value) : one_fault(arena, &f, value);
}
