/*
 * What GitHub is told over the life of a finding, and how an issue is found that a lost request may have made. What each
 * answer means is in tests/golden/github.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/json.h"
#include "common/destinations/alert.h"
#include "common/destinations/github.h"
#include "tests/unit/chat.h"
#include "tests/unit/talk.h"
#include "tests/unit/unit.h"

#define SETTINGS "{\"repo\":\"octo/shop\",\"token\":\"t0ken\"}"
#define URL      "https://api.github.com/repos/octo/shop"
#define STATE    "{\"number\":7}"
#define COMMENT  "{\"id\":1}"
#define LIST     URL "/issues?state=all&sort=created&direction=desc&per_page="

/* 2026-11-22T02:00:00Z: what was made until ten minutes before counts. */
#define LOST_US INT64_C(1795312800000000)

static void begin(struct talk *t, struct dest_reference reference)
{
    talk_begin(t, "github", SETTINGS, "abc", 1);
    t->facts = talk_open_facts();
    t->c.reference = reference;
}

static void close_finding(struct talk *t)
{
    t->facts.finding.resolved_at = "2026-11-22T01:59:00Z";
}

static const struct dest_reference told = {.known = true, .key = "7", .open = true},
                                   ended = {.known = true, .key = "7"},
                                   lost = {.unsure = true, .unsure_since_us = LOST_US};

static void expect_reference(const struct talk *t, const char *key, bool open, bool unsure)
{
    const struct dest_reference *r = &t->c.reference;
    EXPECT(r->known == (key != NULL) && r->unsure == unsure);
    EXPECT(!key || (strcmp(r->key, key) == 0 && r->open == open));
}

/* ---- the life of an issue ---- */

static void the_state_is_set_first_and_a_comment_says_why(void)
{
    static const struct {
        const char *resolved, *status;
        bool suppressed;
        const char *state, *head;
    } ends[] = {
        {"2026-11-22T01:59:00Z", "true_positive", false, "completed", "**Closed:** `resolved`"},
        {NULL, "false_positive", false, "not_planned", "**Closed:** `false positive`"},
        {NULL, "unverified", true, "not_planned", "**Closed:** ``suppressed (a `b` @\u200Bc)``"},
        {"2026-11-22T01:59:00Z", "x", true, "not_planned", "**Closed:** ``suppressed (a `b` @\u200Bc)``"},
    };
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        char want[100];
        struct talk t;
        begin(&t, told);
        t.facts.finding.resolved_at = ends[i].resolved;
        t.facts.finding.verification_status = ends[i].status;
        t.facts.finding.suppressed = ends[i].suppressed;
        t.facts.finding.suppress_reason = "a `b`\n@c";
        EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
        snprintf(want, sizeof want, "{\"state\":\"closed\",\"state_reason\":\"%s\"}", ends[i].state);
        EXPECT_TEXT(t.request.method, "PATCH");
        EXPECT_TEXT(t.request.url, URL "/issues/7");
        EXPECT_TEXT(t.request.body, want);
        EXPECT(!t.request.once);
        expect_reference(&t, "7", true, true);
        EXPECT_INT(talk_answered(&t, 200, STATE), DEST_SEND);
        expect_reference(&t, "7", false, false);
        EXPECT_TEXT(t.request.url, URL "/issues/7/comments");
        EXPECT(t.request.once && strstr(t.request.body, ends[i].head));
        EXPECT_INT(talk_answered(&t, 201, COMMENT), DEST_FINISHED);
        EXPECT_INT(t.job.verdict.kind, VERDICT_DELIVERED);
        expect_reference(&t, "7", false, false);
        EXPECT_TEXT(t.c.reference.title, t.facts.finding.title);
        talk_end(&t);
    }
}

static void a_change_is_a_comment_which_leaves_no_doubt(void)
{
    struct talk t;
    begin(&t, told);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT_TEXT(t.request.url, URL "/issues/7/comments");
    EXPECT(strstr(t.request.body, "{\"body\":\"**Updated**\\n\\n`🔁 Finding updated — SQL "));
    expect_reference(&t, "7", true, false);
    EXPECT_INT(talk_answered(&t, 502, ""), DEST_FINISHED);
    EXPECT_INT(t.job.verdict.kind, VERDICT_RETRY);
    expect_reference(&t, "7", true, false);
    talk_end(&t);
    begin(&t, ended);
    close_finding(&t);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT(strstr(t.request.body, "**Updated**, closed: `resolved`\\n\\n"));
    EXPECT_INT(talk_answered(&t, 201, COMMENT), DEST_FINISHED);
    expect_reference(&t, "7", false, false);
    talk_end(&t);
}

