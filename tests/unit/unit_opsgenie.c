/*
 * Opsgenie's settings, what it gets, and what each answer means. What becomes of a finding's alert is in
 * unit_opsgenie_life.c. The exact bytes of the alerts are in
 * tests/golden/opsgenie.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/json.h"
#include "common/destinations/alert.h"
#include "common/destinations/opsgenie.h"
#include "tests/unit/chat.h"
#include "tests/unit/settings_case.h"
#include "tests/unit/talk.h"
#include "tests/unit/unit.h"

#define KEY      "12345678-90ab-4cde-8f01-234567890abc"
#define SETTINGS "{\"api_key\":\"" KEY "\"}"
#define AT(url)  "{\"api_key\":\"" KEY "\",\"api_url\":\"" url "\"}"
#define ALERTS   "https://api.opsgenie.com/v2/alerts"
#define ACCEPTED "{\"result\":\"Request will be processed\",\"took\":0.1,\"requestId\":\"r/1\"}"

/* ---- settings ---- */

static void settings_are_taken_or_refused_with_advice_and_without_values(void)
{
    static const struct settings_case cases[] = {
        {.json = SETTINGS},
        {.json = "{\"api_key\":\"k\",\"api_url\":null}"},
        {"[]", .refused = "JSON"},
        {"{}", .refused = "api_key"},
        {"{\"api_key\":\"\"}", .refused = "api_key"},
        {"{\"api_key\":7}", .refused = "api_key"},
        {"{\"api_key\":\"SECRET\\r\\nX: y\"}", .refused = "api_key"},
        {"{\"api_key\":\"GenieKey SECRET\"}", .refused = "GenieKey"},
        {"{\"api_key\":\"k\",\"api_url\":\"SECRET\"}", .refused = "api_url"},
        {"{\"api_key\":\"k\",\"api_url\":\"https://h/?SECRET\"}", .refused = "api_url"},
        {"{\"api_key\":\"k\",\"api_url\":\"https://api.atlassian.com/jsm/ops/api/SECRET/v1/alerts\"}",
         .refused = "jsm/ops/integration/v2/alerts"},
    };
    EXPECT_SETTINGS("opsgenie", cases);
    char json[300], key[OPSGENIE_KEY_MAX + 2] = "";
    struct dest_config_error error;
    struct arena a;
    arena_init(&a, 1024);
    memset(key, 'k', OPSGENIE_KEY_MAX);
    snprintf(json, sizeof json, "{\"api_key\":\"%s\"}", key);
    EXPECT(talk_parse(&a, "opsgenie", json, &error) != NULL);
    snprintf(json, sizeof json, "{\"api_key\":\"%sk\"}", key);
    EXPECT(talk_parse(&a, "opsgenie", json, &error) == NULL);
    arena_wipe(&a);
}

static void every_form_of_the_address_leads_to_the_alerts(void)
{
    static const struct settings_case cases[] = {
        {AT("https://api.opsgenie.com"), .url = ALERTS},
        {AT("https://api.opsgenie.com/v2/alerts/"), .url = ALERTS},
        {AT("https://api.eu.opsgenie.com/v2"), .url = "https://api.eu.opsgenie.com/v2/alerts"},
        {AT("https://api.sandbox.opsgenie.com/"), .url = "https://api.sandbox.opsgenie.com/v2/alerts"},
        {AT("https://api.atlassian.com"), .url = "https://api.atlassian.com/jsm/ops/integration/v2/alerts"},
        {AT("https://api.atlassian.com/jsm/ops/integration"),
         .url = "https://api.atlassian.com/jsm/ops/integration/v2/alerts"},
        {AT("https://api.atlassian.com/jsm/ops/integration/v2/alerts"),
         .url = "https://api.atlassian.com/jsm/ops/integration/v2/alerts"},
        {AT("https://relay.example/genie"), .advised = "does not lead to Opsgenie",
         .url = "https://relay.example/genie/v2/alerts"},
        {AT("https://app.opsgenie.com"), .advised = "does not lead to Opsgenie",
         .url = "https://app.opsgenie.com/v2/alerts"},
    };
    EXPECT_SETTINGS("opsgenie", cases);
}

/* ---- requests ---- */

static void expect_url(const struct talk *t, const char *action)
{
    char key[ALERT_KEY_TEXT], url[300];
    alert_key(&t->event, &t->facts, key);
    snprintf(url, sizeof url, ALERTS "/%s/%s?identifierType=alias", key, action);
    EXPECT_TEXT(t->request.url, url);
    EXPECT_TEXT(t->request.method, "POST");
    EXPECT_TEXT(talk_header(t, "Authorization"), "GenieKey " KEY);
    EXPECT(strstr(t->request.body, "{\"note\":\"") == t->request.body);
}

static void begin(struct talk *t, enum event_type type)
{
    talk_begin(t, "opsgenie", SETTINGS, "abc", 1);
    t->event.type = type;
    t->facts = talk_open_facts();
}

