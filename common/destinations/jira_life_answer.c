/*
 * jira_life_answer - what Jira's answers about an issue that was made before mean
 *
 * Pure. Texts of answers are only looked at, never repeated.
 */
#include <string.h>
#include <strings.h>

#include "common/base/json.h"
#include "common/destinations/jira.h"

enum { ID_MAX = 64 };

/* ---- comments ---- */

/* A 400 names no field for that: "…, you do not have the permission to comment on this issue." */
bool jira_lacks_permission(const struct dest_response *r)
{
    if (r->error != ERROR_NONE)
        return false;
    if (r->status != 400)
        return r->status == 403 && !jira_wants_captcha(r);
    struct json_object *root = dest_answer_json(r);
    bool lacks = root && strcasestr(json_print(root), "permission to comment");
    json_object_put(root);
    return lacks;
}

struct verdict jira_judge_comment(const struct dest_response *r)
{
    static const char lacks[] =
        "the account may not comment on the issue; give it the permission Add comments";
    struct json_object *root = r->status == 201 ? dest_answer_json(r) : NULL;
    bool made = json_is_text(json_get(root, "id"));
    json_object_put(root);
    if (made)
        return (struct verdict){.kind = VERDICT_DELIVERED};
    return jira_refusal(r,
                        jira_lacks_permission(r) ? lacks
                                                 : "Jira refuses the comment; its answer, kept with this "
                                                   "delivery, says why",
                        lacks);
}

/* ---- transitions ---- */

static bool is_text_as(struct json_object *value, const char *wanted, bool any_case)
{
    const char *text = json_is_text(value) ? json_object_get_string(value) : NULL;
    return text && (any_case ? strcasecmp(text, wanted) : strcmp(text, wanted)) == 0;
}

/* WAY is 0 for the number, 1 for the name, 2 for the status to which it leads. */
static bool is_wanted(struct json_object *transition, const char *wanted, int way)
{
    switch (way) {
    case 0:
        return is_text_as(json_get(transition, "id"), wanted, false);
    case 1:
        return is_text_as(json_get(transition, "name"), wanted, true);
    default:
        return is_text_as(json_get(json_get(transition, "to"), "name"), wanted, true);
    }
}

static struct json_object *find(struct json_object *list, const char *wanted)
{
    for (int way = 0; way < 3; way++)
        for (size_t i = 0; i < json_object_array_length(list); i++)
            if (is_wanted(json_object_array_get_idx(list, i), wanted, way))
                return json_object_array_get_idx(list, i);
    return NULL;
}

static enum jira_transitions find_in(struct json_object *list, const char *wanted, struct arena *arena,
                                     const char **id)
{
    if (!json_object_is_type(list, json_type_array))
        return JIRA_TRANSITIONS_UNCLEAR;
    if (json_object_array_length(list) == 0)
        return JIRA_TRANSITIONS_NONE;
    struct json_object *one = find(list, wanted);
    if (!one)
        return JIRA_TRANSITIONS_OTHERS;
    *id = json_get_text(arena, one, "id", ID_MAX);
    return *id ? JIRA_TRANSITIONS_FOUND : JIRA_TRANSITIONS_UNCLEAR;
}

enum jira_transitions jira_transition_find(const struct dest_response *r, const char *wanted,
                                           struct arena *arena, const char **id)
{
    struct json_object *root = r->status == 200 ? dest_answer_json(r) : NULL;
    enum jira_transitions found = find_in(json_get(root, "transitions"), wanted, arena, id);
    json_object_put(root);
    return found;
}

/* "If multiple issue transitions are requested at the same time, only one of those will succeed": the others are 409, and to be
 * tried again (change notice of 2020 on simultaneous transitions). */
struct verdict jira_judge_transition(const struct dest_response *r)
{
    if (r->error == ERROR_NONE && r->status == 409)
        return (struct verdict){.kind = VERDICT_RETRY,
                                .error = ERROR_HTTP_STATUS,
                                .not_before = r->retry_after,
                                .detail = "somebody else moves the issue at this moment"};
    return jira_refusal(r, "Jira refuses the transition; its answer, kept with this delivery, says why",
                        "the account may not move the issue; give it the permission Transition issues");
}

/* ---- the project ---- */

struct verdict jira_judge_project(const struct dest_response *r)
{
    struct json_object *root = r->status == 200 ? dest_answer_json(r) : NULL;
    bool there = json_is_text(json_get(root, "key"));
    json_object_put(root);
    if (there)
        return (struct verdict){.kind = VERDICT_NONE};
    struct verdict v = jira_refusal(
        r, "Jira refuses to show the project of the issue; its answer, kept with this delivery, says why",
        "the account may not see the project of the issue; give it the permission Browse projects");
    if (r->error == ERROR_NONE && r->status == 404)
        v.detail =
            "Jira shows the account neither the issue nor its project; give the account the permission "
            "Browse projects there, or, if the project was deleted, set project_key to another";
    return v;
}
