/*
 * github - one issue per event in a repository, through GitHub's REST API
 *
 * An issue is one request, and a second one when GitHub refuses labels or assignees: without these an issue is still one.
 * A test makes none: it looks at the repository and then asks for an issue without a title, which GitHub refuses for
 * nothing but that if the token may write. There is no idempotency key, so a repeat makes a second issue. Writes should
 * come one after the other, at least a second apart (docs.github.com, best practices), which is the rate's business.
 * Redirects are not followed: the token belongs to the address in the settings only.
 */
#include "common/destinations/github.h"

#include "common/base/check.h"
#include "common/destinations/tags.h"

enum { STEP_LOOKED = 1, STEP_TRIED, STEP_SENT, STEP_SENT_BARE };

/* What a conversation remembers. */
struct github_talk {
    struct tags labels;
    unsigned left_out; /* of enum github_extra */
    bool may_label;    /* of a test */
};

static struct github_talk *talk_of(struct conversation *c)
{
    const struct github_config *config = c->config;
    if (!c->scratch) {
        struct github_talk *talk = arena_alloc(c->arena, sizeof *talk);
        tags_build(&talk->labels, c->arena, c->jobs[0].event, c->jobs[0].facts, &config->labels);
        c->scratch = talk;
    }
    return c->scratch;
}

static enum dest_next ask(struct conversation *c, struct dest_request *out, const char *method,
                          const char *url, const struct buf *body, int step)
{
    const struct github_config *config = c->config;
    dest_request_json(out, method, url, body ? arena_text(c->arena, body->data, body->len) : NULL,
                      body ? body->len : 0);
    check(dest_request_add_header(out, "Accept", "application/vnd.github+json"));
    check(dest_request_add_header(out, "Authorization", config->authorization));
    check(dest_request_add_header(out, "X-GitHub-Api-Version", "2022-11-28"));
    out->answer_max = GITHUB_ANSWER_MAX;
    c->step = step;
    return DEST_SEND;
}

static enum dest_next end(struct conversation *c, struct verdict verdict)
{
    c->jobs[0].verdict = verdict;
    return DEST_FINISHED;
}

/* Ask for the issue, without what was left out. */
static enum dest_next send_issue(struct conversation *c, struct dest_request *out, int step)
{
    const struct github_config *config = c->config;
    const struct github_talk *talk = talk_of(c);
    const struct buf *issue = dest_cached_body(c, 0, github_body_build);
    struct buf whole;
    enum dest_next next;
    buf_init(&whole, issue->max);
    buf_add(&whole, issue->data, issue->len);
    if (!(talk->left_out & GITHUB_LABELS))
        tags_add_json(&whole, "labels", talk->labels.items, talk->labels.count);
    if (!(talk->left_out & GITHUB_ASSIGNEES))
        tags_add_json(&whole, "assignees", config->assignees.items, config->assignees.count);
    buf_add_char(&whole, '}');
    if (issue->overflow || whole.overflow)
        next = end(c, verdict_too_long());
    else
        next = ask(c, out, "POST", arena_printf(c->arena, "%s/issues", config->url), &whole, step);
    buf_free(&whole);
    return next;
}

static struct verdict judge(struct conversation *c, const struct dest_response *last)
{
    const struct github_talk *talk = talk_of(c);
    size_t labels = talk->left_out & GITHUB_LABELS ? 0 : talk->labels.count;
    return github_judge(last, c->arena, talk->labels.items, labels, talk->left_out);
}

static enum dest_next after_issue(struct conversation *c, const struct dest_response *last,
                                  struct dest_request *out)
{
    const struct github_config *config = c->config;
    struct github_talk *talk = talk_of(c);
    unsigned sent = GITHUB_LABELS | (config->assignees.count ? (unsigned)GITHUB_ASSIGNEES : 0U);
    talk->left_out = github_refused_extras(last, sent);
    return talk->left_out ? send_issue(c, out, STEP_SENT_BARE) : end(c, judge(c, last));
}

static enum dest_next github_next(struct conversation *c, const struct dest_response *last,
                                  struct dest_request *out)
{
    const struct github_config *config = c->config;
    check(c->job_count == 1 && c->cache != NULL && c->is_test == (c->jobs[0].event == NULL));
    struct github_talk *talk = talk_of(c);
    if (!last)
        return c->is_test ? ask(c, out, "GET", config->url, NULL, STEP_LOOKED)
                          : send_issue(c, out, STEP_SENT);
    switch (c->step) {
    case STEP_LOOKED: {
        struct verdict v = github_judge_repository(last, c->arena, &talk->may_label);
        return v.kind == VERDICT_NONE ? send_issue(c, out, STEP_TRIED) : end(c, v);
    }
    case STEP_TRIED:
        return end(c, github_judge_test(last, c->arena, talk->may_label));
    case STEP_SENT:
        return after_issue(c, last, out);
    default:
        check(c->step == STEP_SENT_BARE);
        return end(c, judge(c, last));
    }
}

const struct dest dest_github = {
    .kind = "github",
    .title = "GitHub Issues",
    .repeat_hurts = true,
    .config_parse = github_config_parse,
    .next = github_next,
};
