/*
 * Decoding: the three message forms, arguments as Python binds them, and a named reject for everything else.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/base/check.h"
#include "tests/unit/unit.h"
#include "worker/decode.h"

#define SCAN    "11111111-1111-4111-8111-111111111111"
#define FINDING "22222222-2222-4222-8222-222222222222"
#define OTHER   "33333333-3333-4333-8333-333333333333"
#define NOW_US  INT64_C(1795312755000000) /* 2026-11-22T01:59:15Z */

enum { LIMIT = 4096, HEADERS = 16 };

static const char *event_tasks[] = {"notify_event", "other_event"};
static const char *expand_tasks[] = {"notify_scan_findings"};
static const struct conf conf = {
    .limits_message_bytes = LIMIT,
    .tasks_notify_event = {event_tasks, 2},
    .tasks_notify_scan_findings = {expand_tasks, 1},
};

/* ---- a message under construction ---- */

static struct raw_message raw;
static struct raw_header headers[HEADERS];
static struct arena arena;
static struct decoded out;
static bool arena_used;

static void begin(const char *body)
{
    if (arena_used)
        arena_free(&arena);
    arena_init(&arena, 4096);
    arena_used = true;
    memset(headers, 0, sizeof headers);
    raw = (struct raw_message){.body = body,
                               .body_size = strlen(body),
                               .content_type = "application/json",
                               .content_encoding = "utf-8",
                               .headers = headers,
                               .queue = "notify"};
}

static struct raw_header *put(const char *name, enum raw_header_kind kind)
{
    for (size_t i = 0; i < raw.header_count; i++)
        if (strcmp(headers[i].name, name) == 0) {
            headers[i].kind = kind;
            return &headers[i];
        }
    check(raw.header_count < HEADERS);
    struct raw_header *h = &headers[raw.header_count++];
    h->name = name;
    h->kind = kind;
    return h;
}

static void put_text(const char *name, const char *text)
{
    struct raw_header *h = put(name, RAW_HEADER_TEXT);
    h->text = text;
    h->size = strlen(text);
}

static void put_int(const char *name, int64_t number)
{
    put(name, RAW_HEADER_INT)->number = number;
}

static void begin_task(const char *task, const char *body)
{
    begin(body);
    put_text("lang", "py");
    put_text("task", task);
    put_text("id", "task-1");
    put("eta", RAW_HEADER_NULL);
    put("expires", RAW_HEADER_NULL);
    put("compression", RAW_HEADER_NULL);
    put_int("retries", 0);
    put("timelimit", RAW_HEADER_OTHER);
}

static void begin_event(const char *body)
{
    begin_task("pencheff_api.tasks.integration_notify_task.notify_event", body);
}

static void begin_plain(const char *body)
{
    begin(body);
    raw.message_id = "message-1";
}

static enum decode_result decode(void)
{
    memset(&out, 0xa5, sizeof out);
    return decode_message(&conf, &arena, &raw, NOW_US, &out);
}

#define ACCEPT(result) EXPECT_INT(accept(), (result))

static enum decode_result accept(void)
{
    enum decode_result r = decode();
    if (r == DECODE_REJECT)
        unit_fail(__FILE__, __LINE__, "rejected %s (%s): %.200s", reason_name(out.reason), out.detail,
                  raw.body);
    EXPECT_INT(out.reason, REASON_NONE);
    EXPECT(out.detail == NULL);
    return r;
}

static void reject(enum reason reason, const char *detail, const char *id)
{
    if (decode() != DECODE_REJECT)
        unit_fail(__FILE__, __LINE__, "accepted: %.200s", raw.body);
    EXPECT_TEXT(reason_name(out.reason), reason_name(reason));
    if (detail)
        EXPECT_TEXT(out.detail, detail);
    EXPECT(out.detail && strlen(out.detail) < 512);
    EXPECT_TEXT(out.event.id, id);
}

