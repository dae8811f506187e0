/*
 * Slack's settings, its request, and what each answer means.
 */
#include <stdio.h>
#include <string.h>

#include "common/destinations/slack.h"
#include "tests/unit/settings_case.h"
#include "tests/unit/talk.h"
#include "tests/unit/unit.h"

#define CARD "{\"webhook_url\":\"https://hooks.slack.example/services/T/B/x\"}"
#define TEXT "{\"webhook_url\":\"https://hooks.slack.example/services/T/B/x\",\"style\":\"text\"}"

/* ---- settings ---- */

static void settings_are_taken_or_refused_with_advice_and_without_values(void)
{
    static const struct settings_case cases[] = {
        {CARD, .advised = "does not lead to Slack"},
        {TEXT, .advised = "does not lead to Slack"},
        {"{\"webhook_url\":\"https://h\",\"style\":\"card\",\"channel\":\"#general\"}",
         .advised = "does not lead to Slack"},
        {"{\"webhook_url\":\"https://h\",\"style\":null}", .advised = "does not lead to Slack"},
        {"[]", .refused = "JSON"},
        {"{\"style\":\"text\"}", .refused = "webhook_url"},
        {"{\"webhook_url\":\"SECRET\"}", .refused = "webhook_url"},
        {"{\"webhook_url\":\"https://h/SECRET\\n\"}", .refused = "webhook_url"},
        {"{\"webhook_url\":\"https://h\",\"style\":\"\"}", .refused = "style"},
        {"{\"webhook_url\":\"https://h\",\"style\":\"SECRET\"}", .refused = "style"},
        {"{\"webhook_url\":\"https://h\",\"style\":\"text\\u0000\"}", .refused = "style"},
        {"{\"webhook_url\":\"https://h\",\"style\":1}", .refused = "style"},
    };
    EXPECT_SETTINGS("slack", cases);
}

static void a_card_is_the_default(void)
{
    struct dest_config_error error;
    struct arena a;
    arena_init(&a, 1024);
    const struct slack_config *card = talk_parse(&a, "slack", CARD, &error);
    const struct slack_config *text = talk_parse(&a, "slack", TEXT, &error);
    EXPECT_INT(card->style, DEST_STYLE_CARD);
    EXPECT_INT(text->style, DEST_STYLE_TEXT);
    EXPECT_TEXT(card->url, "https://hooks.slack.example/services/T/B/x");
    arena_wipe(&a);
}

/* ---- the request ---- */

static void a_request_is_a_plain_post_of_json(void)
{
    struct talk t;
    talk_begin(&t, "slack", CARD, "abc", 1);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT_TEXT(t.request.method, "POST");
    EXPECT_TEXT(t.request.url, "https://hooks.slack.example/services/T/B/x");
    EXPECT_INT(t.request.header_count, 2);
    EXPECT_TEXT(talk_header(&t, "Content-Type"), "application/json");
    EXPECT_TEXT(talk_header(&t, "User-Agent"), "pencheff-notify/" NOTIFY_VERSION);
    EXPECT(!strstr(t.request.body, "hooks.slack") && t.dest->repeat_hurts);
    talk_end(&t);
}

static void each_style_has_a_body_of_its_own_and_builds_it_once(void)
{
    struct dest_config_error error;
    struct talk t;
    talk_begin(&t, "slack", CARD, "abc", 1);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    const char *card = t.request.body;
    t.c.config = talk_parse(&t.arena, "slack", TEXT, &error);
    t.c.step = 0;
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    const char *text = t.request.body;
    EXPECT(strstr(card, "attachments") && !strstr(text, "attachments"));
    t.event.change_summary = "changed meanwhile";
    t.c.step = 0;
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT(t.request.body == text && !strstr(text, "meanwhile"));
    talk_end(&t);
}

static void a_message_over_the_limit_is_dead_before_it_is_sent(void)
{
    talk_expect_room("slack", CARD);
}

/* ---- answers ---- */

