/*
 * Google Chat's settings, its request, and what answers mean. Every answer that Google is known to give is in
 * tests/golden/google_chat/answers.json; here is what those leave open.
 */
#include <string.h>

#include "common/base/http_time.h"
#include "common/destinations/google_chat.h"
#include "tests/unit/settings_case.h"
#include "tests/unit/talk.h"
#include "tests/unit/unit.h"

#define URL  "https://chat.googleapis.com/v1/spaces/S/messages?key=k&token=t%3D"
#define CARD "{\"webhook_url\":\"" URL "\"}"
#define TEXT "{\"webhook_url\":\"" URL "\",\"style\":\"text\"}"

/* ---- settings ---- */

static void settings_are_taken_or_refused_with_advice_and_without_values(void)
{
    static const struct settings_case cases[] = {
        {.json = CARD},
        {.json = TEXT},
        {"{\"webhook_url\":\"https://h\",\"style\":null,\"thread\":\"x\"}", .advised = "does not lead"},
        {"[]", .refused = "JSON"},
        {"{\"style\":\"text\"}", .refused = "webhook_url"},
        {"{\"webhook_url\":7}", .refused = "webhook_url"},
        {"{\"webhook_url\":\"SECRET\"}", .refused = "webhook_url"},
        {"{\"webhook_url\":\"https://h/SECRET\\r\\n\"}", .refused = "webhook_url"},
        {"{\"webhook_url\":\"https://h\",\"style\":\"SECRET\"}", .refused = "style"},
        {"{\"webhook_url\":\"https://h\",\"style\":\"connector\"}", .refused = "style"},
    };
    EXPECT_SETTINGS("google_chat", cases);
}

static void what_is_odd_about_a_url_is_noted(void)
{
    static const struct settings_case cases[] = {
        {.json = CARD},
        {.json = "{\"webhook_url\":\"https://CHAT.googleapis.com:443/v1/spaces/S/messages?token=t&key=k\"}"},
        {"{\"webhook_url\":\"https://chat.googleapis.com/v1/spaces/S/messages?key=k\"}",
         .advised = "no token"},
        {"{\"webhook_url\":\"https://chat.googleapis.com/v1/spaces/S/messages?monkey=k&token=t\"}",
         .advised = "no key"},
        {"{\"webhook_url\":\"https://chat.example/x?key=k&token=t\"}", .advised = "does not lead"},
        {"{\"webhook_url\":\"https://chat.googleapis.com.evil.example/?key=k&token=t\"}",
         .advised = "does not lead"},
    };
    EXPECT_SETTINGS("google_chat", cases);
}

/* ---- the request ---- */

static void a_request_is_a_plain_post_to_the_url(void)
{
    struct dest_config_error error;
    struct talk t;
    talk_begin(&t, "google_chat", CARD, "abc", 1);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT_TEXT(t.request.method, "POST");
    EXPECT_TEXT(t.request.url, URL "&messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD");
    EXPECT_INT(t.request.header_count, 2);
    EXPECT_TEXT(talk_header(&t, "Content-Type"), "application/json");
    EXPECT(strstr(t.request.body, "cardsV2") && !strstr(t.request.body, "googleapis") &&
           t.dest->repeat_hurts);
    t.c.config = talk_parse(&t.arena, "google_chat", TEXT, &error);
    t.c.step = 0;
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT(!strstr(t.request.body, "cardsV2"));
    talk_end(&t);
}

static void a_test_says_that_it_is_one(void)
{
    static const char body[] = "{\"name\":\"spaces/S/messages/M\"}";
    struct dest_response made = {.status = 200, .body = body, .body_size = sizeof body - 1};
    struct talk t;
    talk_begin(&t, "google_chat", TEXT, "abc", 1);
    talk_make_test(&t);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT_TEXT(t.request.body, "{\"text\":\"Pencheff integration test\"}");
    EXPECT_TEXT(t.request.url, URL); /* without a thread the option would be refused */
    EXPECT_INT(talk_next(&t, &made), DEST_FINISHED);
    EXPECT_INT(t.job.verdict.kind, VERDICT_DELIVERED);
    talk_end(&t);
}

/* ---- answers ---- */

static struct verdict answered(long status, const char *body, double retry_after)
{
    struct dest_response r = {
        .status = status, .body = body, .body_size = strlen(body), .retry_after = retry_after};
    return google_chat_judge(&r);
}

