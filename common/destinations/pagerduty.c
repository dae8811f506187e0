/*
 * pagerduty - one event of the Events API v2 per event, which opens, adds to or ends an alert
 *
 * A conversation of one request; of two for a test, which ends what it has opened. The credential is in the body
 * (routing_key), and so is the name of the alert (dedup_key), under which a finding was told before: the body that
 * integrations share is built without them, and each puts its own in front. A finding that nobody has to get up for any
 * more ends its alert. A repeat does no harm: it carries the same dedup_key, and PagerDuty adds it to the alert that is
 * open. Accepted means that it is processed later; an event for a service that is disabled, or a resolve without an open
 * alert, is dropped without a word.
 */
#include "common/destinations/pagerduty.h"

#include <string.h>
#include <strings.h>

#include "common/base/check.h"
#include "common/base/json.h"
#include "common/destinations/alert.h"
#include "common/destinations/life.h"
#include "common/destinations/text.h"

enum { STEP_SENT = 1 };

enum { TITLE_MAX = 65536 /* bytes: more than any that is stored */ };

/* What PagerDuty suggests when it says "too many" without saying for how long (docs/events-API-v2/05-Rate-Limits). */
#define USUAL_WAIT_S 30

#define ENQUEUE   "/v2/enqueue"
#define USUAL_URL "https://events.pagerduty.com"

_Static_assert(ALERT_KEY_TEXT - 1 <= PAGERDUTY_DEDUP_MAX,
               "the name of an alert is never longer than PagerDuty takes");

/* ---- settings ---- */

static const struct dest_setting settings[] = {
    {
        .key = "routing_key",
        .form = SETTING_TEXT,
        .required = true,
        .secret = true,
        .max = PAGERDUTY_KEY_SIZE,
        .pattern = "^[A-Za-z0-9]{32}$",
        .help = "The Integration Key of an Events API v2 integration of the service.",
        .example = "\"0123456789abcdef0123456789abcdef\"",
    },
    {
        .key = "api_url",
        .form = SETTING_URL,
        .value = USUAL_URL,
        .max = DEST_CONFIG_URL_MAX,
        .help = "Where the Events API is; https://events.eu.pagerduty.com for an account in the EU.",
        .example = "\"https://events.eu.pagerduty.com\"",
    },
    {.key = NULL},
};

static const char *read_key(struct arena *arena, struct json_object *root, struct dest_config_error *error)
{
    static const char where[] = "the Integration Key of an Events API v2 integration of the service";
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    const char *key = dest_config_word(arena, root, "routing_key", DEST_CONFIG_URL_MAX, where, error);
    if (!key || (strlen(key) == PAGERDUTY_KEY_SIZE && strspn(key, letters) == PAGERDUTY_KEY_SIZE))
        return key;
    dest_config_fail(
        error,
        arena_printf(
            arena, "routing_key must be %d letters and digits: %s, not a key of the REST API; copy it again",
            PAGERDUTY_KEY_SIZE, where));
    return NULL;
}

/* The base, or the whole address as PagerDuty's pages show it. */
static const char *read_url(struct arena *arena, struct json_object *root, struct dest_config_error *error)
{
    const char *url = dest_config_base_url(arena, root, "api_url", "the Events API's", USUAL_URL, error);
    if (!url)
        return NULL;
    if (dest_config_host_is(url, "api.pagerduty.com") || dest_config_host_is(url, "api.eu.pagerduty.com")) {
        dest_config_fail(error, "api_url leads to PagerDuty's REST API; leave it out, or set it to "
                                "https://events.eu.pagerduty.com for the EU");
        return NULL;
    }
    if (strstr(url, "/generic/2010-04-15")) {
        dest_config_fail(error, "api_url leads to PagerDuty's Events API v1; leave it out, and make an "
                                "integration of Events API v2");
        return NULL;
    }
    if (!dest_config_host_is(url, "events.pagerduty.com") &&
        !dest_config_host_is(url, "events.eu.pagerduty.com"))
        error->advice =
            "api_url does not lead to PagerDuty (events.pagerduty.com, or events.eu.pagerduty.com for the "
            "EU); that is right for a server that speaks its format";
    return dest_config_ends_in(url, ENQUEUE) ? url : arena_printf(arena, "%s" ENQUEUE, url);
}

static const void *pagerduty_config_parse(struct arena *arena, const char *json, size_t size,
                                          struct dest_config_error *error)
{
    struct pagerduty_config *config = arena_alloc(arena, sizeof *config);
    struct json_object *root = dest_config_read(json, size, error);
    if (!root)
        return NULL;
    config->key = read_key(arena, root, error);
    config->url = config->key ? read_url(arena, root, error) : NULL;
    json_object_put(root);
    return config->url ? config : NULL;
}