static void what_comes_again_opens_the_issue(void)
{
    struct talk t;
    begin(&t, ended);
    t.event.type = EVENT_FINDING_NEW;
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT_TEXT(t.request.body, "{\"state\":\"open\",\"state_reason\":\"reopened\"}");
    EXPECT_INT(talk_answered(&t, 200, STATE), DEST_SEND);
    EXPECT(strstr(t.request.body, "{\"body\":\"**Found again**\\n\\n`🔴 [HIGH] CVSS 7.5 — SQL "));
    EXPECT(!strstr(t.request.body, "Description") && !strstr(t.request.body, "Endpoint"));
    EXPECT_INT(talk_answered(&t, 201, COMMENT), DEST_FINISHED);
    expect_reference(&t, "7", true, false);
    talk_end(&t);
}

static void a_key_that_is_no_number_is_sent_nowhere(void)
{
    static const char *const keys[] = {"",   "0",  "07",  "-7", "+7", " 7",
                                       "7 ", "7/", "7?x", "x",  "٧",  "1234567890123456789"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct talk t;
        begin(&t, (struct dest_reference){.known = true, .key = keys[i], .open = true});
        EXPECT_INT(talk_next(&t, NULL), DEST_FINISHED);
        EXPECT_INT(t.job.verdict.kind, VERDICT_AGAIN);
        expect_reference(&t, NULL, false, false);
        talk_end(&t);
    }
    EXPECT(!github_is_number(NULL) && github_is_number("7") && github_is_number("123456789012345678"));
}

static void a_token_in_the_address_of_a_redirect_is_not_told(void)
{
    struct talk t;
    struct dest_response r = talk_answer(301, "");
    begin(&t, told);
    r.fields[ANSWER_LOCATION] = "https://evil.example/t0ken";
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT_INT(talk_next(&t, &r), DEST_FINISHED);
    EXPECT(t.job.verdict.error == ERROR_REDIRECT && !strstr(t.job.verdict.detail, "t0ken"));
    talk_end(&t);
}

/* ---- comments ---- */

static enum life_act comment_act;

static void build_comment(const struct event *event, const struct facts *facts, int layout, struct buf *out)
{
    struct buf rest;
    struct facts whole = *facts;
    buf_init(&rest, 262144);
    if (comment_act == LIFE_CLOSE)
        whole.finding.suppressed = true;
    github_body_build(event, &whole, layout, &rest);
    github_comment_add(out, comment_act, event, &whole, &rest);
    buf_free(&rest);
}

static void see_limits(struct json_object *comment, size_t bytes, const char *text)
{
    (void)text;
    EXPECT(bytes > 0 && chat_units_at(comment, "body") >= 1);
    EXPECT(chat_units_at(comment, "body") <= GITHUB_BODY_MAX);
}

static void long_text_of_any_width_stays_within_the_limits(void)
{
    for (int act = LIFE_CHANGE; act <= LIFE_REOPEN; act++) {
        comment_act = (enum life_act)act;
        chat_each_long(build_comment, GITHUB_COMMENT, see_limits);
        chat_each(build_comment, GITHUB_COMMENT, NULL, see_limits);
    }
}

static void a_comment_over_the_limit_is_dead_before_it_is_sent(void)
{
    static const struct dest_reference *const references[] = {&told, &ended};
    for (size_t i = 0; i < 2; i++) {
        for (size_t room = 0; room < 1000; room += 7) {
            struct talk t;
            begin(&t, *references[i]);
            dest_body_cache_free(&t.cache);
            dest_body_cache_init(&t.cache, room);
            enum dest_next next = talk_next(&t, NULL);
            EXPECT(next == DEST_FINISHED || t.request.body_size <= room);
            EXPECT(next == DEST_SEND || t.job.verdict.reason == REASON_TOO_LONG);
            expect_reference(&t, "7", references[i]->open, next == DEST_SEND && i == 1);
            talk_end(&t);
        }
    }
}

/* ---- looking ---- */

