/*
 * What happens to Jira's issue over the life of its finding: what is known before and after each request, which transition is
 * taken, and what counts as the issue that was searched for. What each answer means is in tests/golden/jira.
 */
#include <stdio.h>
#include <string.h>

#include "common/destinations/alert.h"
#include "common/destinations/jira.h"
#include "tests/unit/talk.h"
#include "tests/unit/unit.h"

#define SETTINGS                                                                                             \
    "{\"base_url\":\"https://acme.atlassian.net\",\"email\":\"a@b\",\"api_token\":\"t0ken\","                \
    "\"project_key\":\"SEC\",\"close_transition\":\"Done\",\"reopen_transition\":\"to do\"}"
#define API  "https://acme.atlassian.net/rest/api/3"
#define LIST "{\"transitions\":[{\"id\":\"11\",\"name\":\"To Do\"},{\"id\":\"31\",\"name\":\"DONE\"}]}"
#define SAID "{\"id\":\"20001\"}"

static const struct dest_reference open_issue = {.key = "SEC-12", .known = true, .open = true},
                                   closed_issue = {.key = "SEC-12", .known = true},
                                   perhaps = {.unsure = true, .unsure_since_us = 1};

static void begin(struct talk *t, struct dest_reference reference, bool over)
{
    talk_begin(t, "jira", SETTINGS, "abc", 1);
    t->facts = talk_open_facts();
    t->facts.finding.suppressed = over;
    t->facts.finding.suppress_reason = over ? "accepted risk" : NULL;
    t->c.reference = reference;
}

static void expect_request(const struct talk *t, const char *method, const char *url)
{
    EXPECT_TEXT(t->request.method, method);
    EXPECT_TEXT(t->request.url, url);
}

static void expect_reference(const struct talk *t, const char *key, bool open, bool unsure)
{
    EXPECT(t->c.reference.known == (key != NULL));
    if (key && t->c.reference.key)
        EXPECT_TEXT(t->c.reference.key, key);
    EXPECT(t->c.reference.open == open && t->c.reference.unsure == unsure);
}

/* ---- what is known, and when ---- */

static void a_new_issue_is_known_by_its_key_and_unsure_until_then(void)
{
    struct talk t;
    begin(&t, (struct dest_reference){0}, false);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT(t.request.once);
    expect_reference(&t, NULL, false, true);
    EXPECT_INT(talk_answered(&t, 201, "{\"key\":\"SEC-3\"}"), DEST_FINISHED);
    expect_reference(&t, "SEC-3", true, false);
    EXPECT_INT(t.c.reference.severity, SEVERITY_HIGH);
    EXPECT_TEXT(t.c.reference.title, t.facts.finding.title);
    talk_end(&t);
}

static void what_the_screen_lacks_leaves_nothing_unsure(void)
{
    struct talk t;
    begin(&t, (struct dest_reference){0}, false);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT_INT(talk_answered(&t, 400, "{\"errors\":{\"labels\":\"x\"}}"), DEST_SEND);
    expect_reference(&t, NULL, false, true);
    EXPECT_INT(talk_answered(&t, 400, "{\"errors\":{\"summary\":\"x\"}}"), DEST_FINISHED);
    expect_reference(&t, NULL, false, false);
    talk_end(&t);
}

static void an_issue_whose_key_cannot_be_read_is_to_be_searched_for(void)
{
    static const char *const bodies[] = {"{\"key\":\"\"}", "{\"key\":\"SEC\"}", "{\"key\":\"../SEC-1\"}",
                                         "{}", "<html>"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct talk t;
        begin(&t, (struct dest_reference){0}, false);
        EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
        EXPECT_INT(talk_answered(&t, 201, bodies[i]), DEST_FINISHED);
        expect_reference(&t, NULL, false, true);
        talk_end(&t);
    }
}

