/*
 * The webhook: its body, its request and its signatures, with published vectors.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/json.h"
#include "common/destinations/webhook.h"
#include "tests/unit/talk.h"
#include "tests/unit/unit.h"

/* ---- the body ---- */

static void expect_body(const struct event *event, const struct facts *facts, const char *want)
{
    struct buf b;
    buf_init(&b, 100000);
    webhook_body_build(event, facts, 0, &b);
    EXPECT(!b.overflow);
    EXPECT_TEXT(buf_text(&b), want);
    buf_free(&b);
}

static void the_body_of_a_finding_holds_everything_that_is_known(void)
{
    struct facts facts = talk_facts();
    struct event event = talk_event();
    expect_body(
        &event, &facts,
        "{\"tool\":\"pencheff\",\"version\":\"1\",\"event\":\"finding_changed\",\"id\":\"event-1\","
        "\"timestamp\":\"2026-11-22T01:59:15.291Z\",\"workspace_id\":\"" TALK_WORKSPACE_ID "\","
        "\"target\":{\"id\":\"" TALK_TARGET_ID
        "\",\"name\":\"Shop\",\"url\":\"https://shop.example\",\"kind\":\"url\"},"
        "\"scan\":{\"id\":\"" TALK_SCAN_ID
        "\",\"profile\":\"deep\",\"status\":\"done\",\"grade\":\"C\",\"score\":71,"
        "\"summary\":{\"high\":2,\"low\":0}},"
        "\"finding\":{\"id\":\"" TALK_FINDING_ID "\",\"pencheff_finding_id\":\"PF-1\","
        "\"title\":\"SQL \\\"injection\\\" </script>\",\"severity\":\"high\",\"category\":\"sqli\","
        "\"owasp_category\":\"A03\",\"cwe_id\":\"CWE-89\",\"cvss_score\":7.5,"
        "\"cvss_vector\":\"CVSS:3.1/AV:N\",\"endpoint\":\"/cart?id=1\",\"parameter\":\"id\","
        "\"description\":\"line one\\nline two\",\"remediation\":\"bind\","
        "\"verification_status\":\"unverified\",\"suppressed\":true,\"suppress_reason\":\"duplicate\","
        "\"epss\":0.97565,\"kev\":true,\"risk_score\":88,\"reachability\":\"reachable\","
        "\"resolved_at\":\"2026-11-23T00:00:00Z\",\"created_at\":\"2026-11-22T00:00:00Z\"},"
        "\"change_summary\":\"verification_status: unverified → true_positive\",\"error\":null}");
}

static void what_is_not_known_is_null(void)
{
    struct facts facts = {.has_finding = true};
    struct event event = {.id = "e", .type = EVENT_FINDING_NEW};
    expect_body(
        &event, &facts,
        "{\"tool\":\"pencheff\",\"version\":\"1\",\"event\":\"finding_new\",\"id\":\"e\","
        "\"timestamp\":\"1970-01-01T00:00:00.000Z\","
        "\"workspace_id\":\"00000000-0000-0000-0000-000000000000\","
        "\"target\":{\"id\":\"00000000-0000-0000-0000-000000000000\",\"name\":null,\"url\":null,\"kind\":"
        "null},"
        "\"scan\":{\"id\":\"00000000-0000-0000-0000-000000000000\",\"profile\":null,\"status\":null,"
        "\"grade\":null,\"score\":null,\"summary\":null},"
        "\"finding\":{\"id\":\"00000000-0000-0000-0000-000000000000\",\"pencheff_finding_id\":null,"
        "\"title\":null,\"severity\":\"info\",\"category\":null,\"owasp_category\":null,\"cwe_id\":null,"
        "\"cvss_score\":null,\"cvss_vector\":null,\"endpoint\":null,\"parameter\":null,\"description\":null,"
        "\"remediation\":null,\"verification_status\":null,\"suppressed\":false,\"suppress_reason\":null,"
        "\"epss\":null,\"kev\":false,\"risk_score\":null,\"reachability\":null,\"resolved_at\":null,"
        "\"created_at\":null},\"change_summary\":null,\"error\":null}");
}

