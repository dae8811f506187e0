/*
 * jira_answer - what Jira's answers mean
 *
 * Pure. The status decides, and of a 400 the names of the fields in {"errorMessages":[…],"errors":{FIELD:TEXT}}. Bad
 * credentials may be taken for nobody's: Jira then says that the project does not exist or that no field may be set
 * (JRASERVER-44003). Texts of answers are only looked at, never repeated.
 */
#include <string.h>
#include <strings.h>

#include "common/base/json.h"
#include "common/destinations/answer_wait.h"
#include "common/destinations/jira.h"

enum { KEY_MAX = 255 };

#define CREDENTIALS                                                                                          \
    "Jira does not take the credentials: the token expired, was revoked or is another account's; make a "    \
    "new one, and check "                                                                                    \
    "email; for a token with scopes, base_url is https://api.atlassian.com/ex/jira/ and the site's id"
#define CAPTCHA                                                                                              \
    "Jira wants a CAPTCHA after too many bad logins; log in once as the account in a browser, and then "     \
    "check the token"
#define NOT_THE_API                                                                                          \
    "the answer is not that of Jira's API; check base_url, and look for a login page or a proxy that "       \
    "answers in its place"
#define LACKS_PRIORITY                                                                                       \
    "the issue was made without a priority: add the field to the project's screen, set priority to a name "  \
    "that Jira has, or "                                                                                     \
    "to false"
#define LACKS_LABELS "the issue was made without labels: add the field to the project's screen"

static struct verdict rejected(enum error_word error, const char *detail)
{
    return (struct verdict){
        .kind = VERDICT_REJECTED, .reason = REASON_REJECTED, .error = error, .detail = detail};
}

/* ---- a 400 ---- */

static bool contains(struct json_object *text, const char *words)
{
    return json_is_text(text) && strcasestr(json_object_get_string(text), words);
}

/* Whether one of the general errors says WORDS. */
static bool says(struct json_object *root, const char *words)
{
    struct json_object *list = json_get(root, "errorMessages");
    size_t count = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < count; i++)
        if (contains(json_object_array_get_idx(list, i), words))
            return true;
    return false;
}

unsigned jira_refused_extras(const struct dest_response *r, unsigned sent)
{
    struct json_object *root = r->error == ERROR_NONE && r->status == 400 ? dest_answer_json(r) : NULL;
    struct json_object *errors = json_get(root, "errors");
    unsigned refused = 0;
    bool others = false;
    if (json_object_is_type(errors, json_type_object)) {
        json_object_object_foreach(errors, name, text)
        {
            (void)text;
            if (strcmp(name, "priority") == 0 && (sent & JIRA_PRIORITY))
                refused |= JIRA_PRIORITY;
            else if (strcmp(name, "labels") == 0 && (sent & JIRA_LABELS))
                refused |= JIRA_LABELS;
            else
                others = true;
        }
    }
    json_object_put(root);
    return others ? 0 : refused;
}

/* A field that is none of ours: one that the project requires. */
static bool wants_more(struct json_object *errors)
{
    static const char ours[] = "summary description project issuetype priority labels ";
    if (!json_object_is_type(errors, json_type_object))
        return false;
    json_object_object_foreach(errors, name, text)
    {
        size_t n = strlen(name);
        const char *found = strstr(ours, name);
        (void)text;
        if (n == 0 || !found || found[n] != ' ')
            return true;
    }
    return false;
}

static const char *what_is_wrong(struct json_object *root)
{
    struct json_object *errors = json_get(root, "errors");
    if (contains(json_get(errors, "summary"), "cannot be set"))
        return "Jira lets nobody set the fields of this issue: the credentials are not taken, or the account "
               "may not create issues in the project; check email, api_token and project_key";
    if (json_get(errors, "project"))
        return "Jira knows no such project, or the account may not create issues in it; check project_key, "
               "and the account's permission Create issues";
    if (json_get(errors, "issuetype"))
        return "the project has no such type of issue; set issue_type to the name of one that it has";
    if (wants_more(errors))
        return "Jira wants a field that is not sent; its answer, kept with this delivery, names it: make the "
               "field optional, or set issue_type to a type without it";
    if (json_get(errors, "description") || json_get(errors, "summary") || says(root, "INVALID_INPUT") ||
        says(root, "unsupported content"))
        return "Jira does not take the text of the issue; please report it, with the answer that is kept "
               "with this delivery";
    if (json_get(errors, "priority"))
        return "Jira does not take the priority; set priority to a name that Jira has, or to false";
    if (json_get(errors, "labels"))
        return "Jira does not take the labels; look at labels for one that is too long";
    return "Jira refuses the issue (400); its answer, kept with this delivery, says why";
}

/* ---- other refusals ---- */

static struct verdict slow_down(const struct dest_response *r)
{
    struct verdict v = verdict_from_status(r);
    if (v.kind == VERDICT_RETRY && v.not_before <= 0)
        v.not_before = answer_wait(r, ANSWER_RATE_RESET);
    return v;
}