/* ---- answers ---- */

/* Looked for in what the body says, in this order; _ stands for a blank as well. */
static const struct answer_word {
    const char *word;
    enum reason reason;
    const char *detail;
} answer_words[] = {
    {"routing_key", REASON_REJECTED,
     "PagerDuty does not know this routing_key; copy the Integration Key of an Events API v2 integration "
     "again, and set api_url to https://events.eu.pagerduty.com if the account is in the EU"},
    {"invalid_event", REASON_REJECTED,
     "PagerDuty refuses the event's form (invalid event); please report it"},
};

static bool holds_word(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (; *text; text++) {
        size_t i = 0;
        while (i < n && text[i] &&
               (strncasecmp(text + i, word + i, 1) == 0 || (word[i] == '_' && text[i] == ' ')))
            i++;
        if (i == n)
            return true;
    }
    return false;
}

static bool says(struct json_object *value, const char *word)
{
    return json_is_text(value) && holds_word(json_object_get_string(value), word);
}

static const struct answer_word *find_word(struct json_object *body)
{
    struct json_object *errors = json_get(body, "errors");
    size_t count = json_object_is_type(errors, json_type_array) ? json_object_array_length(errors) : 0;
    for (size_t i = 0; i < sizeof answer_words / sizeof answer_words[0]; i++) {
        const char *word = answer_words[i].word;
        bool said = says(json_get(body, "status"), word) || says(json_get(body, "message"), word);
        for (size_t n = 0; n < count && !said; n++)
            said = says(json_object_array_get_idx(errors, n), word);
        if (said)
            return &answer_words[i];
    }
    return NULL;
}

static bool is_success(struct json_object *body)
{
    struct json_object *status = json_get(body, "status");
    return json_is_text(status) && strcmp(json_object_get_string(status), "success") == 0;
}

static struct verdict rejected(const struct dest_response *r, enum reason reason, const char *detail)
{
    return (struct verdict){.kind = VERDICT_REJECTED,
                            .reason = reason,
                            .error = r->status < 300 ? ERROR_NOT_ACCEPTED : ERROR_HTTP_STATUS,
                            .detail = detail};
}

static struct verdict from_body(const struct dest_response *r, struct json_object *body)
{
    struct verdict v = verdict_from_status(r);
    const struct answer_word *word = find_word(body);
    if (r->status == 202 && is_success(body))
        return v;
    if (v.kind == VERDICT_RETRY) {
        if (r->status == 429 && v.not_before <= 0)
            v.not_before = USUAL_WAIT_S;
        return v;
    }
    if (word && (r->status < 300 || r->status >= 400))
        return rejected(r, word->reason, word->detail);
    if (v.kind == VERDICT_DELIVERED)
        return rejected(
            r, REASON_REJECTED,
            "the answer is not PagerDuty's; look at api_url, and for a proxy that answers in its place");
    if (r->status == 404)
        return rejected(r, REASON_REJECTED,
                        "there is no Events API v2 at api_url; leave it out, or set it to "
                        "https://events.eu.pagerduty.com for the EU");
    if (r->status == 400)
        return rejected(
            r, REASON_REJECTED,
            "PagerDuty cannot read the event; please report it, and look for a proxy that changes requests");
    if (r->status == 413)
        return rejected(r, REASON_REJECTED, "PagerDuty finds the event too large; please report it");
    return v;
}

struct verdict pagerduty_judge(const struct dest_response *r)
{
    if (r->error != ERROR_NONE)
        return verdict_from_status(r);
    struct json_object *body = dest_answer_json(r);
    struct verdict v = from_body(r, body);
    json_object_put(body);
    return v;
}

/* ---- requests ---- */

static enum dest_next end_with(struct conversation *c, struct verdict verdict)
{
    c->jobs[0].verdict = verdict;
    return DEST_FINISHED;
}

/*
 * An event about the alert KEY: OPENS it, or adds to it while it is open, with what there is to say; else ends it, without a word
 * more, since PagerDuty refuses an end too for what it says.
 */