static struct uuid id_of(const char *text)
{
    struct uuid u;
    check(uuid_parse(&u, text));
    return u;
}

static void expect_scan_and_type(enum event_type type)
{
    struct uuid scan = id_of(SCAN);
    EXPECT(uuid_equal(&out.event.scan_id, &scan));
    EXPECT_TEXT(event_type_name(out.event.type), event_type_name(type));
}

/* ---- protocol 2 ---- */

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
    ACCEPT(DECODE_EXPAND);
    expect_scan_and_type(EVENT_SCAN_DONE);
    EXPECT_TEXT(out.event.id, "task-1");
    begin_task("notify_scan_findings", "[[],{\"scan_id\":\"" SCAN "\"}]");
    ACCEPT(DECODE_EXPAND);
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
        "{\"__type__\":\"uuid\",\"__value__\":\"" SCAN "\"}",
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
        "[\"" SCAN "\",{},{}]",
        "[[],{},[]]",
        "[[],{},5]",
        "\"x\"",
        "null",
        "5",
        "[['" SCAN "','scan_done'],{}]",
        "[[\"" SCAN "\",\"scan_done\"],{}] x",
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
    put_text("id", "a\nb");
    reject(REASON_BAD_ID, NULL, NULL);
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

/* ---- protocol 1 ---- */

static void protocol_1_is_read_from_the_body(void)
{
    begin("{\"task\":\"a.notify_event\",\"id\":\"task-2\",\"args\":[\"" SCAN
          "\",\"finding_new\"],\"kwargs\":{\"finding_id\":\"" FINDING
          "\"},\"group\":null,\"retries\":0,\"eta\":\"2026-11-22T01:59:16\",\"expires\":null,\"utc\":true,"
          "\"callbacks\":null,\"errbacks\":null,\"timelimit\":[null,null],\"taskset\":null,\"chord\":null}");
    ACCEPT(DECODE_EVENT);
    expect_scan_and_type(EVENT_FINDING_NEW);
    EXPECT_TEXT(out.event.id, "task-2");
    EXPECT(out.event.has_finding && out.has_eta && !out.has_expires && !out.has_canvas);
    EXPECT_INT(out.eta_us, NOW_US + 1000000);
    begin("{\"task\":\"notify_scan_findings\",\"id\":\"t\",\"kwargs\":{\"scan_id\":\"" SCAN
          "\"},\"callbacks\":[{}]}");
    ACCEPT(DECODE_EXPAND);
    EXPECT(out.has_canvas);
    begin("{\"task\":\"notify_scan_findings\",\"id\":\"t\",\"args\":[\"" SCAN "\"],\"kwargs\":null}");
    ACCEPT(DECODE_EXPAND);
}

