/*
 * jira - one issue per finding in a project, through Jira's REST API
 *
 * An issue is one request, and a second one when Jira refuses the priority or the labels, which not every project has on
 * its screen: without these an issue is still one. A test first asks who it is, because Jira may take bad credentials for
 * nobody's and then complain about something else, makes an issue and deletes it again. There is no idempotency key: that an
 * event has its issue already is known from the reference, and where that is unsure from a search. What happens to an issue
 * later is in jira_life.c.
 */
#include "common/destinations/jira.h"

#include <string.h>

#include "common/base/check.h"
#include "common/destinations/tags.h"

struct jira_talk *jira_talk_of(struct conversation *c)
{
    if (!c->scratch)
        c->scratch = arena_alloc(c->arena, sizeof(struct jira_talk));
    return c->scratch;
}

enum dest_next jira_end(struct conversation *c, struct verdict verdict)
{
    c->jobs[0].verdict = verdict;
    return DEST_FINISHED;
}

enum dest_next jira_ask(struct conversation *c, struct dest_request *out, const char *method,
                        const char *path, const struct buf *body, enum jira_step step)
{
    const struct jira_config *config = c->config;
    dest_request_json(out, method, arena_printf(c->arena, "%s%s", config->url, path),
                      body ? arena_text(c->arena, body->data, body->len) : NULL, body ? body->len : 0);
    /* What is wrong is said in the language that is asked for, or else in the account's. */
    check(dest_request_add_header(out, "Accept", "application/json"));
    check(dest_request_add_header(out, "Accept-Language", "en"));
    check(dest_request_add_header(out, "Authorization", config->authorization));
    out->answer_max = JIRA_ANSWER_MAX;
    c->step = (int)step;
    return DEST_SEND;
}

/* ---- the issue ---- */

static const char *priority_of(const struct conversation *c)
{
    const struct jira_config *config = c->config;
    const struct event *event = c->jobs[0].event;
    if (event && event_is_about_finding(event->type))
        return config->priorities[c->jobs[0].facts->finding.severity];
    if (event && event->type == EVENT_SCAN_FAILED)
        return config->priorities[SEVERITY_MEDIUM];
    return event ? config->priority_of_scans : config->priorities[SEVERITY_MEDIUM]; /* a test tries it */
}

static unsigned extras_of(const struct conversation *c)
{
    return JIRA_LABELS | (priority_of(c) ? (unsigned)JIRA_PRIORITY : 0U);
}

static void add_object(struct buf *b, const char *field, const char *key, const char *text)
{
    buf_json_open_object(b, field);
    buf_json_member(b, key, text);
    buf_add_char(b, '}');
}

/* A number is a type's id, which stays when a type is renamed or translated. */
static bool is_number(const char *text)
{
    return strspn(text, "0123456789") == strlen(text);
}

static void add_fields(struct buf *b, const struct conversation *c, unsigned extras)
{
    const struct jira_config *config = c->config;
    struct tags labels;
    add_object(b, "project", "key", config->project_key);
    add_object(b, "issuetype", is_number(config->issue_type) ? "id" : "name", config->issue_type);
    if (extras & JIRA_PRIORITY)
        add_object(b, "priority", "name", priority_of(c));
    tags_build(&labels, c->arena, c->jobs[0].event, c->jobs[0].facts, &config->labels);
    if (extras & JIRA_LABELS)
        tags_add_json(b, "labels", labels.items, labels.count);
    buf_add_text(b, "}}");
}

enum dest_next jira_send_issue(struct conversation *c, struct dest_request *out, enum jira_step step)
{
    const struct jira_config *config = c->config;
    const struct buf *issue = dest_cached_body(c, (int)config->layout, jira_body_build);
    struct buf whole;
    enum dest_next next;
    buf_init(&whole, issue->max);
    buf_add(&whole, issue->data, issue->len);
    add_fields(&whole, c, extras_of(c) & ~jira_talk_of(c)->left_out);
    if (issue->overflow || whole.overflow) {
        next = jira_end(c, verdict_too_long());
    } else {
        life_asks(c);
        next = jira_ask(c, out, "POST", "/issue", &whole, step);
        out->once = true;
        if (c->is_test)
            c->made = (struct dest_made){.kind = "issue", .deleted = DEST_IS_NOT};
    }
    buf_free(&whole);
    return next;
}

