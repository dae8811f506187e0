/*
 * Jira's settings, its requests, and its conversations. What each answer means is in tests/golden/jira.
 */
#include <stdio.h>
#include <string.h>

#include "common/destinations/jira.h"
#include "tests/unit/settings_case.h"
#include "tests/unit/talk.h"
#include "tests/unit/unit.h"

#define WITH(more)                                                                                           \
    "{\"base_url\":\"https://acme.atlassian.net/"                                                            \
    "\",\"email\":\"a@b\",\"api_token\":\"t0ken\",\"project_key\":\"SEC\"" more "}"
#define CLOUD WITH("")
#define CENTER                                                                                               \
    "{\"base_url\":\"https://h/jira\",\"auth\":\"bearer\",\"api_token\":\"t0ken\",\"project_key\":\"SEC\"}"

/* ---- settings ---- */

static void settings_are_taken_or_refused_with_advice_and_without_values(void)
{
    static const struct settings_case cases[] = {
        {.json = CLOUD},
        {.json = CENTER},
        {.json = WITH(",\"auth\":\"basic\",\"issue_type\":\"\",\"priority\":\"\",\"labels\":[]")},
        {.json = WITH(",\"priority\":{\"critical\":\"P1\",\"INFO\":null}")},
        {.json = WITH(",\"priority\":false")},
        {.json = WITH(",\"close_transition\":\"Done\",\"reopen_transition\":\"11\"")},
        {.json = WITH(",\"close_transition\":\"\",\"reopen_transition\":null")},
        {WITH(",\"close_transition\":[\"SECRET\"]"), .refused = "close_transition"},
        {WITH(",\"reopen_transition\":\"SECRET\\n\""), .refused = "reopen_transition"},
        {WITH(",\"reopen_transition\":31"), .refused = "reopen_transition"},
        {WITH(",\"auth\":\"bearer\""), .advised = "leave auth out"},
        {"{\"base_url\":\"https://jira.example\",\"email\":\"a\",\"api_token\":\"t\",\"project_key\":\"S\"}",
         .advised = "personal access token"},
        {.json = "{\"base_url\":\"https://rest.example/"
                 "rest\",\"auth\":\"bearer\",\"api_token\":\"t\",\"project_key\":\"S_1\"}"},
        {.json = "{\"base_url\":\"https://api.atlassian.com/ex/jira/"
                 "1-2\",\"email\":\"a\",\"api_token\":\"t\",\"project_key\":\"S\"}"},
        {"[]", .refused = "JSON"},
        {"{\"email\":\"SECRET\"}", .refused = "base_url"},
        {"{\"base_url\":\"SECRET\"}", .refused = "base_url"},
        {"{\"base_url\":\"https://h/?SECRET\"}", .refused = "base_url"},
        {"{\"base_url\":\"https://acme.atlassian.net/jira/software/SECRET\"}", .refused = "base_url"},
        {"{\"base_url\":\"https://h/jira/browse/SECRET-1\"}", .refused = "base_url"},
        {"{\"base_url\":\"https://h/rest/api/2\"}", .refused = "base_url"},
        {"{\"base_url\":\"https://h\",\"api_token\":\"SECRET\"}", .refused = "email"},
        {"{\"base_url\":\"https://h\",\"email\":\"SECRET:x\"}", .refused = "email"},
        {"{\"base_url\":\"https://h\",\"email\":\"a\",\"api_token\":\"SECRET\\n\"}", .refused = "api_token"},
        {"{\"base_url\":\"https://h\",\"email\":\"a\"}", .refused = "api_token"},
        {"{\"base_url\":\"https://h\",\"email\":\"a\",\"api_token\":\"t\"}", .refused = "project_key"},
        {"{\"base_url\":\"https://h\",\"email\":\"a\",\"api_token\":\"t\",\"project_key\":\"SECRET-1\"}",
         .refused = "project_key"},
        {WITH(",\"auth\":\"SECRET\""), .refused = "auth"},
        {WITH(",\"auth\":1"), .refused = "auth"},
        {WITH(",\"issue_type\":\"SECRET\\n\""), .refused = "issue_type"},
        {WITH(",\"priority\":true"), .refused = "priority"},
        {WITH(",\"priority\":[\"SECRET\"]"), .refused = "priority"},
        {WITH(",\"priority\":{\"SECRET\":\"x\"}"), .refused = "priority"},
        {WITH(",\"priority\":{\"high\":[\"SECRET\"]}"), .refused = "priority"},
        {WITH(",\"priority\":\" SECRET\""), .refused = "priority"},
        {WITH(",\"labels\":[\"SEC RET\"]"), .refused = "labels"},
        {WITH(",\"labels\":\"SECRET\""), .refused = "labels"},
    };
    EXPECT_SETTINGS("jira", cases);
}

/* ---- requests ---- */

