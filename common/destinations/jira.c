/*
 * jira - one issue per event in a project, through Jira's REST API
 *
 * An issue is one request, and a second one when Jira refuses the priority or the labels, which not every project has on
 * its screen: without these an issue is still one. A test first asks who it is, because Jira may take bad credentials for
 * nobody's and then complain about something else, makes an issue and deletes it again. There is no idempotency key, so a
 * repeat makes a second issue.
 */
#include "common/destinations/jira.h"

#include <string.h>

#include "common/base/check.h"
#include "common/destinations/tags.h"

enum { STEP_ASKED = 1, STEP_SENT, STEP_SENT_BARE, STEP_DELETED };

/* What a conversation remembers. */
struct jira_talk {
    unsigned left_out; /* of enum jira_extra */
};

static struct jira_talk *talk_of(struct conversation *c)
{
    if (!c->scratch)
        c->scratch = arena_alloc(c->arena, sizeof(struct jira_talk));
    return c->scratch;
}

static enum dest_next end(struct conversation *c, struct verdict verdict)
{
    c->jobs[0].verdict = verdict;
    return DEST_FINISHED;
}

static enum dest_next ask(struct conversation *c, struct dest_request *out, const char *method,
                          const char *path, const struct buf *body, int step)
{
    const struct jira_config *config = c->config;
    dest_request_json(out, method, arena_printf(c->arena, "%s%s", config->url, path),
                      body ? arena_text(c->arena, body->data, body->len) : NULL, body ? body->len : 0);
    /* What is wrong is said in the language that is asked for, or else in the account's. */
    check(dest_request_add_header(out, "Accept", "application/json"));
    check(dest_request_add_header(out, "Accept-Language", "en"));
    check(dest_request_add_header(out, "Authorization", config->authorization));
    out->answer_max = JIRA_ANSWER_MAX;
    c->step = step;
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

static enum dest_next send_issue(struct conversation *c, struct dest_request *out, int step)
{
    const struct jira_config *config = c->config;
    const struct buf *issue = dest_cached_body(c, (int)config->layout, jira_body_build);
    struct buf whole;
    enum dest_next next;
    buf_init(&whole, issue->max);
    buf_add(&whole, issue->data, issue->len);
    add_fields(&whole, c, extras_of(c) & ~talk_of(c)->left_out);
    if (issue->overflow || whole.overflow)
        next = end(c, verdict_too_long());
    else
        next = ask(c, out, "POST", "/issue", &whole, step);
    buf_free(&whole);
    return next;
}

/* ---- the conversation ---- */

static enum dest_next after_issue(struct conversation *c, const struct dest_response *last,
                                  struct dest_request *out)
{
    unsigned left_out = talk_of(c)->left_out;
    struct verdict v = jira_judge(last, left_out);
    if (!c->is_test || v.kind != VERDICT_DELIVERED)
        return end(c, v);
    const char *key = jira_issue_key(last, c->arena);
    return key ? ask(c, out, "DELETE", arena_printf(c->arena, "/issue/%s", key), NULL, STEP_DELETED)
               : end(c, jira_judge_deletion(NULL, left_out));
}

static enum dest_next jira_next(struct conversation *c, const struct dest_response *last,
                                struct dest_request *out)
{
    check(c->job_count == 1 && c->cache != NULL && c->is_test == (c->jobs[0].event == NULL));
    struct jira_talk *talk = talk_of(c);
    struct verdict v;
    if (!last)
        return c->is_test ? ask(c, out, "GET", "/myself", NULL, STEP_ASKED) : send_issue(c, out, STEP_SENT);
    switch (c->step) {
    case STEP_ASKED:
        v = jira_judge_account(last);
        return v.kind == VERDICT_NONE ? send_issue(c, out, STEP_SENT) : end(c, v);
    case STEP_SENT:
        talk->left_out = jira_refused_extras(last, extras_of(c));
        return talk->left_out ? send_issue(c, out, STEP_SENT_BARE) : after_issue(c, last, out);
    case STEP_SENT_BARE:
        return after_issue(c, last, out);
    default:
        check(c->step == STEP_DELETED);
        return end(c, jira_judge_deletion(last, talk->left_out));
    }
}

const struct dest dest_jira = {
    .kind = "jira",
    .title = "Jira",
    .repeat_hurts = true,
    .config_parse = jira_config_parse,
    .next = jira_next,
};