static void an_issue_is_moved_before_it_is_commented(void)
{
    struct talk t;
    begin(&t, open_issue, true);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    expect_request(&t, "GET", API "/issue/SEC-12/transitions");
    expect_reference(&t, "SEC-12", true, false);
    EXPECT_INT(talk_answered(&t, 200, LIST), DEST_SEND);
    expect_request(&t, "POST", API "/issue/SEC-12/transitions");
    EXPECT_TEXT(t.request.body, "{\"transition\":{\"id\":\"31\"}}");
    expect_reference(&t, "SEC-12", true, true);
    EXPECT_INT(talk_answered(&t, 204, ""), DEST_SEND);
    expect_request(&t, "POST", API "/issue/SEC-12/comment");
    EXPECT(strstr(t.request.body, "\"Closed: suppressed (accepted risk)\"") && t.request.once);
    expect_reference(&t, "SEC-12", false, false);
    EXPECT_INT(talk_answered(&t, 201, SAID), DEST_FINISHED);
    EXPECT(t.job.verdict.kind == VERDICT_DELIVERED && !t.job.verdict.detail);
    expect_reference(&t, "SEC-12", false, false);
    talk_end(&t);
}

static void a_comment_alone_keeps_what_was_told_last(void)
{
    struct talk t;
    begin(&t, open_issue, false);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    expect_request(&t, "POST", API "/issue/SEC-12/comment");
    expect_reference(&t, "SEC-12", true, false);
    EXPECT_INT(talk_answered(&t, 201, SAID), DEST_FINISHED);
    expect_reference(&t, "SEC-12", true, false);
    EXPECT_TEXT(t.c.reference.title, t.facts.finding.title);
    talk_end(&t);
}

static void an_issue_that_was_closed_is_opened_again(void)
{
    struct talk t;
    begin(&t, closed_issue, false);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT_INT(talk_answered(&t, 200, LIST), DEST_SEND);
    EXPECT_TEXT(t.request.body, "{\"transition\":{\"id\":\"11\"}}");
    EXPECT_INT(talk_answered(&t, 204, ""), DEST_SEND);
    EXPECT(strstr(t.request.body, "\"Open again\""));
    expect_reference(&t, "SEC-12", true, false);
    talk_end(&t);
}

static void a_body_without_room_is_dead_and_changes_nothing(void)
{
    static const struct dest_reference *const all[] = {&open_issue, &perhaps};
    for (size_t i = 0; i < 2; i++) {
        struct talk t;
        begin(&t, *all[i], false);
        dest_body_cache_free(&t.cache);
        dest_body_cache_init(&t.cache, 100);
        EXPECT_INT(talk_next(&t, NULL), DEST_FINISHED);
        EXPECT_INT(t.job.verdict.reason, REASON_TOO_LONG);
        EXPECT(t.c.reference.known == all[i]->known && t.c.reference.unsure == all[i]->unsure);
        talk_end(&t);
    }
}

/* ---- keys and transitions ---- */

static void what_has_not_the_form_of_a_key_is_asked_for_nowhere(void)
{
    static const char *const keys[] = {"",       "SEC",   "SEC-",    "-1", "SEC-1/../2",
                                       "SEC-1 ", "S C-1", "SEC-1?x", "1",  NULL};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct talk t;
        begin(&t, (struct dest_reference){.key = keys[i], .known = true, .open = true}, false);
        EXPECT_INT(talk_next(&t, NULL), DEST_FINISHED);
        EXPECT_INT(t.job.verdict.kind, VERDICT_AGAIN);
        expect_reference(&t, NULL, false, false);
        talk_end(&t);
    }
    EXPECT(jira_is_key("SEC-1") && jira_is_key("s_2-00012345678901234567890"));
}

static void the_wanted_transition_is_known_by_number_then_name_then_status(void)
{
    static const struct {
        const char *body, *wanted, *id;
        enum jira_transitions found;
    } cases[] = {
        {"[{\"id\":\"1\",\"name\":\"2\"},{\"id\":\"2\",\"name\":\"x\"}]", "2", "2", JIRA_TRANSITIONS_FOUND},
        {"[{\"id\":\"1\",\"to\":{\"name\":\"Done\"}},{\"id\":\"2\",\"name\":\"dONE\"}]", "Done", "2",
         JIRA_TRANSITIONS_FOUND},
        {"[{\"id\":\"1\",\"name\":\"x\"},{\"id\":\"2\",\"to\":{\"name\":\"done\"}}]", "Done", "2",
         JIRA_TRANSITIONS_FOUND},
        {"[{\"id\":\"1\",\"name\":\"Erledigt\"}]", "Done", NULL, JIRA_TRANSITIONS_OTHERS},
        {"[3,null,{\"id\":[],\"name\":{},\"to\":[]}]", "Done", NULL, JIRA_TRANSITIONS_OTHERS},
        {"[{\"name\":\"Done\"}]", "Done", NULL, JIRA_TRANSITIONS_UNCLEAR},
        {"[]", "Done", NULL, JIRA_TRANSITIONS_NONE},
        {"{}", "Done", NULL, JIRA_TRANSITIONS_UNCLEAR},
    };
    struct arena arena;
    arena_init(&arena, 1024);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *id = NULL;
        struct dest_response r =
            talk_answer(200, arena_printf(&arena, "{\"transitions\":%s}", cases[i].body));
        EXPECT_INT(jira_transition_find(&r, cases[i].wanted, &arena, &id), cases[i].found);
        EXPECT(id ? cases[i].id && strcmp(id, cases[i].id) == 0 : !cases[i].id);
    }
    arena_free(&arena);
}

