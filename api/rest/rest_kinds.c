/*
 * rest_kinds - the kinds of destinations and their settings, for whoever makes a form or a request of them
 *
 * Made of the kinds' own tables. Nothing here is anybody's: no setting has a value but its default and its example.
 */
#include "api/rest/rest_kinds.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/kind_table.h"

/* ---- JSON Schema ---- */

static bool is_needed(const struct dest_setting *s)
{
    return s->required && !s->unless.key;
}

static void add_choices(struct buf *out, const struct dest_setting *s, const char *name)
{
    buf_json_open_list(out, name);
    for (size_t i = 0; i < DEST_CHOICES_MAX && s->choices[i]; i++) {
        if (i)
            buf_add_char(out, ',');
        buf_json_text(out, s->choices[i]);
    }
}

/* "type": TYPE, or null where it may be left out. */
static void add_type(struct buf *out, const char *type, bool nullable)
{
    buf_json_key(out, "type");
    if (nullable)
        buf_printf(out, "[\"%s\",\"null\"]", type);
    else
        buf_json_text(out, type);
}

/* The bounds of a text. Characters are never more than bytes. */
static void add_text(struct buf *out, const struct dest_setting *s)
{
    buf_printf(out, ",\"maxLength\":%zu", s->max);
    if (s->pattern)
        buf_json_member(out, "pattern", s->pattern);
    if (is_needed(s))
        buf_add_text(out, ",\"minLength\":1");
}

static void add_form(struct buf *out, const struct dest_setting *s)
{
    bool nullable = !is_needed(s);
    switch (s->form) {
    case SETTING_URL:
        add_type(out, "string", nullable);
        buf_printf(out, ",\"format\":\"uri\",\"maxLength\":%zu", s->max);
        buf_json_member(out, "pattern", "^[Hh][Tt][Tt][Pp][Ss]?://[^ ]+$");
        return;
    case SETTING_TEXT:
        add_type(out, "string", nullable);
        add_text(out, s);
        return;
    case SETTING_CHOICE:
        add_type(out, "string", nullable);
        add_choices(out, s, "enum");
        buf_add_text(out, nullable ? ",null]" : "]");
        return;
    case SETTING_LIST:
        add_type(out, "array", nullable);
        buf_printf(out, ",\"maxItems\":%zu", s->count_max);
        buf_json_open_object(out, "items");
        add_type(out, "string", false);
        buf_printf(out, ",\"minLength\":1,\"maxLength\":%zu", s->max);
        if (s->pattern)
            buf_json_member(out, "pattern", s->pattern);
        buf_add_char(out, '}');
        return;
    case SETTING_MAP:
        add_type(out, "object", nullable);
        buf_printf(out, ",\"maxProperties\":%zu", s->count_max);
        buf_json_open_object(out, "additionalProperties");
        add_type(out, "string", false);
        buf_printf(out, ",\"minLength\":1,\"maxLength\":%zu}", s->max);
        return;
    case SETTING_EACH:
        buf_json_open_list(out, "type");
        buf_add_text(out, "\"string\",\"object\",\"boolean\",\"null\"]");
        buf_printf(out, ",\"not\":{\"const\":true},\"maxLength\":%zu", s->max);
        buf_printf(out, ",\"additionalProperties\":{\"type\":[\"string\",\"null\"],\"maxLength\":%zu}",
                   s->max);
        return;
    }
    check(false);
}

static void add_setting_schema(struct buf *out, const struct dest_setting *s)
{
    buf_add_char(out, '{');
    add_form(out, s);
    if (s->value)
        buf_json_member(out, "default", s->value);
    buf_json_member(out, "description", s->help);
    buf_json_open_list(out, "examples");
    buf_printf(out, "%s]", s->example);
    if (s->old)
        buf_json_bool(out, "deprecated", true);
    if (s->secret)
        buf_json_bool(out, "writeOnly", true);
    buf_add_char(out, '}');
}