bool jira_wants_captcha(const struct dest_response *r)
{
    const char *denied = r->fields[ANSWER_DENIED_REASON], *login = r->fields[ANSWER_LOGIN_REASON];
    return (denied && strcasestr(denied, "CAPTCHA")) || (login && strcasestr(login, "AUTHENTICATION_DENIED"));
}

struct verdict jira_refusal(const struct dest_response *r, const char *refused, const char *lacks)
{
    if (r->error != ERROR_NONE)
        return verdict_from_status(r);
    if (dest_answer_is_success(r))
        return rejected(ERROR_NOT_ACCEPTED, NOT_THE_API);
    if (r->status >= 300 && r->status < 400)
        return rejected(ERROR_REDIRECT, "Jira redirects elsewhere: it moved, or a login page stands before "
                                        "it; set base_url to the address at which its API answers");
    switch (r->status) {
    case 401:
        return rejected(ERROR_HTTP_STATUS, CREDENTIALS);
    case 403:
        return rejected(ERROR_HTTP_STATUS, jira_wants_captcha(r) ? CAPTCHA : lacks);
    case 404:
        return rejected(ERROR_HTTP_STATUS,
                        "Jira finds nothing there: base_url does not lead to Jira, or the project is hidden "
                        "from the account; check base_url, api_token and project_key");
    case 400:
    case 409:
    case 410:
    case 413:
    case 422:
        return rejected(ERROR_HTTP_STATUS, refused);
    default:
        return slow_down(r);
    }
}

/* Of a new issue. */
static struct verdict refusal(const struct dest_response *r, struct json_object *root)
{
    static const char lacks[] = "the account may not create issues in the project; give it the permissions "
                                "Browse projects and Create issues";
    switch (r->error == ERROR_NONE ? r->status : 0) {
    case 400:
        return rejected(ERROR_HTTP_STATUS, what_is_wrong(root));
    case 409:
    case 422:
        return rejected(
            ERROR_HTTP_STATUS,
            "a rule of the project refuses the issue; Jira's answer, kept with this delivery, says which");
    case 410:
        return verdict_from_status(r);
    default:
        return jira_refusal(r, "Jira finds the issue too long; please report it", lacks);
    }
}

/* ---- a new issue ---- */

static const char *lacks(unsigned left_out)
{
    if (left_out == (JIRA_PRIORITY | JIRA_LABELS))
        return "the issue was made without priority and labels: add these fields to the project's screen, or "
               "set priority to false";
    return left_out & JIRA_PRIORITY ? LACKS_PRIORITY : left_out & JIRA_LABELS ? LACKS_LABELS : NULL;
}

struct verdict jira_judge(const struct dest_response *r, unsigned left_out)
{
    struct json_object *root = dest_answer_json(r);
    struct verdict v = {.kind = VERDICT_DELIVERED, .detail = lacks(left_out)};
    if (!dest_answer_is_success(r))
        v = refusal(r, root);
    else if (r->status != 201 || !json_is_text(json_get(root, "key")))
        v = rejected(ERROR_NOT_ACCEPTED, NOT_THE_API);
    json_object_put(root);
    return v;
}

/* ---- the test ---- */

struct verdict jira_judge_account(const struct dest_response *r)
{
    struct json_object *root = dest_answer_json(r);
    struct verdict v = {.kind = VERDICT_NONE};
    bool known = r->status == 200 &&
                 (json_is_text(json_get(root, "accountId")) || json_is_text(json_get(root, "name")));
    json_object_put(root);
    if (dest_answer_is_success(r) && !known)
        v = rejected(ERROR_NOT_ACCEPTED, NOT_THE_API);
    else if (!dest_answer_is_success(r))
        v = refusal(r, NULL);
    if (r->error == ERROR_NONE && r->status == 404)
        v.detail =
            "Jira's API is not there; set base_url to the address of Jira, with its path if it has one";
    return v;
}

bool jira_is_key(const char *text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    size_t n = text ? strspn(text, letters) : 0;
    return n > 0 && strlen(text) <= KEY_MAX && text[n] == '-' && text[n + 1] &&
           strspn(text + n + 1, "0123456789") == strlen(text + n + 1);
}

const char *jira_issue_key(const struct dest_response *r, struct arena *arena)
{
    struct json_object *root = dest_answer_json(r);
    const char *key = json_get_text(arena, root, "key", KEY_MAX + 1);
    json_object_put(root);
    return jira_is_key(key) ? key : NULL;
}

struct verdict jira_judge_deletion(const struct dest_response *r, unsigned left_out)
{
    struct verdict v = {.kind = VERDICT_DELIVERED};
    if (!r || !dest_answer_is_success(r))
        v.detail = "the account may create issues in the project, but not delete them: delete the issue "
                   "\"Pencheff integration test\" by hand, or give the account the permission Delete issues";
    else if (left_out & JIRA_PRIORITY)
        v.detail =
            "the account may create issues in the project, but not with a priority, which is left out: set "
            "priority to a name that Jira has, or to false; the issue of this test was deleted again";
    else if (left_out & JIRA_LABELS)
        v.detail = "the account may create issues in the project, but not with labels, which are left out; "
                   "the issue of this test was deleted again";
    else
        v.detail = "the account may create issues in the project; the issue of this test was deleted again";
    return v;
}