static struct verdict answered(long status, const char *body, double retry_after)
{
    struct dest_response r = {
        .status = status, .body = body, .body_size = strlen(body), .retry_after = retry_after};
    struct talk t;
    talk_begin(&t, "slack", CARD, "abc", 1);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT_INT(talk_next(&t, &r), DEST_FINISHED);
    struct verdict v = t.job.verdict;
    talk_end(&t);
    return v;
}

static void delivered_is_only_a_200_with_ok(void)
{
    static const char *const others[] = {"",  "OK",     "ok\n",          " ok", "okay",
                                         "o", "ok\r\n", "{\"ok\":true}", "1",   "<html>ok</html>"};
    EXPECT_INT(answered(200, "ok", 0).kind, VERDICT_DELIVERED);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct verdict v = answered(200, others[i], 5);
        EXPECT_INT(v.kind, VERDICT_REJECTED);
        EXPECT_INT(v.reason, REASON_REJECTED);
        EXPECT_INT(v.error, ERROR_NOT_ACCEPTED);
        EXPECT(v.detail && strstr(v.detail, "webhook"));
    }
    EXPECT_INT(answered(201, "ok", 0).error, ERROR_NOT_ACCEPTED);
    EXPECT_INT(answered(204, "", 0).error, ERROR_NOT_ACCEPTED);
    EXPECT_INT(answered(400, "ok", 0).kind, VERDICT_REJECTED);
    EXPECT_INT(answered(500, "ok", 0).kind, VERDICT_RETRY);
}

static void an_ok_that_goes_on_is_none(void)
{
    struct dest_response r = {.status = 200, .body = "ok", .body_size = 2, .truncated = true};
    EXPECT_INT(slack_judge(&r).kind, VERDICT_REJECTED);
    r.truncated = false;
    EXPECT_INT(slack_judge(&r).kind, VERDICT_DELIVERED);
}