static void only_a_finding_that_has_changed_needs_a_second_request(void)
{
    struct dest_response accepted = talk_answer(202, ACCEPTED);
    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        struct talk t;
        begin(&t, (enum event_type)type);
        EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
        EXPECT_TEXT(t.request.url, ALERTS);
        EXPECT_INT(t.request.header_count, 3);
        EXPECT(!strstr(t.request.body, KEY));
        enum dest_next next = talk_next(&t, &accepted);
        EXPECT_INT(next, type == EVENT_FINDING_CHANGED ? DEST_SEND : DEST_FINISHED);
        if (next == DEST_SEND) {
            expect_url(&t, "notes");
            EXPECT(strstr(t.request.body, "unverified → true_positive"));
            EXPECT_INT(talk_next(&t, &accepted), DEST_FINISHED);
        }
        EXPECT_INT(t.job.verdict.kind, VERDICT_DELIVERED);
        talk_end(&t);
    }
}

static void a_note_that_fails_is_a_delivery_that_fails(void)
{
    struct dest_response accepted = talk_answer(202, ACCEPTED), busy = talk_answer(503, "{}");
    struct talk t;
    busy.retry_after = 7;
    begin(&t, EVENT_FINDING_CHANGED);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT_INT(talk_next(&t, &accepted), DEST_SEND);
    EXPECT_INT(talk_next(&t, &busy), DEST_FINISHED);
    EXPECT_INT(t.job.verdict.kind, VERDICT_RETRY);
    EXPECT(t.job.verdict.not_before == 7);
    talk_end(&t);
}

static void an_alert_over_the_limit_is_dead_before_it_is_sent(void)
{
    talk_expect_room("opsgenie", SETTINGS);
}

/* ---- tests ---- */

static void begin_test(struct talk *t)
{
    begin(t, EVENT_FINDING_NEW);
    talk_make_test(t);
    EXPECT_INT(talk_next(t, NULL), DEST_SEND);
    EXPECT(strstr(t->request.body, "Pencheff integration test"));
}

static struct verdict outcome_of(const struct dest_response *outcome)
{
    struct dest_response accepted = talk_answer(202, ACCEPTED);
    struct talk t;
    begin_test(&t);
    EXPECT_INT(talk_next(&t, &accepted), DEST_SEND);
    EXPECT_TEXT(t.request.method, "GET");
    EXPECT_TEXT(t.request.url, ALERTS "/requests/r%2F1");
    EXPECT_TEXT(talk_header(&t, "Authorization"), "GenieKey " KEY);
    EXPECT_INT(talk_next(&t, outcome), DEST_FINISHED);
    struct verdict v = t.job.verdict;
    talk_end(&t);
    return v;
}

static void a_test_says_what_came_of_its_alert(void)
{
    struct dest_response made = talk_answer(200, "{\"data\":{\"isSuccess\":true}}");
    struct dest_response refused = talk_answer(200, "{\"data\":{\"isSuccess\":false}}");
    struct dest_response odd = talk_answer(200, "{\"data\":{\"isSuccess\":\"true\"}}");
    struct dest_response forbidden = talk_answer(403, "{}");
    struct dest_response lost = {.error = ERROR_TIMEOUT, .body = "", .error_text = "slow"};
    EXPECT_INT(outcome_of(&made).kind, VERDICT_DELIVERED);
    EXPECT(strstr(outcome_of(&made).detail, "has made"));
    EXPECT_INT(outcome_of(&refused).reason, REASON_REJECTED);
    EXPECT_INT(outcome_of(&refused).error, ERROR_NOT_ACCEPTED);
    const struct dest_response *const unknown[] = {&odd, &forbidden, &lost};
    for (size_t i = 0; i < 3; i++) {
        EXPECT_INT(outcome_of(unknown[i]).kind, VERDICT_DELIVERED);
        EXPECT(strstr(outcome_of(unknown[i]).detail, "does not tell"));
    }
}

static void a_test_asks_some_times_and_says_when_nothing_was_known_by_then(void)
{
    struct dest_response accepted = talk_answer(202, ACCEPTED), pending = talk_answer(404, "{}");
    struct talk t;
    int asked = 0;
    begin_test(&t);
    for (enum dest_next next = talk_next(&t, &accepted); next == DEST_SEND; asked++)
        next = talk_next(&t, &pending);
    EXPECT_INT(asked, 5);
    EXPECT_INT(t.job.verdict.kind, VERDICT_DELIVERED);
    EXPECT(strstr(t.job.verdict.detail, "not made it yet"));
    talk_end(&t);
}

/* ---- answers ---- */