static void a_scan_event_has_no_finding_and_a_failed_scan_says_why(void)
{
    struct facts facts = talk_facts();
    struct event event = {.id = "e", .type = EVENT_SCAN_FAILED, .first_seen_us = TALK_SEEN_US};
    struct buf b;
    buf_init(&b, 100000);
    webhook_body_build(&event, &facts, 0, &b);
    EXPECT(strstr(b.data, "\"finding\":null,\"change_summary\":null,\"error\":\"row's error\"}") != NULL);
    buf_reset(&b);
    event.error = "the message's";
    webhook_body_build(&event, &facts, 0, &b);
    EXPECT(strstr(b.data, "\"error\":\"the message's\"}") != NULL);
    buf_reset(&b);
    event.type = EVENT_SCAN_DONE;
    event.error = NULL;
    webhook_body_build(&event, &facts, 0, &b);
    EXPECT(strstr(b.data, "\"finding\":null,\"change_summary\":null,\"error\":null}") != NULL);
    buf_free(&b);
}

static void expect_summary(const char *summary, const char *want)
{
    struct facts facts = talk_facts();
    struct event event = talk_event();
    struct buf b;
    char member[300];
    const char *why;
    facts.scan.summary_json = summary;
    buf_init(&b, 100000);
    webhook_body_build(&event, &facts, 0, &b);
    struct json_object *root = json_parse(b.data, b.len, &why);
    EXPECT(root != NULL);
    json_object_put(root);
    snprintf(member, sizeof member, ",\"summary\":%s}", want);
    if (!strstr(b.data, member))
        unit_fail(__FILE__, __LINE__, "%s not in %s", member, b.data);
    buf_free(&b);
}

static void the_summary_cannot_smuggle_anything_in(void)
{
    expect_summary("{}", "{}");
    expect_summary("{\"a\": 1.5, \"b\": \"x\\\"y\", \"c\": null, \"d\": [1], \"e\": true}",
                   "{\"a\":1.5,\"b\":\"x\\\"y\",\"c\":null,\"d\":null,\"e\":null}");
    expect_summary("{\"a\": NaN}", "{\"a\":null}");
    expect_summary("{\"a\\\"\": 1}", "{\"a\\\"\":1}");
    expect_summary("[1]", "null");
    expect_summary("{\"a\":1}},\"x\":{", "null");
    expect_summary("", "null");
    expect_summary(NULL, "null");
}

static void an_unknown_severity_keeps_its_word(void)
{
    struct facts facts = talk_facts();
    struct event event = talk_event();
    struct buf b;
    facts.finding.severity_text = "Severe";
    facts.finding.severity = SEVERITY_INFO;
    buf_init(&b, 100000);
    webhook_body_build(&event, &facts, 0, &b);
    EXPECT(strstr(b.data, "\"severity\":\"Severe\"") != NULL);
    buf_free(&b);
}

/* ---- the request ---- */

/* Send a body of the test's own: what the signatures are made of is then a published vector. */
static void sign(struct talk *t, const char *secret, const char *webhook_id, int64_t now_s, const char *body)
{
    char json[300];
    snprintf(json, sizeof json, "{\"webhook_url\":\"https://h/x\",\"hmac_secret\":\"%s\"}", secret);
    talk_begin(t, "webhook", json, webhook_id, now_s);
    buf_add_text(&t->cache.layouts[0].body, body);
    t->cache.layouts[0].built = true;
    EXPECT_INT(talk_next(t, NULL), DEST_SEND);
    EXPECT_TEXT(t->request.body, body);
    EXPECT_INT(t->request.body_size, strlen(body));
}

