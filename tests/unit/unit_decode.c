/*
 * Decoding Celery's protocol 2: arguments as Python binds them, ids, tasks, times, and named rejects.
 */
#include <stdio.h>
#include <string.h>

#include "tests/unit/decode_case.h"

#define EMBED ",{\"callbacks\":null,\"errbacks\":null,\"chain\":null,\"chord\":null}"

static void a_celery_5_event_is_read(void)
{
    struct uuid finding = id_of(FINDING);
    begin_event("[[\"" SCAN "\",\"finding_changed\"],{\"finding_id\":\"" FINDING
                "\",\"change_summary\":\"verification_status: a \\u2192 b\"}" EMBED "]");
    ACCEPT(DECODE_EVENT);
    expect_scan_and_type(EVENT_FINDING_CHANGED);
    EXPECT_TEXT(out.event.id, "task-1");
    EXPECT(out.event.has_finding && uuid_equal(&out.event.finding_id, &finding));
    EXPECT_TEXT(out.event.change_summary, "verification_status: a → b");
    EXPECT(out.event.error == NULL);
    EXPECT_INT(out.event.first_seen_us, NOW_US);
    EXPECT(!out.has_eta && !out.has_expires && !out.has_canvas && !out.has_integration);
    EXPECT_INT(out.attempt, 1);
    EXPECT_TEXT(out.origin_queue, "notify");
}

static void every_mix_of_arguments_that_python_accepts_gives_the_same_event(void)
{
    static const char *const bodies[] = {
        "[[\"" SCAN "\",\"finding_new\",\"" FINDING "\",\"c\",\"e\"],{},null]",
        "[[\"" SCAN "\",\"finding_new\",\"" FINDING "\",\"c\"],{\"error\":\"e\"},{}]",
        "[[\"" SCAN "\",\"finding_new\",\"" FINDING "\"],{\"error\":\"e\",\"change_summary\":\"c\"},{}]",
        "[[\"" SCAN "\",\"finding_new\"],{\"finding_id\":\"" FINDING
        "\",\"error\":\"e\",\"change_summary\":\"c\"}]",
        "[[\"" SCAN "\"],{\"event_type\":\"finding_new\",\"finding_id\":\"" FINDING
        "\",\"error\":\"e\",\"change_summary\":\"c\"},{}]",
        "[[],{\"error\":\"e\",\"change_summary\":\"c\",\"finding_id\":\"" FINDING
        "\",\"event_type\":\"finding_new\",\"scan_id\":\"" SCAN "\"},{}]",
        "[[],{\"scan_id\":\"x\",\"error\":\"e\",\"change_summary\":\"c\",\"finding_id\":\"" FINDING
        "\",\"event_type\":\"finding_new\",\"scan_id\":\"" SCAN
        "\"},{}]", /* the last of two wins, as in Python */
    };
    unsigned char hash[SHA256_SIZE];
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        begin_event(bodies[i]);
        ACCEPT(DECODE_EVENT);
        expect_scan_and_type(EVENT_FINDING_NEW);
        EXPECT_TEXT(out.event.change_summary, "c");
        EXPECT_TEXT(out.event.error, "e");
        if (i == 0)
            memcpy(hash, out.event.content_hash, sizeof hash);
        EXPECT(memcmp(hash, out.event.content_hash, sizeof hash) == 0);
    }
}

static void none_is_as_good_as_left_out(void)
{
    unsigned char hash[SHA256_SIZE];
    begin_event("[[\"" SCAN "\",\"scan_done\"],{}]");
    ACCEPT(DECODE_EVENT);
    memcpy(hash, out.event.content_hash, sizeof hash);
    begin_event("[[\"" SCAN "\",\"scan_done\",null,null],{\"error\":null},null]");
    ACCEPT(DECODE_EVENT);
    EXPECT(!out.event.has_finding && !out.event.change_summary && !out.event.error);
    EXPECT(memcmp(hash, out.event.content_hash, sizeof hash) == 0);
}

