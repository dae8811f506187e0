/*
 * expand_page - the messages that a scan's findings become
 *
 * Pure. Each is a message of ours for a whole event (own_message), with an id that follows from the task's and the
 * finding's: published twice, it is one event. What a person should see first, the end of the scan and critical
 * findings, has a queue of its own, so that it does not wait behind thousands of others.
 */
#include "worker/expand_page.h"

#include <stdio.h>
#include <string.h>

#include "worker/own_message.h"
#include "worker/topology.h"

enum { ID_DIGITS = 32 };

static const char *make_id(struct arena *arena, const char *task_id, const char *which)
{
    char digits[SHA256_HEX];
    if (strlen(task_id) > EXPAND_ID_WHOLE_MAX) {
        unsigned char hash[SHA256_SIZE];
        hash_sha256(task_id, strlen(task_id), hash);
        hash_hex(hash, ID_DIGITS / 2, digits);
        task_id = digits;
    }
    size_t size = strlen(task_id) + 1 + strlen(which) + 1;
    char *id = arena_alloc(arena, size);
    snprintf(id, size, "%s.%s", task_id, which);
    return id;
}

static void make(struct publish_message *m, struct arena *arena, const struct event *event, const char *queue,
                 const char *exchange)
{
    struct own_ticket ticket = {.attempt = 1, .origin_queue = queue};
    own_message_event(m, arena, event, &ticket);
    m->exchange = exchange;
    m->routing_key = "";
}

void expand_page_scan_done(struct publish_message *m, struct arena *arena, const struct event *task,
                           const char *queue)
{
    struct event event = {
        .id = make_id(arena, task->id, event_type_name(EVENT_SCAN_DONE)),
        .type = EVENT_SCAN_DONE,
        .scan_id = task->scan_id,
        .first_seen_us = task->first_seen_us,
        .trace = task->trace, /* known: trip_expand */
    };
    make(m, arena, &event, queue, TOPOLOGY_URGENT);
}

void expand_page_finding(struct publish_message *m, struct arena *arena, const struct event *task,
                         const char *queue, const struct expand_finding *finding)
{
    char which[UUID_TEXT];
    uuid_format(&finding->id, which);
    struct event event = {
        .id = make_id(arena, task->id, which),
        .type = EVENT_FINDING_NEW,
        .scan_id = task->scan_id,
        .has_finding = true,
        .finding_id = finding->id,
        .first_seen_us = task->first_seen_us,
        .trace = task->trace, /* known: trip_expand */
    };
    make(m, arena, &event, queue, finding->severity == SEVERITY_CRITICAL ? TOPOLOGY_URGENT : TOPOLOGY_BULK);
}
