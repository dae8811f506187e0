/*
 * result - results of tools that a model can read whole
 *
 * What comes from the API may be larger than what a client passes on, which would cut it in the middle of a word and say nothing.
 * Pure; knows no tool.
 */
#include "api/mcp/result.h"
#include "api/mcp/value.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/check.h"

enum {
    NOTE_MAX = 1024,  /* bytes for what is said of cuts */
    CUTS_MAX = 512,   /* of these, for naming them */
    NAME_MOST = 40,   /* bytes of a name that is told */
    TEXT_LEAST = 512, /* bytes that are left of a text */
    ROUNDS_MAX = 64,
};

#define MORE "\xE2\x80\xA6" /* an ellipsis */

/* The list or the text that has most to give. */
struct longest {
    struct json_object *value;
    const char *name;
    size_t size;
};

/* Depth is bounded by JSON_DEPTH_MAX. NOLINTNEXTLINE(misc-no-recursion) */
static void look(struct json_object *value, const char *name, enum json_type type, struct longest *out)
{
    if (json_object_is_type(value, type)) {
        bool list = type == json_type_array;
        bool can =
            list ? json_object_array_length(value) > 1 : json_object_get_string_len(value) > TEXT_LEAST + 8;
        size_t size = !can ? 0 : list ? strlen(json_print(value)) : (size_t)json_object_get_string_len(value);
        if (size > out->size)
            *out = (struct longest){value, name, size};
    }
    if (json_object_is_type(value, json_type_array))
        for (size_t i = 0; i < json_object_array_length(value); i++)
            look(json_object_array_get_idx(value, i), name, type, out);
    if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, key, member) look(member, key, type, out);
    }
}

/* A member's name in a sentence; it came from the API, and may be anything. */
static const char *shown(const char *name)
{
    return strlen(name) <= NAME_MOST ? name : "something";
}

/* Of a finding, a delivery: what is good news needs no look. */
static bool went_well(struct json_object *entry)
{
    struct json_object *state = json_get(entry, "state");
    if (json_is_text(state))
        return strcmp(json_object_get_string(state), "delivered") == 0;
    return json_object_get_boolean(json_get(entry, "ok"));
}

/* At least EXCESS bytes, but one entry stays. */
static void cut_list(const struct longest *l, size_t excess, struct buf *note)
{
    size_t all = json_object_array_length(l->value), left = all, gone = 0, stay = 0;
    bool *out = mem_zalloc(all * sizeof *out);
    struct json_object **entries = mem_zalloc(all * sizeof *entries);
    for (int bad_too = 0; bad_too < 2; bad_too++)
        for (size_t i = all; i-- > 0 && left > 1 && gone < excess;) {
            struct json_object *one = json_object_array_get_idx(l->value, i);
            if (out[i] || (!bad_too && !went_well(one)))
                continue;
            out[i] = true;
            left--;
            gone += strlen(json_print(one)) + 1;
        }
    for (size_t i = 0; i < all; i++)
        if (!out[i])
            entries[stay++] = json_object_get(json_object_array_get_idx(l->value, i));
    json_object_array_del_idx(l->value, 0, all);
    for (size_t i = 0; i < stay; i++)
        value_append(l->value, entries[i]);
    free(entries);
    free(out);
    buf_printf(note, "%s%s shows %zu of %zu", note->len ? ", " : "", shown(l->name), left, all);
}

/* At least EXCESS bytes, what is put behind it counted, but TEXT_LEAST stay. */
static void cut_text(const struct longest *l, size_t excess, struct buf *note)
{
    struct buf copy;
    size_t less = excess + strlen(MORE);
    size_t keep = l->size > less + TEXT_LEAST ? l->size - less : TEXT_LEAST;
    const char *text = json_object_get_string(l->value);
    while (keep > 0 && ((unsigned char)text[keep] & 0xc0) == 0x80)
        keep--; /* not within a character */
    buf_init(&copy, keep + 8);
    buf_add(&copy, text, keep);
    buf_add_text(&copy, MORE);
    buf_printf(note, "%s%s shows %zu of %zu bytes", note->len ? ", " : "", shown(l->name), keep, l->size);
    mem_check(json_object_set_string_len(l->value, buf_text(&copy), (int)copy.len) == 1);
    buf_free(&copy);
}

/* NaN and infinities: json_parse lets them through. */
static bool is_no_number(struct json_object *value)
{
    return json_object_is_type(value, json_type_double) && !isfinite(json_object_get_double(value));
}

/* Likewise bounded. NOLINTNEXTLINE(misc-no-recursion) */
static void drop_no_numbers(struct json_object *value)
{
    if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            if (is_no_number(json_object_array_get_idx(value, i)))
                json_object_array_put_idx(value, i, NULL);
            drop_no_numbers(json_object_array_get_idx(value, i));
        }
    } else if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, key, member)
        {
            if (is_no_number(member))
                value_set(value, key, NULL); /* it is there: nothing moves */
            else
                drop_no_numbers(member);
        }
    }
}

/* Cut what is longest until SIZE, that of RESULT, is within LIMIT; the size then. */
static size_t cut_down(struct json_object *result, size_t size, size_t limit, struct buf *note)
{
    for (int round = 0; size > limit && round < ROUNDS_MAX; round++) {
        struct longest list = {0}, text = {0};
        look(result, "it", json_type_array, &list);
        look(result, "it", json_type_string, &text);
        if (!list.size && !text.size)
            break;
        if (list.size >= text.size)
            cut_list(&list, size - limit, note);
        else
            cut_text(&text, size - limit, note);
        size = strlen(json_print(result));
    }
    return size;
}

bool result_bound(struct json_object *result, size_t max, const struct result_form *form)
{
    struct buf note;
    size_t limit = max > 2 * NOTE_MAX ? max - NOTE_MAX : max / 2;
    struct json_object *page = form->page ? json_get(result, form->page) : NULL;
    if (!json_object_is_type(page, json_type_array))
        page = NULL;
    size_t entries = page ? json_object_array_length(page) : 0;
    drop_no_numbers(result);
    size_t size = strlen(json_print(result));
    if (size <= max)
        return true;
    buf_init(&note, CUTS_MAX);
    size = cut_down(result, size, limit, &note);
    bool named = note.len > 0;
    if (note.overflow)
        named = false; /* more was cut than a note can say */
    struct buf said;
    buf_init(&said, NOTE_MAX);
    buf_add_text(&said, named ? buf_text(&note) : "much is left out");
    if (page && json_object_array_length(page) < entries) {
        value_set(result, "next", NULL);
        buf_printf(&said,
                   "; next is null, since it leads behind what is left out: to see that, ask again with the "
                   "same cursor and a smaller limit: %zu",
                   json_object_array_length(page));
    } else {
        buf_printf(&said, "; %s", form->advice ? form->advice : "ask again for less to see the rest");
    }
    value_set(result, "cut", value_text(buf_text(&said)));
    buf_free(&said);
    buf_free(&note);
    return size <= limit && strlen(json_print(result)) <= max;
}
