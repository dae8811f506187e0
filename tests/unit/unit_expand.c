/* What a scan's findings become: ids, ways, and that a message made twice is the same. */
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "tests/unit/unit.h"
#include "worker/expand_page.h"

#define FINDING "22222222-2222-4222-8222-22222222222a"

static struct arena arena;
static struct publish_message message;

static const char *header_text(const char *name)
{
    for (size_t i = 0; i < message.header_count; i++)
        if (strcmp(message.headers[i].name, name) == 0)
            return message.headers[i].text;
    return NULL;
}

static long long header_number(const char *name)
{
    for (size_t i = 0; i < message.header_count; i++)
        if (strcmp(message.headers[i].name, name) == 0)
            return message.headers[i].number;
    return -1;
}

static struct expand_finding finding_of(enum severity severity)
{
    struct expand_finding finding = {.severity = severity};
    check(uuid_parse(&finding.id, FINDING));
    return finding;
}

static char *id_of_length(size_t n)
{
    char *id = mem_alloc(n + 1);
    memset(id, 't', n);
    id[n] = 0;
    return id;
}

static void make_finding(const char *task_id, enum severity severity)
{
    struct event task = {
        .id = task_id, .type = EVENT_SCAN_DONE, .expand = true, .first_seen_us = 1700000000000000};
    struct expand_finding finding = finding_of(severity);
    memset(&message, 0, sizeof message);
    expand_page_finding(&message, &arena, &task, "of producers", &finding);
}

static void make_scan_done(const char *task_id)
{
    struct event task = {
        .id = task_id, .type = EVENT_SCAN_DONE, .expand = true, .first_seen_us = 1700000000000000};
    memset(&message, 0, sizeof message);
    expand_page_scan_done(&message, &arena, &task, "of producers");
}

static void ids_are_made_of_the_tasks_and_the_findings(void)
{
    arena_init(&arena, 1024);
    make_finding("task-1", SEVERITY_HIGH);
    EXPECT_TEXT(message.message_id, "task-1." FINDING);
    make_scan_done("task-1");
    EXPECT_TEXT(message.message_id, "task-1.scan_done");
    arena_free(&arena);
}

static void a_long_task_id_stands_as_digits_of_its_hash(void)
{
    char *longest = id_of_length(EXPAND_ID_WHOLE_MAX), *longer = id_of_length(EXPAND_ID_WHOLE_MAX + 1);
    arena_init(&arena, 1024);
    make_finding(longest, SEVERITY_LOW);
    EXPECT_INT(strlen(message.message_id), EXPAND_ID_WHOLE_MAX + 37);
    EXPECT(strncmp(message.message_id, longest, EXPAND_ID_WHOLE_MAX) == 0);
    EXPECT(strlen(message.message_id) <= EVENT_ID_MAX);
    /* printf 't%.0s' $(seq 161) | sha256sum */
    make_finding(longer, SEVERITY_LOW);
    EXPECT_TEXT(message.message_id, "885e372c1d36bc3c74613d33f9e5f75c." FINDING);
    make_scan_done(longer);
    EXPECT_TEXT(message.message_id, "885e372c1d36bc3c74613d33f9e5f75c.scan_done");
    arena_free(&arena);
    free(longest);
    free(longer);
}

static void only_critical_findings_and_the_scan_itself_are_urgent(void)
{
    arena_init(&arena, 1024);
    for (int severity = 0; severity < SEVERITY_COUNT; severity++) {
        make_finding("t", (enum severity)severity);
        EXPECT_TEXT(message.exchange, severity == SEVERITY_CRITICAL ? "notify.urgent" : "notify.bulk");
        EXPECT_TEXT(message.routing_key, "");
    }
    make_scan_done("t");
    EXPECT_TEXT(message.exchange, "notify.urgent");
    arena_free(&arena);
}

static void a_message_is_a_first_attempt_at_a_whole_event(void)
{
    arena_init(&arena, 1024);
    make_finding("t", SEVERITY_INFO);
    EXPECT_TEXT(message.body,
                "{\"scan_id\":\"00000000-0000-0000-0000-000000000000\",\"event_type\":\"finding_new\","
                "\"finding_id\":\"" FINDING "\"}");
    EXPECT_TEXT(header_text("x-notify-queue"), "of producers");
    EXPECT_INT(header_number("x-notify-attempt"), 1);
    EXPECT_INT(header_number("x-notify-first-seen"), 1700000000000);
    EXPECT_INT(header_number("x-notify-expand"), -1);
    EXPECT(!header_text("x-notify-integration"));
    make_scan_done("t");
    EXPECT_TEXT(message.body,
                "{\"scan_id\":\"00000000-0000-0000-0000-000000000000\",\"event_type\":\"scan_done\"}");
    EXPECT_INT(header_number("x-notify-expand"), -1);
    arena_free(&arena);
}

static void a_task_is_another_content_than_the_end_of_its_scan(void)
{
    struct event task = {.type = EVENT_SCAN_DONE, .expand = true}, done = {.type = EVENT_SCAN_DONE};
    event_hash_content(&task);
    event_hash_content(&done);
    EXPECT(memcmp(task.content_hash, done.content_hash, SHA256_SIZE) != 0);
    EXPECT_TEXT(event_ledger_word(&task), "notify_scan_findings");
    EXPECT_TEXT(event_ledger_word(&done), "scan_done");
    EXPECT_INT(event_type_parse("notify_scan_findings"), -1);
}

UNIT_MAIN(UNIT_CASE(ids_are_made_of_the_tasks_and_the_findings),
          UNIT_CASE(a_long_task_id_stands_as_digits_of_its_hash),
          UNIT_CASE(only_critical_findings_and_the_scan_itself_are_urgent),
          UNIT_CASE(a_message_is_a_first_attempt_at_a_whole_event),
          UNIT_CASE(a_task_is_another_content_than_the_end_of_its_scan))
