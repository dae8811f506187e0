/*
 * opsgenie - an alert per finding, opened, noted on and closed through the Alert API
 *
 * An alert is known by its alias, which is remembered (alert_key_kept). What is new opens an alert, or counts one more at
 * the one that is open; Opsgenie leaves its words as they are, so a finding that has changed gets a note besides, and its
 * alert another priority.
 *
 *   a finding that was not told, or is open again   POST /v2/alerts
 *   that is found again                             POST /v2/alerts, which counts
 *   that has changed                                POST /v2/alerts/ALIAS/notes
 *   that has another severity                       PUT /v2/alerts/ALIAS/priority before these
 *   that is over                                    POST /v2/alerts/ALIAS/close
 *   a scan                                          POST /v2/alerts
 *   a test                                          POST /v2/alerts, then GET /v2/alerts/requests/ID, some times
 *
 * What was not told before and has changed gets its note too, since an alert may be open that nobody remembers. Opsgenie
 * answers 202 before it does anything, and makes no difference between what it will do and what it will refuse. Events go
 * no further, for most requests have no other outcome and each question counts against the account's rate; a test asks. A
 * repeat does no harm but for the count: the alias is the same.
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
    STEP_TOLD, /* of an alert that is followed by a note */
    STEP_PRIORITY,
    STEP_DOUBT, /* another priority for an alert that may be closed, before it is opened to be sure */
    STEP_NOTE,
    STEP_END,
    STEP_ASK, /* the first question for the outcome of a test; each further one is a step more */
};

_Static_assert(ALERT_KEY_TEXT - 1 <= OPSGENIE_ALIAS_MAX, "an alias is never longer than Opsgenie takes");

/* Before the first question, and twice as long before each further one: 6 s in all, for what takes Opsgenie one as a rule. */
#define FIRST_PAUSE_S 0.2

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
    out->after_s = FIRST_PAUSE_S * (1 << (c->step - STEP_ASK));
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

