/*
 * Splunk's settings and what it gets. The exact bytes of the events are in tests/golden/splunk, what follows from answers
 * in unit_splunk_answers.c.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/json.h"
#include "common/destinations/splunk.h"
#include "tests/unit/chat.h"
#include "tests/unit/settings_case.h"
#include "tests/unit/talk.h"
#include "tests/unit/unit.h"

#define EVENTS   "https://splunk.example:8088/services/collector/event"
#define TOKEN    "B5A79AAD-D822-46CC-80D1-819F80D7BFB0"
#define AT(url)  "{\"hec_url\":\"" url "\",\"token\":\"" TOKEN "\"}"
#define SETTINGS AT("https://splunk.example:8088")

/* ---- settings ---- */

static void settings_are_taken_or_refused_with_advice_and_without_values(void)
{
    static const struct settings_case cases[] = {
        {.json = SETTINGS},
        {.json = "{\"hec_url\":\"http://h\",\"token\":\"t\",\"index\":null,\"source\":\"\",\"host\":\"Söhne "
                 "& Co\"}"},
        {"[]", .refused = "JSON"},
        {"{}", .refused = "hec_url"},
        {"{\"hec_url\":\"SECRET\",\"token\":\"t\"}", .refused = "hec_url"},
        {"{\"hec_url\":\"https://h?token=SECRET\",\"token\":\"t\"}", .refused = "hec_url"},
        {"{\"hec_url\":\"https://h/services/collector/raw\",\"token\":\"SECRET\"}", .refused = "/raw"},
        {"{\"hec_url\":\"https://h/services/collector/health/1.0\",\"token\":\"SECRET\"}",
         .refused = "hec_url"},
        {"{\"hec_url\":\"https://h\"}", .refused = "token"},
        {"{\"hec_url\":\"https://h\",\"token\":\"\"}", .refused = "token"},
        {"{\"hec_url\":\"https://h\",\"token\":7}", .refused = "token"},
        {"{\"hec_url\":\"https://h\",\"token\":\"SECRET\\r\\nX: y\"}", .refused = "token"},
        {"{\"hec_url\":\"https://h\",\"token\":\"Splunk SECRET\"}", .refused = "without Splunk"},
        {"{\"hec_url\":\"https://h\",\"token\":\"SECRÉT\"}", .refused = "token"},
        {"{\"hec_url\":\"https://h\",\"token\":\"t\",\"index\":\"SECRET\"}", .refused = "index"},
        {"{\"hec_url\":\"https://h\",\"token\":\"t\",\"index\":\"_internal\"}", .refused = "index"},
        {"{\"hec_url\":\"https://h\",\"token\":\"t\",\"index\":[\"main\"]}", .refused = "index"},
        {"{\"hec_url\":\"https://h\",\"token\":\"t\",\"source\":\"a\\nb\"}", .refused = "source"},
        {"{\"hec_url\":\"https://h\",\"token\":\"t\",\"host\":{}}", .refused = "host"},
    };
    EXPECT_SETTINGS("splunk", cases);
}

static void every_form_of_the_address_leads_to_the_collector(void)
{
    static const struct settings_case cases[] = {
        {AT("https://splunk.example:8088"), .url = EVENTS},
        {AT("https://splunk.example:8088/"), .url = EVENTS},
        {AT("https://splunk.example:8088/services/collector/"), .url = EVENTS},
        {AT(EVENTS), .url = EVENTS},
        {AT(EVENTS "/1.0"), .url = EVENTS "/1.0"},
        {AT("https://relay.example/splunk"), .url = "https://relay.example/splunk/services/collector/event"},
        {AT("https://http-inputs-shop.splunkcloud.com"),
         .url = "https://http-inputs-shop.splunkcloud.com/services/collector/event"},
        {AT("https://shop.splunkcloud.com:8088"),
         .url = "https://shop.splunkcloud.com:8088/services/collector/event"},
        {AT("https://shop.splunkcloud.com"), .advised = "the web pages of Splunk Cloud",
         .url = "https://shop.splunkcloud.com/services/collector/event"},
        {AT("https://splunk.example:8089"), .advised = "usually at 8088",
         .url = "https://splunk.example:8089/services/collector/event"},
        {AT("https://splunk.example:8000"), .advised = "usually at 8088",
         .url = "https://splunk.example:8000/services/collector/event"},
        {AT("https://[::8089]"), .url = "https://[::8089]/services/collector/event"},
    };
    EXPECT_SETTINGS("splunk", cases);
}