static void arguments_that_python_refuses_are_refused_in_its_words(void)
{
    static const struct {
        const char *body, *detail;
    } cases[] = {
        {"[[1,2,3,4,5,6],{}]", "notify_event() takes from 2 to 5 positional arguments but 6 were given"},
        {"[[\"" SCAN "\",\"scan_done\"],{\"scanid\":1}]",
         "notify_event() got an unexpected keyword argument 'scanid'"},
        {"[[\"" SCAN "\",\"scan_done\"],{\"\\u0007\\n\":1}]",
         "notify_event() got an unexpected keyword argument '  '"},
        {"[[\"" SCAN "\",\"scan_done\"],{\"event_type\":\"scan_done\"}]",
         "notify_event() got multiple values for argument 'event_type'"},
        {"[[1,2,3,4,5,6],{\"scan_id\":1}]", "notify_event() got multiple values for argument 'scan_id'"},
        {"[[\"" SCAN "\"],{}]", "notify_event() missing 1 required positional argument: 'event_type'"},
        {"[[],{\"event_type\":\"scan_done\"}]",
         "notify_event() missing 1 required positional argument: 'scan_id'"},
        {"[[],{}]", "notify_event() missing 2 required positional arguments: 'scan_id' and 'event_type'"},
        {"[[4711,\"scan_done\"],{}]", "notify_event() needs a UUID as text for 'scan_id', not 4711"},
        {"[[null,\"scan_done\"],{}]", "notify_event() needs a UUID as text for 'scan_id', not None"},
        {"[[[\"" SCAN "\"],\"scan_done\"],{}]",
         "notify_event() needs a UUID as text for 'scan_id', not [\"" SCAN "\"]"},
        {"[[\"" SCAN "\",null],{}]", "notify_event() needs a text for 'event_type', not None"},
        {"[[\"" SCAN "\",[\"scan_done\"]],{}]",
         "notify_event() needs a text for 'event_type', not [\"scan_done\"]"},
        {"[[\"" SCAN "\",\"finding_new\",5],{}]",
         "notify_event() needs a UUID as text for 'finding_id', not 5"},
        {"[[\"" SCAN "\",\"scan_done\",false],{}]",
         "notify_event() needs a UUID as text for 'finding_id', not false"},
        {"[[\"" SCAN "\",\"scan_done\"],{\"change_summary\":{}}]",
         "notify_event() needs a text or None for 'change_summary', not {}"},
        {"[[\"" SCAN "\",\"scan_done\"],{\"error\":1.5}]",
         "notify_event() needs a text or None for 'error', not 1.5"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin_event(cases[i].body);
        reject(REASON_BAD_ARGUMENTS, cases[i].detail, "task-1");
    }
}

static void the_expanding_task_takes_exactly_a_scan(void)
{
    static const struct {
        const char *body, *detail;
    } bad[] = {
        {"[[\"" SCAN "\",2],{}]", "notify_scan_findings() takes 1 positional argument but 2 were given"},
        {"[[],{}]", "notify_scan_findings() missing 1 required positional argument: 'scan_id'"},
        {"[[\"" SCAN "\"],{\"event_type\":\"scan_done\"}]",
         "notify_scan_findings() got an unexpected keyword argument 'event_type'"},
    };
    begin_task("a.b.notify_scan_findings", "[[\"" SCAN "\"],{}" EMBED "]");
    ACCEPT(DECODE_EVENT);
    EXPECT(out.event.expand);
    expect_scan_and_type(EVENT_SCAN_DONE);
    EXPECT_TEXT(out.event.id, "task-1");
    begin_task("notify_scan_findings", "[[],{\"scan_id\":\"" SCAN "\"}]");
    ACCEPT(DECODE_EVENT);
    EXPECT(out.event.expand);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        begin_task("notify_scan_findings", bad[i].body);
        reject(REASON_BAD_ARGUMENTS, bad[i].detail, "task-1");
    }
}

static void kombus_uuid_form_is_an_id(void)
{
    struct uuid finding = id_of(FINDING);
    begin_event("[[{\"__type__\":\"uuid\",\"__value__\":{\"hex\":\"11111111111141118111111111111111\"}},"
                "\"finding_new\",{\"__value__\":{\"hex\":\"" FINDING
                "\",\"version\":4},\"__type__\":\"uuid\"}],{}]");
    ACCEPT(DECODE_EVENT);
    expect_scan_and_type(EVENT_FINDING_NEW);
    EXPECT(uuid_equal(&out.event.finding_id, &finding));
    static const char *const bad[] = {
        ("{\"__type__\":\"uuid\",\"__value__\":\"" SCAN "\"}"),
        "{\"__type__\":\"bytes\",\"__value__\":{\"hex\":\"11111111111141118111111111111111\"}}",
        "{\"__type__\":\"uuid\",\"__value__\":{\"hex\":\"11111111111141118111111111111111\"},\"a\":1}",
        "{\"__type__\":\"uuid\"}",
        "{}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char body[300];
        snprintf(body, sizeof body, "[[%s,\"scan_done\"],{}]", bad[i]);
        begin_event(body);
        reject(REASON_BAD_ARGUMENTS, NULL, "task-1");
    }
    begin_event("[[{\"__type__\":\"uuid\",\"__value__\":{\"hex\":\"1111111111114111811111111111111\"}},"
                "\"scan_done\"],{}]");
    reject(REASON_BAD_ID, NULL, "task-1");
}

