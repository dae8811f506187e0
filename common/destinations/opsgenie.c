/*
 * opsgenie - an alert per finding, opened, noted on and closed through the Alert API
 *
 * An alert is known by its alias (alert_key), so that no id of Opsgenie's has to be remembered. What is new opens an
 * alert, or counts one more at the one that is open; Opsgenie leaves its words as they are, so a finding that has changed
 * gets a note besides. A finding of which nobody has to hear any more closes its alert.
 *
 *   finding_changed          POST /v2/alerts, then POST /v2/alerts/ALIAS/notes
 *   a finding that is over   POST /v2/alerts/ALIAS/close
 *   everything else          POST /v2/alerts
 *   a test                   POST /v2/alerts, then GET /v2/alerts/requests/ID, some times
 *
 * Opsgenie answers 202 before it does anything, and makes no difference between what it will do and what it will refuse.
 * Events go no further, for most requests have no other outcome and each question counts against the account's rate; a
 * test asks. A repeat does no harm but for the count: the alias is the same.
 */
#include "common/destinations/opsgenie.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/json.h"
#include "common/destinations/alert.h"
#include "common/destinations/answer_wait.h"
#include "common/destinations/life.h"

enum {
    STEP_ALERT = 1,
    STEP_NOTE, /* a note, alone or with the alert's end */
    STEP_ASK,  /* the first question for the outcome of a test; each further one is a step more */
};

enum {
    QUESTIONS_MAX = 5,
    REQUEST_ID_MAX = 100, /* bytes; Opsgenie's are UUIDs */
    ANSWER_MAX = 4096,    /* bytes; Opsgenie's are some hundred */
};

/* ---- answers ---- */

#define CHECK_KEY                                                                                            \
    "copy the key of an API integration again, not one of the account's or of a person; see that the "       \
    "integration is turned on; and set api_url to https://api.eu.opsgenie.com if the account is in the EU"

static const struct meaning {
    long status;
    enum reason reason;
    const char *detail;
} meanings[] = {
    {400, REASON_REJECTED, "Opsgenie cannot read the alert (400); please report it"},
    {401, REASON_REJECTED, "Opsgenie does not know this api_key (401): " CHECK_KEY},
    {402, REASON_REJECTED,
     "the plan of the Opsgenie account does not allow this (402); ask the owner of the account"},
    {403, REASON_REJECTED,
     "Opsgenie does not let this api_key make alerts (403): give the integration the right to create and "
     "update; " CHECK_KEY},
    {404, REASON_REJECTED,
     "there is no Alert API at api_url (404); leave it out, set it to https://api.eu.opsgenie.com for the "
     "EU, or to https://api.atlassian.com/jsm/ops/integration/v2/alerts for JSM Operations"},
    {405, REASON_REJECTED,
     "there is no Alert API at api_url (405); leave it out, set it to https://api.eu.opsgenie.com for the "
     "EU, or to https://api.atlassian.com/jsm/ops/integration/v2/alerts for JSM Operations"},
    {410, REASON_GONE,
     "Opsgenie is turned off for this account (410); set api_url to "
     "https://api.atlassian.com/jsm/ops/integration/v2/alerts, JSM Operations"},
    {413, REASON_REJECTED, "Opsgenie finds the alert too large (413); please report it"},
    {422, REASON_REJECTED,
     "Opsgenie refuses something in the alert (422), and its answer says what; please report it"},
    {501, REASON_REJECTED, "what answers at api_url does not know this request (501); look at api_url"},
};

/* Of an account in the EU that is asked for at the other address, too. */
static bool is_about_key(struct json_object *body)
{
    struct json_object *message = json_get(body, "message");
    return json_is_text(message) && strstr(json_object_get_string(message), "Key format is not valid");
}

static struct verdict rejected(enum reason reason, enum error_word error, const char *detail)
{
    return (struct verdict){.kind = VERDICT_REJECTED, .reason = reason, .error = error, .detail = detail};
}

static struct verdict from_status(const struct dest_response *r, struct json_object *body)
{
    struct verdict v = verdict_from_status(r);
    double wait = answer_wait(r, ANSWER_RATE_PERIOD);
    if (v.kind == VERDICT_RETRY && r->status == 429 && wait > v.not_before)
        v.not_before = wait;
    if (r->status == 422 && is_about_key(body))
        return rejected(REASON_REJECTED, ERROR_HTTP_STATUS,
                        "Opsgenie does not take api_key for a key (422): " CHECK_KEY);
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (meanings[i].status == r->status)
            return rejected(meanings[i].reason, ERROR_HTTP_STATUS, meanings[i].detail);
    return v;
}

/* What the answer calls its request; NULL when it is none of Opsgenie's. */
static const char *request_id(struct json_object *body)
{
    struct json_object *id = json_get(body, "requestId");
    int n = json_is_text(id) ? json_object_get_string_len(id) : 0;
    return n > 0 && n <= REQUEST_ID_MAX ? json_object_get_string(id) : NULL;
}

struct verdict opsgenie_judge(const struct dest_response *r)
{
    struct json_object *body = dest_answer_json(r);
    struct verdict v = from_status(r, body);
    if (v.kind == VERDICT_DELIVERED && !request_id(body))
        v = rejected(REASON_REJECTED, ERROR_NOT_ACCEPTED,
                     "the answer is not Opsgenie's; leave api_url out or set it to the address of the Alert "
                     "API, and look for a proxy that answers in its place");
    json_object_put(body);
    return v;
}