static void names_and_tokens_have_a_longest_one(void)
{
    static const struct {
        const char *key;
        size_t max;
    } keys[] = {{"token", SPLUNK_TOKEN_MAX},
                {"index", SPLUNK_NAME_MAX},
                {"source", SPLUNK_NAME_MAX},
                {"host", SPLUNK_NAME_MAX}};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        for (size_t n = keys[i].max; n <= keys[i].max + 1; n++) {
            char json[700], text[SPLUNK_TOKEN_MAX + 2] = "";
            struct dest_config_error error;
            struct arena a;
            arena_init(&a, 1024);
            memset(text, 'x', n);
            snprintf(json, sizeof json, "{\"hec_url\":\"https://h\"%s,\"%s\":\"%s\"}",
                     i == 0 ? "" : ",\"token\":\"t\"", keys[i].key, text);
            EXPECT((talk_parse(&a, "splunk", json, &error) != NULL) == (n == keys[i].max));
            arena_wipe(&a);
        }
}

/* ---- requests ---- */

static struct json_object *body_of(const struct talk *t)
{
    const char *why;
    struct json_object *root = json_parse(t->request.body, t->request.body_size, &why);
    if (!root)
        unit_fail(__FILE__, __LINE__, "%s in %s", why, t->request.body);
    return root;
}

static void an_event_is_filed_where_the_settings_say(void)
{
    struct talk t;
    talk_begin(&t, "splunk",
               "{\"hec_url\":\"https://splunk.example:8088\",\"token\":\"" TOKEN
               "\",\"index\":\"security\",\"source\":\"a \\\"b\\\"\",\"host\":\"c\"}",
               "abc", 1);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT_TEXT(t.request.method, "POST");
    EXPECT_TEXT(t.request.url, EVENTS);
    EXPECT_INT(t.request.header_count, 3);
    EXPECT_TEXT(talk_header(&t, "Authorization"), "Splunk " TOKEN);
    EXPECT(!strstr(t.request.body, TOKEN));
    struct json_object *root = body_of(&t);
    EXPECT_INT(json_object_object_length(root), 6);
    EXPECT_TEXT(chat_text(root, "index"), "security");
    EXPECT_TEXT(chat_text(root, "source"), "a \"b\"");
    EXPECT_TEXT(chat_text(root, "host"), "c");
    json_object_put(root);
    talk_end(&t);
}

static void each_event_has_the_sourcetype_that_users_know(void)
{
    static const char *const words[EVENT_TYPE_COUNT] = {
        [EVENT_SCAN_STARTED] = "pencheff:scan_started", [EVENT_SCAN_DONE] = "pencheff:scan_done",
        [EVENT_SCAN_FAILED] = "pencheff:scan_failed",   [EVENT_FINDING_NEW] = "pencheff:finding",
        [EVENT_FINDING_CHANGED] = "pencheff:finding",
    };
    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        struct talk t;
        talk_begin(&t, "splunk", SETTINGS, "abc", 1);
        t.event.type = (enum event_type)type;
        EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
        struct json_object *root = body_of(&t);
        EXPECT_TEXT(chat_text(root, "sourcetype"), words[type]);
        EXPECT_TEXT(chat_text(root, "source"), "pencheff");
        EXPECT_TEXT(chat_text(root, "host"), "pencheff");
        EXPECT(json_get(root, "index") == NULL);
        EXPECT_TEXT(chat_text(json_get(root, "event"), "event"), event_type_name((enum event_type)type));
        EXPECT(!json_get(json_get(root, "event"), "finding") ==
               !event_is_about_finding((enum event_type)type));
        json_object_put(root);
        talk_end(&t);
    }
}

static void expect_time(int64_t us, const char *text)
{
    struct event event = talk_event();
    struct facts facts = talk_facts();
    struct buf b;
    buf_init(&b, 65536);
    event.first_seen_us = us;
    splunk_body_build(&event, &facts, 0, &b);
    const char *at = strstr(buf_text(&b), "\"time\":");
    EXPECT(at && strncmp(at + 7, text, strlen(text)) == 0);
    buf_free(&b);
}

static void a_time_has_no_exponent(void)
{
    expect_time(TALK_SEEN_US, "1795312755.291,");
    expect_time(INT64_C(1800000000000000), "1800000000.000,");
    expect_time(INT64_C(1795312755007999), "1795312755.007,");
    expect_time(0, "0.000,");
    expect_time(-5, "0.000,");
}

static void an_event_that_is_not_to_be_sent_is_dead_at_once(void)
{
    talk_expect_room("splunk", SETTINGS);
}

static void a_test_is_an_event_that_says_so(void)
{
    struct talk t;
    struct dest_response success = {.status = 200, .body = "{\"code\":0}", .body_size = 10};
    talk_begin(&t, "splunk", SETTINGS, "abc", 1);
    talk_make_test(&t);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    struct json_object *root = body_of(&t);
    EXPECT_TEXT(chat_text(root, "sourcetype"), "pencheff:test");
    EXPECT_TEXT(chat_text(json_get(root, "event"), "message"), "Pencheff integration test");
    json_object_put(root);
    EXPECT_INT(talk_next(&t, &success), DEST_FINISHED);
    EXPECT(strstr(t.job.verdict.detail, "pencheff:test"));
    talk_end(&t);
}

/* ---- lengths ---- */