static void ids_that_are_no_uuids_are_refused(void)
{
    static const char *const bad[] = {
        "", "x", SCAN "0", "{" SCAN "}", " " SCAN, "11111111111141118111111111111111", SCAN "\\u0000"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char body[300];
        snprintf(body, sizeof body, "[[\"%s\",\"scan_done\"],{}]", bad[i]);
        begin_event(body);
        reject(REASON_BAD_ID, NULL, "task-1");
        snprintf(body, sizeof body, "[[\"" SCAN "\",\"finding_new\",\"%s\"],{}]", bad[i]);
        begin_event(body);
        reject(REASON_BAD_ID, NULL, "task-1");
    }
}

static void events_and_findings_must_fit_together(void)
{
    begin_event("[[\"" SCAN "\",\"finding_new\"],{}]");
    reject(REASON_FINDING_MISSING, "finding_new came without a finding_id", "task-1");
    begin_event("[[\"" SCAN "\",\"finding_changed\",null],{}]");
    reject(REASON_FINDING_MISSING, NULL, "task-1");
    begin_event("[[\"" SCAN "\",\"scan_exploded\"],{}]");
    reject(REASON_UNKNOWN_EVENT, "event_type is \"scan_exploded\"", "task-1");
    begin_event("[[\"" SCAN "\",\"Scan_Done\"],{}]");
    reject(REASON_UNKNOWN_EVENT, NULL, "task-1");
    begin_event("[[\"" SCAN "\",\"scan_done\\u0000\"],{}]");
    reject(REASON_UNKNOWN_EVENT, NULL, "task-1");
    begin_event("[[\"" SCAN "\",\"scan_done\",\"" FINDING "\"],{}]");
    ACCEPT(DECODE_EVENT);
    EXPECT(!out.event.has_finding);
    struct uuid none = {{0}};
    EXPECT(uuid_equal(&out.event.finding_id, &none));
}

static void texts_are_made_storable_and_cut(void)
{
    static char body[LIMIT + 1000];
    char filler[LIMIT];
    memset(filler, 'a', sizeof filler);
    begin_event("[[\"" SCAN "\",\"scan_failed\"],{\"error\":\"a\\u0000b\\ud800c\"}]");
    ACCEPT(DECODE_EVENT);
    EXPECT_TEXT(out.event.error, "a\xEF\xBF\xBD"
                                 "b\xEF\xBF\xBD"
                                 "c");
    struct conf large = conf;
    large.limits_message_bytes = 1 << 20;
    snprintf(body, sizeof body, "[[\"" SCAN "\",\"scan_failed\"],{\"error\":\"%.4095saa\"}]", filler);
    begin_event(body);
    EXPECT_INT(decode_message(&large, &arena, &raw, NOW_US, &out), DECODE_EVENT);
    EXPECT_INT(strlen(out.event.error), EVENT_TEXT_MAX);
    EXPECT_TEXT(out.event.error + EVENT_TEXT_MAX - 4, "a…");
}

static void bodies_of_another_shape_are_bad(void)
{
    static const char *const bad[] = {
        "",
        "{",
        "{}",
        "[]",
        "[[]]",
        "[[],{},{},{}]",
        "[{},[],{}]",
        "[[],[],{}]",
        "[[],null,{}]",
        "[null,{},{}]",
        ("[\"" SCAN "\",{},{}]"),
        "[[],{},[]]",
        "[[],{},5]",
        "\"x\"",
        "null",
        "5",
        ("[['" SCAN "','scan_done'],{}]"),
        ("[[\"" SCAN "\",\"scan_done\"],{}] x"),
        "[[\"\xff\",\"scan_done\"],{}]",
        "\x80\x04\x95",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        begin_event(bad[i]);
        reject(REASON_BAD_BODY, NULL, "task-1");
    }
}

static void tasks_are_known_by_the_last_part_of_their_name(void)
{
    static const char *const good[] = {"notify_event", "a.notify_event", "a.b.c.notify_event",
                                       "x.other_event", ".notify_event"};
    static const char *const bad[] = {"",
                                      "notify_event.",
                                      "notify_event.x",
                                      "anotify_event",
                                      "Notify_event",
                                      "celery.chord_unlock",
                                      "notify_event ",
                                      "a/notify_event"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        begin_task(good[i], "[[\"" SCAN "\",\"scan_done\"],{}]");
        ACCEPT(DECODE_EVENT);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        begin_task(bad[i], "[[\"" SCAN "\",\"scan_done\"],{}]");
        reject(REASON_UNKNOWN_TASK, NULL, "task-1");
    }
    begin_task("x\r\ny\xff.nothing", "[]");
    reject(REASON_UNKNOWN_TASK, "the task is \"x  y\xEF\xBF\xBD.nothing\"", "task-1");
    begin_event("[[\"" SCAN "\",\"scan_done\"],{}]");
    put_int("task", 5);
    reject(REASON_UNKNOWN_TASK, NULL, "task-1");
}