static enum dest_next send(struct conversation *c, const char *key, bool opens, struct dest_request *out)
{
    const struct pagerduty_config *config = c->config;
    const struct buf *said = opens ? dest_cached_body(c, 0, pagerduty_body_build) : NULL;
    struct buf b;
    if (said && said->overflow)
        return end_with(c, verdict_too_long());
    buf_init(&b, c->cache->layouts[0].body.max);
    buf_add_char(&b, '{');
    buf_json_member(&b, "routing_key", config->key);
    buf_json_member(&b, "event_action", opens ? "trigger" : "resolve");
    buf_json_member(&b, "dedup_key", key);
    buf_add_char(&b, said ? ',' : '}');
    if (said)
        buf_add(&b, said->data + 1, said->len - 1);
    const char *body = b.overflow ? NULL : arena_text(c->arena, b.data, b.len);
    size_t size = b.len;
    buf_wipe(&b);
    if (!body)
        return end_with(c, verdict_too_long());
    dest_request_json(out, "POST", config->url, body, size);
    out->body_secret = config->key;
    c->step++;
    return DEST_SEND;
}

/* The alert of a scan, or of a test. */
static enum dest_next send_own(struct conversation *c, bool opens, struct dest_request *out)
{
    char key[ALERT_KEY_TEXT];
    alert_key(c->jobs[0].event, c->jobs[0].facts, key);
    return send(c, key, opens, out);
}

/* ---- a finding ---- */

static bool is_over(const struct conversation *c)
{
    return life_end_of(&c->jobs[0].facts->finding) != LIFE_GOES_ON;
}

static bool is_said_alike(const char *one, const char *other)
{
    struct buf a, b;
    buf_init(&a, TITLE_MAX);
    buf_init(&b, TITLE_MAX);
    text_add_clean(&a, one, TEXT_ONE_LINE);
    text_add_clean(&b, other, TEXT_ONE_LINE);
    bool alike = strcmp(buf_text(&a), buf_text(&b)) == 0;
    buf_free(&a);
    buf_free(&b);
    return alike;
}

/* Somebody who is on call hears of a finding when it is found, and when it is called or rated otherwise. */
static bool has_news(const struct conversation *c)
{
    const struct conversation_job *job = &c->jobs[0];
    const struct dest_reference *r = &c->reference;
    return job->event->type == EVENT_FINDING_NEW || job->facts->finding.severity != r->severity ||
           !is_said_alike(job->facts->finding.title, r->title);
}

static enum dest_next begin_finding(struct conversation *c, struct dest_request *out)
{
    const char *key = alert_key_kept(c);
    enum life_act act = life_act_of(c);
    if (act == LIFE_NOTHING || (act == LIFE_CHANGE && (is_over(c) || !has_news(c))))
        return end_with(c, life_nothing(c));
    c->scratch = arena_strdup(c->arena, key);
    enum dest_next next = send(c, key, !is_over(c), out);
    if (next == DEST_SEND)
        life_asks(c);
    return next;
}

static enum dest_next end_finding(struct conversation *c, const struct dest_response *answer)
{
    struct verdict v = pagerduty_judge(answer);
    if (v.kind == VERDICT_DELIVERED)
        life_is(c, c->scratch, !is_over(c));
    else
        life_failed(c, answer);
    return end_with(c, v);
}

/* ---- the conversation ---- */

/* Opened, and ended again. */
static enum dest_next go_on_test(struct conversation *c, const struct dest_response *answer,
                                 struct dest_request *out)
{
    struct verdict v = pagerduty_judge(answer);
    if (v.kind != VERDICT_DELIVERED)
        return end_with(c, v);
    if (c->step == STEP_SENT)
        return send_own(c, false, out);
    v.detail = "PagerDuty accepted a test alert and its end, and processes them in a minute; if they do "
               "not show at the service, it may be disabled";
    return end_with(c, v);
}

static enum dest_next pagerduty_next(struct conversation *c, const struct dest_response *last,
                                     struct dest_request *out)
{
    const struct event *event = c->jobs[0].event;
    check(c->job_count == 1 && c->cache && c->is_test == (event == NULL) && !last == (c->step == 0));
    if (c->is_test)
        return last ? go_on_test(c, last, out) : send_own(c, true, out);
    if (event_is_about_finding(event->type))
        return last ? end_finding(c, last) : begin_finding(c, out);
    return last ? end_with(c, pagerduty_judge(last)) : send_own(c, true, out);
}

const struct dest dest_pagerduty = {
    .kind = "pagerduty",
    .title = "PagerDuty",
    .placeholder = "{\"routing_key\":\"00000000000000000000000000000000\"}",
    .repeat_hurts = false,
    .refers = DEST_REFERS_FINDINGS,
    .settings = settings,
    .config_parse = pagerduty_config_parse,
    .next = pagerduty_next,
};