/* ---- the search ---- */

static void a_search_is_for_the_marker_in_the_project(void)
{
    struct talk t;
    char marker[ALERT_MARKER_TEXT];
    begin(&t, perhaps, false);
    alert_marker(&t.event, &t.facts, marker);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    expect_request(&t, "POST", API "/search/jql");
    EXPECT_TEXT(t.request.body,
                arena_printf(&t.arena,
                             "{\"jql\":\"project = \\\"SEC\\\" AND description ~ \\\"%s\\\" ORDER BY created "
                             "ASC\",\"maxResults\":5,\"fields\":[\"description\"]}",
                             marker));
    EXPECT(t.request.answer_max == JIRA_LONG_ANSWER_MAX && !t.request.once);
    expect_reference(&t, NULL, false, true);
    talk_end(&t);
}

/* What follows when an issue is found whose description, in wiki markup, is TEXT with the marker in place of %s. */
static enum jira_search search(const char *text, const char *key, const char **found)
{
    static struct talk t;
    char marker[ALERT_MARKER_TEXT], description[200];
    struct buf body;
    bool same;
    begin(&t, perhaps, false);
    alert_marker(&t.event, &t.facts, marker);
    const char *at = strstr(text, "%s");
    EXPECT((size_t)snprintf(description, sizeof description, "%.*s%s%s", (int)(at - text), text, marker,
                            at + 2) < sizeof description);
    buf_init(&body, 4096);
    buf_add_text(&body, "{\"total\":1,\"issues\":[{");
    buf_json_member(&body, "key", key);
    buf_json_open_object(&body, "fields");
    buf_json_member(&body, "description", description);
    buf_add_text(&body, "}}]}");
    struct dest_response r = talk_answer(200, buf_text(&body));
    const struct buf *made = dest_cached_body(&t.c, JIRA_WIKI, jira_body_build);
    static char kept[300];
    const char *out = NULL;
    enum jira_search result = jira_search_read(&r, &t.job, made, &t.arena, &out, &same);
    snprintf(kept, sizeof kept, "%s", out ? out : "");
    *found = kept;
    buf_free(&body);
    talk_end(&t);
    return result;
}

static void only_an_issue_that_ends_in_the_marker_is_the_one(void)
{
    static const char *const good[] = {"Pencheff · %s", "x\nPencheff · finding 1 · %s",
                                       "x\r\n\r\nPencheff · %s\r\n\n "};
    static const char *const others[] = {"%s",
                                         "x %s",
                                         "Pencheff · %s\nx",
                                         "Pencheff · %sx",
                                         "Pencheff · x%s",
                                         "x Pencheff · %s",
                                         "Pencheff · \n%s"};
    const char *key;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        EXPECT_INT(search(good[i], "SEC-5", &key), JIRA_SEARCH_FOUND);
        EXPECT_TEXT(key, "SEC-5");
        EXPECT_INT(search(good[i], "SEC", &key), JIRA_SEARCH_UNCLEAR);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        EXPECT_INT(search(others[i], "SEC-5", &key), JIRA_SEARCH_NONE);
}

