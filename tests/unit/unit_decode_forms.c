/*
 * Decoding the other forms: protocol 1, plain JSON, our own messages; and encodings, compression and size.
 */
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "tests/unit/decode_case.h"

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
    ACCEPT(DECODE_EVENT);
    EXPECT(out.event.expand);
    EXPECT(out.has_canvas);
    begin("{\"task\":\"notify_scan_findings\",\"id\":\"t\",\"args\":[\"" SCAN "\"],\"kwargs\":null}");
    ACCEPT(DECODE_EVENT);
    EXPECT(out.event.expand);
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
    mem_check(deflateInit2(&z, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    z.next_in = (Bytef *)text;
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
    memcpy(body, event, sizeof event - 1);
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

static void headers_that_are_not_all_kept_are_a_reason(void)
{
    begin_event("[[\"" SCAN "\",\"scan_done\"],{}]");
    raw.headers_cut = 1000;
    reject(REASON_TOO_LARGE, "the message has 1008 headers, of which 8 can be kept", "task-1");
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
}

static void a_scans_findings_come_back_as_a_scan_done_with_a_header(void)
{
    begin_own();
    put_int("x-notify-expand", 1);
    ACCEPT(DECODE_EVENT);
    EXPECT(out.event.expand);
    expect_scan_and_type(EVENT_SCAN_DONE);
    unsigned char hash[SHA256_SIZE];
    memcpy(hash, out.event.content_hash, sizeof hash);
    begin_task("notify_scan_findings", "[[\"" SCAN "\"],{}]");
    ACCEPT(DECODE_EVENT);
    EXPECT(memcmp(hash, out.event.content_hash, sizeof hash) == 0);
    begin_own();
    put_text("x-notify-expand", "0");
    ACCEPT(DECODE_EVENT);
    EXPECT(!out.event.expand && memcmp(hash, out.event.content_hash, sizeof hash) != 0);
    begin_plain("{\"scan_id\":\"" SCAN "\",\"event_type\":\"scan_done\"}");
    put_int("x-notify-expand", 1); /* a producer's */
    ACCEPT(DECODE_EVENT);
    EXPECT(!out.event.expand);
}

static void a_scans_findings_are_for_no_integration_and_no_other_event(void)
{
    begin_own();
    put_int("x-notify-expand", 1);
    put_text("x-notify-integration", OTHER);
    reject(REASON_BAD_ARGUMENTS, "a scan's findings come as scan_done, and without x-notify-integration",
           "message-1");
    begin_task("notify_scan_findings", "[[\"" SCAN "\"],{}]");
    raw.from_own_queue = true;
    put_text("x-notify-integration", OTHER);
    reject(REASON_BAD_ARGUMENTS, NULL, "task-1");
    begin_plain("{\"scan_id\":\"" SCAN "\",\"event_type\":\"scan_started\"}");
    raw.from_own_queue = true;
    put_int("x-notify-expand", 1);
    reject(REASON_BAD_ARGUMENTS, "a scan's findings come as scan_done, and without x-notify-integration",
           "message-1");
}

static void own_headers_may_be_texts_or_left_out(void)
{
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
        {"x-notify-expand", "2", REASON_BAD_ARGUMENTS},
        {"x-notify-expand", "yes", REASON_BAD_ARGUMENTS},
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

UNIT_MAIN(UNIT_CASE(protocol_1_is_read_from_the_body), UNIT_CASE(broken_protocol_1_is_refused_by_name),
          UNIT_CASE(the_plain_form_is_read), UNIT_CASE(broken_plain_forms_are_refused_by_name),
          UNIT_CASE(only_json_in_utf8_is_taken), UNIT_CASE(zlib_bodies_are_read_whatever_they_are_called),
          UNIT_CASE(what_does_not_decompress_is_refused),
          UNIT_CASE(size_limits_hold_before_and_after_decompression),
          UNIT_CASE(a_small_bomb_is_stopped_at_the_limit),
          UNIT_CASE(headers_that_are_not_all_kept_are_a_reason), UNIT_CASE(begin_own),
          UNIT_CASE(a_scans_findings_come_back_as_a_scan_done_with_a_header),
          UNIT_CASE(a_scans_findings_are_for_no_integration_and_no_other_event),
          UNIT_CASE(own_headers_are_believed_on_own_queues), UNIT_CASE(own_headers_may_be_texts_or_left_out),
          UNIT_CASE(own_headers_are_ignored_on_other_queues),
          UNIT_CASE(own_headers_that_do_not_read_are_refused), UNIT_CASE(the_first_header_of_a_name_wins))