static void only_a_last_line_of_ours_holds_the_marker(void)
{
#define MARKER "pencheff0123456789abcdef0123456789abcdef"
#define FOOT   "`Pencheff · finding 1 · " MARKER "`"
    static const char *const good[] = {FOOT, "x\n" FOOT, "x\r\n" FOOT "\r\n", FOOT " \n\n"};
    static const char *const bad[] = {"",
                                      MARKER,
                                      "`" MARKER "`",
                                      FOOT "\nx",
                                      FOOT " x",
                                      "> " FOOT,
                                      "x " FOOT,
                                      "`Pencheff · " MARKER "0`",
                                      "`Pencheff · finding 1 · " MARKER,
                                      "```\n" FOOT "\n```"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        EXPECT(github_body_has_marker(good[i], MARKER));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (github_body_has_marker(bad[i], MARKER))
            unit_fail(__FILE__, __LINE__, "%s", bad[i]);
}

/* An item of a list, made at TIME on the day, with the BODY as it stands in JSON. */
static const char *item(struct talk *t, int number, const char *time, const char *body)
{
    return arena_printf(&t->arena,
                        "{\"number\":%d,\"state\":\"open\",\"created_at\":\"2026-11-22T%sZ\",\"body\":%s}",
                        number, time, body);
}

static const char *foot(struct talk *t)
{
    char marker[ALERT_MARKER_TEXT];
    alert_marker(&t->event, &t->facts, marker);
    return arena_printf(&t->arena, "\"`Pencheff · %s`\"", marker);
}

static const char *list(struct talk *t, const char *first, const char *second)
{
    return arena_printf(&t->arena, "[%s,%s]", first, second);
}

static void the_list_is_read_to_ten_minutes_before_and_the_oldest_counts(void)
{
    struct talk t;
    begin(&t, lost);
    t.event.type = EVENT_FINDING_NEW;
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT_TEXT(t.request.url, LIST "100&page=1");
    EXPECT(!t.request.once && t.request.answer_max == 1 << 21);
    const char *first = list(&t, item(&t, 9, "02:00:01", foot(&t)), item(&t, 8, "01:59:00", foot(&t)));
    EXPECT_INT(talk_answered(&t, 200, first), DEST_SEND);
    EXPECT_TEXT(t.request.url, LIST "100&page=2");
    const char *second = list(&t, item(&t, 6, "01:50:00", foot(&t)), item(&t, 5, "01:49:59", foot(&t)));
    EXPECT_INT(talk_answered(&t, 200, second), DEST_SEND);
    EXPECT_TEXT(t.request.url, LIST "100&page=3");
    EXPECT_INT(talk_answered(&t, 200, "[]"), DEST_FINISHED);
    EXPECT_INT(t.job.verdict.kind, VERDICT_DELIVERED);
    expect_reference(&t, "6", true, false);
    talk_end(&t);
}

/* Old issues that were transferred from another repository stand among the new ones. */
static void ten_older_ones_in_a_row_end_the_list(void)
{
    for (int older = 9; older <= 10; older++) {
        struct talk t;
        begin(&t, lost);
        t.event.type = EVENT_FINDING_NEW;
        EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
        const char *page = item(&t, 30, "01:00:00", "null");
        for (int i = 1; i < older; i++)
            page = arena_printf(&t.arena, "%s,%s", page, item(&t, 30 - i, "01:00:00", "null"));
        page = list(&t, page, item(&t, 8, "02:00:00", foot(&t)));
        EXPECT_INT(talk_answered(&t, 200, page), DEST_SEND);
        EXPECT_TEXT(t.request.url, older == 9 ? LIST "100&page=2" : URL "/issues");
        talk_end(&t);
    }
}

static void a_page_that_was_cut_is_asked_for_in_smaller_pieces(void)
{
    struct talk t;
    struct dest_response cut = talk_answer(200, "[{\"number\":");
    cut.truncated = true;
    begin(&t, lost);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT_INT(
        talk_answered(&t, 200, list(&t, item(&t, 9, "02:00:00", "null"), item(&t, 8, "02:00:00", "1"))),
        DEST_SEND);
    EXPECT_TEXT(t.request.url, LIST "100&page=2");
    EXPECT_INT(talk_next(&t, &cut), DEST_SEND);
    EXPECT_TEXT(t.request.url, LIST "20&page=6");
    EXPECT_INT(talk_next(&t, &cut), DEST_SEND);
    EXPECT_TEXT(t.request.url, LIST "4&page=26");
    EXPECT_INT(talk_next(&t, &cut), DEST_FINISHED);
    EXPECT_INT(t.job.verdict.kind, VERDICT_RETRY);
    EXPECT(strstr(t.job.verdict.detail, "too long"));
    expect_reference(&t, NULL, false, true);
    EXPECT(t.c.reference.unsure_since_us == LOST_US);
    talk_end(&t);
}

/* The search may be behind. */
static void what_is_listed_must_go_back_further_than_the_search_may_be_behind(void)
{
    struct talk t;
    begin(&t, lost);
    t.c.now_us = LOST_US + INT64_C(3000000000);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    for (int page = 1; page < 8; page++)
        EXPECT_INT(
            talk_answered(&t, 200, list(&t, item(&t, 9, "02:30:01", "1"), item(&t, 8, "02:30:01", "1"))),
            DEST_SEND);
    EXPECT_INT(talk_answered(&t, 200, list(&t, item(&t, 9, "02:30:01", "1"), item(&t, 8, "02:30:00", "1"))),
               DEST_FINISHED);
    EXPECT_INT(t.job.verdict.kind, VERDICT_RETRY);
    expect_reference(&t, NULL, false, true);
    talk_end(&t);
}

/* Eight pages of younger issues: the search has what is older, and no issue is made unless it says that there is none. */
static void what_is_behind_the_list_is_searched_for(void)
{
    static const struct {
        const char *head,
            *tail; /* of the answer, before and behind an issue of ours; without a tail there is none */
        long status;
        enum verdict_kind verdict; /* VERDICT_NONE: the issue is made */
        const char *made;          /* NULL: after the request that was lost */
    } cases[] = {
        {"{\"total_count\":1,\"incomplete_results\":false,\"items\":[", "]}", 200, VERDICT_DELIVERED, NULL},
        {"{\"total_count\":0,\"incomplete_results\":false,\"items\":[]}", NULL, 200, VERDICT_NONE, NULL},
        {"{\"total_count\":1,\"incomplete_results\":false,\"items\":[", "]}", 200, VERDICT_NONE, "01:49:59"},
        {"{\"total_count\":2,\"incomplete_results\":false,\"items\":[", "]}", 200, VERDICT_RETRY, "01:49:59"},
        {"{\"incomplete_results\":false,\"items\":[]}", NULL, 200, VERDICT_RETRY, NULL},
        {"{\"incomplete_results\":true,\"items\":[]}", NULL, 200, VERDICT_RETRY, NULL},
        {"{\"incomplete_results\":true,\"items\":[", "]}", 200, VERDICT_RETRY, NULL},
        {"{\"items\":[]}", NULL, 200, VERDICT_RETRY, NULL},
        {"{\"incomplete_results\":false,\"items\":[1]}", NULL, 200, VERDICT_RETRY, NULL},
        {"{\"incomplete_results\":false,\"items\":{}}", NULL, 200, VERDICT_RETRY, NULL},
        {"[]", NULL, 200, VERDICT_RETRY, NULL},
        {"{}", NULL, 422, VERDICT_RETRY, NULL},
        {"{}", NULL, 503, VERDICT_RETRY, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char marker[ALERT_MARKER_TEXT], url[200];
        struct talk t;
        begin(&t, lost);
        t.event.type = EVENT_FINDING_NEW;
        t.c.now_us = LOST_US + INT64_C(3600000000);
        alert_marker(&t.event, &t.facts, marker);
        EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
        for (int page = 1; page <= 8; page++)
            EXPECT_INT(
                talk_answered(&t, 200, list(&t, item(&t, 9, "02:30:00", "1"), item(&t, 8, "02:30:00", "1"))),
                DEST_SEND);
        snprintf(url, sizeof url,
                 "https://api.github.com/search/issues?q=repo:octo/"
                 "shop+is:issue+in:body+%s&sort=created&order=asc&per_page=10",
                 marker);
        EXPECT_TEXT(t.request.url, url);
        const char *answer = cases[i].head;
        if (cases[i].tail)
            answer = arena_printf(&t.arena, "%s%s%s", answer,
                                  item(&t, 6, cases[i].made ? cases[i].made : "01:55:00", foot(&t)),
                                  cases[i].tail);
        enum dest_next next = talk_answered(&t, cases[i].status, answer);
        EXPECT_INT(next, cases[i].verdict == VERDICT_NONE ? DEST_SEND : DEST_FINISHED);
        EXPECT_INT(t.job.verdict.kind, cases[i].verdict);
        if (cases[i].verdict == VERDICT_NONE)
            EXPECT_TEXT(t.request.url, URL "/issues");
        else
            expect_reference(&t, i == 0 ? "6" : NULL, i == 0, i != 0);
        talk_end(&t);
    }
}

static void what_was_found_before_the_list_was_too_long_is_the_issue(void)
{
    struct talk t;
    struct dest_response cut = talk_answer(200, "[");
    cut.truncated = true;
    begin(&t, lost);
    t.event.type = EVENT_FINDING_NEW;
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT_INT(
        talk_answered(&t, 200, list(&t, item(&t, 9, "02:00:00", foot(&t)), item(&t, 8, "02:00:00", "1"))),
        DEST_SEND);
    EXPECT_INT(talk_next(&t, &cut), DEST_SEND);
    EXPECT_INT(talk_next(&t, &cut), DEST_SEND);
    EXPECT_INT(talk_next(&t, &cut), DEST_FINISHED);
    expect_reference(&t, "9", true, false);
    talk_end(&t);
}

/* No page may lead to a second issue unless it is understood. */
static void a_list_that_is_not_understood_makes_no_issue(void)
{
    static const char *const items[] = {
        "1",
        "null",
        "[]",
        "{}",
        "{\"number\":7}",
        "{\"number\":\"7\",\"created_at\":\"2026-11-22T01:00:00Z\"}",
        "{\"number\":0,\"created_at\":\"2026-11-22T01:00:00Z\"}",
        "{\"number\":7,\"created_at\":\"yesterday\"}",
        "{\"number\":7,\"created_at\":1795312800}",
    };
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        struct talk t;
        begin(&t, lost);
        EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
        EXPECT_INT(talk_answered(&t, 200, arena_printf(&t.arena, "[%s]", items[i])), DEST_FINISHED);
        EXPECT_INT(t.job.verdict.kind, VERDICT_RETRY);
        expect_reference(&t, NULL, false, true);
        talk_end(&t);
    }
}

/* A lost request for this very event said it all; another event's did not. */
static void what_the_found_issue_says_already_is_not_said_again(void)
{
    for (int other = 0; other < 2; other++) {
        struct talk t;
        const char *why;
        begin(&t, (struct dest_reference){.known = false});
        EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
        struct json_object *issue = json_parse(t.request.body, t.request.body_size, &why);
        const char *body = arena_strdup(&t.arena, json_print(json_get(issue, "body")));
        json_object_put(issue);
        t.c.step = 0;
        t.c.scratch = NULL;
        t.c.reference = lost;
        EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
        const char *page =
            list(&t, item(&t, 9, "02:00:00", other ? foot(&t) : body), item(&t, 1, "01:00:00", "null"));
        EXPECT_INT(talk_answered(&t, 200, page), DEST_SEND);
        EXPECT_INT(talk_answered(&t, 200, "[]"), other ? DEST_SEND : DEST_FINISHED);
        if (other)
            EXPECT_TEXT(t.request.url, URL "/issues/9/comments");
        expect_reference(&t, "9", true, false);
        talk_end(&t);
    }
}

static void an_issue_that_is_made_after_a_look_is_as_sure_as_any(void)
{
    struct talk t;
    begin(&t, lost);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT_INT(talk_answered(&t, 200, "[]"), DEST_SEND);
    EXPECT_TEXT(t.request.url, URL "/issues");
    EXPECT(t.request.once && t.request.answer_max == 1 << 20);
    expect_reference(&t, NULL, false, true);
    EXPECT_INT(talk_answered(&t, 403, "{\"message\":\"not accessible\"}"), DEST_FINISHED);
    expect_reference(&t, NULL, false, false);
    talk_end(&t);
}

UNIT_MAIN(UNIT_CASE(the_state_is_set_first_and_a_comment_says_why),
          UNIT_CASE(a_change_is_a_comment_which_leaves_no_doubt), UNIT_CASE(what_comes_again_opens_the_issue),
          UNIT_CASE(a_key_that_is_no_number_is_sent_nowhere),
          UNIT_CASE(a_token_in_the_address_of_a_redirect_is_not_told),
          UNIT_CASE(long_text_of_any_width_stays_within_the_limits),
          UNIT_CASE(a_comment_over_the_limit_is_dead_before_it_is_sent),
          UNIT_CASE(only_a_last_line_of_ours_holds_the_marker),
          UNIT_CASE(the_list_is_read_to_ten_minutes_before_and_the_oldest_counts),
          UNIT_CASE(ten_older_ones_in_a_row_end_the_list),
          UNIT_CASE(a_page_that_was_cut_is_asked_for_in_smaller_pieces),
          UNIT_CASE(what_was_found_before_the_list_was_too_long_is_the_issue),
          UNIT_CASE(what_is_listed_must_go_back_further_than_the_search_may_be_behind),
          UNIT_CASE(what_is_behind_the_list_is_searched_for),
          UNIT_CASE(a_list_that_is_not_understood_makes_no_issue),
          UNIT_CASE(what_the_found_issue_says_already_is_not_said_again),
          UNIT_CASE(an_issue_that_is_made_after_a_look_is_as_sure_as_any))
