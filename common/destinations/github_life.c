/*
 * github_life - what became of a finding, told to its issue
 *
 * Pure. The issue is closed or opened first, which may be repeated without harm, and then a comment says why; a change is a
 * comment only. An issue that people deleted is made anew, but only when that is sure: GitHub's 404 may also mean that the
 * token may not see or write what is there (docs.github.com/rest/issues/issues), so then the repository has to be there, and
 * the issue not even to be read.
 */
#include <string.h>

#include "common/destinations/github_talk.h"

enum { NUMBER_DIGITS = 18 };

#define LOCKED "the issue is locked, so it got no comment; its state is right"

bool github_is_number(const char *text)
{
    size_t n = text ? strspn(text, "0123456789") : 0;
    return n >= 1 && n <= NUMBER_DIGITS && !text[n] && text[0] != '0';
}

static const char *issue_url(const struct conversation *c, const char *what)
{
    const struct github_config *config = c->config;
    return arena_printf(c->arena, "%s/issues/%s%s", config->url, dest_url_escape(c->arena, c->reference.key),
                        what);
}

static enum dest_next finish(struct conversation *c, const char *detail)
{
    bool open = life_end_of(&c->jobs[0].facts->finding) == LIFE_GOES_ON;
    life_is(c, c->reference.key, open);
    return github_end(c, (struct verdict){.kind = VERDICT_DELIVERED, .detail = detail});
}

/* ---- requests ---- */

static enum dest_next comment(struct conversation *c, struct dest_request *out)
{
    const struct conversation_job *job = &c->jobs[0];
    const struct buf *rest = dest_cached_body(c, GITHUB_COMMENT, github_body_build);
    struct buf body;
    enum dest_next next;
    buf_init(&body, github_room(c));
    github_comment_add(&body, github_talk_of(c)->act, job->event, job->facts, rest);
    if (body.overflow)
        next = github_end(c, verdict_too_long());
    else
        next = github_ask(c, out, "POST", issue_url(c, "/comments"), &body, GITHUB_COMMENTED);
    out->once = true;
    buf_free(&body);
    return next;
}

static const char *state_of(enum life_act act, const struct facts_finding *finding)
{
    if (act == LIFE_REOPEN)
        return "{\"state\":\"open\",\"state_reason\":\"reopened\"}";
    return life_end_of(finding) == LIFE_RESOLVED ? "{\"state\":\"closed\",\"state_reason\":\"completed\"}"
                                                 : "{\"state\":\"closed\",\"state_reason\":\"not_planned\"}";
}

static enum dest_next set_state(struct conversation *c, struct dest_request *out)
{
    struct buf body;
    enum dest_next next;
    buf_init(&body, github_room(c));
    buf_add_text(&body, state_of(github_talk_of(c)->act, &c->jobs[0].facts->finding));
    if (body.overflow) {
        next = github_end(c, verdict_too_long());
    } else {
        next = github_ask(c, out, "PATCH", issue_url(c, ""), &body, GITHUB_STATE_SET);
        life_asks(c);
    }
    buf_free(&body);
    return next;
}

enum dest_next github_tell(struct conversation *c, enum life_act act, struct dest_request *out)
{
    github_talk_of(c)->act = act;
    return act == LIFE_CHANGE ? comment(c, out) : set_state(c, out);
}

/* ---- answers ---- */

/* Is it that the issue is gone? */
static enum dest_next refused(struct conversation *c, const struct dest_response *last, struct verdict v,
                              struct dest_request *out)
{
    const struct github_config *config = c->config;
    if (github_is_deleted(last))
        return github_end(c, life_is_gone(c));
    if (github_is_missing(last))
        return github_ask(c, out, "GET", config->url, NULL, GITHUB_MISSED);
    return github_end(c, v);
}

static enum dest_next after_state(struct conversation *c, const struct dest_response *last,
                                  struct dest_request *out)
{
    struct verdict v = github_judge_step(last, c->arena, 200, "number");
    if (v.kind == VERDICT_NONE) {
        life_is(c, c->reference.key, github_talk_of(c)->act == LIFE_REOPEN);
        return comment(c, out);
    }
    life_failed(c, last);
    return refused(c, last, v, out);
}

static enum dest_next after_comment(struct conversation *c, const struct dest_response *last,
                                    struct dest_request *out)
{
    struct verdict v = github_judge_step(last, c->arena, 201, "id");
    if (v.kind == VERDICT_NONE)
        return finish(c, NULL);
    return github_is_locked(last) ? finish(c, LOCKED) : refused(c, last, v, out);
}

static enum dest_next after_repository(struct conversation *c, const struct dest_response *last,
                                       struct dest_request *out)
{
    struct verdict v = github_judge_missed(last, c->arena);
    if (v.kind != VERDICT_NONE)
        return github_end(c, v);
    return github_ask(c, out, "GET", issue_url(c, ""), NULL, GITHUB_MISSED_TWICE);
}

static enum dest_next after_issue(struct conversation *c, const struct dest_response *last)
{
    if (github_is_missing(last) || github_is_deleted(last))
        return github_end(c, life_is_gone(c));
    struct verdict v = github_judge_step(last, c->arena, 200, "number");
    return github_end(c, v.kind == VERDICT_NONE ? github_read_only() : v);
}

enum dest_next github_tell_on(struct conversation *c, const struct dest_response *last,
                              struct dest_request *out)
{
    switch ((enum github_step)c->step) {
    case GITHUB_STATE_SET:
        return after_state(c, last, out);
    case GITHUB_COMMENTED:
        return after_comment(c, last, out);
    case GITHUB_MISSED:
        return after_repository(c, last, out);
    default:
        return after_issue(c, last);
    }
}
