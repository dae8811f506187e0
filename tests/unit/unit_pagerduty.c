/*
 * What PagerDuty gets: its settings, what an alert says, and the two requests of a test. Which alert is in unit_alert.c, when it
 * opens and ends in unit_pagerduty_life.c.
 * The exact bytes of the events, and what follows from each answer, are in tests/golden/pagerduty.
 */
#include <string.h>

#include "common/base/json.h"
#include "common/destinations/pagerduty.h"
#include "tests/unit/chat.h"
#include "tests/unit/settings_case.h"
#include "tests/unit/talk.h"
#include "tests/unit/unit.h"

#define KEY      "0123456789abcdef0123456789abCDEF"
#define SETTINGS "{\"routing_key\":\"" KEY "\"}"

/* ---- settings ---- */

static void settings_are_taken_or_refused_with_advice_and_without_values(void)
{
    static const struct settings_case cases[] = {
        {SETTINGS, .url = "https://events.pagerduty.com/v2/enqueue"},
        {"{\"routing_key\":\"" KEY "\",\"api_url\":\"https://events.eu.pagerduty.com/\"}",
         .url = "https://events.eu.pagerduty.com/v2/enqueue"},
        {"{\"routing_key\":\"" KEY "\",\"api_url\":\"https://events.pagerduty.com/v2/enqueue\"}",
         .url = "https://events.pagerduty.com/v2/enqueue"},
        {"{\"routing_key\":\"" KEY "\",\"api_url\":\"https://SECRET.example/pd\"}",
         .advised = "does not lead to PagerDuty", .url = "https://SECRET.example/pd/v2/enqueue"},
        {"{\"routing_key\":\"" KEY "\",\"api_url\":\"https://api.pagerduty.com\"}", .refused = "REST API"},
        {"{\"routing_key\":\"" KEY
         "\",\"api_url\":\"https://events.pagerduty.com/generic/2010-04-15/create_event.json\"}",
         .refused = "v1"},
        {"{\"routing_key\":\"" KEY "\",\"api_url\":\"https://h/?SECRET\"}", .refused = "api_url"},
        {"{\"routing_key\":\"" KEY "\",\"api_url\":1}", .refused = "api_url"},
        {"{}", .refused = "Integration Key"},
        {"{\"routing_key\":\"\"}", .refused = "Integration Key"},
        {"{\"routing_key\":\"SECRET\"}", .refused = "32 letters and digits"},
        {"{\"routing_key\":\"SECRET-789abcdef0123456789abcdef\"}", .refused = "32 letters and digits"},
        {"{\"routing_key\":\"" KEY "0\"}", .refused = "32 letters and digits"},
        {"{\"routing_key\":\"" KEY "\\n\"}", .refused = "line break"},
        {"{\"routing_key\":[]}", .refused = "routing_key"},
        {"7", .refused = "JSON"},
    };
    EXPECT_SETTINGS("pagerduty", cases);
}

/* ---- alerts ---- */

static struct json_object *render(const struct event *event, const struct facts *facts)
{
    return chat_render(pagerduty_body_build, event, facts, 0);
}

static void the_severity_is_pagerdutys_word_for_it(void)
{
    static const char *const words[] = {"info", "info", "warning", "error", "critical"};
    static const char *const of_scans[] = {"info", "info", "error"};
    struct event event = talk_event();
    struct facts facts = talk_facts();
    facts.finding.suppressed = false;
    facts.finding.resolved_at = NULL;
    for (int i = 0; i < SEVERITY_COUNT + 3; i++) {
        event.type = i < SEVERITY_COUNT ? EVENT_FINDING_NEW
                                        : (enum event_type)(EVENT_SCAN_STARTED + i - SEVERITY_COUNT);
        facts.finding.severity = i < SEVERITY_COUNT ? (enum severity)i : SEVERITY_CRITICAL;
        struct json_object *root = render(&event, &facts);
        EXPECT_TEXT(json_object_get_string(json_get(json_get(root, "payload"), "severity")),
                    i < SEVERITY_COUNT ? words[i] : of_scans[i - SEVERITY_COUNT]);
        json_object_put(root);
    }
}

/* ---- lengths ---- */

static void see_summary(struct json_object *body, size_t bytes, const char *text)
{
    struct json_object *payload = json_get(body, "payload");
    (void)text;
    EXPECT(bytes > 0 && chat_units_at(payload, "summary") >= 1);
    EXPECT(chat_units_at(payload, "summary") <= PAGERDUTY_SUMMARY_MAX);
    EXPECT(!strchr(chat_text(payload, "summary"), '\n'));
    EXPECT_INT(json_object_object_length(body), 2);
}