/* Of an open finding. */
static void begin(struct talk *t, const char *settings)
{
    talk_begin(t, "jira", settings, "abc", 1);
    t->facts = talk_open_facts();
}

static void cloud_gets_a_document_and_data_center_wiki_markup_each_with_its_credentials(void)
{
    struct talk t;
    begin(&t, CLOUD);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT_TEXT(t.request.method, "POST");
    EXPECT_TEXT(t.request.url, "https://acme.atlassian.net/rest/api/3/issue");
    EXPECT_TEXT(talk_header(&t, "Authorization"), "Basic YUBiOnQwa2Vu");
    EXPECT_TEXT(talk_header(&t, "Accept-Language"), "en");
    EXPECT(strstr(t.request.body, "\"description\":{\"version\":1,\"type\":\"doc\""));
    EXPECT(!strstr(t.request.body, "t0ken") && t.dest->repeat_hurts);
    talk_end(&t);
    begin(&t, CENTER);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT_TEXT(t.request.url, "https://h/jira/rest/api/2/issue");
    EXPECT_TEXT(talk_header(&t, "Authorization"), "Bearer t0ken");
    EXPECT(strstr(t.request.body, "\"description\":\"verification"));
    talk_end(&t);
}

static void expect_fields(const char *settings, enum event_type type, enum severity severity,
                          const char *want)
{
    struct talk t;
    begin(&t, settings);
    t.event.type = type;
    t.facts.finding.severity = severity;
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    const char *fields = strstr(t.request.body, ",\"project\":");
    EXPECT_TEXT(fields, want);
    talk_end(&t);
}

#define TASK   ",\"project\":{\"key\":\"SEC\"},\"issuetype\":{\"name\":\"Task\"}"
#define TAGS   ",\"labels\":[\"security\",\"pencheff\"]}}"
#define OF_ONE ",\"labels\":[\"security\",\"pencheff\",\"owasp-a03\",\"cwe-89\"]}}"

static void priorities_follow_severities_and_the_settings(void)
{
    static const char *const usual[] = {"Lowest", "Low", "Medium", "High", "Highest"};
    for (int severity = 0; severity < SEVERITY_COUNT; severity++) {
        char want[300];
        snprintf(want, sizeof want, TASK ",\"priority\":{\"name\":\"%s\"}" OF_ONE, usual[severity]);
        expect_fields(CLOUD, EVENT_FINDING_NEW, (enum severity)severity, want);
    }
    expect_fields(CLOUD, EVENT_SCAN_FAILED, SEVERITY_INFO, TASK ",\"priority\":{\"name\":\"Medium\"}" TAGS);
    expect_fields(CLOUD, EVENT_SCAN_DONE, SEVERITY_INFO, TASK TAGS);
    expect_fields(WITH(",\"priority\":\"P\""), EVENT_SCAN_STARTED, SEVERITY_INFO,
                  TASK ",\"priority\":{\"name\":\"P\"}" TAGS);
    expect_fields(WITH(",\"priority\":false"), EVENT_FINDING_NEW, SEVERITY_HIGH, TASK OF_ONE);
    expect_fields(WITH(",\"priority\":{\"High\":\"H\"}"), EVENT_FINDING_NEW, SEVERITY_HIGH,
                  TASK ",\"priority\":{\"name\":\"H\"}" OF_ONE);
    expect_fields(WITH(",\"priority\":{\"High\":\"H\"}"), EVENT_FINDING_NEW, SEVERITY_LOW,
                  TASK ",\"priority\":{\"name\":\"Low\"}" OF_ONE);
    expect_fields(WITH(",\"issue_type\":\"10001\",\"labels\":[\"x\"]"), EVENT_SCAN_DONE, SEVERITY_LOW,
                  ",\"project\":{\"key\":\"SEC\"},\"issuetype\":{\"id\":\"10001\"},\"labels\":[\"security\","
                  "\"pencheff\",\"x\"]}}");
}

static void an_issue_over_the_limit_is_dead_before_it_is_sent(void)
{
    talk_expect_room("jira", CLOUD);
}

/* ---- conversations ---- */

#define MADE "{\"id\":\"1\",\"key\":\"SEC-12\"}"

static void what_the_screen_lacks_is_left_out_once_and_nothing_else(void)
{
    struct talk t;
    begin(&t, CLOUD);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT_INT(talk_answered(&t, 400, "{\"errors\":{\"labels\":\"x\"}}"), DEST_SEND);
    EXPECT(strstr(t.request.body, "\"priority\"") && !strstr(t.request.body, "\"labels\""));
    EXPECT_INT(talk_answered(&t, 400, "{\"errors\":{\"priority\":\"x\"}}"), DEST_FINISHED);
    EXPECT_INT(t.job.verdict.reason, REASON_REJECTED);
    talk_end(&t);
    static const char *const others[] = {"{\"errors\":{\"labels\":\"x\",\"summary\":\"cannot be set\"}}",
                                         "{\"errors\":{}}", "{\"errors\":[\"labels\"]}", "labels", ""};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        begin(&t, CLOUD);
        EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
        EXPECT_INT(talk_answered(&t, 400, others[i]), DEST_FINISHED);
        EXPECT_INT(t.job.verdict.kind, VERDICT_REJECTED);
        talk_end(&t);
    }
    begin(&t, WITH(",\"priority\":false"));
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT_INT(talk_answered(&t, 400, "{\"errors\":{\"priority\":\"is required\"}}"), DEST_FINISHED);
    talk_end(&t);
}