static void every_error_word_has_its_verdict_and_its_advice(void)
{
    static const struct {
        long status;
        const char *word;
        enum verdict_kind kind;
        enum reason reason;
        const char *advice;
    } cases[] = {
        {400, "invalid_payload", VERDICT_REJECTED, REASON_REJECTED, "style"},
        {400, "invalid_blocks", VERDICT_REJECTED, REASON_REJECTED, "style"},
        {400, "invalid_attachments", VERDICT_REJECTED, REASON_REJECTED, "style"},
        {400, "too_many_attachments", VERDICT_REJECTED, REASON_REJECTED, "style"},
        {400, "no_text", VERDICT_REJECTED, REASON_REJECTED, "style"},
        {400, "msg_too_long", VERDICT_REJECTED, REASON_REJECTED, "style"},
        {400, "user_not_found", VERDICT_REJECTED, REASON_REJECTED, "new incoming webhook"},
        {403, "action_prohibited", VERDICT_REJECTED, REASON_REJECTED, "administrator"},
        {403, "posting_to_general_channel_denied", VERDICT_REJECTED, REASON_REJECTED, "administrator"},
        {403, "invalid_token", VERDICT_REJECTED, REASON_REJECTED, "copy it again"},
        {403, "team_disabled", VERDICT_REJECTED, REASON_REJECTED, "owner"},
        {404, "channel_not_found", VERDICT_REJECTED, REASON_GONE, "new incoming webhook"},
        {410, "channel_is_archived", VERDICT_REJECTED, REASON_GONE, "unarchive"},
        {404, "no_service", VERDICT_REJECTED, REASON_GONE, "new one"},
        {404, "no_service_id", VERDICT_REJECTED, REASON_GONE, "new one"},
        {404, "no_active_hooks", VERDICT_REJECTED, REASON_GONE, "new one"},
        {404, "no_team", VERDICT_REJECTED, REASON_GONE, "copy the URL"},
        {500, "rollup_error", VERDICT_RETRY, REASON_NONE, "rollup_error"},
        {503, "service_unavailable", VERDICT_RETRY, REASON_NONE, "service_unavailable"},
        {200, "rate_limited", VERDICT_RETRY, REASON_NONE, "slow down"},
        {200, "ratelimited", VERDICT_RETRY, REASON_NONE, "slow down"},
        {200, "internal_error", VERDICT_RETRY, REASON_NONE, "internal_error"},
        {200, "fatal_error", VERDICT_RETRY, REASON_NONE, "fatal_error"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char forms[3][100];
        snprintf(forms[0], sizeof forms[0], "%s", cases[i].word);
        snprintf(forms[1], sizeof forms[1], " %s\r\n", cases[i].word);
        snprintf(forms[2], sizeof forms[2], "{\"ok\":false,\"error\":\"%s\"}", cases[i].word);
        for (int form = 0; form < 3; form++) {
            struct verdict v = answered(cases[i].status, forms[form], 7);
            if (v.kind != cases[i].kind || v.reason != cases[i].reason || !strstr(v.detail, cases[i].advice))
                unit_fail(__FILE__, __LINE__, "%s: kind %d reason %d %s", forms[form], v.kind, v.reason,
                          v.detail);
            EXPECT_INT(v.error, cases[i].status == 200 ? ERROR_NOT_ACCEPTED : ERROR_HTTP_STATUS);
            EXPECT(v.not_before == (v.kind == VERDICT_RETRY ? 7 : 0));
        }
    }
}

static void a_word_counts_before_the_status_and_only_as_a_whole(void)
{
    EXPECT_INT(answered(200, "no_service", 0).reason, REASON_GONE);
    EXPECT_INT(answered(500, "no_service", 0).reason, REASON_GONE);
    EXPECT_INT(answered(404, "no_services", 0).reason, REASON_REJECTED);
    EXPECT_INT(answered(404, "no_serv", 0).reason, REASON_REJECTED);
    EXPECT_INT(answered(404, "<p>no_service</p>", 0).reason, REASON_REJECTED);
    EXPECT_INT(answered(404, "{\"ok\":\"false\",\"error\":\"no_service\"}", 0).reason, REASON_REJECTED);
    EXPECT(strstr(answered(200, "{\"ok\":false,\"error\":\"not_authed\"}", 0).detail, "Web API"));
}

static void without_a_known_word_the_status_decides(void)
{
    EXPECT_INT(answered(400, "surprise", 0).reason, REASON_REJECTED);
    EXPECT_INT(answered(410, "", 0).reason, REASON_GONE);
    EXPECT_INT(answered(302, "", 0).error, ERROR_REDIRECT);
    EXPECT_INT(answered(503, "<html>", 0).kind, VERDICT_RETRY);
    struct verdict v = answered(429, "no_service", 30);
    EXPECT_INT(v.kind, VERDICT_RETRY);
    EXPECT(v.not_before == 30);
    struct dest_response lost = {.error = ERROR_TIMEOUT, .body = "", .error_text = "slow"};
    EXPECT_INT(slack_judge(&lost).kind, VERDICT_RETRY);
    EXPECT_INT(slack_judge(&lost).error, ERROR_TIMEOUT);
}

UNIT_MAIN(UNIT_CASE(settings_are_taken_or_refused_with_advice_and_without_values),
          UNIT_CASE(a_card_is_the_default), UNIT_CASE(a_request_is_a_plain_post_of_json),
          UNIT_CASE(each_style_has_a_body_of_its_own_and_builds_it_once),
          UNIT_CASE(a_message_over_the_limit_is_dead_before_it_is_sent),
          UNIT_CASE(delivered_is_only_a_200_with_ok), UNIT_CASE(an_ok_that_goes_on_is_none),
          UNIT_CASE(every_error_word_has_its_verdict_and_its_advice),
          UNIT_CASE(a_word_counts_before_the_status_and_only_as_a_whole),
          UNIT_CASE(without_a_known_word_the_status_decides))