/* What is required but where another setting has a certain value. */
static void add_conditions(struct buf *out, const struct dest *dest)
{
    for (const struct dest_setting *s = dest->settings; s->key; s++)
        if (s->unless.key)
            buf_printf(out,
                       ",\"if\":{\"properties\":{\"%s\":{\"const\":\"%s\"}},\"required\":[\"%s\"]},"
                       "\"else\":{\"properties\":{\"%s\":{\"type\":\"string\",\"minLength\":1}},"
                       "\"required\":[\"%s\"]}",
                       s->unless.key, s->unless.value, s->unless.key, s->key, s->key);
}

void rest_settings_schema(struct buf *out, const struct dest *dest)
{
    bool first = true;
    buf_add_text(out, "{\"type\":\"object\",\"additionalProperties\":false");
    buf_json_member(out, "title", dest->title);
    buf_json_open_object(out, "properties");
    for (const struct dest_setting *s = dest->settings; s->key; s++) {
        buf_json_key(out, s->key);
        add_setting_schema(out, s);
    }
    buf_add_char(out, '}');
    buf_json_open_list(out, "required");
    for (const struct dest_setting *s = dest->settings; s->key; s++) {
        if (!is_needed(s))
            continue;
        if (!first)
            buf_add_char(out, ',');
        buf_json_text(out, s->key);
        first = false;
    }
    buf_add_char(out, ']');
    add_conditions(out, dest);
    buf_add_char(out, '}');
}

/* ---- the list ---- */

static const char *form_word(enum dest_setting_form form)
{
    static const char *const words[] = {
        [SETTING_URL] = "url",   [SETTING_TEXT] = "text", [SETTING_CHOICE] = "choice",
        [SETTING_LIST] = "list", [SETTING_MAP] = "map",   [SETTING_EACH] = "each",
    };
    return words[form];
}

static void add_setting(struct buf *out, const struct dest_setting *s)
{
    buf_json_open_item(out);
    buf_json_member(out, "key", s->key);
    buf_json_member(out, "form", form_word(s->form));
    buf_json_bool(out, "required", s->required);
    if (s->unless.key) {
        buf_json_open_object(out, "unless");
        buf_json_member(out, s->unless.key, s->unless.value);
        buf_add_char(out, '}');
    }
    buf_json_bool(out, "secret", s->secret);
    buf_json_bool(out, "old", s->old);
    buf_json_member(out, "default", s->value);
    if (s->choices[0]) {
        add_choices(out, s, "choices");
        buf_add_char(out, ']');
    }
    buf_json_member(out, "help", s->help);
    buf_json_key(out, "example");
    buf_add_text(out, s->example);
    buf_json_key(out, "schema");
    add_setting_schema(out, s);
    buf_add_char(out, '}');
}

static double rate_of(const char *kind)
{
#define KIND_RATE(A, name, rate, help) {#name, rate},
    static const struct {
        const char *kind;
        double rate;
    } rates[] = {KIND_TABLE(KIND_RATE, )};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++)
        if (strcmp(rates[i].kind, kind) == 0)
            return rates[i].rate;
    check(false);
    return 0;
}

void rest_kinds_add(struct buf *out)
{
    buf_add_char(out, '[');
    for (size_t i = 0; dest_all[i]; i++) {
        const struct dest *dest = dest_all[i];
        buf_json_open_item(out);
        buf_json_member(out, "kind", dest->kind);
        buf_json_member(out, "title", dest->title);
        buf_json_open_list(out, "settings");
        for (const struct dest_setting *s = dest->settings; s->key; s++)
            add_setting(out, s);
        buf_add_char(out, ']');
        buf_json_key(out, "rate");
        buf_json_number(out, rate_of(dest->kind));
        buf_json_bool(out, "shows_repeats", dest->repeat_hurts);
        buf_json_key(out, "docs");
        buf_printf(out, "\"docs/destinations/%s.md\"}", dest->kind);
    }
    buf_add_char(out, ']');
}

void rest_list_kinds(struct asked *a)
{
    rest_answer_text(a, NULL, &a->rest->kinds);
}
