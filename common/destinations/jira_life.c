/*
 * jira_life - what happens to an issue after it was made
 *
 * Pure. What is to be done follows from the finding and the reference (life.h). The issue is moved first, which may be repeated
 * without harm, and the comment comes last. What Jira does not let be moved is commented all the same, and the delivery says
 * why. An issue is gone only when Jira knows the account and shows its project: 404 is also what a stranger gets.
 */
#include <string.h>
#include <strings.h>

#include "common/base/check.h"
#include "common/destinations/jira.h"

#define SEARCH_LACKS "the account may not search in the project; give it the permission Browse projects"
#define SEARCH_REFUSED                                                                                       \
    "Jira refuses the search for an issue that may have been made before, so none is made now; check "       \
    "project_key, and auth: Jira Cloud wants basic"
#define SEARCH_UNCLEAR                                                                                       \
    "it is not clear from Jira's answer whether the issue was made before, so none is made now; look for "   \
    "it in the project, and for a proxy that answers in Jira's place"
#define LIST_REFUSED                                                                                         \
    "Jira refuses to list the transitions of the issue; its answer, kept with this delivery, says why"
#define LIST_LACKS                                                                                           \
    "the account may not see the transitions of the issue; give it the permission Browse projects"

static bool is_over(const struct conversation *c)
{
    const struct conversation_job *job = &c->jobs[0];
    return event_is_about_finding(job->event->type) && life_end_of(&job->facts->finding) != LIFE_GOES_ON;
}

static const char *issue_path(struct conversation *c, const char *rest)
{
    return arena_printf(c->arena, "/issue/%s%s", dest_url_escape(c->arena, jira_talk_of(c)->key), rest);
}

/* ---- comments ---- */

static enum dest_next send_comment(struct conversation *c, struct dest_request *out)
{
    const struct jira_config *config = c->config;
    const struct conversation_job *job = &c->jobs[0];
    const struct buf *told = dest_cached_body(c, JIRA_COMMENT + (int)config->layout, jira_comment_build);
    struct buf whole;
    enum dest_next next;
    buf_init(&whole, told->max);
    if (!told->overflow)
        jira_comment_add(&whole, config->layout,
                         life_words(jira_talk_of(c)->act, job->event, &job->facts->finding, c->arena), told);
    if (told->overflow || whole.overflow) {
        next = jira_end(c, verdict_too_long());
    } else {
        next = jira_ask(c, out, "POST", issue_path(c, "/comment"), &whole, JIRA_COMMENTED);
        out->once = true;
    }
    buf_free(&whole);
    return next;
}

static enum dest_next ask_who(struct conversation *c, struct dest_request *out)
{
    return jira_ask(c, out, "GET", "/myself", NULL, JIRA_ASKED_WHO);
}

static bool is_missing(const struct dest_response *r)
{
    return r->error == ERROR_NONE && r->status == 404;
}

static bool is_open_now(const struct conversation *c, enum life_act act)
{
    return act == LIFE_CHANGE ? c->reference.open : act == LIFE_REOPEN;
}

static enum dest_next after_comment(struct conversation *c, const struct dest_response *last,
                                    struct dest_request *out)
{
    struct jira_talk *talk = jira_talk_of(c);
    struct verdict v = jira_judge_comment(last);
    if (is_missing(last))
        return ask_who(c, out);
    if (v.kind == VERDICT_DELIVERED) {
        life_is(c, talk->key, is_open_now(c, talk->act));
        v.detail = talk->note;
    } else if (talk->moved && jira_lacks_permission(last)) {
        v = (struct verdict){.kind = VERDICT_DELIVERED,
                             .detail = "the issue was moved, but the account may not comment on it; give it "
                                       "the permission Add comments"};
    }
    return jira_end(c, v);
}

/* ---- moving the issue ---- */

/* The setting, and in *NAME what it is called. */
static const char *wanted_of(struct conversation *c, const char **name)
{
    const struct jira_config *config = c->config;
    bool close = jira_talk_of(c)->act == LIFE_CLOSE;
    *name = close ? "close_transition" : "reopen_transition";
    return close ? config->close_transition : config->reopen_transition;
}