static void broken_protocol_1_is_refused_by_name(void)
{
    static const struct {
        const char *body;
        enum reason reason;
        const char *id;
    } cases[] = {
        {"{\"task\":\"notify_event\",\"args\":[]}", REASON_NO_MESSAGE_ID, NULL},
        {"{\"task\":\"notify_event\",\"id\":null}", REASON_NO_MESSAGE_ID, NULL},
        {"{\"task\":\"notify_event\",\"id\":\"\"}", REASON_NO_MESSAGE_ID, NULL},
        {"{\"task\":\"notify_event\",\"id\":7}", REASON_BAD_ID, NULL},
        {"{\"task\":\"notify_event\",\"id\":\"a\\u0000\"}", REASON_BAD_ID, NULL},
        {"{\"task\":null,\"id\":\"t\"}", REASON_UNKNOWN_TASK, "t"},
        {"{\"task\":[],\"id\":\"t\"}", REASON_UNKNOWN_TASK, "t"},
        {"{\"task\":\"x\",\"id\":\"t\"}", REASON_UNKNOWN_TASK, "t"},
        {"{\"task\":\"notify_event\",\"id\":\"t\"}", REASON_BAD_ARGUMENTS, "t"},
        {"{\"task\":\"notify_event\",\"id\":\"t\",\"args\":{}}", REASON_BAD_BODY, "t"},
        {"{\"task\":\"notify_event\",\"id\":\"t\",\"kwargs\":[]}", REASON_BAD_BODY, "t"},
        {"{\"task\":\"notify_scan_findings\",\"id\":\"t\",\"args\":[\"" SCAN "\"],\"eta\":5}",
         REASON_BAD_TIME, "t"},
        {"{\"task\":\"notify_scan_findings\",\"id\":\"t\",\"args\":[\"" SCAN "\"],\"expires\":\"x\"}",
         REASON_BAD_TIME, "t"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin(cases[i].body);
        raw.message_id = "not the task's id";
        reject(cases[i].reason, NULL, cases[i].id);
    }
}

/* ---- the plain form ---- */

static void the_plain_form_is_read(void)
{
    unsigned char hash[SHA256_SIZE];
    begin_plain("{\"scan_id\":\"" SCAN "\",\"event_type\":\"finding_changed\",\"finding_id\":\"" FINDING
                "\",\"change_summary\":\"c\",\"error\":null,\"future\":[1]}");
    ACCEPT(DECODE_EVENT);
    expect_scan_and_type(EVENT_FINDING_CHANGED);
    EXPECT_TEXT(out.event.id, "message-1");
    EXPECT_TEXT(out.event.change_summary, "c");
    memcpy(hash, out.event.content_hash, sizeof hash);
    begin_event("[[\"" SCAN "\",\"finding_changed\",\"" FINDING "\",\"c\"],{}]");
    ACCEPT(DECODE_EVENT);
    EXPECT(memcmp(hash, out.event.content_hash, sizeof hash) == 0);
    begin_plain("{\"scan_id\":\"" SCAN "\",\"event_type\":\"scan_done\"}");
    raw.content_encoding = NULL;
    raw.content_type = "Application/JSON ; charset=UTF-8";
    ACCEPT(DECODE_EVENT);
    put("task", RAW_HEADER_NULL);
    ACCEPT(DECODE_EVENT);
}

static void broken_plain_forms_are_refused_by_name(void)
{
    static const struct {
        const char *body;
        enum reason reason;
    } cases[] = {
        {"{}", REASON_BAD_ARGUMENTS},
        {"{\"scan_id\":\"" SCAN "\"}", REASON_BAD_ARGUMENTS},
        {"{\"scan_id\":null,\"event_type\":\"scan_done\"}", REASON_BAD_ARGUMENTS},
        {"{\"scan_id\":\"x\",\"event_type\":\"scan_done\"}", REASON_BAD_ID},
        {"{\"scan_id\":\"" SCAN "\",\"event_type\":\"x\"}", REASON_UNKNOWN_EVENT},
        {"{\"scan_id\":\"" SCAN "\",\"event_type\":\"finding_new\"}", REASON_FINDING_MISSING},
        {"[]", REASON_BAD_BODY},
        {"[[\"" SCAN "\",\"scan_done\"],{}]", REASON_BAD_BODY},
        {"", REASON_BAD_BODY},
        {"text", REASON_BAD_BODY},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin_plain(cases[i].body);
        reject(cases[i].reason, NULL, "message-1");
    }
    const char *good = "{\"scan_id\":\"" SCAN "\",\"event_type\":\"scan_done\"}";
    begin(good);
    reject(REASON_NO_MESSAGE_ID, NULL, NULL);
    raw.message_id = "";
    reject(REASON_NO_MESSAGE_ID, NULL, NULL);
    raw.message_id = "a\x01";
    reject(REASON_BAD_ID, NULL, NULL);
    raw.message_id = "a\xc3";
    reject(REASON_BAD_ID, NULL, NULL);
}

/* ---- encoding and size ---- */

static void only_json_in_utf8_is_taken(void)
{
    static const char *const types[] = {"application/json", "APPLICATION/JSON",
                                        "application/json;charset=utf-8", "application/json \t; a=b"};
    static const char *const other_types[] = {NULL,
                                              "",
                                              "application/x-python-serialize",
                                              "application/jsonx",
                                              "application/json x",
                                              "text/plain",
                                              "application/x-yaml\n\xff"};
    static const char *const encodings[] = {NULL, "", "utf-8", "UTF-8", "utf8", "us-ascii"};
    static const char *const other_encodings[] = {"binary", "base64", "latin-1", "utf-16", "utf-8 "};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        begin_event("[[\"" SCAN "\",\"scan_done\"],{}]");
        raw.content_type = types[i];
        ACCEPT(DECODE_EVENT);
    }
    for (size_t i = 0; i < sizeof other_types / sizeof other_types[0]; i++) {
        begin_event("[[\"" SCAN "\",\"scan_done\"],{}]");
        raw.content_type = other_types[i];
        reject(REASON_BAD_CONTENT_TYPE, NULL, "task-1");
    }
    for (size_t i = 0; i < sizeof encodings / sizeof encodings[0]; i++) {
        begin_event("[[\"" SCAN "\",\"scan_done\"],{}]");
        raw.content_encoding = encodings[i];
        ACCEPT(DECODE_EVENT);
    }
    for (size_t i = 0; i < sizeof other_encodings / sizeof other_encodings[0]; i++) {
        begin_event("[[\"" SCAN "\",\"scan_done\"],{}]");
        raw.content_encoding = other_encodings[i];
        reject(REASON_BAD_CONTENT_TYPE, NULL, "task-1");
    }
}

