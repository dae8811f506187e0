/*
 * github - an issue for each finding, and for each event of a scan, in a repository, through GitHub's REST API
 *
 * An issue is one request, and a second one when GitHub refuses labels or assignees: without these an issue is still one.
 * What happens to its finding later is told to the issue (github_life.c). There is no idempotency key, so whoever does not
 * know whether an issue was made looks for it (github_look.c) before one is made.
 * A test makes none: it looks at the repository and then asks for an issue without a title, which GitHub refuses for
 * nothing but that if the token may write. Writes should come one after the other, at least a second apart
 * (docs.github.com, best practices), which is the rate's business. Redirects are not followed: the token belongs to the
 * address in the settings only.
 */
#include <string.h>

#include "common/base/check.h"
#include "common/destinations/github_talk.h"

struct github_talk *github_talk_of(struct conversation *c)
{
    const struct github_config *config = c->config;
    if (!c->scratch) {
        struct github_talk *talk = arena_alloc(c->arena, sizeof *talk);
        tags_build(&talk->labels, c->arena, c->jobs[0].event, c->jobs[0].facts, &config->labels);
        c->scratch = talk;
    }
    return c->scratch;
}

enum dest_next github_ask(struct conversation *c, struct dest_request *out, const char *method,
                          const char *url, const struct buf *body, enum github_step step)
{
    const struct github_config *config = c->config;
    dest_request_json(out, method, url, body ? arena_text(c->arena, body->data, body->len) : NULL,
                      body ? body->len : 0);
    check(dest_request_add_header(out, "Accept", "application/vnd.github+json"));
    check(dest_request_add_header(out, "Authorization", config->authorization));
    check(dest_request_add_header(out, "X-GitHub-Api-Version", "2022-11-28"));
    out->answer_max = GITHUB_ANSWER_MAX;
    c->step = (int)step;
    return DEST_SEND;
}

enum dest_next github_end(struct conversation *c, struct verdict verdict)
{
    const struct github_config *config = c->config;
    const char *token = config->authorization + sizeof "Bearer " - 1;
    /* A redirect's address is told to people, but not one into which somebody put the token. */
    if (verdict.error == ERROR_REDIRECT && strstr(verdict.detail, token))
        verdict.detail = "the repository was renamed or moved; set repo to its new name";
    c->jobs[0].verdict = verdict;
    return DEST_FINISHED;
}

size_t github_room(const struct conversation *c)
{
    return c->cache->layouts[GITHUB_ISSUE].body.max;
}

/* Ask for the issue, without what was left out. */
static enum dest_next send_issue(struct conversation *c, struct dest_request *out, enum github_step step)
{
    const struct github_config *config = c->config;
    const struct github_talk *talk = github_talk_of(c);
    const struct buf *issue = dest_cached_body(c, GITHUB_ISSUE, github_body_build);
    struct buf whole;
    enum dest_next next;
    buf_init(&whole, github_room(c));
    buf_add(&whole, issue->data, issue->len);
    if (!(talk->left_out & GITHUB_LABELS))
        tags_add_json(&whole, "labels", talk->labels.items, talk->labels.count);
    if (!(talk->left_out & GITHUB_ASSIGNEES))
        tags_add_json(&whole, "assignees", config->assignees.items, config->assignees.count);
    buf_add_char(&whole, '}');
    if (issue->overflow || whole.overflow)
        next = github_end(c, verdict_too_long());
    else
        next = github_ask(c, out, "POST", arena_printf(c->arena, "%s/issues", config->url), &whole, step);
    buf_free(&whole);
    return next;
}

/* The same for an event: an issue that people see. */
static enum dest_next make_issue(struct conversation *c, struct dest_request *out, enum github_step step)
{
    enum dest_next next = send_issue(c, out, step);
    if (next == DEST_SEND) {
        out->once = true;
        life_asks(c);
    }
    return next;
}

enum dest_next github_open(struct conversation *c, struct dest_request *out)
{
    return make_issue(c, out, GITHUB_SENT);
}