static void accepted_is_only_what_has_a_request(void)
{
    static const char *const others[] = {"",
                                         "ok",
                                         "{}",
                                         "[]",
                                         "{\"requestId\":\"\"}",
                                         "{\"requestId\":7}",
                                         "{\"requestId\":null}",
                                         "{\"requestId\":\"r\"} and more"};
    struct dest_response r = talk_answer(202, ACCEPTED);
    EXPECT_INT(opsgenie_judge(&r).kind, VERDICT_DELIVERED);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        r = talk_answer(202, others[i]);
        EXPECT_INT(opsgenie_judge(&r).kind, VERDICT_REJECTED);
        EXPECT_INT(opsgenie_judge(&r).error, ERROR_NOT_ACCEPTED);
    }
    r = talk_answer(400, ACCEPTED);
    EXPECT_INT(opsgenie_judge(&r).kind, VERDICT_REJECTED);
}

static void the_longer_of_two_waits_counts(void)
{
    struct dest_response r = talk_answer(429, "{}");
    r.fields[ANSWER_RATE_PERIOD] = "60";
    EXPECT(opsgenie_judge(&r).not_before == 60);
    r.retry_after = 90;
    EXPECT(opsgenie_judge(&r).not_before == 90);
    r.fields[ANSWER_RATE_PERIOD] = "soon";
    EXPECT(opsgenie_judge(&r).not_before == 90);
    EXPECT_INT(opsgenie_judge(&r).kind, VERDICT_RETRY);
    r.status = 503; /* no answer about the rate */
    r.retry_after = 0;
    r.fields[ANSWER_RATE_PERIOD] = "60";
    EXPECT(opsgenie_judge(&r).not_before == 0);
}

/* ---- lengths ---- */

static struct json_object *render(const struct event *event, const struct facts *facts)
{
    return chat_render(opsgenie_body_build, event, facts, OPSGENIE_ALERT);
}

static void see_limits(struct json_object *root, size_t bytes, const char *text)
{
    size_t sum = 0;
    (void)text;
    EXPECT(bytes > 0);
    EXPECT(chat_units_at(root, "message") <= OPSGENIE_MESSAGE_MAX);
    EXPECT(json_get(root, "alias") == NULL);
    EXPECT(chat_units_at(root, "description") <= OPSGENIE_DESCRIPTION_MAX);
    EXPECT(chat_units_at(root, "entity") <= OPSGENIE_ENTITY_MAX);
    EXPECT(chat_units_at(root, "note") <= OPSGENIE_NOTE_MAX);
    struct json_object *details = json_get(root, "details");
    if (!details)
        return;
    json_object_object_foreach(details, name, value)
    {
        EXPECT(json_is_text(value));
        sum += strlen(name) + chat_units_at(details, name);
    }
    EXPECT(sum <= OPSGENIE_DETAILS_MAX);
}

static void long_text_of_any_width_stays_within_the_limits(void)
{
    chat_each_long(opsgenie_body_build, OPSGENIE_ALERT, see_limits);
    chat_each_long(opsgenie_body_build, OPSGENIE_NOTE, see_limits);
    chat_each_long(opsgenie_body_build, OPSGENIE_END, see_limits);
}

static void see_bare(struct json_object *root, size_t bytes, const char *text)
{
    (void)bytes;
    (void)text;
    EXPECT(chat_units_at(root, "message") > 0 && chat_units_at(root, "description") > 0);
    EXPECT(json_get(root, "entity") == NULL);
}

static void nothing_known_is_still_an_alert(void)
{
    chat_each(opsgenie_body_build, OPSGENIE_ALERT, NULL, see_bare);
}

static void what_the_message_cuts_is_whole_in_the_description(void)
{
    struct facts facts = talk_facts();
    struct event event = talk_event();
    char title[301] = "";
    memset(title, 't', sizeof title - 1);
    event.type = EVENT_FINDING_NEW;
    struct json_object *root = render(&event, &facts);
    EXPECT(!strstr(chat_text(root, "description"), "[HIGH]"));
    json_object_put(root);
    facts.finding.title = title;
    root = render(&event, &facts);
    EXPECT_INT(chat_units_at(root, "message"), OPSGENIE_MESSAGE_MAX);
    EXPECT(strstr(chat_text(root, "description"), title) != NULL);
    json_object_put(root);
}

UNIT_MAIN(UNIT_CASE(settings_are_taken_or_refused_with_advice_and_without_values),
          UNIT_CASE(every_form_of_the_address_leads_to_the_alerts),
          UNIT_CASE(only_a_finding_that_has_changed_needs_a_second_request),
          UNIT_CASE(a_note_that_fails_is_a_delivery_that_fails),
          UNIT_CASE(an_alert_over_the_limit_is_dead_before_it_is_sent),
          UNIT_CASE(a_test_says_what_came_of_its_alert),
          UNIT_CASE(a_test_asks_some_times_and_says_when_nothing_was_known_by_then),
          UNIT_CASE(accepted_is_only_what_has_a_request), UNIT_CASE(the_longer_of_two_waits_counts),
          UNIT_CASE(long_text_of_any_width_stays_within_the_limits),
          UNIT_CASE(nothing_known_is_still_an_alert),
          UNIT_CASE(what_the_message_cuts_is_whole_in_the_description))
