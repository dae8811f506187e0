/*
 * GitHub's settings, its requests, and what some answers lead to. What each answer means is in tests/golden/github.
 */
#include <stdio.h>
#include <string.h>

#include "common/destinations/github.h"
#include "tests/unit/settings_case.h"
#include "tests/unit/talk.h"
#include "tests/unit/unit.h"

#define PLAIN "{\"repo\":\"octo/shop\",\"token\":\"t0ken\"}"
#define FULL                                                                                                 \
    "{\"repo\":\"octo/shop\",\"token\":\"t0ken\",\"labels\":[\"Security\",\"a "                              \
    "b\"],\"assignees\":[\"hubot\"]}"

/* A conversation about a finding that is open, of which nothing was told before. */
static void begin(struct talk *t, const char *settings)
{
    talk_begin(t, "github", settings, "abc", 1);
    t->facts = talk_open_facts();
}

/* ---- settings ---- */

static void settings_are_taken_or_refused_with_advice_and_without_values(void)
{
    static const struct settings_case cases[] = {
        {.json = PLAIN},
        {.json = FULL},
        {.json = "{\"repo\":\"o/r\",\"token\":\"t\",\"api_url\":\"https://api.octo.ghe.com/\"}"},
        {"{\"repo\":\"o/r\",\"token\":\"t\",\"api_url\":\"https://ghe.example/api/v3\"}",
         .advised = "Enterprise Server"},
        {"{\"repo\":\"o/r\",\"token\":\"t\",\"api_url\":\"https://SECRET/?x\"}", .refused = "api_url"},
        {"{\"repo\":\"o/r\",\"token\":\"t\",\"api_url\":\"https://github.com/SECRET\"}",
         .refused = "api_url"},
        {"[]", .refused = "JSON"},
        {"{\"token\":\"SECRET\"}", .refused = "repo"},
        {"{\"repo\":\"o/r\"}", .refused = "token"},
        {"{\"repo\":\"o/r\",\"token\":\"SECRET\\r\\nX: y\"}", .refused = "token"},
        {"{\"repo\":\"SECRET\",\"token\":\"t\"}", .refused = "owner/name"},
        {"{\"repo\":\"SECRET/\",\"token\":\"t\"}", .refused = "owner/name"},
        {"{\"repo\":\"/SECRET\",\"token\":\"t\"}", .refused = "owner/name"},
        {"{\"repo\":\"../SECRET\",\"token\":\"t\"}", .refused = "owner/name"},
        {"{\"repo\":\"SECRET/..\",\"token\":\"t\"}", .refused = "owner/name"},
        {"{\"repo\":\"o/SECRET/issues\",\"token\":\"t\"}", .refused = "owner/name"},
        {"{\"repo\":\"o/SECRET?x=y\",\"token\":\"t\"}", .refused = "owner/name"},
        {"{\"repo\":\"https://github.com/o/SECRET\",\"token\":\"t\"}", .refused = "owner/name"},
        {"{\"repo\":\"o/r\",\"token\":\"t\",\"labels\":\"SECRET\"}", .refused = "labels"},
        {"{\"repo\":\"o/r\",\"token\":\"t\",\"labels\":"
         "[\"SECRETSECRETSECRETSECRETSECRETSECRETSECRETSECRETSEC\"]}",
         .refused = "labels"},
        {"{\"repo\":\"o/r\",\"token\":\"t\",\"assignees\":[\"SECRET\\n\"]}", .refused = "assignees"},
    };
    EXPECT_SETTINGS("github", cases);
}

/* ---- requests ---- */

static void a_request_has_what_github_wants_and_the_token_in_its_header_only(void)
{
    struct talk t;
    begin(&t, FULL);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT_TEXT(t.request.method, "POST");
    EXPECT_TEXT(t.request.url, "https://api.github.com/repos/octo/shop/issues");
    EXPECT_TEXT(talk_header(&t, "Authorization"), "Bearer t0ken");
    EXPECT_TEXT(talk_header(&t, "Accept"), "application/vnd.github+json");
    EXPECT_TEXT(talk_header(&t, "X-GitHub-Api-Version"), "2022-11-28");
    EXPECT_TEXT(talk_header(&t, "User-Agent"), "pencheff-notify/" NOTIFY_VERSION);
    EXPECT(!strstr(t.request.body, "t0ken") && t.dest->repeat_hurts);
    EXPECT_INT(t.request.answer_max, 1 << 20);
    EXPECT(strstr(t.request.body, ",\"labels\":[\"security\",\"pencheff\",\"owasp-a03\",\"cwe-89\",\"a b\"],"
                                  "\"assignees\":[\"hubot\"]}"));
    talk_end(&t);
}