static void the_id_of_a_task_is_its_header(void)
{
    static char long_id[300];
    memset(long_id, 'i', sizeof long_id - 1);
    const char *body = "[[\"" SCAN "\",\"scan_done\"],{}]";
    begin_event(body);
    raw.message_id = "ignored";
    put_text("id", "my own id → ✓");
    ACCEPT(DECODE_EVENT);
    EXPECT_TEXT(out.event.id, "my own id → ✓");
    long_id[200] = 0;
    put_text("id", long_id);
    ACCEPT(DECODE_EVENT);
    long_id[200] = 'i';
    long_id[201] = 0;
    put_text("id", long_id);
    reject(REASON_BAD_ID, NULL, NULL);
    put_text("id", "a\nb\x7f");
    ACCEPT(DECODE_EVENT);
    EXPECT_TEXT(out.event.id, "a\nb\x7f");
    put_text("id", "a\xff");
    reject(REASON_BAD_ID, NULL, NULL);
    put_text("id", "ab");
    headers[2].size = 3; /* a NUL inside */
    reject(REASON_BAD_ID, NULL, NULL);
    put_text("id", "");
    reject(REASON_NO_MESSAGE_ID, NULL, NULL);
    put("id", RAW_HEADER_NULL);
    reject(REASON_NO_MESSAGE_ID, NULL, NULL);
    put_int("id", 5);
    reject(REASON_BAD_ID, NULL, NULL);
    begin(body);
    put_text("task", "notify_event");
    reject(REASON_NO_MESSAGE_ID, NULL, NULL);
}

static void times_come_from_the_headers(void)
{
    begin_event("[[\"" SCAN "\",\"scan_done\"],{}]");
    put_text("eta", "2026-11-22T02:59:16.5+01:00");
    put_text("expires", "2026-11-22 03:00:00");
    ACCEPT(DECODE_EVENT);
    EXPECT(out.has_eta && out.has_expires);
    EXPECT_INT(out.eta_us, NOW_US + 1500000);
    EXPECT_INT(out.expires_us, NOW_US + 3645 * INT64_C(1000000));
    put_text("eta", "soon");
    reject(REASON_BAD_TIME, "eta is no ISO 8601 time: \"soon\"", "task-1");
    put("eta", RAW_HEADER_NULL);
    put_int("expires", 1795312755);
    reject(REASON_BAD_TIME, NULL, "task-1");
    put("expires", RAW_HEADER_FLOAT);
    reject(REASON_BAD_TIME, NULL, "task-1");
    put_text("expires", "");
    reject(REASON_BAD_TIME, NULL, "task-1");
}

static void a_canvas_is_noticed(void)
{
    static const struct {
        const char *embed;
        bool want;
    } cases[] = {
        {"null", false},
        {"{}", false},
        {"{\"callbacks\":null,\"errbacks\":[{}],\"chain\":[],\"chord\":null}", false},
        {"{\"callbacks\":[{\"task\":\"x\"}]}", true},
        {"{\"chain\":[{\"task\":\"x\"}]}", true},
        {"{\"chord\":{\"task\":\"x\"}}", true},
        {"{\"callbacks\":[],\"chord\":{}}", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[300];
        snprintf(body, sizeof body, "[[\"" SCAN "\",\"scan_done\"],{},%s]", cases[i].embed);
        begin_event(body);
        ACCEPT(DECODE_EVENT);
        EXPECT(out.has_canvas == cases[i].want);
    }
}

UNIT_MAIN(UNIT_CASE(a_celery_5_event_is_read),
          UNIT_CASE(every_mix_of_arguments_that_python_accepts_gives_the_same_event),
          UNIT_CASE(none_is_as_good_as_left_out),
          UNIT_CASE(arguments_that_python_refuses_are_refused_in_its_words),
          UNIT_CASE(the_expanding_task_takes_exactly_a_scan), UNIT_CASE(kombus_uuid_form_is_an_id),
          UNIT_CASE(ids_that_are_no_uuids_are_refused), UNIT_CASE(events_and_findings_must_fit_together),
          UNIT_CASE(texts_are_made_storable_and_cut), UNIT_CASE(bodies_of_another_shape_are_bad),
          UNIT_CASE(tasks_are_known_by_the_last_part_of_their_name),
          UNIT_CASE(the_id_of_a_task_is_its_header), UNIT_CASE(times_come_from_the_headers),
          UNIT_CASE(a_canvas_is_noticed))
