/*
 * The settings of Teams, its request, and what answers mean. Every answer that Microsoft is known to give is in
 * tests/golden/teams/answers.json; here is what those leave open.
 */
#include <string.h>

#include "common/destinations/teams.h"
#include "tests/unit/settings_case.h"
#include "tests/unit/talk.h"
#include "tests/unit/unit.h"

#define FLOW      "https://prod-01.westeurope.logic.azure.com:443/workflows/w/triggers/manual/paths/invoke?sig=x"
#define CARD      "{\"webhook_url\":\"" FLOW "\"}"
#define TEXT      "{\"webhook_url\":\"" FLOW "\",\"style\":\"text\"}"
#define CONNECTOR "{\"webhook_url\":\"https://chat.example/hook/x\",\"style\":\"connector\"}"

/* ---- settings ---- */

static void settings_are_taken_or_refused_with_advice_and_without_values(void)
{
    static const struct settings_case cases[] = {
        {.json = CARD},
        {.json = TEXT},
        {.json = CONNECTOR},
        {"{\"webhook_url\":\"https://h\",\"style\":null,\"channel\":\"x\"}", .advised = "does not lead"},
        {"[]", .refused = "JSON"},
        {"{\"style\":\"text\"}", .refused = "webhook_url"},
        {"{\"webhook_url\":\"SECRET\"}", .refused = "webhook_url"},
        {"{\"webhook_url\":\"https://h/SECRET\\r\\n\"}", .refused = "webhook_url"},
        {"{\"webhook_url\":\"https://h\",\"style\":\"SECRET\"}", .refused = "connector"},
        {"{\"webhook_url\":\"https://h\",\"style\":1}", .refused = "style"},
        {"{\"webhook_url\":\"https://acme.webhook.office.com/webhookb2/SECRET\"}", .refused = "workflow"},
        {"{\"webhook_url\":\"https://ACME.Webhook.Office.com/SECRET\",\"style\":\"connector\"}",
         .refused = "workflow"},
        {"{\"webhook_url\":\"https://outlook.office.com/webhook/SECRET\"}", .refused = "workflow"},
        {"{\"webhook_url\":\"https://outlook.office365.com/webhook/SECRET\"}", .refused = "workflow"},
        {"{\"webhook_url\":\"" FLOW "SECRET\",\"style\":\"connector\"}", .refused = "leave style out"},
    };
    EXPECT_SETTINGS("teams", cases);
}

static void what_is_odd_about_a_url_is_noted(void)
{
    static const struct settings_case cases[] = {
        {.json = CARD},
        {.json = CONNECTOR},
        {.json = "{\"webhook_url\":\"https://default1.02.environment.api.powerplatform.com:443/x?sig=x\"}"},
        {.json = "{\"webhook_url\":\"https://prod-01.usgovtexas.logic.azure.us/x?sig=x\"}"},
        {"{\"webhook_url\":\"https://prod-01.westeurope.logic.azure.com/x?api-version=1\"}",
         .advised = "no sig"},
        {"{\"webhook_url\":\"https://chat.example/x?sig=x\"}", .advised = "does not lead"},
        {"{\"webhook_url\":\"https://logic.azure.com.evil.example/x?sig=x\"}", .advised = "does not lead"},
    };
    EXPECT_SETTINGS("teams", cases);
}

/* ---- the request ---- */

static void a_request_is_a_plain_post_to_the_url_as_it_is(void)
{
    struct talk t;
    talk_begin(&t, "teams", CARD, "abc", 1);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT_TEXT(t.request.method, "POST");
    EXPECT_TEXT(t.request.url, FLOW);
    EXPECT_INT(t.request.header_count, 2);
    EXPECT_TEXT(talk_header(&t, "Content-Type"), "application/json");
    EXPECT(!strstr(t.request.body, "logic.azure") && t.dest->repeat_hurts);
    talk_end(&t);
}

static void each_style_has_a_body_of_its_own(void)
{
    static const char *const settings[] = {CARD, TEXT, CONNECTOR};
    const char *bodies[3];
    struct dest_config_error error;
    struct talk t;
    talk_begin(&t, "teams", CARD, "abc", 1);
    for (int i = 0; i < 3; i++) {
        t.c.config = talk_parse(&t.arena, "teams", settings[i], &error);
        t.c.step = 0;
        EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
        bodies[i] = t.request.body;
    }
    EXPECT(strstr(bodies[0], "ColumnSet") && !strstr(bodies[1], "ColumnSet"));
    EXPECT(strstr(bodies[1], "AdaptiveCard") && strstr(bodies[2], "MessageCard"));
    talk_end(&t);
}

