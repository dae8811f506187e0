/* Our own messages: what they carry, and that what is written is what is read. */
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/conf_read.h"
#include "tests/unit/unit.h"
#include "worker/decode.h"
#include "worker/ladder.h"
#include "worker/own_message.h"

static const char *header_text(const struct publish_message *m, const char *name)
{
    for (size_t i = 0; i < m->header_count; i++)
        if (strcmp(m->headers[i].name, name) == 0)
            return m->headers[i].text;
    return NULL;
}

static void a_retry_carries_the_event_and_nothing_else(void)
{
    struct arena arena;
    struct publish_message m = {0};
    struct event event = {
        .id = "ev-1", .type = EVENT_FINDING_CHANGED, .has_finding = true, .change_summary = "a \"b\""};
    struct uuid integration;
    struct own_ticket ticket = {.attempt = 2, .integration = &integration, .origin_queue = "notify"};
    arena_init(&arena, 1024);
    EXPECT(uuid_parse(&integration, "11111111-2222-3333-4444-555555555555"));
    own_message_event(&m, &arena, &event, &ticket);
    EXPECT_INT(ladder_put(&m, &arena, 4.2), 5);
    EXPECT_TEXT(m.message_id, "ev-1");
    EXPECT_TEXT(
        m.body,
        "{\"scan_id\":\"00000000-0000-0000-0000-000000000000\",\"event_type\":\"finding_changed\","
        "\"finding_id\":\"00000000-0000-0000-0000-000000000000\",\"change_summary\":\"a \\\"b\\\"\"}");
    EXPECT_TEXT(header_text(&m, "x-notify-integration"), "11111111-2222-3333-4444-555555555555");
    EXPECT_TEXT(header_text(&m, "x-notify-queue"), "notify");
    EXPECT_TEXT(m.exchange, "notify.delay.2");
    EXPECT_INT(ladder_put(&m, &arena, 0), 0);
    EXPECT_TEXT(m.exchange, "notify.delay.out");
    EXPECT_TEXT(m.routing_key, "");
    arena_free(&arena);
}

#define GIVEN "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

static void a_trace_that_was_given_goes_along_and_one_that_follows_from_the_id_need_not(void)
{
    struct arena arena;
    struct publish_message m = {0};
    struct event event = {.id = "ev-1", .type = EVENT_SCAN_DONE};
    struct own_ticket ticket = {.attempt = 2};
    struct own_dead dead = {.reason = REASON_BAD_BODY};
    arena_init(&arena, 1024);
    own_message_event(&m, &arena, &event, &ticket);
    EXPECT(!header_text(&m, "traceparent"));
    own_message_dead_event(&m, &arena, &event, &dead); /* for people and their tools */
    EXPECT(header_text(&m, "traceparent"));
    EXPECT(trace_parse(&event.trace, GIVEN, strlen(GIVEN)));
    event.trace.state = "a=b";
    own_message_event(&m, &arena, &event, &ticket);
    EXPECT_TEXT(header_text(&m, "traceparent"), GIVEN);
    EXPECT_TEXT(header_text(&m, "tracestate"), "a=b");
    own_message_dead_event(&m, &arena, &event, &dead);
    EXPECT_TEXT(header_text(&m, "traceparent"), GIVEN);
    EXPECT_TEXT(header_text(&m, "tracestate"), "a=b");
    arena_free(&arena);
}

static void a_dead_letter_of_bytes_is_cut_and_says_its_size(void)
{
    struct arena arena;
    struct publish_message m = {0};
    char *body = mem_alloc(100000);
    memset(body, 'x', 100000);
    struct raw_message raw = {.body = body, .body_size = 100000, .announced_size = 100000, .queue = "notify"};
    struct own_dead dead = {.reason = REASON_BAD_BODY, .detail = "no", .queue = "notify"};
    arena_init(&arena, 1024);
    own_message_dead_raw(&m, &arena, &raw, NULL, &dead, 0);
    EXPECT_INT(m.body_size, 65536);
    EXPECT_TEXT(m.exchange, "notify.dead");
    EXPECT_TEXT(header_text(&m, "x-notify-reason"), "bad_body");
    EXPECT_INT(strlen(header_text(&m, "x-notify-sha256")), 64);
    arena_free(&arena);
    free(body);
}

/* It would be dead when it comes back: an event may be small where it is put off for the first time. */
static void the_longest_event_fits_the_least_limit(void)
{
    char text[EVENT_TEXT_MAX + 1] = "", id[EVENT_ID_MAX + 1] = "";
    struct arena arena;
    struct publish_message m = {0};
    struct own_ticket ticket = {.attempt = 1};
    memset(text, 1, EVENT_TEXT_MAX); /* six bytes each in JSON */
    memset(id, 'x', EVENT_ID_MAX);
    struct event event = {
        .id = id, .type = EVENT_FINDING_CHANGED, .has_finding = true, .change_summary = text, .error = text};
    arena_init(&arena, 1024);
    own_message_event(&m, &arena, &event, &ticket);
    EXPECT(m.body_size > 2 * 6 * EVENT_TEXT_MAX);
    EXPECT(m.body_size <= (size_t)conf_rows[CONF_ROW_limits_message_bytes].min);
    arena_free(&arena);
}

