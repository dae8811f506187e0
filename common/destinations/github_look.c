/*
 * github_look - the issue that an earlier request may have made
 *
 * Pure. Looks through the list of issues, newest first, back to some minutes before the earliest request whose end nobody
 * knows, for the event's marker in the last line of a body. Not through GitHub's search, whose index is behind, and not by
 * label, because labels are dropped where the token's account may not set them. Of several issues the oldest counts.
 *
 * Where more issues were made since than are listed, the older ones are searched for the marker, if those that were listed go
 * back far enough for the index to have the others.
 *
 * No issue is made unless all was looked through: what is refused, not understood or too long ends the conversation
 * with the reference as it was. Bodies may be long, so a page that was cut is asked for again in smaller pieces. An issue
 * that is made meanwhile moves others to later pages, where they are read once more.
 */
#include <inttypes.h>
#include <string.h>

#include "common/base/iso8601.h"
#include "common/base/json.h"
#include "common/destinations/alert.h"
#include "common/destinations/github_talk.h"

enum {
    LISTS_MAX = 8, /* requests; what follows them may take five, and a worker ends a conversation after 16 */
    FOUND_MOST = 10, /* the marker is nobody else's */
    PAGE_MOST = 100,
    PAGE_DIVISOR = 5,
    PAGE_LEAST = 4,  /* 100 / 5 / 5: so small pages begin where a larger one does */
    OLDER_LEAST = 10 /* in a row: an old one that was transferred from elsewhere may stand among new ones */
};

#define CLOCKS_DIFFER_US (INT64_C(600) * 1000000)
/* GitHub names no bound for how far its search is behind; seconds as a rule. Ours, with the clocks' difference in it. */
#define INDEXED_US (INT64_C(1200) * 1000000)

enum page { PAGE_WRONG, PAGE_MORE, PAGE_LAST };

/* ---- one page ---- */

static bool read_item(struct json_object *issue, int64_t *made_us, const char **number, struct arena *arena)
{
    struct json_object *made = json_get(issue, "created_at"), *n = json_get(issue, "number");
    if (!json_is_text(made) || !json_object_is_type(n, json_type_int))
        return false;
    *number = arena_printf(arena, "%" PRId64, json_object_get_int64(n));
    return github_is_number(*number) &&
           iso8601_parse(json_object_get_string(made), (size_t)json_object_get_string_len(made), made_us);
}

static const char *body_of(struct json_object *issue)
{
    struct json_object *body = json_get(issue, "body");
    return json_is_text(body) ? json_object_get_string(body) : "";
}

/* BODY is what an issue would say now. */
static bool says_this(const struct conversation *c, const char *body)
{
    const char *why;
    const struct buf *ours = dest_cached_body(c, GITHUB_ISSUE, github_body_build);
    struct buf whole;
    buf_init(&whole, ours->max + 1);
    buf_add(&whole, ours->data, ours->len);
    buf_add_char(&whole, '}');
    struct json_object *root = ours->overflow ? NULL : json_parse(whole.data, whole.len, &why);
    bool same = strcmp(body_of(root), body) == 0;
    json_object_put(root);
    buf_free(&whole);
    return same;
}

static void note_if_ours(struct conversation *c, struct json_object *issue, const char *number)
{
    struct github_look *look = &github_talk_of(c)->look;
    struct json_object *state = json_get(issue, "state");
    char marker[ALERT_MARKER_TEXT];
    alert_marker(c->jobs[0].event, c->jobs[0].facts, marker);
    if (json_get(issue, "pull_request") || !github_body_has_marker(body_of(issue), marker))
        return;
    look->number = number;
    look->open = !json_is_text(state) || strcmp(json_object_get_string(state), "closed") != 0;
    look->says_this = says_this(c, body_of(issue));
}

static int64_t since_us(const struct conversation *c)
{
    return c->reference.unsure_since_us - CLOCKS_DIFFER_US;
}

static enum page read_page(struct conversation *c, struct json_object *list)
{
    struct github_look *look = &github_talk_of(c)->look;
    int64_t made_us;
    size_t count = json_object_array_length(list);
    for (size_t i = 0; i < count; i++) {
        struct json_object *issue = json_object_array_get_idx(list, i);
        const char *number;
        if (!read_item(issue, &made_us, &number, c->arena))
            return PAGE_WRONG;
        look->read_to_us = made_us;
        look->older = made_us < since_us(c) ? look->older + 1 : 0;
        if (look->older == OLDER_LEAST)
            return PAGE_LAST;
        if (look->older == 0)
            note_if_ours(c, issue, number);
    }
    return count == 0 ? PAGE_LAST : PAGE_MORE;
}

/* ---- requests ---- */

static enum dest_next ask_page(struct conversation *c, struct dest_request *out)
{
    const struct github_config *config = c->config;
    struct github_look *look = &github_talk_of(c)->look;
    const char *url =
        arena_printf(c->arena, "%s/issues?state=all&sort=created&direction=desc&per_page=%zu&page=%zu",
                     config->url, look->per_page, look->offset / look->per_page + 1);
    look->asked++;
    enum dest_next next = github_ask(c, out, "GET", url, NULL, GITHUB_LISTED);
    out->answer_max = GITHUB_LIST_MAX;
    return next;
}

enum dest_next github_look(struct conversation *c, struct dest_request *out)
{
    github_talk_of(c)->look.per_page = PAGE_MOST;
    return ask_page(c, out);
}