static void standard_webhooks_signatures_match_the_published_vectors(void)
{
    struct talk t;
    sign(&t, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
         "{\"test\": 2432232314}");
    EXPECT_TEXT(talk_header(&t, "webhook-signature"), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    EXPECT_TEXT(talk_header(&t, "webhook-id"), "msg_p5jXN8AQM9LWM0D4loKWxJek");
    EXPECT_TEXT(talk_header(&t, "webhook-timestamp"), "1614265330");
    talk_end(&t);
    sign(&t, "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1649367553,
         "{\"email\":\"test@example.com\",\"username\":\"test_user\"}");
    EXPECT_TEXT(talk_header(&t, "webhook-signature"), "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
    talk_end(&t);
}

static void the_products_own_signature_matches_the_published_vectors(void)
{
    struct talk t;
    sign(&t, "It's a Secret to Everybody", "x", 1, "Hello, World!");
    EXPECT_TEXT(talk_header(&t, "X-Pencheff-Signature"),
                "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
    talk_end(&t);
    sign(&t, "mysecret", "x", 1, "{\"foo\":\"bar\"}");
    EXPECT_TEXT(talk_header(&t, "X-Pencheff-Signature"),
                "sha256=4864d2759938a15468b5df9ade20bf161da9b4f737ea61794142f3484236bda3");
    talk_end(&t);
}

static void a_whsec_secret_is_spelled_for_one_signature_and_decoded_for_the_other(void)
{
    static const char secret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", body[] = "{}";
    unsigned char mac[SHA256_SIZE];
    char hex[SHA256_HEX], want[80];
    struct talk t;
    hash_hmac_sha256(secret, strlen(secret), body, strlen(body), mac);
    hash_hex(mac, sizeof mac, hex);
    snprintf(want, sizeof want, "sha256=%s", hex);
    sign(&t, secret, "x", 1, body);
    EXPECT_TEXT(talk_header(&t, "X-Pencheff-Signature"), want);
    talk_end(&t);
}

static void unpadded_whsec_secrets_equal_their_padded_form(void)
{
    static const char *const pairs[][2] = {
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS="},
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwBr", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwBr=="},
    };
    for (size_t i = 0; i < 2; i++) {
        struct talk a, b;
        sign(&a, pairs[i][0], "x", 1, "{}");
        sign(&b, pairs[i][1], "x", 1, "{}");
        EXPECT_TEXT(talk_header(&a, "webhook-signature"), talk_header(&b, "webhook-signature"));
        talk_end(&a);
        talk_end(&b);
    }
}

static void a_request_holds_what_the_contract_says(void)
{
    struct talk t;
    talk_begin(
        &t, "webhook",
        "{\"webhook_url\":\"https://h/x?y=z\",\"hmac_secret\":\"s\",\"headers\":{\"X-Team\":\"blue\"}}",
        "abc", 1700000000);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT_TEXT(t.request.method, "POST");
    EXPECT_TEXT(t.request.url, "https://h/x?y=z");
    EXPECT(!t.request.once);
    EXPECT_INT(t.request.header_count, 8);
    EXPECT_TEXT(talk_header(&t, "Content-Type"), "application/json");
    EXPECT_TEXT(talk_header(&t, "User-Agent"), "pencheff-notify/" NOTIFY_VERSION);
    EXPECT_TEXT(talk_header(&t, "X-Pencheff-Timestamp"), "1700000000");
    EXPECT_TEXT(talk_header(&t, "webhook-timestamp"), "1700000000");
    EXPECT_TEXT(talk_header(&t, "webhook-id"), "abc");
    EXPECT_TEXT(talk_header(&t, "X-Team"), "blue");
    EXPECT(talk_header(&t, "X-Pencheff-Signature") && talk_header(&t, "webhook-signature"));
    EXPECT(t.cache.layouts[0].built && t.request.body == t.cache.layouts[0].body.data);
    EXPECT(strncmp(t.request.body, "{\"tool\":\"pencheff\"", 18) == 0);
    talk_end(&t);
}

#define GIVEN "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

/* The traceparent of an attempt for an event with TRACE, or NULL. */
static const char *traced(struct talk *t, const char *settings, const char *trace, const char *state,
                          int attempt)
{
    talk_begin(t, "webhook", settings, "abc", 1700000000);
    if (trace)
        EXPECT(trace_parse(&t->event.trace, trace, strlen(trace)));
    t->event.trace.state = state;
    t->c.attempt = attempt;
    EXPECT_INT(talk_next(t, NULL), DEST_SEND);
    return talk_header(t, "traceparent");
}

static void a_trace_that_was_given_goes_on_under_a_span_of_each_attempts_own(void)
{
    static const char settings[] = "{\"webhook_url\":\"https://h/x\"}";
    char first[TRACE_PARENT_TEXT];
    struct talk t;
    const char *sent = traced(&t, settings, GIVEN, "a=b", 1);
    EXPECT(sent && strncmp(sent, GIVEN, 36) == 0 && strcmp(sent + 52, "-01") == 0);
    EXPECT(strncmp(sent + 36, GIVEN + 36, 16) != 0);
    EXPECT_TEXT(talk_header(&t, "tracestate"), "a=b");
    snprintf(first, sizeof first, "%s", sent);
    talk_end(&t);
    sent = traced(&t, settings, GIVEN, NULL, 2);
    EXPECT(strncmp(sent, first, 36) == 0 && strncmp(sent + 36, first + 36, 16) != 0);
    EXPECT(!talk_header(&t, "tracestate"));
    talk_end(&t);
}

static void a_trace_of_our_own_making_is_not_sent(void)
{
    static const char settings[] = "{\"webhook_url\":\"https://h/x\"}";
    char text[TRACE_PARENT_TEXT];
    struct trace made;
    struct talk t;
    EXPECT(!traced(&t, settings, NULL, NULL, 1));
    talk_end(&t);
    trace_make(&made, "scan-task");
    trace_parent_format(&made, made.parent, text);
    EXPECT(!traced(&t, settings, text, NULL, 1));
    talk_end(&t);
}

static void a_traceparent_of_the_settings_wins(void)
{
    struct talk t;
    EXPECT_TEXT(traced(&t, "{\"webhook_url\":\"https://h/x\",\"headers\":{\"TraceParent\":\"mine\"}}", GIVEN,
                       "a=b", 1),
                NULL);
    EXPECT_TEXT(talk_header(&t, "TraceParent"), "mine");
    EXPECT(!talk_header(&t, "tracestate"));
    talk_end(&t);
}

static void without_a_secret_nothing_is_signed(void)
{
    struct talk t;
    talk_begin(&t, "webhook", "{\"webhook_url\":\"https://h/x\"}", "abc", 1700000000);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT(!talk_header(&t, "X-Pencheff-Signature") && !talk_header(&t, "webhook-signature"));
    EXPECT_TEXT(talk_header(&t, "webhook-id"), "abc");
    EXPECT_TEXT(talk_header(&t, "webhook-timestamp"), "1700000000");
    talk_end(&t);
}

static void the_body_is_built_once_for_all_conversations_of_an_event(void)
{
    struct talk t;
    talk_begin(&t, "webhook", "{\"webhook_url\":\"https://h/x\"}", "abc", 1);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    const char *first = t.request.body;
    t.c.step = 0;
    t.c.now_us += 5000000;
    t.event.change_summary = "changed meanwhile";
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT(t.request.body == first && !strstr(first, "meanwhile"));
    EXPECT_TEXT(talk_header(&t, "webhook-timestamp"), "6");
    talk_end(&t);
}

static void a_body_over_the_limit_is_dead_before_it_is_sent(void)
{
    struct talk t;
    talk_begin(&t, "webhook", "{\"webhook_url\":\"https://h/x\"}", "abc", 1);
    dest_body_cache_init(&t.cache, 100);
    EXPECT_INT(talk_next(&t, NULL), DEST_FINISHED);
    EXPECT_INT(t.job.verdict.kind, VERDICT_REJECTED);
    EXPECT_INT(t.job.verdict.reason, REASON_TOO_LONG);
    talk_end(&t);
}

static void an_answer_ends_the_conversation(void)
{
    struct dest_response r = {.status = 503, .body = "busy", .body_size = 4, .retry_after = 30};
    struct talk t;
    talk_begin(&t, "webhook", "{\"webhook_url\":\"https://h/x\"}", "abc", 1);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT_INT(t.job.verdict.kind, VERDICT_NONE);
    EXPECT_INT(talk_next(&t, &r), DEST_FINISHED);
    EXPECT_INT(t.job.verdict.kind, VERDICT_RETRY);
    EXPECT(t.job.verdict.not_before == 30);
    talk_end(&t);
}

UNIT_MAIN(UNIT_CASE(the_body_of_a_finding_holds_everything_that_is_known),
          UNIT_CASE(what_is_not_known_is_null),
          UNIT_CASE(a_scan_event_has_no_finding_and_a_failed_scan_says_why),
          UNIT_CASE(the_summary_cannot_smuggle_anything_in), UNIT_CASE(an_unknown_severity_keeps_its_word),
          UNIT_CASE(standard_webhooks_signatures_match_the_published_vectors),
          UNIT_CASE(the_products_own_signature_matches_the_published_vectors),
          UNIT_CASE(a_whsec_secret_is_spelled_for_one_signature_and_decoded_for_the_other),
          UNIT_CASE(unpadded_whsec_secrets_equal_their_padded_form),
          UNIT_CASE(a_request_holds_what_the_contract_says),
          UNIT_CASE(a_trace_that_was_given_goes_on_under_a_span_of_each_attempts_own),
          UNIT_CASE(a_trace_of_our_own_making_is_not_sent), UNIT_CASE(a_traceparent_of_the_settings_wins),
          UNIT_CASE(without_a_secret_nothing_is_signed),
          UNIT_CASE(the_body_is_built_once_for_all_conversations_of_an_event),
          UNIT_CASE(a_body_over_the_limit_is_dead_before_it_is_sent),
          UNIT_CASE(an_answer_ends_the_conversation))