static const struct conf conf = {.limits_message_bytes = 65536};

/* As the broker gives it back. */
static enum decode_result read_back(struct arena *arena, const struct publish_message *m, struct decoded *out)
{
    struct raw_header headers[PUBLISH_HEADERS_MAX];
    memset(headers, 0, sizeof headers);
    for (size_t i = 0; i < m->header_count; i++) {
        headers[i].name = m->headers[i].name;
        headers[i].kind = m->headers[i].text ? RAW_HEADER_TEXT : RAW_HEADER_INT;
        headers[i].text = m->headers[i].text;
        headers[i].size = m->headers[i].text ? strlen(m->headers[i].text) : 0;
        headers[i].number = m->headers[i].number;
    }
    struct raw_message raw = {
        .body = m->body,
        .body_size = m->body_size,
        .announced_size = m->body_size,
        .content_type = m->content_type,
        .message_id = m->message_id,
        .headers = headers,
        .header_count = m->header_count,
        .from_own_queue = true,
        .queue = "notify.due",
    };
    return decode_message(&conf, arena, &raw, 1, out);
}

static void what_is_written_is_read(void)
{
    const struct event events[] = {
        {.id = "a", .type = EVENT_SCAN_DONE, .expand = true, .first_seen_us = 1},
        {.id = "tab\t\xe2\x86\x92",
         .type = EVENT_FINDING_NEW,
         .has_finding = true,
         .first_seen_us = 1700000000000000},
        {.id = "b",
         .type = EVENT_SCAN_FAILED,
         .error = "\x01 \"quoted\" \xf0\x9f\x9a\xa8",
         .change_summary = ""},
    };
    const int64_t times[] = {INT64_MIN, -1, 0, 999, 1700000000123456, INT64_MAX};
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        for (size_t k = 0; k < sizeof times / sizeof *times; k++) {
            struct arena arena;
            struct publish_message m = {0};
            struct decoded got;
            struct event event = events[i];
            struct uuid integration;
            EXPECT(uuid_parse(&integration, "11111111-2222-3333-4444-555555555555"));
            struct own_ticket ticket = {.attempt = (int)i + 1,
                                        .integration = i == 1 ? &integration : NULL,
                                        .origin_queue = i == 2 ? NULL : "of producers",
                                        .has_eta = true,
                                        .eta_us = times[k],
                                        .has_expires = i != 0,
                                        .expires_us = times[k]};
            arena_init(&arena, 1024);
            event_hash_content(&event);
            ticket.redelivered = k % 2;
            own_message_event(&m, &arena, &event, &ticket);
            EXPECT_INT(read_back(&arena, &m, &got), DECODE_EVENT);
            EXPECT_TEXT(got.event.id, event.id);
            EXPECT(memcmp(got.event.content_hash, event.content_hash, SHA256_SIZE) == 0);
            EXPECT_INT(got.attempt, ticket.attempt);
            EXPECT(got.has_integration == (i == 1));
            EXPECT(i != 1 || uuid_equal(&got.integration, &integration));
            EXPECT(got.redelivered == k % 2);
            EXPECT_TEXT(got.origin_queue, i == 2 ? "notify.due" : "of producers");
            EXPECT_INT(got.event.first_seen_us, event.first_seen_us / 1000 * 1000);
            EXPECT(got.has_eta && got.has_expires == (i != 0));
            EXPECT((got.eta_us < 1700000000000000) == (times[k] < 1700000000000000));
            arena_free(&arena);
        }
}

static void the_dead_letter_of_a_scans_findings_says_that_it_is_one(void)
{
    for (int expand = 0; expand < 2; expand++) {
        struct arena arena;
        struct publish_message m = {0};
        struct decoded got;
        struct event event = {.id = "a", .type = EVENT_SCAN_DONE, .expand = expand};
        struct own_dead dead = {.reason = REASON_NOT_FOUND, .attempt = 1, .queue = "notify"};
        arena_init(&arena, 1024);
        own_message_dead_event(&m, &arena, &event, &dead);
        EXPECT_INT(read_back(&arena, &m, &got), DECODE_EVENT);
        EXPECT(got.event.expand == expand);
        arena_free(&arena);
    }
}

UNIT_MAIN(UNIT_CASE(the_dead_letter_of_a_scans_findings_says_that_it_is_one),
          UNIT_CASE(a_retry_carries_the_event_and_nothing_else),
          UNIT_CASE(the_longest_event_fits_the_least_limit),
          UNIT_CASE(a_trace_that_was_given_goes_along_and_one_that_follows_from_the_id_need_not),
          UNIT_CASE(a_dead_letter_of_bytes_is_cut_and_says_its_size), UNIT_CASE(what_is_written_is_read))