static enum dest_next search(struct conversation *c, struct dest_request *out)
{
    const struct github_config *config = c->config;
    char marker[ALERT_MARKER_TEXT];
    alert_marker(c->jobs[0].event, c->jobs[0].facts, marker);
    const char *url =
        arena_printf(c->arena, "%s%s&sort=created&order=asc&per_page=%d", config->search, marker, FOUND_MOST);
    enum dest_next next = github_ask(c, out, "GET", url, NULL, GITHUB_SEARCHED);
    out->answer_max = GITHUB_LIST_MAX;
    return next;
}

/* ---- what follows ---- */

static enum dest_next found(struct conversation *c, struct dest_request *out)
{
    const struct github_look *look = &github_talk_of(c)->look;
    const struct conversation_job *job = &c->jobs[0];
    bool of_finding = event_is_about_finding(job->event->type);
    bool open = !of_finding || life_end_of(&job->facts->finding) == LIFE_GOES_ON;
    c->reference.known = true;
    c->reference.key = look->number;
    c->reference.open = look->open;
    if (of_finding && look->open != open)
        return github_tell(c, open ? LIFE_REOPEN : LIFE_CLOSE, out);
    life_is(c, look->number, look->open);
    if (job->event->type == EVENT_FINDING_CHANGED && !look->says_this)
        return github_tell(c, LIFE_CHANGE, out);
    return github_end(c, (struct verdict){.kind = VERDICT_DELIVERED,
                                          .detail = "an earlier request had made the issue already"});
}

static enum dest_next not_found(struct conversation *c, struct dest_request *out)
{
    const struct conversation_job *job = &c->jobs[0];
    c->reference = (struct dest_reference){.known = false};
    if (event_is_about_finding(job->event->type) && life_end_of(&job->facts->finding) != LIFE_GOES_ON)
        return github_end(c, life_nothing(c));
    return github_open(c, out);
}

/* Nobody knows whether the issue is there, and nobody makes a second one. */
static enum dest_next later(struct conversation *c, const struct dest_response *last, const char *detail)
{
    return github_end(c, (struct verdict){.kind = VERDICT_RETRY,
                                          .error = ERROR_NOT_ACCEPTED,
                                          .not_before = last->retry_after,
                                          .detail = detail});
}

static enum dest_next after_cut(struct conversation *c, const struct dest_response *last,
                                struct dest_request *out)
{
    struct github_look *look = &github_talk_of(c)->look;
    bool ends = look->per_page == PAGE_LEAST || look->asked == LISTS_MAX;
    if (ends && look->number)
        return found(c, out);
    if (ends)
        return later(c, last,
                     "an earlier request may have made the issue, and the list of issues is too long to see "
                     "whether it did");
    look->per_page /= PAGE_DIVISOR;
    return ask_page(c, out);
}

static enum dest_next after_page(struct conversation *c, const struct dest_response *last, enum page page,
                                 struct dest_request *out)
{
    struct github_look *look = &github_talk_of(c)->look;
    if (page == PAGE_WRONG)
        return later(c, last,
                     "an earlier request may have made the issue, and GitHub's list of issues is not "
                     "understood; check api_url");
    if (page == PAGE_MORE && look->asked < LISTS_MAX) {
        look->offset += look->per_page;
        return ask_page(c, out);
    }
    if (look->number)
        return found(c, out);
    if (page == PAGE_LAST)
        return not_found(c, out);
    if (look->read_to_us < c->now_us - INDEXED_US)
        return search(c, out);
    return later(
        c, last,
        "an earlier request may have made the issue, and so many were made since then that it is not "
        "among those listed; it is searched for when GitHub's search must have it");
}

enum dest_next github_look_on(struct conversation *c, const struct dest_response *last,
                              struct dest_request *out)
{
    struct verdict v = github_judge_list(last, c->arena);
    if (v.kind != VERDICT_NONE)
        return github_end(c, v);
    if (last->truncated)
        return after_cut(c, last, out);
    struct json_object *list = dest_answer_json(last);
    enum page page = read_page(c, list);
    json_object_put(list);
    return after_page(c, last, page, out);
}

/* The oldest of those that may be it. False: the answer is not understood, or not all of it. */
static bool read_found(struct conversation *c, struct json_object *root)
{
    struct json_object *items = json_get(root, "items"), *total = json_get(root, "total_count");
    const struct github_look *look = &github_talk_of(c)->look;
    size_t count = json_object_array_length(items);
    for (size_t i = 0; i < count && !look->number; i++) {
        struct json_object *issue = json_object_array_get_idx(items, i);
        int64_t made_us;
        const char *number;
        if (!read_item(issue, &made_us, &number, c->arena))
            return false;
        if (made_us >= since_us(c))
            note_if_ours(c, issue, number);
    }
    return look->number ||
           (json_object_is_type(total, json_type_int) && json_object_get_int64(total) <= (int64_t)count);
}

enum dest_next github_search_on(struct conversation *c, const struct dest_response *last,
                                struct dest_request *out)
{
    struct verdict v = github_judge_search(last, c->arena);
    if (v.kind == VERDICT_RETRY)
        return github_end(c, v);
    struct json_object *root = dest_answer_json(last);
    bool good = v.kind == VERDICT_NONE && read_found(c, root);
    json_object_put(root);
    if (!good)
        return later(
            c, last,
            "an earlier request may have made the issue, so many were made since then that it is not among "
            "those listed, and GitHub's search does not say whether it is there; look for it");
    return github_talk_of(c)->look.number ? found(c, out) : not_found(c, out);
}
