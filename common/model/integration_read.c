/*
 * integration_read - one row of `integrations`, from the database's text to what the filters ask
 *
 * Pure. The table belongs to another program, so a column may hold whatever its type allows: array literals
 * with quotes, NULLs, bounds or several dimensions, any JSON. NULL and empty mean "all" where compat.md
 * section 4 says so; everything that is there but cannot be understood means "none", because a notification
 * that is missing is noticed and one that leaks into the wrong channel is not.
 */
#include "common/model/integration_read.h"

#include <string.h>
#include <strings.h>

#include "common/base/json.h"

/* ---- array literals: https://www.postgresql.org/docs/15/arrays.html#ARRAYS-IO ---- */

struct array_reader {
    const char *at;
    char *item; /* the element just read; room for the whole literal */
    bool is_null;
    bool broken;
};

/* Behind "{" of a one-dimensional literal, also of one with bounds, "[2:3]={a,b}"; NULL when it is none. */
static const char *array_open(const char *text)
{
    if (*text == '[') {
        text = strstr(text, "]=");
        if (!text)
            return NULL;
        text += 2;
    }
    return *text == '{' ? text + 1 : NULL;
}

static void read_quoted(struct array_reader *r)
{
    char *to = r->item;
    r->at++;
    while (*r->at && *r->at != '"') {
        if (*r->at == '\\' && r->at[1])
            r->at++;
        *to++ = *r->at++;
    }
    *to = 0;
    if (*r->at == '"')
        r->at++;
    else
        r->broken = true;
}

static void read_bare(struct array_reader *r)
{
    size_t n = strcspn(r->at, ",}\"{\\");
    memcpy(r->item, r->at, n);
    r->item[n] = 0;
    r->at += n;
    r->is_null = strcasecmp(r->item, "NULL") == 0;
    if (n == 0)
        r->broken = true;
}

/* Read the next element into r->item. False at the end, or when `broken`: then the list is void. */
static bool array_next(struct array_reader *r)
{
    if (r->broken || *r->at == 0)
        return false;
    r->is_null = false;
    if (*r->at == '"')
        read_quoted(r);
    else
        read_bare(r);
    if (*r->at == ',') {
        r->at++;
        r->broken |= *r->at == '}' || *r->at == 0;
    } else if (*r->at == '}' && r->at[1] == 0) {
        r->at++;
    } else {
        r->broken = true; /* a second dimension, or no array literal */
    }
    return !r->broken;
}

/* False for NULL and {}: everything passes. A literal that is none gives a reader that is broken. */
static bool array_begin(struct arena *arena, const char *text, struct array_reader *r)
{
    if (!text || strcmp(text, "{}") == 0)
        return false;
    memset(r, 0, sizeof *r);
    r->at = array_open(text);
    r->broken = !r->at;
    r->item = arena_alloc(arena, strlen(text) + 1);
    return true;
}

/* ---- the columns ---- */

static size_t count_commas(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += *text == ',';
    return n;
}

static void read_targets(struct arena *arena, const char *text, struct integration *out)
{
    struct array_reader r;
    if (!array_begin(arena, text, &r))
        return;
    struct uuid *ids = arena_alloc(arena, (count_commas(text) + 1) * sizeof *ids);
    size_t n = 0;
    while (array_next(&r))
        if (!r.is_null && uuid_parse(&ids[n], r.item))
            n++;
    out->target_ids = ids;
    out->target_count = r.broken ? 0 : n;
}

static void read_events(struct arena *arena, const char *text, struct integration *out)
{
    struct array_reader r;
    out->all_events = !array_begin(arena, text, &r);
    if (out->all_events)
        return;
    while (array_next(&r)) {
        int type = r.is_null ? -1 : event_type_parse(r.item);
        if (type >= 0)
            out->event_mask |= 1u << type;
    }
    if (r.broken)
        out->event_mask = 0;
}

static void read_target_kinds(struct arena *arena, const char *text, struct integration *out)
{
    /* SQLAlchemy stores None in a JSON column as JSON's null. */
    out->all_target_kinds = !text || strcmp(text, "null") == 0;
    if (out->all_target_kinds)
        return;
    const char *why;
    struct json_object *list = json_parse(text, strlen(text), &why);
    if (json_object_is_type(list, json_type_array)) {
        size_t count = json_object_array_length(list);
        const char **kinds = arena_alloc(arena, (count + 1) * sizeof *kinds);
        for (size_t i = 0; i < count; i++) {
            struct json_object *item = json_object_array_get_idx(list, i);
            if (json_is_text(item))
                kinds[out->target_kind_count++] =
                    arena_text(arena, json_object_get_string(item), (size_t)json_object_get_string_len(item));
        }
        out->target_kinds = kinds;
    }
    json_object_put(list);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A token is ASCII without backslashes, so the escape format is the token itself. */
static void read_config(struct arena *arena, const char *text, struct integration *out)
{
    if (!text)
        return;
    size_t n = strlen(text);
    unsigned char *bytes = (unsigned char *)arena_text(arena, text, n);
    if (text[0] == '\\' && text[1] == 'x') {
        size_t size = 0;
        for (size_t i = 2; i + 1 < n && hex_value(text[i]) >= 0 && hex_value(text[i + 1]) >= 0; i += 2)
            bytes[size++] = (unsigned char)(hex_value(text[i]) << 4 | hex_value(text[i + 1]));
        n = size;
        bytes[n] = 0;
    }
    out->config_encrypted = bytes;
    out->config_size = n;
}

bool integration_read(struct arena *arena, struct integration *out, const struct integration_columns *c)
{
    memset(out, 0, sizeof *out);
    if (!c->id || !uuid_parse(&out->id, c->id) || !c->workspace_id ||
        !uuid_parse(&out->workspace_id, c->workspace_id))
        return false;
    int severity = c->severity_filter ? severity_parse(c->severity_filter) : -1;
    out->severity_filter = severity < 0 ? SEVERITY_HIGH : (enum severity)severity;
    out->enabled = c->enabled && strcmp(c->enabled, "t") == 0;
    out->name = arena_strdup(arena, c->name ? c->name : "");
    out->kind = arena_strdup(arena, c->kind ? c->kind : "");
    read_targets(arena, c->target_ids, out);
    read_events(arena, c->events, out);
    read_target_kinds(arena, c->target_kinds, out);
    read_config(arena, c->config_encrypted, out);
    return true;
}