static void begin_test(struct talk *t)
{
    begin(t, CLOUD);
    talk_make_test(t);
    EXPECT_INT(talk_next(t, NULL), DEST_SEND);
    EXPECT_TEXT(t->request.method, "GET");
    EXPECT_TEXT(t->request.url, "https://acme.atlassian.net/rest/api/3/myself");
    EXPECT(t->request.body == NULL && !talk_header(t, "Content-Type"));
}

static void a_test_asks_who_it_is_before_anything_else(void)
{
    static const struct {
        long status;
        const char *body, *says;
    } cases[] = {
        {401, "", "credentials"}, {403, "", "permissions"},      {404, "", "base_url"},
        {302, "", "base_url"},    {200, "<html>", "base_url"},   {200, "{}", "base_url"},
        {204, "", "login page"},  {500, "", "error of its own"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct talk t;
        begin_test(&t);
        EXPECT_INT(talk_answered(&t, cases[i].status, cases[i].body), DEST_FINISHED);
        EXPECT(t.job.verdict.kind != VERDICT_DELIVERED && strstr(t.job.verdict.detail, cases[i].says));
        talk_end(&t);
    }
}

static void a_test_leaves_no_issue_behind_or_says_so(void)
{
    static const struct {
        const char *made;
        bool deletes;
        long status;
        const char *says;
    } cases[] = {
        {MADE, true, 204, "was deleted again"},
        {MADE, true, 403, "by hand"},
        {MADE, true, 503, "by hand"},
        {"{\"key\":\"A_1-7\"}", true, 204, "was deleted again"},
        {"{\"key\":\"SEC-12/../1\"}", false, 0, "by hand"},
        {"{\"key\":\"SEC-\"}", false, 0, "by hand"},
        {"{\"key\":\"-1\"}", false, 0, "by hand"},
        {"{\"key\":\"\"}", false, 0, "by hand"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct talk t;
        begin_test(&t);
        EXPECT_INT(talk_answered(&t, 200, "{\"accountId\":\"x\"}"), DEST_SEND);
        EXPECT(strstr(t.request.body, "{\"fields\":{\"summary\":\"Pencheff integration test\","));
        EXPECT_INT(talk_answered(&t, 201, cases[i].made), cases[i].deletes ? DEST_SEND : DEST_FINISHED);
        if (cases[i].deletes) {
            EXPECT_TEXT(t.request.method, "DELETE");
            EXPECT(strstr(t.request.url, "/rest/api/3/issue/") && t.request.body == NULL);
            EXPECT_INT(talk_answered(&t, cases[i].status, ""), DEST_FINISHED);
        }
        EXPECT_INT(t.job.verdict.kind, VERDICT_DELIVERED);
        EXPECT(strstr(t.job.verdict.detail, cases[i].says));
        talk_end(&t);
    }
}

static void a_test_says_what_had_to_be_left_out(void)
{
    struct talk t;
    begin_test(&t);
    EXPECT_INT(talk_answered(&t, 200, "{\"name\":\"x\"}"), DEST_SEND);
    EXPECT_INT(talk_answered(&t, 400, "{\"errors\":{\"priority\":\"x\"}}"), DEST_SEND);
    EXPECT_INT(talk_answered(&t, 201, MADE), DEST_SEND);
    EXPECT_TEXT(t.request.url, "https://acme.atlassian.net/rest/api/3/issue/SEC-12");
    EXPECT_INT(talk_answered(&t, 204, ""), DEST_FINISHED);
    EXPECT(strstr(t.job.verdict.detail, "not with a priority"));
    talk_end(&t);
}

UNIT_MAIN(UNIT_CASE(settings_are_taken_or_refused_with_advice_and_without_values),
          UNIT_CASE(cloud_gets_a_document_and_data_center_wiki_markup_each_with_its_credentials),
          UNIT_CASE(priorities_follow_severities_and_the_settings),
          UNIT_CASE(an_issue_over_the_limit_is_dead_before_it_is_sent),
          UNIT_CASE(what_the_screen_lacks_is_left_out_once_and_nothing_else),
          UNIT_CASE(a_test_asks_who_it_is_before_anything_else),
          UNIT_CASE(a_test_leaves_no_issue_behind_or_says_so), UNIT_CASE(a_test_says_what_had_to_be_left_out))