/* The whole but for the settings that each integration adds. */
static void build_whole(const struct event *event, const struct facts *facts, int layout, struct buf *out)
{
    buf_add_char(out, '{');
    splunk_body_build(event, facts, layout, out);
}

/* The member `event` alone, whose length is limited. */
static void build_event(const struct event *event, const struct facts *facts, int layout, struct buf *out)
{
    struct buf whole;
    buf_init(&whole, out->max);
    build_whole(event, facts, layout, &whole);
    EXPECT(!whole.overflow);
    const char *at = strstr(buf_text(&whole), "\"event\":{") + 8;
    size_t n = whole.len - (size_t)(at - whole.data) - 1;
    EXPECT(n <= SPLUNK_EVENT_MAX);
    buf_add(out, at, n);
    buf_free(&whole);
}

/* With the longest id and numbers too. */
static void build_longest(const struct event *event, const struct facts *facts, int layout, struct buf *out)
{
    static char id[EVENT_ID_MAX + 1];
    struct event named = *event;
    struct facts numbered = *facts;
    memset(id, '"', sizeof id - 1);
    named.id = id;
    numbered.finding.epss = 0.12345678901234567;
    numbered.finding.risk_score = -1.2345678901234567e-300;
    numbered.scan.score = -1234567890;
    numbered.scan.summary_json = "{\"critical\":999999999999,\"high\":999999999999,\"medium\":999999999999,"
                                 "\"low\":999999999999,\"info\":999999999999}";
    build_event(&named, &numbered, layout, out);
}

/* Nothing is cut that would have fit. */
static void see_full(struct json_object *event, size_t bytes, const char *text)
{
    (void)text;
    EXPECT(!json_get(event, "finding") || bytes > SPLUNK_EVENT_MAX - 100);
}

static void an_event_is_never_longer_than_splunk_keeps(void)
{
    chat_each_long(build_longest, 0, see_full);
}

static void expect_long_texts(const char *description, const char *remediation, bool whole, bool other_whole)
{
    struct facts facts = talk_facts();
    struct event event = talk_event();
    facts.finding.description = description;
    facts.finding.remediation = remediation;
    struct json_object *root = chat_render(build_event, &event, &facts, 0);
    struct json_object *finding = json_get(root, "finding");
    EXPECT((strcmp(chat_text(finding, "description"), description) == 0) == whole);
    EXPECT((strcmp(chat_text(finding, "remediation"), remediation) == 0) == other_whole);
    json_object_put(root);
}

static void what_one_of_the_long_texts_does_not_need_is_the_others(void)
{
    static char longest[20001], most[7501], half[4001];
    memset(longest, 'l', sizeof longest - 1);
    memset(most, 'm', sizeof most - 1);
    memset(half, 'h', sizeof half - 1);
    expect_long_texts(half, half, true, true);
    expect_long_texts(most, "r", true, true);
    expect_long_texts("d", most, true, true);
    expect_long_texts(longest, half, false, true);
    expect_long_texts(half, longest, true, false);
    expect_long_texts(longest, longest, false, false);
}

static void see_bare(struct json_object *root, size_t bytes, const char *text)
{
    (void)bytes;
    (void)text;
    EXPECT(!strstr(json_print(root), "null") && !strstr(json_print(root), ":\"\""));
    EXPECT(strstr(json_print(root), "\"message\":\"") && strstr(json_print(root), "\"target\":{\"id\":\""));
}

static void what_is_not_known_is_left_out(void)
{
    chat_each(build_whole, 0, NULL, see_bare);
}

static void counts_are_numbers_of_the_five_severities(void)
{
    struct facts facts = talk_facts();
    struct event event = talk_event();
    event.type = EVENT_SCAN_DONE;
    facts.scan.summary_json = "{\"High\": 2, \"total\": 9, \"x\\\"y\": 3, \"low\": \"7\"}";
    struct json_object *root = chat_render(build_event, &event, &facts, 0);
    EXPECT_TEXT(json_print(json_get(json_get(root, "scan"), "summary")),
                "{\"critical\":0,\"high\":2,\"medium\":0,\"low\":0,\"info\":0}");
    json_object_put(root);
}

UNIT_MAIN(UNIT_CASE(settings_are_taken_or_refused_with_advice_and_without_values),
          UNIT_CASE(every_form_of_the_address_leads_to_the_collector),
          UNIT_CASE(names_and_tokens_have_a_longest_one), UNIT_CASE(an_event_is_filed_where_the_settings_say),
          UNIT_CASE(each_event_has_the_sourcetype_that_users_know), UNIT_CASE(a_time_has_no_exponent),
          UNIT_CASE(an_event_that_is_not_to_be_sent_is_dead_at_once),
          UNIT_CASE(a_test_is_an_event_that_says_so), UNIT_CASE(an_event_is_never_longer_than_splunk_keeps),
          UNIT_CASE(what_one_of_the_long_texts_does_not_need_is_the_others),
          UNIT_CASE(what_is_not_known_is_left_out), UNIT_CASE(counts_are_numbers_of_the_five_severities))
