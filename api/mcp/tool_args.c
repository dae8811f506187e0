/*
 * tool_args - whether what was given to a tool is what it takes
 *
 * By the table that printed the schema. Says everything that is wrong at once, in words that a model can act on, and never shows a
 * value that was given: it may be a secret. Pure.
 */
#include <stdint.h>
#include <string.h>

#include "api/mcp/tools.h"
#include "api/rest/rest_form.h"
#include "common/base/hint.h"

enum { FAULTS_MAX = 10, NAME_SHOWN = 40 };

struct faults {
    struct arena *arena;
    const char *text;
    int count;
};

static void add_fault(struct faults *f, const char *fault)
{
    f->count++;
    if (f->count > FAULTS_MAX)
        return;
    f->text = f->text ? arena_printf(f->arena, "%s; %s", f->text, fault) : fault;
}

static const struct tool_arg *find_arg(const struct tool *tool, const char *name)
{
    for (const struct tool_arg *a = tool->args; a->name; a++)
        if (strcmp(a->name, name) == 0)
            return a;
    return NULL;
}

/* NAME in quotes, cut, and with nothing in it that is not to be read. */
static const char *shown(struct faults *f, const char *name)
{
    struct buf b;
    size_t n = strlen(name);
    buf_init(&b, 8 * (size_t)NAME_SHOWN);
    while (n > NAME_SHOWN)
        n = NAME_SHOWN;
    while (n > 0 && ((unsigned char)name[n] & 0xc0) == 0x80)
        n--; /* not within a character */
    buf_json_bytes(&b, name, n);
    const char *text = arena_printf(f->arena, "%s%s", buf_text(&b), name[n] ? " (and more)" : "");
    buf_free(&b);
    return text;
}

static void add_unknown(struct faults *f, const struct tool *tool, unsigned open, const char *name)
{
    const char *best = NULL, *all = "";
    if (f->count >= FAULTS_MAX) { /* not told: there may be as many as a line holds */
        f->count++;
        return;
    }
    size_t best_distance = SIZE_MAX;
    for (const struct tool_arg *a = tool->args; a->name; a++) {
        if (a->needs & ~open)
            continue;
        all = arena_printf(f->arena, "%s%s%s", all, *all ? ", " : "", a->name);
        size_t distance = hint_distance(name, a->name);
        if (distance <= hint_limit(name, a->name) && distance < best_distance) {
            best = a->name;
            best_distance = distance;
        }
    }
    if (best)
        add_fault(f, arena_printf(f->arena, "%s is no argument of %s; did you mean %s?", shown(f, name),
                                  tool->name, best));
    else
        add_fault(f, arena_printf(f->arena, "%s is no argument of %s, which takes %s", shown(f, name),
                                  tool->name, all));
}

const char *tool_args_fault(struct arena *arena, const struct tool *tool, unsigned open,
                            struct json_object *arguments)
{
    struct faults f = {.arena = arena};
    if (arguments) {
        json_object_object_foreach(arguments, name, value)
        {
            const struct tool_arg *a = find_arg(tool, name);
            if (!a) {
                add_unknown(&f, tool, open, name);
                continue;
            }
            const char *why = rest_form_value_fault(arena, a->form, value);
            if (a->needs & ~open)
                add_fault(&f, arena_printf(arena,
                                           "%s can be given only when notify-mcp was started with %s, by the "
                                           "person who runs it",
                                           a->name, tool_flag(a->needs)));
            else if (why)
                add_fault(&f, arena_printf(arena, "%s %s", a->name, why));
        }
    }
    for (const struct tool_arg *a = tool->args; a->name; a++)
        if (a->required && !json_object_object_get_ex(arguments, a->name, NULL))
            add_fault(&f, arena_printf(arena, "%s is missing: %s", a->name, a->help));
    if (f.count > FAULTS_MAX)
        f.text = arena_printf(arena, "%s; and %d more", f.text, f.count - FAULTS_MAX);
    return f.text;
}
