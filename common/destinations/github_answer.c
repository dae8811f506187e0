/*
 * github_answer - what GitHub's answers mean
 *
 * Pure. The status decides, but for 403, which is also how GitHub asks to slow down, and for what an issue lacks though it
 * was made (docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api). Texts of answers are only looked at, and
 * never repeated, but for the address of a repository that moved.
 */
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "common/base/json.h"
#include "common/destinations/answer_wait.h"
#include "common/destinations/github.h"

enum { WAIT_LEAST = 60 /* seconds, when nothing says how long (docs.github.com, rate limits) */ };

#define ARCHIVED  "the repository is archived; unarchive it, or set repo to another one"
#define NO_ISSUES "the repository's issues are turned off; turn them on in its settings, under Features"
#define BAD_ASSIGNEE                                                                                         \
    "GitHub does not take the assignees; list people with access to the repository in assignees"
#define BAD_LABEL                                                                                            \
    "GitHub does not take the labels; make them in the repository first, and look for one in labels that "   \
    "is too long"

static struct verdict rejected(enum reason reason, const char *detail)
{
    return (struct verdict){
        .kind = VERDICT_REJECTED, .reason = reason, .error = ERROR_HTTP_STATUS, .detail = detail};
}

/* A success of something that is not what was asked. */
static struct verdict not_accepted(void)
{
    struct verdict v = rejected(REASON_REJECTED, "the answer is not that of GitHub's API; check api_url, and "
                                                 "look for a proxy that answers in its place");
    v.error = ERROR_NOT_ACCEPTED;
    return v;
}

/* ---- texts of answers ---- */

static bool says(struct json_object *root, const char *words)
{
    struct json_object *message = json_get(root, "message");
    return json_is_text(message) && strcasestr(json_object_get_string(message), words);
}

static bool is_true(struct json_object *object, const char *key)
{
    struct json_object *value = json_get(object, key);
    return json_object_is_type(value, json_type_boolean) && json_object_get_boolean(value);
}

static bool is_false(struct json_object *object, const char *key)
{
    struct json_object *value = json_get(object, key);
    return json_object_is_type(value, json_type_boolean) && !json_object_get_boolean(value);
}

static bool is_text_of(struct json_object *object, const char *key, const char *text)
{
    struct json_object *value = json_get(object, key);
    return json_is_text(value) && strcasecmp(json_object_get_string(value), text) == 0;
}

/* Whether one of the errors is about the issue's FIELD ("labels", or "label"). */
static bool has_error(struct json_object *root, const char *field)
{
    struct json_object *errors = json_get(root, "errors");
    size_t count = json_object_is_type(errors, json_type_array) ? json_object_array_length(errors) : 0;
    for (size_t i = 0; i < count; i++) {
        struct json_object *name = json_get(json_object_array_get_idx(errors, i), "field");
        const char *text = json_is_text(name) ? json_object_get_string(name) : "";
        size_t n = strlen(field) - 1;
        if (strcmp(text, field) == 0 ||
            (field[n] == 's' && strlen(text) == n && strncmp(text, field, n) == 0))
            return true;
    }
    return false;
}

static bool has_error_of(struct json_object *root, const char *resource)
{
    struct json_object *errors = json_get(root, "errors");
    size_t count = json_object_is_type(errors, json_type_array) ? json_object_array_length(errors) : 0;
    for (size_t i = 0; i < count; i++)
        if (is_text_of(json_object_array_get_idx(errors, i), "resource", resource))
            return true;
    return false;
}

/* ---- slow down ---- */

static bool asks_to_slow_down(const struct dest_response *r, struct json_object *root)
{
    const char *remaining = r->fields[ANSWER_RATE_REMAINING];
    if (r->status == 429)
        return true;
    return r->status == 403 && (r->retry_after > 0 || r->fields[ANSWER_RETRY_AFTER] ||
                                (remaining && strcmp(remaining, "0") == 0) || says(root, "rate limit") ||
                                says(root, "abuse detection"));
}