/* ---- a test's outcome ---- */

/* Once more; at the end what is known by then. */
static enum dest_next ask(struct conversation *c, struct dest_request *out)
{
    const struct opsgenie_config *config = c->config;
    if (c->step - STEP_ASK == QUESTIONS_MAX) {
        c->jobs[0].verdict.detail = "Opsgenie took the test alert but had not made it yet when it was asked; "
                                    "look for it among the alerts";
        return DEST_FINISHED;
    }
    dest_request_json(out, "GET", c->scratch, NULL, 0);
    check(dest_request_add_header(out, "Authorization", config->authorization));
    out->answer_max = ANSWER_MAX;
    return DEST_SEND;
}

static enum dest_next begin_asking(struct conversation *c, const struct dest_response *accepted,
                                   struct dest_request *out)
{
    const struct opsgenie_config *config = c->config;
    struct json_object *body = dest_answer_json(accepted);
    c->scratch = arena_printf(c->arena, "%s/requests/%s", config->alerts_url,
                              dest_url_escape(c->arena, request_id(body)));
    json_object_put(body);
    c->step = STEP_ASK;
    return ask(c, out);
}

/* The verdict is that on the alert, which was accepted, unless Opsgenie says that nothing came of it. */
static enum dest_next on_outcome(struct conversation *c, const struct dest_response *r,
                                 struct dest_request *out)
{
    struct verdict *v = &c->jobs[0].verdict;
    struct json_object *body = dest_answer_json(r);
    struct json_object *success = json_get(json_get(body, "data"), "isSuccess");
    bool known = r->status == 200 && json_object_is_type(success, json_type_boolean);
    bool made = known && json_object_get_boolean(success);
    json_object_put(body);
    if (r->status == 404 && r->error == ERROR_NONE) { /* not processed yet */
        c->step++;
        return ask(c, out);
    }
    if (made)
        v->detail = "Opsgenie has made the test alert; close it there when you have seen it";
    else if (known)
        *v = rejected(REASON_REJECTED, ERROR_NOT_ACCEPTED,
                      "Opsgenie took the test alert and then refused it; the log of the integration in "
                      "Opsgenie says why");
    else
        v->detail = "Opsgenie took the test alert but does not tell this api_key whether it was made; look "
                    "for it among the alerts, or give the integration the right to read";
    return DEST_FINISHED;
}

/* ---- the conversation ---- */

static enum dest_next post(struct conversation *c, int step, const char *url, enum opsgenie_layout layout,
                           struct dest_request *out)
{
    const struct opsgenie_config *config = c->config;
    const struct buf *body = dest_cached_body(c, layout, opsgenie_body_build);
    if (body->overflow) {
        c->jobs[0].verdict = verdict_too_long();
        return DEST_FINISHED;
    }
    dest_request_post_json(out, url, body);
    check(dest_request_add_header(out, "Authorization", config->authorization));
    out->answer_max = ANSWER_MAX;
    c->step = step;
    return DEST_SEND;
}

/* ACTION is "notes" or "close". */
static enum dest_next post_to_alias(struct conversation *c, const char *action, struct dest_request *out)
{
    const struct opsgenie_config *config = c->config;
    char key[ALERT_KEY_TEXT];
    alert_key(c->jobs[0].event, c->jobs[0].facts, key);
    const char *url = arena_printf(c->arena, "%s/%s/%s?identifierType=alias", config->alerts_url,
                                   dest_url_escape(c->arena, key), action);
    return post(c, STEP_NOTE, url, OPSGENIE_NOTE, out);
}

static enum dest_next begin(struct conversation *c, struct dest_request *out)
{
    const struct opsgenie_config *config = c->config;
    const struct conversation_job *job = &c->jobs[0];
    if (job->event && event_is_about_finding(job->event->type) &&
        life_end_of(&job->facts->finding) != LIFE_GOES_ON)
        return post_to_alias(c, "close", out);
    return post(c, STEP_ALERT, config->alerts_url, OPSGENIE_ALERT, out);
}

static enum dest_next opsgenie_next(struct conversation *c, const struct dest_response *last,
                                    struct dest_request *out)
{
    struct conversation_job *job = &c->jobs[0];
    check(c->job_count == 1 && c->cache && c->is_test == (job->event == NULL) && !last == (c->step == 0));
    if (!last)
        return begin(c, out);
    if (c->step >= STEP_ASK)
        return on_outcome(c, last, out);
    job->verdict = opsgenie_judge(last);
    if (job->verdict.kind != VERDICT_DELIVERED || c->step == STEP_NOTE)
        return DEST_FINISHED;
    if (c->is_test)
        return begin_asking(c, last, out);
    return job->event->type == EVENT_FINDING_CHANGED ? post_to_alias(c, "notes", out) : DEST_FINISHED;
}

const struct dest dest_opsgenie = {
    .kind = "opsgenie",
    .title = "Opsgenie",
    .repeat_hurts = false,
    .config_parse = opsgenie_config_parse,
    .next = opsgenie_next,
};