static void delivered_is_only_an_object_without_an_error(void)
{
    static const char *const others[] = {
        "", "ok", "[]", "\"{}\"", "{", "{} x", "{\"error\":{}}", "{\"error\":\"x\"}"};
    EXPECT_INT(answered(200, "{\"name\":\"spaces/S/messages/M\"}", 0).kind, VERDICT_DELIVERED);
    EXPECT_INT(answered(200, " {}\n", 0).kind, VERDICT_DELIVERED);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct verdict v = answered(200, others[i], 5);
        EXPECT(v.kind == VERDICT_REJECTED && v.error == ERROR_NOT_ACCEPTED && v.not_before == 0);
        EXPECT(strstr(v.detail, "webhook"));
    }
    EXPECT_INT(answered(400, "{}", 0).reason, REASON_REJECTED);
    EXPECT_INT(answered(500, "{}", 0).kind, VERDICT_RETRY);
}

static void a_message_that_is_longer_than_what_is_read_counts(void)
{
    struct dest_response r = {.status = 200, .body = "{\"name\":", .body_size = 8, .truncated = true};
    EXPECT_INT(google_chat_judge(&r).kind, VERDICT_DELIVERED);
    r.body = "<html>";
    r.body_size = strlen(r.body);
    EXPECT_INT(google_chat_judge(&r).kind, VERDICT_REJECTED);
}

static void the_word_counts_before_the_status(void)
{
    EXPECT_INT(answered(400, "{\"error\":{\"status\":\"NOT_FOUND\"}}", 0).reason, REASON_GONE);
    EXPECT_INT(answered(400, "{\"error\":{\"status\":\"UNAVAILABLE\"}}", 3).kind, VERDICT_RETRY);
    EXPECT(answered(400, "{\"error\":{\"status\":\"UNAVAILABLE\"}}", 3).not_before == 3);
    EXPECT_INT(answered(429, "{\"error\":{\"status\":\"PERMISSION_DENIED\"}}", 0).kind, VERDICT_RETRY);
    EXPECT_INT(answered(400, "{\"status\":\"NOT_FOUND\"}", 0).reason, REASON_REJECTED);
    EXPECT_INT(answered(403, "NOT_FOUND", 0).reason, REASON_REJECTED);
    EXPECT(answered(403, "{\"error\":{\"status\":7}}", 0).detail != NULL);
}

static void a_pause_in_the_body_is_kept_to(void)
{
    static const struct {
        const char *details;
        double pause;
    } cases[] = {
        {"[{\"retryDelay\":\"12.5s\"}]", 12.5},
        {"[{\"x\":1},7,{\"retryDelay\":\"2s\"},{\"retryDelay\":\"30s\"}]", 30},
        {"[{\"retryDelay\":\"1s\"}]", 5}, /* Retry-After is longer */
        {"[{\"retryDelay\":\"1e9s\"}]", 5},
        {"[{\"retryDelay\":\"99999999999s\"}]", HTTP_TIME_WAIT_MAX},
        {"[{\"retryDelay\":\"-3s\"}]", 5},
        {"[{\"retryDelay\":\"s\"}]", 5},
        {"[{\"retryDelay\":\"60\"}]", 5},
        {"[{\"retryDelay\":60}]", 5},
        {"{\"retryDelay\":\"60s\"}", 5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[200] = "{\"error\":{\"status\":\"RESOURCE_EXHAUSTED\",\"details\":";
        strcat(strcat(body, cases[i].details), "}}");
        struct verdict v = answered(429, body, 5);
        if (v.kind != VERDICT_RETRY || v.not_before != cases[i].pause)
            unit_fail(__FILE__, __LINE__, "%s: %g", cases[i].details, v.not_before);
    }
    EXPECT(answered(403, "{\"error\":{\"details\":[{\"retryDelay\":\"9s\"}]}}", 5).not_before == 0);
}

static void no_answer_is_tried_again(void)
{
    struct dest_response lost = {.error = ERROR_TIMEOUT, .body = "", .error_text = "slow"};
    EXPECT_INT(google_chat_judge(&lost).kind, VERDICT_RETRY);
    EXPECT_INT(google_chat_judge(&lost).error, ERROR_TIMEOUT);
}

UNIT_MAIN(UNIT_CASE(settings_are_taken_or_refused_with_advice_and_without_values),
          UNIT_CASE(what_is_odd_about_a_url_is_noted), UNIT_CASE(a_request_is_a_plain_post_to_the_url),
          UNIT_CASE(a_test_says_that_it_is_one), UNIT_CASE(delivered_is_only_an_object_without_an_error),
          UNIT_CASE(a_message_that_is_longer_than_what_is_read_counts),
          UNIT_CASE(the_word_counts_before_the_status), UNIT_CASE(a_pause_in_the_body_is_kept_to),
          UNIT_CASE(no_answer_is_tried_again))