static struct verdict slow_down(const struct dest_response *r)
{
    const char *remaining = r->fields[ANSWER_RATE_REMAINING];
    struct verdict v = {.kind = VERDICT_RETRY,
                        .error = ERROR_HTTP_STATUS,
                        .not_before = r->retry_after,
                        .detail = "GitHub asks to slow down: the token's account made too many requests"};
    if (v.not_before <= 0 && remaining && strcmp(remaining, "0") == 0)
        v.not_before = answer_wait(r, ANSWER_RATE_RESET);
    if (v.not_before <= 0)
        v.not_before = WAIT_LEAST;
    return v;
}

/* ---- refusals ---- */

/* An address as an answer's header may hold it, and nothing else. */
static bool is_address(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/:?=&%";
    return text && *text && strspn(text, allowed) == strlen(text);
}

static struct verdict moved(const struct dest_response *r, struct arena *arena)
{
    const char *to = r->fields[ANSWER_LOCATION];
    struct verdict v =
        rejected(REASON_REJECTED, "the repository was renamed or moved; set repo to its new name");
    v.error = ERROR_REDIRECT;
    if (is_address(to))
        v.detail =
            arena_printf(arena, "the repository was renamed or moved (to %s); set repo to its new name", to);
    return v;
}

static struct verdict forbidden(const struct dest_response *r, struct json_object *root)
{
    if (says(root, "archived"))
        return rejected(REASON_GONE, ARCHIVED);
    if (says(root, "saml") || says(root, "sso"))
        return rejected(REASON_REJECTED, "the organization wants single sign-on for the token; authorize the "
                                         "token for it on GitHub's page of tokens");
    if (strcasestr(r->body, "user-agent"))
        return rejected(
            REASON_REJECTED,
            "GitHub misses the name of the sender (User-Agent); look for a proxy that takes it away");
    if (says(root, "admin rights"))
        return rejected(REASON_REJECTED, "the token's account may not change an issue that it did not make; "
                                         "give it triage access to the repository");
    return rejected(REASON_REJECTED, "the token may not write issues in this repository; give it the "
                                     "permission Issues: read and write (a classic one: the scope repo)");
}

static struct verdict unprocessable(struct json_object *root)
{
    if (has_error(root, "assignees"))
        return rejected(REASON_REJECTED, BAD_ASSIGNEE);
    if (has_error(root, "labels") || has_error_of(root, "Label"))
        return rejected(REASON_REJECTED, BAD_LABEL);
    return rejected(REASON_REJECTED, "GitHub refuses the issue (422); its answer, kept with this delivery, "
                                     "names the field; please report it");
}

static struct verdict refusal(const struct dest_response *r, struct json_object *root, struct arena *arena)
{
    if (r->error != ERROR_NONE)
        return verdict_from_status(r);
    if (asks_to_slow_down(r, root))
        return slow_down(r);
    switch (r->status) {
    case 301:
    case 302:
    case 307:
    case 308:
        return moved(r, arena);
    case 400:
        return rejected(REASON_REJECTED, "GitHub cannot read the request (400); please report it");
    case 401:
        return rejected(
            REASON_REJECTED,
            "GitHub does not take the token; it expired, was revoked or is not complete: make a new one");
    case 403:
        return forbidden(r, root);
    case 404:
        return rejected(REASON_REJECTED, "GitHub knows no such repository, or the token may not see it; "
                                         "check repo, and that the token covers it");
    case 410:
        return rejected(REASON_GONE, says(root, "issues")
                                         ? NO_ISSUES
                                         : "GitHub says that what was asked for is gone for good");
    case 422:
        return unprocessable(root);
    case 451:
        return rejected(REASON_REJECTED,
                        "GitHub blocks the repository for legal reasons; set repo to another one");
    default:
        return verdict_from_status(r);
    }
}

/* ---- the answer to a new issue ---- */