/* What Opsgenie calls the alert; NULL when it does not say, or says the key again that it was asked with. */
static const char *alert_id(const struct conversation *c, struct json_object *body)
{
    const struct opsgenie_config *config = c->config;
    const char *id = json_get_text(c->arena, json_get(body, "data"), "alertId", REQUEST_ID_MAX);
    const char *key = strrchr(config->authorization, ' ');
    return id && *id && !strstr(config->authorization, id) && key && !strstr(id, key + 1) ? id : NULL;
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
    c->made.key = made ? alert_id(c, body) : NULL;
    json_object_put(body);
    if (r->status == 404 && r->error == ERROR_NONE) { /* not processed yet */
        c->step++;
        return ask(c, out);
    }
    if (known)
        c->made.made = made ? DEST_IS_SO : DEST_IS_NOT;
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

/* ---- requests ---- */

static enum dest_next end_with(struct conversation *c, struct verdict verdict)
{
    c->jobs[0].verdict = verdict;
    return DEST_FINISHED;
}

static enum dest_next send(struct conversation *c, int step, const char *method, const char *url,
                           const char *body, size_t size, struct dest_request *out)
{
    const struct opsgenie_config *config = c->config;
    dest_request_json(out, method, url, body, size);
    check(dest_request_add_header(out, "Authorization", config->authorization));
    out->answer_max = ANSWER_MAX;
    c->step = step;
    return DEST_SEND;
}

/* Opens the alert ALIAS, or counts one more at it. */
static enum dest_next create(struct conversation *c, int step, const char *alias, struct dest_request *out)
{
    const struct opsgenie_config *config = c->config;
    const struct buf *alert = dest_cached_body(c, OPSGENIE_ALERT, opsgenie_body_build);
    struct buf b;
    if (alert->overflow)
        return end_with(c, verdict_too_long());
    buf_init(&b, alert->max);
    buf_add_char(&b, '{');
    buf_json_member(&b, "alias", alias);
    buf_add_char(&b, ',');
    buf_add(&b, alert->data + 1, alert->len - 1);
    const char *body = b.overflow ? NULL : arena_text(c->arena, b.data, b.len);
    size_t size = b.len;
    buf_free(&b);
    return body ? send(c, step, "POST", config->alerts_url, body, size, out)
                : end_with(c, verdict_too_long());
}

/* ACTION: "notes", "close" or "priority". */
static enum dest_next act_on_alias(struct conversation *c, int step, const char *method, const char *action,
                                   enum opsgenie_layout layout, struct dest_request *out)
{
    const struct opsgenie_config *config = c->config;
    const struct buf *body = dest_cached_body(c, layout, opsgenie_body_build);
    if (body->overflow)
        return end_with(c, verdict_too_long());
    const char *url = arena_printf(c->arena, "%s/%s/%s?identifierType=alias", config->alerts_url,
                                   dest_url_escape(c->arena, c->scratch), action);
    return send(c, step, method, url, body->data, body->len, out);
}

static enum dest_next add_note(struct conversation *c, struct dest_request *out)
{
    return act_on_alias(c, STEP_NOTE, "POST", "notes", OPSGENIE_NOTE, out);
}

/* The alert of a scan, or of a test. */
static enum dest_next create_own(struct conversation *c, struct dest_request *out)
{
    char key[ALERT_KEY_TEXT];
    alert_key(c->jobs[0].event, c->jobs[0].facts, key);
    return create(c, STEP_ALERT, key, out);
}

/* ---- a finding ---- */

static bool is_over(const struct conversation *c)
{
    return life_end_of(&c->jobs[0].facts->finding) != LIFE_GOES_ON;
}

static bool has_changed(const struct conversation *c)
{
    return c->jobs[0].event->type == EVENT_FINDING_CHANGED;
}

/* A new alert says what has changed itself, as long as it is surely a new one. */
static int step_of_create(const struct conversation *c, enum life_act act)
{
    bool is_new = act == LIFE_REOPEN && !c->reference.unsure;
    return has_changed(c) && !is_new ? STEP_TOLD : STEP_ALERT;
}

/* The request that comes first. */
static enum dest_next first_of_finding(struct conversation *c, enum life_act act, struct dest_request *out)
{
    const struct dest_reference *r = &c->reference;
    bool other = r->known && c->jobs[0].facts->finding.severity != r->severity;
    if (is_over(c))
        return act_on_alias(c, STEP_END, "POST", "close", OPSGENIE_END, out);
    if (act == LIFE_REOPEN && r->unsure && other)
        return act_on_alias(c, STEP_DOUBT, "PUT", "priority", OPSGENIE_PRIORITY, out);
    if (act == LIFE_CHANGE && other)
        return act_on_alias(c, STEP_PRIORITY, "PUT", "priority", OPSGENIE_PRIORITY, out);
    if (act == LIFE_CHANGE && has_changed(c))
        return add_note(c, out);
    return create(c, step_of_create(c, act), c->scratch, out);
}

static enum dest_next begin_finding(struct conversation *c, struct dest_request *out)
{
    const char *alias = alert_key_kept(c);
    enum life_act act = life_act_of(c);
    if (act == LIFE_NOTHING || (act == LIFE_CHANGE && is_over(c)))
        return end_with(c, life_nothing(c));
    c->scratch = arena_strdup(c->arena, alias);
    enum dest_next next = first_of_finding(c, act, out);
    if (next == DEST_SEND && c->step != STEP_NOTE)
        life_asks(c);
    return next;
}

/* JSM Operations may be without it; the note says then what has changed. */
static bool has_no_priority(const struct conversation *c, const struct dest_response *answer)
{
    return (c->step == STEP_PRIORITY || c->step == STEP_DOUBT) && answer->error == ERROR_NONE &&
           (answer->status == 404 || answer->status == 405 || answer->status == 501);
}

static enum dest_next create_next(struct conversation *c, int step, struct dest_request *out)
{
    enum dest_next next = create(c, step, c->scratch, out);
    if (next == DEST_SEND)
        life_asks(c);
    return next;
}

/* What comes after a request that was taken. */
static enum dest_next next_of_finding(struct conversation *c, struct verdict v, struct dest_request *out)
{
    if (c->step == STEP_DOUBT)
        return create_next(c, has_changed(c) ? STEP_TOLD : STEP_ALERT, out);
    life_is(c, c->scratch, !is_over(c));
    if (c->step == STEP_PRIORITY && !has_changed(c))
        return create_next(c, STEP_ALERT, out);
    return c->step == STEP_TOLD || c->step == STEP_PRIORITY ? add_note(c, out) : end_with(c, v);
}

static enum dest_next go_on_finding(struct conversation *c, const struct dest_response *answer,
                                    struct dest_request *out)
{
    struct verdict v = opsgenie_judge(answer);
    if (v.kind == VERDICT_DELIVERED || has_no_priority(c, answer))
        return next_of_finding(c, v, out);
    if (c->step != STEP_NOTE)
        life_failed(c, answer);
    return end_with(c, v);
}

/* ---- the conversation ---- */

static enum dest_next go_on_test(struct conversation *c, const struct dest_response *answer,
                                 struct dest_request *out)
{
    if (c->step >= STEP_ASK)
        return on_outcome(c, answer, out);
    struct verdict v = c->jobs[0].verdict = opsgenie_judge(answer);
    if (v.kind == VERDICT_REJECTED || life_was_not_carried_out(answer))
        c->made = (struct dest_made){.kind = NULL};
    return v.kind == VERDICT_DELIVERED ? begin_asking(c, answer, out) : DEST_FINISHED;
}

static enum dest_next opsgenie_next(struct conversation *c, const struct dest_response *last,
                                    struct dest_request *out)
{
    const struct event *event = c->jobs[0].event;
    check(c->job_count == 1 && c->cache && c->is_test == (event == NULL) && !last == (c->step == 0));
    if (event && event_is_about_finding(event->type))
        return last ? go_on_finding(c, last, out) : begin_finding(c, out);
    if (!last) {
        c->made.kind = c->is_test ? "alert" : NULL;
        return create_own(c, out);
    }
    return c->is_test ? go_on_test(c, last, out) : end_with(c, opsgenie_judge(last));
}

const struct dest dest_opsgenie = {
    .kind = "opsgenie",
    .title = "Opsgenie",
    .placeholder = "{\"api_key\":\"00000000-0000-0000-0000-000000000000\"}",
    .repeat_hurts = false,
    .refers = DEST_REFERS_FINDINGS,
    .settings = opsgenie_settings,
    .config_parse = opsgenie_config_parse,
    .next = opsgenie_next,
};