static struct verdict judge(struct conversation *c, const struct dest_response *last)
{
    const struct github_talk *talk = github_talk_of(c);
    size_t labels = talk->left_out & GITHUB_LABELS ? 0 : talk->labels.count;
    return github_judge(last, c->arena, talk->labels.items, labels, talk->left_out);
}

static enum dest_next after_issue(struct conversation *c, const struct dest_response *last,
                                  struct dest_request *out)
{
    const struct github_config *config = c->config;
    struct github_talk *talk = github_talk_of(c);
    unsigned sent = GITHUB_LABELS | (config->assignees.count ? (unsigned)GITHUB_ASSIGNEES : 0U);
    const char *number = github_issue_number(last, c->arena);
    if (number)
        life_is(c, number, true);
    else
        life_failed(c, last);
    if (c->step == GITHUB_SENT)
        talk->left_out = github_refused_extras(last, sent);
    return c->step == GITHUB_SENT && talk->left_out ? make_issue(c, out, GITHUB_SENT_BARE)
                                                    : github_end(c, judge(c, last));
}

/* What the test knows of the repository, then whether it may make issues there. */
static enum dest_next test_on(struct conversation *c, const struct dest_response *last,
                              struct dest_request *out)
{
    struct github_talk *talk = github_talk_of(c);
    if (c->step == GITHUB_TRIED)
        return github_end(c, github_judge_test(last, c->arena, talk->may_label));
    struct verdict v = github_judge_repository(last, c->arena, &talk->may_label);
    return v.kind == VERDICT_NONE ? send_issue(c, out, GITHUB_TRIED) : github_end(c, v);
}

static enum dest_next begin(struct conversation *c, struct dest_request *out)
{
    const struct github_config *config = c->config;
    if (c->is_test)
        return github_ask(c, out, "GET", config->url, NULL, GITHUB_LOOKED);
    enum life_act act = life_act_of(c);
    switch (act) {
    case LIFE_NOTHING:
        return github_end(c, life_nothing(c));
    case LIFE_OPEN:
        return github_open(c, out);
    case LIFE_LOOK:
        return github_look(c, out);
    case LIFE_CHANGE:
    case LIFE_CLOSE:
    case LIFE_REOPEN:
        break;
    }
    return github_is_number(c->reference.key) ? github_tell(c, act, out) : github_end(c, life_is_gone(c));
}

static enum dest_next github_next(struct conversation *c, const struct dest_response *last,
                                  struct dest_request *out)
{
    check(c->job_count == 1 && c->cache != NULL && c->is_test == (c->jobs[0].event == NULL));
    if (!last)
        return begin(c, out);
    switch ((enum github_step)c->step) {
    case GITHUB_LOOKED:
    case GITHUB_TRIED:
        return test_on(c, last, out);
    case GITHUB_SENT:
    case GITHUB_SENT_BARE:
        return after_issue(c, last, out);
    case GITHUB_LISTED:
        return github_look_on(c, last, out);
    case GITHUB_SEARCHED:
        return github_search_on(c, last, out);
    case GITHUB_STATE_SET:
    case GITHUB_COMMENTED:
    case GITHUB_MISSED:
    case GITHUB_MISSED_TWICE:
        break;
    case GITHUB_BEGINS:
        check(false);
    }
    return github_tell_on(c, last, out);
}

/* GitHub cuts a request off after 10 s and may have carried it out; a list may come from a replica. */
enum { LOOK_AFTER_S = 30 };

const struct dest dest_github = {
    .kind = "github",
    .title = "GitHub Issues",
    .placeholder = "{\"repo\":\"owner/repository\",\"token\":\"placeholder\"}",
    .repeat_hurts = true,
    .refers = DEST_REFERS_ALWAYS,
    .look_after_s = LOOK_AFTER_S,
    .scans_by_name = true,
    .settings = github_settings,
    .config_parse = github_config_parse,
    .next = github_next,
};