/* ---- the conversation ---- */

/* Of an event. An issue without a key that can be read was made all the same: it is to be searched for. */
static enum dest_next after_issue(struct conversation *c, const struct dest_response *last)
{
    struct verdict v = jira_judge(last, jira_talk_of(c)->left_out);
    const char *key = v.kind == VERDICT_DELIVERED ? jira_issue_key(last, c->arena) : NULL;
    if (key)
        life_is(c, key, true);
    else
        life_failed(c, last);
    return jira_end(c, v);
}

static enum dest_next after_test_issue(struct conversation *c, const struct dest_response *last,
                                       struct dest_request *out)
{
    unsigned left_out = jira_talk_of(c)->left_out;
    struct verdict v = jira_judge(last, left_out);
    if (v.kind != VERDICT_DELIVERED) {
        if (v.kind == VERDICT_REJECTED || life_was_not_carried_out(last))
            c->made = (struct dest_made){.kind = NULL};
        return jira_end(c, v);
    }
    const char *key = jira_issue_key(last, c->arena);
    c->made.key = key;
    c->made.made = DEST_IS_SO;
    return key ? jira_ask(c, out, "DELETE", arena_printf(c->arena, "/issue/%s", key), NULL, JIRA_DELETED)
               : jira_end(c, jira_judge_deletion(NULL, left_out));
}

static enum dest_next after_sent(struct conversation *c, const struct dest_response *last,
                                 struct dest_request *out)
{
    struct jira_talk *talk = jira_talk_of(c);
    unsigned refused = c->step == JIRA_SENT ? jira_refused_extras(last, extras_of(c)) : 0;
    if (!refused)
        return c->is_test ? after_test_issue(c, last, out) : after_issue(c, last);
    talk->left_out = refused;
    life_failed(c, last);
    return jira_send_issue(c, out, JIRA_SENT_BARE);
}

static enum dest_next after_account(struct conversation *c, const struct dest_response *last,
                                    struct dest_request *out)
{
    struct verdict v = jira_judge_account(last);
    return v.kind == VERDICT_NONE ? jira_send_issue(c, out, JIRA_SENT) : jira_end(c, v);
}

static enum dest_next jira_next(struct conversation *c, const struct dest_response *last,
                                struct dest_request *out)
{
    check(c->job_count == 1 && c->cache != NULL && c->is_test == (c->jobs[0].event == NULL));
    if (!last)
        return c->is_test ? jira_ask(c, out, "GET", "/myself", NULL, JIRA_ASKED) : jira_life_begin(c, out);
    switch (c->step) {
    case JIRA_ASKED:
        return after_account(c, last, out);
    case JIRA_SENT:
    case JIRA_SENT_BARE:
        return after_sent(c, last, out);
    case JIRA_DELETED:
        c->made.deleted = dest_answer_is_success(last) ? DEST_IS_SO : DEST_IS_NOT;
        return jira_end(c, jira_judge_deletion(last, jira_talk_of(c)->left_out));
    default:
        return jira_life_next(c, last, out);
    }
}

/* A search shows an issue up to two minutes late (developer.atlassian.com, search-and-reconcile), and a margin. */
enum { LOOK_AFTER_S = 180 };

const struct dest dest_jira = {
    .kind = "jira",
    .title = "Jira",
    .placeholder = "{\"base_url\":\"https://"
                   "placeholder.atlassian.net\",\"email\":\"placeholder@example.com\",\"api_token\":"
                   "\"placeholder\",\"project_key\":\"KEY\"}",
    .repeat_hurts = true,
    .refers = DEST_REFERS_ALWAYS,
    .look_after_s = LOOK_AFTER_S,
    .scans_by_name = true,
    .settings = jira_settings,
    .config_parse = jira_config_parse,
    .next = jira_next,
};
