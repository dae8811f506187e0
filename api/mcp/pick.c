/*
 * pick - which integration somebody means
 *
 * A name leads somewhere only when exactly one integration of the right kind has it: findings are no business of another channel, so
 * nothing is guessed. What is near is told, and the caller asks again. Walks the pages of the workspace's integrations, and keeps
 * the few that matter.
 */
#include "api/mcp/pick.h"
#include "api/mcp/value.h"

#include <string.h>
#include <strings.h>

#include "common/base/check.h"
#include "common/base/hint.h"
#include "common/base/uuid.h"

enum {
    CANDIDATES_MAX = 20,
    PAGES_MAX = 100, /* of 500: ten times what a workspace has that is very large */
};

struct pick {
    const char *kind, *text;
    void (*found)(struct call *call, struct json_object *integration);
    struct json_object *chosen; /* the first that fits */
    size_t fitting;
    struct json_object *candidates; /* a list of those that could be meant */
    size_t candidate_count;
    const char *nearest; /* of the candidates, for sentences; NULL: none */
    size_t nearest_distance;
    const char *elsewhere; /* the kind of one that has the name */
    int pages;
};

const char *pick_text(struct json_object *object, const char *name)
{
    struct json_object *value = json_get(object, name);
    return json_is_text(value) ? json_object_get_string(value) : "";
}

const char *pick_shown(struct call *call, struct json_object *integration)
{
    struct buf b;
    buf_init(&b, 8192);
    buf_json_text(&b, pick_text(integration, "name"));
    const char *text = arena_printf(call->arena, "%s (%s)", buf_text(&b), pick_text(integration, "id"));
    buf_free(&b);
    return text;
}

/* The tool that leads to KIND. */
static const char *tool_for(const char *kind)
{
    for (const struct tool *t = tool_table; t->name; t++)
        if (t->kind && strcmp(t->kind, kind) == 0)
            return t->name;
    return "list_integrations";
}

static bool is_enabled(struct json_object *integration)
{
    return json_object_get_boolean(json_get(integration, "enabled"));
}

/* ---- by id ---- */

static void on_one(struct call *call, const struct client_answer *answer)
{
    struct pick *p = call->pick;
    if (answer->status == 404) {
        call_fail(
            call,
            "no integration of the workspace has this id: list_integrations shows those that there are");
        return;
    }
    if (answer->status != 200) {
        call_refuse(call, answer);
        return;
    }
    const char *kind = pick_text(answer->body, "kind");
    if (p->kind && strcmp(kind, p->kind) != 0) {
        call_fail(call, arena_printf(call->arena, "this integration leads to %s, not to %s: use %s", kind,
                                     p->kind, tool_for(kind)));
        return;
    }
    p->found(call, call_keep(call, json_object_get(answer->body)));
}

/* ---- by name, or as the only one ---- */

static const char *candidates_text(struct call *call, const struct pick *p)
{
    const char *text = "";
    for (size_t i = 0; i < json_object_array_length(p->candidates); i++) {
        struct json_object *one = json_object_array_get_idx(p->candidates, i);
        text = arena_printf(call->arena, "%s%s%s%s%s", text, *text ? ", " : "", pick_shown(call, one),
                            p->kind ? "" : arena_printf(call->arena, " of kind %s", pick_text(one, "kind")),
                            is_enabled(one) ? "" : ", disabled");
    }
    if (p->candidate_count > CANDIDATES_MAX)
        text = arena_printf(call->arena, "%s and %zu more", text, p->candidate_count - CANDIDATES_MAX);
    return text;
}