static void labels_are_made_of_codes_only(void)
{
    static const struct {
        const char *owasp, *cwe, *labels;
    } cases[] = {
        {"A03", "CWE-89", "\"owasp-a03\",\"cwe-89\""},
        {" API1:2023 Broken", "cwe-89: x", "\"owasp-api1\",\"cwe-89\""},
        {"LLM01-x", "79", "\"owasp-llm01\",\"cwe-79\""},
        {"a03\"],\"x\":[\"", "89,90", NULL},
        {"0123", "CWE-", NULL},
        {"A", "CWE-089", NULL},
        {"A03é", "1234567890", NULL},
        {NULL, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char want[200];
        struct talk t;
        begin(&t, PLAIN);
        t.facts.finding.owasp_category = cases[i].owasp;
        t.facts.finding.cwe_id = cases[i].cwe;
        EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
        snprintf(want, sizeof want, ",\"labels\":[\"security\",\"pencheff\"%s%s]}",
                 cases[i].labels ? "," : "", cases[i].labels ? cases[i].labels : "");
        const char *labels = strstr(t.request.body, ",\"labels\":");
        EXPECT_TEXT(labels, want);
        talk_end(&t);
    }
}

static void integrations_share_the_text_and_have_their_own_labels(void)
{
    struct dest_config_error error;
    struct talk t;
    begin(&t, PLAIN);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    const char *plain = t.request.body;
    t.event.change_summary = "changed meanwhile";
    t.c.config = talk_parse(&t.arena, "github", FULL, &error);
    t.c.step = 0;
    t.c.scratch = NULL;
    t.c.reference = (struct dest_reference){.known = false};
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT(!strstr(t.request.body, "meanwhile") && strstr(t.request.body, "hubot") &&
           !strstr(plain, "hubot"));
    talk_end(&t);
}

static void an_issue_over_the_limit_is_dead_before_it_is_sent(void)
{
    talk_expect_room("github", FULL);
}

/* ---- conversations ---- */

#define REFUSED(field) "{\"errors\":[{\"resource\":\"Issue\",\"field\":\"" field "\",\"code\":\"invalid\"}]}"

static void refused_extras_are_left_out_once_and_what_was_not_sent_is_no_reason(void)
{
    struct talk t;
    begin(&t, FULL);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT_INT(talk_answered(&t, 422, REFUSED("assignee")), DEST_SEND);
    EXPECT(strstr(t.request.body, "\"labels\":[") && !strstr(t.request.body, "\"assignees\""));
    EXPECT_INT(talk_answered(&t, 422, REFUSED("labels")), DEST_FINISHED);
    EXPECT_INT(t.job.verdict.reason, REASON_REJECTED);
    EXPECT(strstr(t.job.verdict.detail, "labels"));
    talk_end(&t);
    begin(&t, PLAIN);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT_INT(talk_answered(&t, 422, REFUSED("assignees")), DEST_FINISHED);
    EXPECT_INT(t.job.verdict.kind, VERDICT_REJECTED);
    talk_end(&t);
}

static void begin_test(struct talk *t, const char *settings)
{
    talk_begin(t, "github", settings, "abc", 1);
    talk_make_test(t);
    EXPECT_INT(talk_next(t, NULL), DEST_SEND);
    EXPECT_TEXT(t->request.method, "GET");
    EXPECT_TEXT(t->request.url, "https://api.github.com/repos/octo/shop");
    EXPECT(t->request.body == NULL && t->request.body_size == 0 && !talk_header(t, "Content-Type"));
}

/* What each answer to the first look, and to an issue without a title, proves. */
static void a_test_proves_the_right_to_make_issues_and_makes_none(void)
{
#define GOOD "{\"full_name\":\"octo/shop\",\"has_issues\":true}"
    static const struct {
        long look;
        const char *repository;
        long status;
        const char *body;
        enum verdict_kind kind;
        const char *says;
    } cases[] = {
        {200, GOOD, 422, REFUSED("title"), VERDICT_DELIVERED, "none was made"},
        {200, GOOD, 201, "{\"number\":1}", VERDICT_DELIVERED, "please close it"},
        {200, GOOD, 422, "{\"errors\":[{\"field\":\"title\"},{\"field\":\"assignees\"}]}", VERDICT_REJECTED,
         "assignees"},
        {200, GOOD, 422, REFUSED("body"), VERDICT_REJECTED, "422"},
        {200, GOOD, 403, "{\"message\":\"Resource not accessible\"}", VERDICT_REJECTED,
         "Issues: read and write"},
        {200, GOOD, 503, "", VERDICT_RETRY, "error of its own"},
        {200, "{\"full_name\":\"o/r\",\"archived\":true}", 0, NULL, VERDICT_REJECTED, "archived"},
        {200, "{\"full_name\":\"o/r\",\"has_issues\":false}", 0, NULL, VERDICT_REJECTED, "turned off"},
        {200, "<html>", 0, NULL, VERDICT_REJECTED, "proxy"},
        {200, "{\"number\":7}", 0, NULL, VERDICT_REJECTED, "api_url"},
        {201, "{\"number\":7}", 0, NULL, VERDICT_REJECTED, "api_url"},
        {204, "", 0, NULL, VERDICT_REJECTED, "proxy"},
        {404, "", 0, NULL, VERDICT_REJECTED, "may not see it"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct talk t;
        begin_test(&t, FULL);
        enum dest_next next = talk_answered(&t, cases[i].look, cases[i].repository);
        EXPECT_INT(next, cases[i].body ? DEST_SEND : DEST_FINISHED);
        if (next == DEST_SEND) {
            EXPECT(strstr(t.request.body,
                          "{\"title\":\"\",\"body\":\"Pencheff integration test\",\"labels\":["));
            EXPECT_INT(talk_answered(&t, cases[i].status, cases[i].body), DEST_FINISHED);
        }
        if (t.job.verdict.kind != cases[i].kind || !strstr(t.job.verdict.detail, cases[i].says))
            unit_fail(__FILE__, __LINE__, "case %zu: %d, %s", i, t.job.verdict.kind, t.job.verdict.detail);
        talk_end(&t);
    }
}

UNIT_MAIN(UNIT_CASE(settings_are_taken_or_refused_with_advice_and_without_values),
          UNIT_CASE(a_request_has_what_github_wants_and_the_token_in_its_header_only),
          UNIT_CASE(labels_are_made_of_codes_only),
          UNIT_CASE(integrations_share_the_text_and_have_their_own_labels),
          UNIT_CASE(an_issue_over_the_limit_is_dead_before_it_is_sent),
          UNIT_CASE(refused_extras_are_left_out_once_and_what_was_not_sent_is_no_reason),
          UNIT_CASE(a_test_proves_the_right_to_make_issues_and_makes_none))