static char packed[65536];

/* Compress TEXT; window 15 is a zlib stream, 31 a gzip member. */
static size_t pack(const char *text, size_t n, int window)
{
    z_stream z = {0};
    check(deflateInit2(&z, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    z.next_in = (Bytef *)(uintptr_t)text;
    z.avail_in = (uInt)n;
    z.next_out = (Bytef *)packed;
    z.avail_out = sizeof packed;
    check(deflate(&z, Z_FINISH) == Z_STREAM_END);
    size_t size = sizeof packed - z.avail_out;
    deflateEnd(&z);
    return size;
}

static void begin_packed(const char *compression, const char *text, size_t n, int window)
{
    begin_event("");
    raw.body = packed;
    raw.body_size = pack(text, n, window);
    put_text("compression", compression);
}

static void zlib_bodies_are_read_whatever_they_are_called(void)
{
    static const char body[] = "[[\"" SCAN "\",\"scan_done\"],{}]";
    static const char *const names[] = {"application/x-gzip", "gzip", "zlib", "APPLICATION/X-GZIP"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        begin_packed(names[i], body, strlen(body), 15);
        ACCEPT(DECODE_EVENT);
        expect_scan_and_type(EVENT_SCAN_DONE);
        begin_packed(names[i], body, strlen(body), 31);
        raw.content_encoding = "binary";
        ACCEPT(DECODE_EVENT);
    }
    begin_event(body);
    put_text("compression", "");
    ACCEPT(DECODE_EVENT);
}

static void what_does_not_decompress_is_refused(void)
{
    static const char body[] = "[[\"" SCAN "\",\"scan_done\"],{}]";
    static const char *const names[] = {"application/x-bz2",
                                        "application/x-lzma",
                                        "application/zstd",
                                        "application/x-brotli",
                                        "gzip ",
                                        "none"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        begin_packed(names[i], body, strlen(body), 15);
        reject(REASON_BAD_COMPRESSION, NULL, "task-1");
    }
    begin_packed("gzip", body, strlen(body), 15);
    put_int("compression", 1);
    reject(REASON_BAD_COMPRESSION, NULL, "task-1");
    for (int cut = 0; cut < 20; cut++) {
        begin_packed("gzip", body, strlen(body), 15);
        raw.body_size -= raw.body_size < (size_t)cut + 1 ? raw.body_size : (size_t)cut + 1;
        reject(REASON_BAD_COMPRESSION, NULL, "task-1");
    }
    begin_packed("gzip", body, strlen(body), 15);
    packed[raw.body_size++] = 'x';
    reject(REASON_BAD_COMPRESSION, NULL, "task-1");
    begin_packed("gzip", body, strlen(body), 15);
    packed[raw.body_size / 2] ^= 0x55;
    reject(REASON_BAD_COMPRESSION, NULL, "task-1");
    begin_event(body);
    put_text("compression", "gzip");
    reject(REASON_BAD_COMPRESSION, NULL, "task-1");
}

static void size_limits_hold_before_and_after_decompression(void)
{
    static const char event[] = "[[\"" SCAN "\",\"scan_done\"],{}]";
    static char body[LIMIT + 2];
    memset(body, ' ', sizeof body);
    memcpy(body, event, strlen(event));
    begin_event("");
    raw.body = body;
    raw.body_size = LIMIT;
    ACCEPT(DECODE_EVENT);
    raw.body_size = LIMIT + 1;
    reject(REASON_TOO_LARGE, "the body has 4097 bytes, allowed are 4096", "task-1");
    begin_packed("gzip", body, LIMIT, 15);
    ACCEPT(DECODE_EVENT);
    begin_packed("gzip", body, LIMIT + 1, 15);
    EXPECT(raw.body_size < 200);
    reject(REASON_TOO_LARGE, "decompressed, the body has more than 4096 bytes", "task-1");
    begin_event(event);
    raw.body_cut = true;
    raw.announced_size = 99999999999;
    reject(REASON_TOO_LARGE, "the body has 99999999999 bytes, allowed are 4096", "task-1");
}

static void a_small_bomb_is_stopped_at_the_limit(void)
{
    static char zeros[1 << 22];
    begin_packed("gzip", zeros, sizeof zeros, 15);
    EXPECT(raw.body_size < LIMIT * 2);
    struct conf wide = conf;
    wide.limits_message_bytes = 100000;
    EXPECT_INT(decode_message(&wide, &arena, &raw, NOW_US, &out), DECODE_REJECT);
    EXPECT_TEXT(reason_name(out.reason), "too_large");
    EXPECT(arena.held < 10000);
}

/* ---- our own headers ---- */

static void begin_own(void)
{
    begin_plain("{\"scan_id\":\"" SCAN "\",\"event_type\":\"scan_done\"}");
    raw.from_own_queue = true;
    raw.queue = "notify.due";
}

static void own_headers_are_believed_on_own_queues(void)
{
    struct uuid integration = id_of(OTHER);
    begin_own();
    put_int("x-notify-attempt", 3);
    put_text("x-notify-integration", OTHER);
    put_text("x-notify-queue", "team-a");
    put_int("x-notify-first-seen", 1795312700123);
    put_text("x-notify-eta", "1795312755500");
    put_int("x-notify-expires", 1795312756000);
    ACCEPT(DECODE_EVENT);
    EXPECT_INT(out.attempt, 3);
    EXPECT(out.has_integration && uuid_equal(&out.integration, &integration));
    EXPECT_TEXT(out.origin_queue, "team-a");
    EXPECT_INT(out.event.first_seen_us, INT64_C(1795312700123000));
    EXPECT(out.has_eta && out.has_expires);
    EXPECT_INT(out.eta_us, NOW_US + 500000);
    EXPECT_INT(out.expires_us, NOW_US + 1000000);
    begin_own();
    put_text("x-notify-attempt", "12");
    put_text("x-notify-first-seen", "0");
    ACCEPT(DECODE_EVENT);
    EXPECT_INT(out.attempt, 12);
    EXPECT_INT(out.event.first_seen_us, 0);
    begin_own();
    ACCEPT(DECODE_EVENT);
    EXPECT_INT(out.attempt, 1);
    EXPECT(!out.has_integration && !out.has_eta);
    EXPECT_TEXT(out.origin_queue, "notify.due");
    EXPECT_INT(out.event.first_seen_us, NOW_US);
}

static void own_headers_are_ignored_on_other_queues(void)
{
    begin_plain("{\"scan_id\":\"" SCAN "\",\"event_type\":\"scan_done\"}");
    put_int("x-notify-attempt", 3);
    put_text("x-notify-integration", "nonsense");
    put_text("x-notify-queue", "team-a");
    put_int("x-notify-first-seen", 5);
    put_text("x-notify-eta", "x");
    ACCEPT(DECODE_EVENT);
    EXPECT_INT(out.attempt, 1);
    EXPECT(!out.has_integration && !out.has_eta);
    EXPECT_TEXT(out.origin_queue, "notify");
    EXPECT_INT(out.event.first_seen_us, NOW_US);
}

static void own_headers_that_do_not_read_are_refused(void)
{
    static const struct {
        const char *name, *value;
        enum reason reason;
    } cases[] = {
        {"x-notify-attempt", "0", REASON_BAD_ARGUMENTS},
        {"x-notify-attempt", "-1", REASON_BAD_ARGUMENTS},
        {"x-notify-attempt", "", REASON_BAD_ARGUMENTS},
        {"x-notify-attempt", "1.5", REASON_BAD_ARGUMENTS},
        {"x-notify-attempt", "99999999999", REASON_BAD_ARGUMENTS},
        {"x-notify-integration", "", REASON_BAD_ID},
        {"x-notify-integration", OTHER "0", REASON_BAD_ID},
        {"x-notify-first-seen", "now", REASON_BAD_TIME},
        {"x-notify-eta", "9999999999999999999999", REASON_BAD_TIME},
        {"x-notify-expires", "253402300800000", REASON_BAD_TIME},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin_own();
        put_text(cases[i].name, cases[i].value);
        reject(cases[i].reason, NULL, "message-1");
    }
    begin_own();
    put_int("x-notify-attempt", INT64_MIN);
    reject(REASON_BAD_ARGUMENTS, NULL, "message-1");
    begin_own();
    put_int("x-notify-first-seen", INT64_MAX);
    reject(REASON_BAD_TIME, NULL, "message-1");
    begin_own();
    put("x-notify-integration", RAW_HEADER_OTHER);
    reject(REASON_BAD_ID, NULL, "message-1");
}

static void the_first_header_of_a_name_wins(void)
{
    begin_event("[[\"" SCAN "\",\"scan_done\"],{}]");
    headers[raw.header_count++] =
        (struct raw_header){.name = "id", .kind = RAW_HEADER_TEXT, .text = "second", .size = 6};
    ACCEPT(DECODE_EVENT);
    EXPECT_TEXT(out.event.id, "task-1");
    EXPECT_TEXT(raw_message_header_text(&raw, "id"), "task-1");
    EXPECT(raw_message_header_text(&raw, "eta") == NULL);
    EXPECT(raw_message_header_text(&raw, "missing") == NULL);
    EXPECT(raw_message_header(&raw, "ID") == NULL);
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
          UNIT_CASE(a_canvas_is_noticed), UNIT_CASE(protocol_1_is_read_from_the_body),
          UNIT_CASE(broken_protocol_1_is_refused_by_name), UNIT_CASE(the_plain_form_is_read),
          UNIT_CASE(broken_plain_forms_are_refused_by_name), UNIT_CASE(only_json_in_utf8_is_taken),
          UNIT_CASE(zlib_bodies_are_read_whatever_they_are_called),
          UNIT_CASE(what_does_not_decompress_is_refused),
          UNIT_CASE(size_limits_hold_before_and_after_decompression),
          UNIT_CASE(a_small_bomb_is_stopped_at_the_limit), UNIT_CASE(own_headers_are_believed_on_own_queues),
          UNIT_CASE(own_headers_are_ignored_on_other_queues),
          UNIT_CASE(own_headers_that_do_not_read_are_refused), UNIT_CASE(the_first_header_of_a_name_wins))
