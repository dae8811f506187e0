/*
 * tool_schema - the list of tools as clients get it
 *
 * Made of the table that checks arguments (tool_args.c). Schemas of results say what is there and let more be there: the API may be
 * younger than this program. No schema refers to another, since not every client follows that. Pure.
 */
#include <string.h>

#include "api/mcp/tools.h"
#include "api/rest/rest_form.h"

static void add_form(struct buf *out, const char *form, const char *help);

/* The members of SCHEMA stand within the braces. */
static void add_object(struct buf *out, const char *schema)
{
    bool first = true;
    buf_add_text(out, "\"type\":\"object\"");
    buf_json_open_object(out, "properties");
    for (const struct tool_member *m = tool_members; m->schema; m++) {
        if (strcmp(m->schema, schema) != 0)
            continue;
        buf_json_key(out, m->name);
        add_form(out, m->form, m->help);
    }
    buf_add_char(out, '}');
    buf_json_open_list(out, "required");
    for (const struct tool_member *m = tool_members; m->schema; m++) {
        if (m->optional || strcmp(m->schema, schema) != 0)
            continue;
        if (!first)
            buf_add_char(out, ',');
        buf_json_text(out, m->name);
        first = false;
    }
    buf_add_char(out, ']');
}

/* FORM may be the name of a schema; they are nested two deep at most. NOLINTNEXTLINE(misc-no-recursion) */
static void add_form(struct buf *out, const char *form, const char *help)
{
    char name[32];
    size_t n = strcspn(form, "[");
    if (*form < 'A' || *form > 'Z' || n >= sizeof name) {
        rest_form_schema(out, form, NULL, help);
        return;
    }
    memcpy(name, form, n);
    name[n] = '\0';
    buf_add_char(out, '{');
    if (form[n])
        buf_add_text(out, "\"type\":\"array\",\"items\":{");
    add_object(out, name);
    if (form[n])
        buf_add_char(out, '}');
    buf_json_member(out, "description", help);
    buf_add_char(out, '}');
}

static void add_arguments(struct buf *out, const struct tool *t, unsigned open)
{
    bool first = true;
    buf_json_open_object(out, "inputSchema");
    buf_add_text(out, "\"type\":\"object\",\"additionalProperties\":false");
    buf_json_open_object(out, "properties");
    for (const struct tool_arg *a = t->args; a->name; a++) {
        if (a->needs & ~open)
            continue;
        buf_json_key(out, a->name);
        rest_form_schema(out, a->form, a->value, a->help);
    }
    buf_add_char(out, '}');
    for (const struct tool_arg *a = t->args; a->name; a++) {
        if (!a->required)
            continue;
        if (first)
            buf_json_open_list(out, "required");
        else
            buf_add_char(out, ',');
        buf_json_text(out, a->name);
        first = false;
    }
    buf_add_text(out, first ? "}" : "]}");
}

static void add_hints(struct buf *out, const struct tool *t)
{
    buf_json_open_object(out, "annotations");
    buf_json_member(out, "title", t->title);
    buf_json_bool(out, "readOnlyHint", t->hints & TOOL_READS);
    buf_json_bool(out, "destructiveHint", t->hints & TOOL_DESTROYS);
    buf_json_bool(out, "idempotentHint", t->hints & TOOL_REPEATS);
    buf_json_bool(out, "openWorldHint", t->hints & TOOL_REACHES_OUT);
    buf_add_char(out, '}');
}

static void add_tool(struct buf *out, const struct tool *t, unsigned open, struct tool_features features)
{
    buf_json_open_item(out);
    buf_json_member(out, "name", t->name);
    if (features.structured)
        buf_json_member(out, "title", t->title);
    buf_json_member(out, "description", t->help);
    add_arguments(out, t, open);
    if (features.structured) {
        buf_json_open_object(out, "outputSchema");
        add_object(out, t->result);
        buf_add_char(out, '}');
    }
    if (features.hints)
        add_hints(out, t);
    buf_add_char(out, '}');
}

void tool_write_list(struct buf *out, unsigned open, struct tool_features features)
{
    buf_add_text(out, "{\"tools\":[");
    for (const struct tool *t = tool_table; t->name; t++)
        if (!(t->needs & ~open))
            add_tool(out, t, open, features);
    buf_add_text(out, "]}");
}