/* What is closed or open, as talk->act says, is so in Jira first. */
static enum dest_next move(struct conversation *c, struct dest_request *out)
{
    const char *name;
    return wanted_of(c, &name) ? jira_ask(c, out, "GET", issue_path(c, "/transitions"), NULL, JIRA_LISTED)
                               : send_comment(c, out);
}

static enum dest_next send_transition(struct conversation *c, struct dest_request *out, const char *id)
{
    struct buf body;
    buf_init(&body, JIRA_ANSWER_MAX);
    buf_add_text(&body, "{\"transition\":{");
    buf_json_member(&body, "id", id);
    buf_add_text(&body, "}}");
    life_asks(c);
    enum dest_next next = jira_ask(c, out, "POST", issue_path(c, "/transitions"), &body, JIRA_MOVED);
    buf_free(&body);
    return next;
}

static enum dest_next stay(struct conversation *c, struct dest_request *out, const char *note)
{
    jira_talk_of(c)->note = note;
    return send_comment(c, out);
}

static enum dest_next after_list(struct conversation *c, const struct dest_response *last,
                                 struct dest_request *out)
{
    const char *name, *id = NULL, *wanted = wanted_of(c, &name);
    if (is_missing(last))
        return ask_who(c, out);
    switch (jira_transition_find(last, wanted, c->arena, &id)) {
    case JIRA_TRANSITIONS_FOUND:
        return send_transition(c, out, id);
    case JIRA_TRANSITIONS_NONE:
        return stay(c, out,
                    "the issue got a comment and keeps its status: Jira offers the account no transition; "
                    "give it the permission Transition issues");
    case JIRA_TRANSITIONS_OTHERS:
        return stay(
            c, out,
            arena_printf(c->arena,
                         "the issue got a comment and keeps its status: it is where %s leads already, "
                         "or its workflow has no such transition from here",
                         name));
    default:
        return jira_end(c, jira_refusal(last, LIST_REFUSED, LIST_LACKS));
    }
}

static bool is_refused(const struct dest_response *r)
{
    return r->error == ERROR_NONE && (r->status == 400 || r->status == 403 || r->status == 422);
}

static enum dest_next after_move(struct conversation *c, const struct dest_response *last,
                                 struct dest_request *out)
{
    struct jira_talk *talk = jira_talk_of(c);
    const char *name;
    if (last->error == ERROR_NONE && last->status == 204) {
        life_is(c, talk->key, talk->act == LIFE_REOPEN);
        talk->moved = true;
        return send_comment(c, out);
    }
    life_failed(c, last);
    if (is_missing(last))
        return ask_who(c, out);
    if (!is_refused(last))
        return jira_end(c, jira_judge_transition(last));
    wanted_of(c, &name);
    return stay(c, out,
                arena_printf(c->arena,
                             "the issue got a comment and keeps its status: Jira refuses the transition that "
                             "%s names; make the fields of its screen optional, look at its conditions, or "
                             "name another",
                             name));
}

/* ---- an issue that may have been made ---- */

static enum dest_next look(struct conversation *c, struct dest_request *out)
{
    const struct jira_config *config = c->config;
    struct buf body;
    enum dest_next next;
    buf_init(&body, c->cache->layouts[0].body.max);
    jira_search_add(&body, config, &c->jobs[0]);
    if (body.overflow) {
        next = jira_end(c, verdict_too_long());
    } else {
        next = jira_ask(c, out, "POST", jira_search_path(config), &body, JIRA_SEARCHED);
        out->answer_max = JIRA_LONG_ANSWER_MAX;
    }
    buf_free(&body);
    return next;
}

static enum dest_next not_found(struct conversation *c, struct dest_request *out)
{
    if (!is_over(c))
        return jira_send_issue(c, out, JIRA_SENT);
    c->reference = (struct dest_reference){.known = false};
    return jira_end(c, life_nothing(c));
}