static void what_is_not_understood_never_makes_an_issue(void)
{
    static const struct {
        long status;
        const char *body;
    } cases[] = {
        {200, ""},
        {200, "[]"},
        {200, "{}"},
        {200, "{\"issues\":{}}"},
        {200, "{\"issues\":[],\"isLast\":false}"},
        {200, "{\"issues\":[],\"nextPageToken\":\"x\"}"},
        {200, "{\"issues\":[],\"total\":1}"},
        {200, "{\"issues\":[1,2,3,4,5]}"},
        {201, "{\"issues\":[]}"},
        {204, ""},
        {302, ""},
        {400, "{}"},
        {401, ""},
        {403, ""},
        {404, ""},
        {410, ""},
        {500, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct talk t;
        begin(&t, perhaps, false);
        EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
        EXPECT_INT(talk_answered(&t, cases[i].status, cases[i].body), DEST_FINISHED);
        EXPECT(t.job.verdict.kind == VERDICT_REJECTED || t.job.verdict.kind == VERDICT_RETRY);
        EXPECT(t.job.verdict.reason != REASON_GONE && t.job.verdict.detail);
        EXPECT(t.c.reference.unsure && t.c.reference.unsure_since_us == 1);
        talk_end(&t);
    }
}

static void half_of_an_answer_is_not_understood(void)
{
    struct talk t;
    struct dest_response r = talk_answer(200, "{\"issues\":[]}");
    r.truncated = true;
    begin(&t, perhaps, false);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT_INT(talk_next(&t, &r), DEST_FINISHED);
    EXPECT_INT(t.job.verdict.kind, VERDICT_REJECTED);
    talk_end(&t);
}

/* ---- an issue that is not to be seen ---- */

static void expect_after_missing(const char *key, long who, long project, enum verdict_kind kind)
{
    struct talk t;
    begin(&t, (struct dest_reference){.key = key, .known = true, .open = true}, false);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT_INT(talk_answered(&t, 404, ""), DEST_SEND);
    expect_request(&t, "GET", API "/myself");
    if (talk_answered(&t, who, "{\"accountId\":\"x\"}") == DEST_SEND) {
        EXPECT(strncmp(t.request.url, API "/project/", strlen(API "/project/")) == 0);
        EXPECT_INT(talk_answered(&t, project, "{\"key\":\"x\"}"), DEST_FINISHED);
    }
    EXPECT_INT(t.job.verdict.kind, kind);
    EXPECT(t.c.reference.known == (kind != VERDICT_AGAIN));
    talk_end(&t);
}

static void an_issue_is_gone_only_when_its_project_is_there(void)
{
    expect_after_missing("SEC-12", 200, 200, VERDICT_AGAIN);
    expect_after_missing("SEC-12", 401, 200, VERDICT_REJECTED);
    expect_after_missing("SEC-12", 404, 200, VERDICT_REJECTED);
    expect_after_missing("SEC-12", 503, 200, VERDICT_RETRY);
    expect_after_missing("SEC-12", 200, 404, VERDICT_REJECTED);
    expect_after_missing("sec-12", 200, 404, VERDICT_REJECTED);
    expect_after_missing("SEC-12", 200, 403, VERDICT_REJECTED);
    expect_after_missing("SEC-12", 200, 500, VERDICT_RETRY);
    expect_after_missing("OLD-12", 200, 404, VERDICT_AGAIN);
    expect_after_missing("SECOND-12", 200, 404, VERDICT_AGAIN);
    expect_after_missing("OLD-12", 200, 403, VERDICT_REJECTED);
}

UNIT_MAIN(UNIT_CASE(a_new_issue_is_known_by_its_key_and_unsure_until_then),
          UNIT_CASE(what_the_screen_lacks_leaves_nothing_unsure),
          UNIT_CASE(an_issue_whose_key_cannot_be_read_is_to_be_searched_for),
          UNIT_CASE(an_issue_is_moved_before_it_is_commented),
          UNIT_CASE(a_comment_alone_keeps_what_was_told_last),
          UNIT_CASE(an_issue_that_was_closed_is_opened_again),
          UNIT_CASE(a_body_without_room_is_dead_and_changes_nothing),
          UNIT_CASE(what_has_not_the_form_of_a_key_is_asked_for_nowhere),
          UNIT_CASE(the_wanted_transition_is_known_by_number_then_name_then_status),
          UNIT_CASE(a_search_is_for_the_marker_in_the_project),
          UNIT_CASE(only_an_issue_that_ends_in_the_marker_is_the_one),
          UNIT_CASE(what_is_not_understood_never_makes_an_issue),
          UNIT_CASE(half_of_an_answer_is_not_understood),
          UNIT_CASE(an_issue_is_gone_only_when_its_project_is_there))