/* ---- answers ---- */

static struct verdict answered(dest_judge *judge, long status, const char *body)
{
    struct dest_response r = {.status = status, .body = body, .body_size = strlen(body), .retry_after = 7};
    return judge(&r);
}

static void a_workflow_may_answer_in_its_own_way(void)
{
    static const char *const good[] = {"", "1", "ok", "{\"error\":null}", "posted <b>it</b>"};
    static const char *const pages[] = {"<html>", " \n<!doctype html>"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        EXPECT_INT(answered(teams_workflow_judge, 200, good[i]).kind, VERDICT_DELIVERED);
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++)
        EXPECT_INT(answered(teams_workflow_judge, 200, pages[i]).error, ERROR_NOT_ACCEPTED);
    EXPECT_INT(answered(teams_workflow_judge, 202, "<html>").kind, VERDICT_DELIVERED);
}

static void a_connector_says_1_and_nothing_else(void)
{
    static const char *const others[] = {"", "1\n", " 1", "11", "true", "{\"1\":1}"};
    struct dest_response cut = {.status = 200, .body = "1", .body_size = 1, .truncated = true};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct verdict v = answered(teams_connector_judge, 200, others[i]);
        EXPECT(v.kind == VERDICT_REJECTED && v.error == ERROR_NOT_ACCEPTED && v.not_before == 0);
    }
    EXPECT_INT(teams_connector_judge(&cut).kind, VERDICT_REJECTED);
    EXPECT_INT(answered(teams_connector_judge, 201, "1").kind, VERDICT_REJECTED);
    EXPECT_INT(answered(teams_connector_judge, 200, "1").kind, VERDICT_DELIVERED);
}

static void a_code_counts_only_where_it_is_one(void)
{
    static const char code[] = "{\"error\":{\"code\":\"WorkflowTriggerIsNotEnabled\"}}";
    EXPECT_INT(answered(teams_workflow_judge, 400, code).reason, REASON_GONE);
    EXPECT_INT(answered(teams_workflow_judge, 500, code).reason, REASON_GONE);
    EXPECT_INT(answered(teams_workflow_judge, 429, code).kind, VERDICT_RETRY);
    EXPECT(answered(teams_workflow_judge, 429, code).not_before == 7);
    EXPECT_INT(answered(teams_workflow_judge, 200, code).kind, VERDICT_DELIVERED);
    EXPECT_INT(answered(teams_workflow_judge, 400, "WorkflowTriggerIsNotEnabled").reason, REASON_REJECTED);
    EXPECT_INT(answered(teams_workflow_judge, 400, "{\"code\":7}").reason, REASON_REJECTED);
    EXPECT_INT(answered(teams_workflow_judge, 400, "[]").reason, REASON_REJECTED);
}

static void no_answer_is_tried_again(void)
{
    struct dest_response lost = {.error = ERROR_TIMEOUT, .body = "", .error_text = "slow"};
    EXPECT_INT(teams_workflow_judge(&lost).error, ERROR_TIMEOUT);
    EXPECT_INT(teams_connector_judge(&lost).kind, VERDICT_RETRY);
}

static void a_test_says_what_it_has_proven(void)
{
    struct dest_response accepted = {.status = 202, .body = ""};
    for (int is_test = 0; is_test < 2; is_test++) {
        struct talk t;
        talk_begin(&t, "teams", CARD, "abc", 1);
        if (is_test)
            talk_make_test(&t);
        EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
        EXPECT(!is_test || strstr(t.request.body, "Pencheff integration test"));
        EXPECT_INT(talk_next(&t, &accepted), DEST_FINISHED);
        EXPECT_INT(t.job.verdict.kind, VERDICT_DELIVERED);
        EXPECT(is_test == (t.job.verdict.detail && strstr(t.job.verdict.detail, "run history")));
        talk_end(&t);
    }
}

UNIT_MAIN(UNIT_CASE(settings_are_taken_or_refused_with_advice_and_without_values),
          UNIT_CASE(what_is_odd_about_a_url_is_noted),
          UNIT_CASE(a_request_is_a_plain_post_to_the_url_as_it_is),
          UNIT_CASE(each_style_has_a_body_of_its_own), UNIT_CASE(a_workflow_may_answer_in_its_own_way),
          UNIT_CASE(a_connector_says_1_and_nothing_else), UNIT_CASE(a_code_counts_only_where_it_is_one),
          UNIT_CASE(no_answer_is_tried_again), UNIT_CASE(a_test_says_what_it_has_proven))