unsigned github_refused_extras(const struct dest_response *r, unsigned sent)
{
    unsigned refused = 0;
    struct json_object *root = dest_answer_json(r);
    if (r->error == ERROR_NONE && r->status == 422) {
        refused |= has_error(root, "assignees") ? GITHUB_ASSIGNEES : 0U;
        refused |= has_error(root, "labels") || has_error_of(root, "Label") ? GITHUB_LABELS : 0U;
    } else if (r->error == ERROR_NONE && r->status == 403 && !asks_to_slow_down(r, root) &&
               says(root, "label")) {
        refused = GITHUB_LABELS; /* a label that is new needs a right that an issue does not */
    }
    json_object_put(root);
    return refused & sent;
}

static bool has_label(struct json_object *labels, const char *name)
{
    size_t count = json_object_is_type(labels, json_type_array) ? json_object_array_length(labels) : 0;
    for (size_t i = 0; i < count; i++) {
        struct json_object *one = json_object_array_get_idx(labels, i);
        if (is_text_of(one, "name", name) ||
            (json_is_text(one) && strcasecmp(json_object_get_string(one), name) == 0))
            return true;
    }
    return false;
}

static const char *lacks(struct json_object *issue, const char *const *labels, size_t count,
                         unsigned left_out)
{
    if (left_out)
        return left_out & GITHUB_ASSIGNEES ? "the issue was made without assignees: " BAD_ASSIGNEE
                                           : "the issue was made without labels: " BAD_LABEL;
    for (size_t i = 0; i < count; i++)
        if (!has_label(json_get(issue, "labels"), labels[i]))
            return "the issue was made without some of its labels; only an account with push or triage "
                   "access to the repository may set them: give it to the token's";
    return NULL;
}

struct verdict github_judge(const struct dest_response *r, struct arena *arena, const char *const *labels,
                            size_t label_count, unsigned left_out)
{
    struct json_object *root = dest_answer_json(r);
    struct verdict v = {.kind = VERDICT_DELIVERED};
    bool made = r->status == 201 && json_object_is_type(json_get(root, "number"), json_type_int);
    if (!dest_answer_is_success(r))
        v = refusal(r, root, arena);
    else if (made)
        v.detail = lacks(root, labels, label_count, left_out);
    else if (r->status == 201 && r->truncated)
        v.detail = "the issue was made, but GitHub's answer is too long to see whether it has its labels";
    else
        v = not_accepted();
    json_object_put(root);
    return v;
}

const char *github_issue_number(const struct dest_response *r, struct arena *arena)
{
    struct json_object *root = r->status == 201 ? dest_answer_json(r) : NULL;
    struct json_object *number = json_get(root, "number");
    const char *text = json_object_is_type(number, json_type_int)
                           ? arena_printf(arena, "%" PRId64, json_object_get_int64(number))
                           : NULL;
    json_object_put(root);
    return text;
}

/* ---- answers about an issue that is there ---- */

static bool is_redirect(const struct dest_response *r)
{
    return r->status == 301 || r->status == 302 || r->status == 307 || r->status == 308;
}

static struct verdict issue_moved(const struct dest_response *r, struct arena *arena)
{
    struct verdict v = moved(r, arena);
    v.detail = arena_printf(
        arena, "this issue was moved to another repository, where nothing is told to it; if it was not: %s",
        v.detail);
    return v;
}

struct verdict github_judge_step(const struct dest_response *r, struct arena *arena, long status,
                                 const char *member)
{
    struct json_object *root = dest_answer_json(r);
    struct verdict v = {.kind = VERDICT_NONE};
    bool said = r->truncated || json_object_is_type(json_get(root, member), json_type_int);
    if (is_redirect(r))
        v = issue_moved(r, arena);
    else if (!dest_answer_is_success(r))
        v = refusal(r, root, arena);
    else if (r->status != status || !said)
        v = not_accepted();
    json_object_put(root);
    return v;
}