static void fail_to_pick(struct call *call, const struct pick *p)
{
    const char *of_kind = p->kind ? arena_printf(call->arena, " of kind %s", p->kind) : "";
    const char *near = p->nearest ? arena_printf(call->arena, ", but %s is near", p->nearest) : "";
    const char *list = candidates_text(call, p);
    const char *those = *list ? arena_printf(call->arena, ": %s", list) : "";
    if (p->fitting > 1)
        call_fail(call, arena_printf(call->arena, "%zu integrations could be meant; name one by its id%s",
                                     p->fitting, those));
    else if (p->text && p->elsewhere)
        call_fail(call,
                  arena_printf(call->arena, "the integration of this name leads to %s, not to %s: use %s",
                               p->elsewhere, p->kind, tool_for(p->elsewhere)));
    else if (p->text)
        call_fail(call,
                  arena_printf(call->arena, "no integration%s has exactly this name%s%s%s", of_kind, near,
                               *those ? "; there are" : "; list_integrations shows those that there are",
                               those));
    else
        call_fail(call, arena_printf(call->arena, "no integration%s is enabled%s%s", of_kind,
                                     *those ? "; there are"
                                            : ": somebody has to connect one first, in the dashboard or "
                                              "with notifyctl integration create",
                                     those));
}

static void add_candidate(struct pick *p, struct json_object *one)
{
    p->candidate_count++;
    if (json_object_array_length(p->candidates) < CANDIDATES_MAX)
        value_append(p->candidates, json_object_get(one));
}

/* Whether somebody could have meant NAME; the nearest is remembered. */
static bool is_near(struct call *call, struct pick *p, struct json_object *one)
{
    const char *name = pick_text(one, "name");
    size_t distance = strcasecmp(name, p->text) == 0 ? 0 : hint_distance(p->text, name);
    if (!strcasestr(name, p->text) && distance > hint_limit(p->text, name))
        return false;
    if (!p->nearest || distance < p->nearest_distance) {
        p->nearest = pick_shown(call, one);
        p->nearest_distance = distance;
    }
    return true;
}

/* Candidates of a name that fits nothing are those that are near; when it fits, those that fit. */
static void consider(struct call *call, struct pick *p, struct json_object *one)
{
    const char *name = pick_text(one, "name"), *kind = pick_text(one, "kind");
    bool of_kind = !p->kind || strcmp(kind, p->kind) == 0;
    bool fits = of_kind && (p->text ? strcmp(name, p->text) == 0 : is_enabled(one));
    if (p->text && !of_kind && strcmp(name, p->text) == 0 && !p->elsewhere)
        p->elsewhere = arena_strdup(call->arena, kind);
    if (fits && p->fitting++ == 0) {
        p->candidates = call_keep(call, value_list());
        p->candidate_count = 0;
    }
    if (fits && p->fitting == 1)
        p->chosen = call_keep(call, json_object_get(one));
    if (fits || (of_kind && p->fitting == 0 && (!p->text || is_near(call, p, one))))
        add_candidate(p, one);
}

static void on_page(struct call *call, const struct client_answer *answer);

static void ask_page(struct call *call, const char *cursor)
{
    const char *path = call_query(call, "/integrations?limit=500", "cursor", cursor);
    call_ask(call, "GET", path, NULL, NULL, on_page);
}

static void on_page(struct call *call, const struct client_answer *answer)
{
    struct pick *p = call->pick;
    if (answer->status != 200 || !json_object_is_type(answer->body, json_type_array)) {
        call_refuse(call, answer);
        return;
    }
    for (size_t i = 0; i < json_object_array_length(answer->body); i++)
        consider(call, p, json_object_array_get_idx(answer->body, i));
    if (answer->next && ++p->pages < PAGES_MAX)
        ask_page(call, answer->next);
    else if (p->fitting == 1)
        p->found(call, p->chosen);
    else
        fail_to_pick(call, p);
}

void pick_integration(struct call *call, const char *kind, const char *text,
                      void (*found)(struct call *call, struct json_object *integration))
{
    struct pick *p = arena_alloc(call->arena, sizeof *p);
    struct uuid id;
    *p = (struct pick){.kind = kind, .text = text, .found = found};
    p->candidates = call_keep(call, value_list());
    call->pick = p;
    if (text && uuid_parse(&id, text))
        call_ask(call, "GET", arena_printf(call->arena, "/integrations/%s", text), NULL, NULL, on_one);
    else
        ask_page(call, NULL);
}
