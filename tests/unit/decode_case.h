#ifndef NOTIFY_TESTS_DECODE_CASE_H
#define NOTIFY_TESTS_DECODE_CASE_H

#include <stdint.h>
#include <string.h>

#include "common/base/check.h"
#include "tests/unit/unit.h"
#include "worker/decode.h"

/*
 * A message under construction and what the decoder made of it, for the programs that test the decoder. Each
 * begin_* starts a new message; its arena is freed by the next one.
 */
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

static struct raw_message raw;
static struct raw_header headers[HEADERS];
static struct arena arena;
static struct decoded out;
static bool arena_used;

static inline void begin(const char *body)
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

static inline struct raw_header *put(const char *name, enum raw_header_kind kind)
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

static inline void put_text(const char *name, const char *text)
{
    struct raw_header *h = put(name, RAW_HEADER_TEXT);
    h->text = text;
    h->size = strlen(text);
}

static inline void put_int(const char *name, int64_t number)
{
    put(name, RAW_HEADER_INT)->number = number;
}

static inline void begin_task(const char *task, const char *body)
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

static inline void begin_event(const char *body)
{
    begin_task("pencheff_api.tasks.integration_notify_task.notify_event", body);
}

static inline void begin_plain(const char *body)
{
    begin(body);
    raw.message_id = "message-1";
}

static inline enum decode_result decode(void)
{
    memset(&out, 0xa5, sizeof out);
    return decode_message(&conf, &arena, &raw, NOW_US, &out);
}

#define ACCEPT(result) EXPECT_INT(accept(), (result))

static inline enum decode_result accept(void)
{
    enum decode_result r = decode();
    if (r == DECODE_REJECT)
        unit_fail(__FILE__, __LINE__, "rejected %s (%s): %.200s", reason_name(out.reason), out.detail,
                  raw.body);
    EXPECT_INT(out.reason, REASON_NONE);
    EXPECT(out.detail == NULL);
    return r;
}

static inline void reject(enum reason reason, const char *detail, const char *id)
{
    if (decode() != DECODE_REJECT)
        unit_fail(__FILE__, __LINE__, "accepted: %.200s", raw.body);
    EXPECT_TEXT(reason_name(out.reason), reason_name(reason));
    if (detail)
        EXPECT_TEXT(out.detail, detail);
    EXPECT(out.detail && strlen(out.detail) < 512);
    EXPECT_TEXT(out.event.id, id);
}

static inline struct uuid id_of(const char *text)
{
    struct uuid u;
    check(uuid_parse(&u, text));
    return u;
}

static inline void expect_scan_and_type(enum event_type type)
{
    struct uuid scan = id_of(SCAN);
    EXPECT(uuid_equal(&out.event.scan_id, &scan));
    EXPECT_TEXT(event_type_name(out.event.type), event_type_name(type));
}

#endif