static void long_text_of_any_width_is_within_the_limits(void)
{
    chat_each_long(pagerduty_body_build, 0, see_summary);
}

/* ---- conversations ---- */

static void the_key_is_each_integrations_own_and_the_rest_is_shared(void)
{
    struct talk t;
    struct dest_config_error error;
    talk_begin(&t, "pagerduty", SETTINGS, "abc", 1);
    t.facts = talk_open_facts();
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    static const char start[] = "{\"routing_key\":\"" KEY "\",\"event_action\":";
    const char *first = t.request.body;
    EXPECT(strncmp(first, start, sizeof start - 1) == 0);
    EXPECT_INT(strlen(first), t.request.body_size);
    t.c.step = 0;
    t.c.config =
        talk_parse(&t.arena, "pagerduty", "{\"routing_key\":\"R123456789abcdef0123456789abcdef\"}", &error);
    t.c.reference = (struct dest_reference){0};
    t.event.type = EVENT_FINDING_NEW; /* is not built again */
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT(strstr(t.request.body, "R123456789abcdef") && !strstr(t.request.body, KEY));
    EXPECT_TEXT(strchr(t.request.body, ','), strchr(first, ','));
    EXPECT(!strstr(buf_text(&t.cache.layouts[0].body), "routing_key") && !t.dest->repeat_hurts);
    talk_end(&t);
}

static void an_event_that_only_fits_without_its_key_is_dead_before_it_is_sent(void)
{
    talk_expect_room("pagerduty", SETTINGS);
}

static void a_test_opens_an_alert_and_ends_it(void)
{
    struct dest_response good = talk_answer(202, "{\"status\":\"success\"}"), bad = talk_answer(500, "");
    for (int refused_at = 0; refused_at < 3; refused_at++) {
        struct talk t;
        talk_begin(&t, "pagerduty", SETTINGS, "abc", 1);
        talk_make_test(&t);
        EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
        EXPECT(strstr(t.request.body, "Pencheff integration test") && strstr(t.request.body, "\"trigger\""));
        enum dest_next next = talk_next(&t, refused_at == 1 ? &bad : &good);
        EXPECT_INT(next, refused_at == 1 ? DEST_FINISHED : DEST_SEND);
        if (next == DEST_SEND) {
            EXPECT_TEXT(t.request.body, "{\"routing_key\":\"" KEY
                                        "\",\"event_action\":\"resolve\",\"dedup_key\":\"pencheff-test\"}");
            EXPECT_INT(talk_next(&t, refused_at == 2 ? &bad : &good), DEST_FINISHED);
        }
        EXPECT_INT(t.job.verdict.kind, refused_at ? VERDICT_RETRY : VERDICT_DELIVERED);
        EXPECT(refused_at || strstr(t.job.verdict.detail, "test alert"));
        talk_end(&t);
    }
}

static void an_answer_that_is_cut_or_is_not_json_is_no_success(void)
{
    static const char *const bodies[] = {
        "", "{", "[]", "\"success\"", "{\"status\":true}", "{\"status\":\"Success\"}"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct dest_response r = talk_answer(202, bodies[i]);
        EXPECT_INT(pagerduty_judge(&r).error, ERROR_NOT_ACCEPTED);
    }
    struct dest_response lost = {.error = ERROR_TIMEOUT, .body = "", .error_text = "slow"};
    EXPECT_INT(pagerduty_judge(&lost).kind, VERDICT_RETRY);
    struct dest_response other = talk_answer(200, "{\"status\":\"success\"}");
    EXPECT_INT(pagerduty_judge(&other).kind, VERDICT_REJECTED);
}

UNIT_MAIN(UNIT_CASE(settings_are_taken_or_refused_with_advice_and_without_values),
          UNIT_CASE(the_severity_is_pagerdutys_word_for_it),
          UNIT_CASE(long_text_of_any_width_is_within_the_limits),
          UNIT_CASE(the_key_is_each_integrations_own_and_the_rest_is_shared),
          UNIT_CASE(an_event_that_only_fits_without_its_key_is_dead_before_it_is_sent),
          UNIT_CASE(a_test_opens_an_alert_and_ends_it),
          UNIT_CASE(an_answer_that_is_cut_or_is_not_json_is_no_success))