struct verdict github_judge_list(const struct dest_response *r, struct arena *arena)
{
    struct json_object *root = dest_answer_json(r);
    struct verdict v = {.kind = VERDICT_NONE};
    if (!dest_answer_is_success(r))
        v = refusal(r, root, arena);
    else if (r->status != 200 || !(r->truncated || json_object_is_type(root, json_type_array)))
        v = not_accepted();
    json_object_put(root);
    return v;
}

struct verdict github_judge_search(const struct dest_response *r, struct arena *arena)
{
    struct json_object *root = dest_answer_json(r), *part = json_get(root, "incomplete_results");
    struct verdict v = {.kind = VERDICT_NONE};
    if (!dest_answer_is_success(r))
        v = refusal(r, root, arena);
    else if (r->status != 200 || !json_object_is_type(json_get(root, "items"), json_type_array) ||
             !json_object_is_type(part, json_type_boolean) || json_object_get_boolean(part))
        v = not_accepted();
    json_object_put(root);
    return v;
}

bool github_is_deleted(const struct dest_response *r)
{
    struct json_object *root = dest_answer_json(r);
    bool deleted = r->error == ERROR_NONE && r->status == 410 && says(root, "deleted");
    json_object_put(root);
    return deleted;
}

bool github_is_missing(const struct dest_response *r)
{
    return r->error == ERROR_NONE && r->status == 404;
}

/* "Unable to create comment because issue is locked." (probot/stale#25); not what is "blocked". */
bool github_is_locked(const struct dest_response *r)
{
    struct json_object *root = dest_answer_json(r);
    bool refused = r->error == ERROR_NONE && (r->status == 403 || r->status == 422);
    bool locked = refused && !asks_to_slow_down(r, root) && says(root, " locked");
    json_object_put(root);
    return locked;
}

struct verdict github_read_only(void)
{
    return rejected(REASON_REJECTED, "the issue is there, but the token may not write it; give it the "
                                     "permission Issues: read and write (a classic one: the scope repo)");
}

/* ---- the repository, and the test ---- */

struct verdict github_judge_repository(const struct dest_response *r, struct arena *arena, bool *may_label)
{
    struct json_object *root = dest_answer_json(r);
    struct json_object *permissions = json_get(root, "permissions");
    struct verdict v = {.kind = VERDICT_NONE};
    /* An app's token has no such list: nothing speaks against it. */
    *may_label = !permissions || is_true(permissions, "push") || is_true(permissions, "triage");
    if (!dest_answer_is_success(r))
        v = refusal(r, root, arena);
    else if (r->status != 200 || !json_get(root, "full_name"))
        v = not_accepted();
    else if (is_true(root, "archived"))
        v = rejected(REASON_GONE, ARCHIVED);
    else if (is_false(root, "has_issues"))
        v = rejected(REASON_GONE, NO_ISSUES);
    json_object_put(root);
    return v;
}

struct verdict github_judge_missed(const struct dest_response *r, struct arena *arena)
{
    bool may_label;
    struct verdict v = github_judge_repository(r, arena, &may_label);
    struct json_object *root = dest_answer_json(r);
    if (v.kind == VERDICT_NONE && !is_true(root, "has_issues"))
        v = not_accepted();
    json_object_put(root);
    return v;
}

struct verdict github_judge_test(const struct dest_response *r, struct arena *arena, bool may_label)
{
    struct json_object *root = dest_answer_json(r);
    struct verdict v;
    if (r->error == ERROR_NONE && r->status == 422 && has_error(root, "title") &&
        !has_error(root, "assignees") && !has_error(root, "labels") && !has_error_of(root, "Label"))
        v = (struct verdict){
            .kind = VERDICT_DELIVERED,
            .detail = may_label
                          ? "the token may write issues in the repository; none was made"
                          : "the token may write issues in the repository, and none was made; labels and "
                            "assignees will be left out, because its account has no push or triage access"};
    else
        v = github_judge(r, arena, NULL, 0, 0);
    if (v.kind == VERDICT_DELIVERED && r->status == 201)
        v.detail =
            "the token may write issues in the repository; one without a title was made, please close it";
    json_object_put(root);
    return v;
}