/* It was made for this event, and says all of it, or for an earlier one (SAME is false). */
static enum dest_next found(struct conversation *c, struct dest_request *out, bool same)
{
    struct jira_talk *talk = jira_talk_of(c);
    life_is(c, talk->key, true);
    if (is_over(c)) {
        talk->act = LIFE_CLOSE;
        return move(c, out);
    }
    talk->act = LIFE_CHANGE;
    if (!same && event_is_about_finding(c->jobs[0].event->type))
        return send_comment(c, out);
    return jira_end(c, (struct verdict){.kind = VERDICT_DELIVERED,
                                        .detail = "an earlier attempt, whose answer did not arrive, had made "
                                                  "the issue"});
}

static enum dest_next after_search(struct conversation *c, const struct dest_response *last,
                                   struct dest_request *out)
{
    const struct jira_config *config = c->config;
    const struct buf *made = dest_cached_body(c, (int)config->layout, jira_body_build);
    bool same = false;
    if (last->error != ERROR_NONE || last->status != 200)
        return jira_end(c, jira_refusal(last, SEARCH_REFUSED, SEARCH_LACKS));
    switch (jira_search_read(last, &c->jobs[0], made, c->arena, &jira_talk_of(c)->key, &same)) {
    case JIRA_SEARCH_FOUND:
        return found(c, out, same);
    case JIRA_SEARCH_NONE:
        return not_found(c, out);
    default:
        return jira_end(c, (struct verdict){.kind = VERDICT_REJECTED,
                                            .reason = REASON_REJECTED,
                                            .error = ERROR_NOT_ACCEPTED,
                                            .detail = SEARCH_UNCLEAR});
    }
}

/* ---- an issue that is not to be seen ---- */

static enum dest_next after_who(struct conversation *c, const struct dest_response *last,
                                struct dest_request *out)
{
    const char *key = jira_talk_of(c)->key;
    struct verdict v = jira_judge_account(last);
    if (v.kind != VERDICT_NONE)
        return jira_end(c, v);
    const char *project = arena_text(c->arena, key, strcspn(key, "-"));
    enum dest_next next =
        jira_ask(c, out, "GET", arena_printf(c->arena, "/project/%s", dest_url_escape(c->arena, project)),
                 NULL, JIRA_ASKED_PROJECT);
    out->answer_max = JIRA_LONG_ANSWER_MAX;
    return next;
}

/* The issues go to another project now: whoever said so does not wait for this one. */
static bool is_left(struct conversation *c)
{
    const struct jira_config *config = c->config;
    const char *key = jira_talk_of(c)->key;
    size_t n = strlen(config->project_key);
    return strncasecmp(key, config->project_key, n) != 0 || key[n] != '-';
}

static enum dest_next after_project(struct conversation *c, const struct dest_response *last)
{
    struct verdict v = jira_judge_project(last);
    bool gone = v.kind == VERDICT_NONE || (is_missing(last) && is_left(c));
    return jira_end(c, gone ? life_is_gone(c) : v);
}

/* ---- the conversation ---- */

enum dest_next jira_life_begin(struct conversation *c, struct dest_request *out)
{
    struct jira_talk *talk = jira_talk_of(c);
    talk->act = life_act_of(c);
    talk->key = c->reference.key;
    if (talk->act == LIFE_NOTHING)
        return jira_end(c, life_nothing(c));
    if (talk->act == LIFE_OPEN)
        return jira_send_issue(c, out, JIRA_SENT);
    if (talk->act == LIFE_LOOK)
        return look(c, out);
    if (!jira_is_key(talk->key))
        return jira_end(c, life_is_gone(c));
    return talk->act == LIFE_CHANGE ? send_comment(c, out) : move(c, out);
}

enum dest_next jira_life_next(struct conversation *c, const struct dest_response *last,
                              struct dest_request *out)
{
    switch (c->step) {
    case JIRA_SEARCHED:
        return after_search(c, last, out);
    case JIRA_LISTED:
        return after_list(c, last, out);
    case JIRA_MOVED:
        return after_move(c, last, out);
    case JIRA_COMMENTED:
        return after_comment(c, last, out);
    case JIRA_ASKED_WHO:
        return after_who(c, last, out);
    default:
        check(c->step == JIRA_ASKED_PROJECT);
        return after_project(c, last);
    }
}
