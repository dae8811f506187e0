/*
 * own_message - an event as a message of ours
 *
 * Pure. Nothing of the message that came in is copied: its expiration would cut a delay short, its CC would make
 * copies, its x-death would look like a cycle. Only ids and the event's own fields travel, no settings and nothing
 * that was rendered; of the original's headers its trace, which is read and printed again. Only the dead letter of what never became an event carries bytes of the original.
 */
#include "worker/own_message.h"

#include <string.h>

#include "common/base/buf.h"
#include "common/base/utf8.h"
#include "worker/raw_trace.h"
#include "worker/topology.h"

enum { JSON_MAX = 65536, DEAD_BODY_MAX = 65536, DETAIL_MAX = 200 };

const char *own_header_name(enum own_header header)
{
#define OWN_HEADER_NAME(e, name, help) name,
    static const char *const names[] = {OWN_HEADER_LIST(OWN_HEADER_NAME)};
    return names[header];
}

static void add_text(struct publish_message *m, enum own_header header, const char *text)
{
    publish_add_text(m, own_header_name(header), text);
}

static void add_number(struct publish_message *m, enum own_header header, int64_t number)
{
    publish_add_number(m, own_header_name(header), number);
}

/* A time that cannot be carried is so long past or so far ahead that the nearest one means the same. */
static void add_time(struct publish_message *m, enum own_header header, int64_t us)
{
    int64_t ms = us / 1000;
    if (ms < 0)
        ms = 0;
    add_number(m, header, ms < OWN_TIME_MAX_MS ? ms : OWN_TIME_MAX_MS);
}

static void add_integration(struct publish_message *m, struct arena *arena, const struct uuid *integration)
{
    char *id = arena_alloc(arena, UUID_TEXT);
    uuid_format(integration, id);
    add_text(m, OWN_INTEGRATION, id);
}

static void add_trace(struct publish_message *m, struct arena *arena, const struct trace *trace)
{
    if (!trace->known)
        return;
    char *text = arena_alloc(arena, TRACE_PARENT_TEXT);
    trace_parent_format(trace, trace->parent, text);
    add_text(m, OWN_TRACE, text);
    if (trace->state)
        add_text(m, OWN_TRACE_STATE, trace->state);
}

/* The plain JSON form (contract section 4), allocated in ARENA. */
static void set_body(struct publish_message *m, struct arena *arena, const struct event *event)
{
    char id[UUID_TEXT];
    struct buf b;
    buf_init(&b, JSON_MAX);
    buf_add_char(&b, '{');
    uuid_format(&event->scan_id, id);
    buf_json_key(&b, "scan_id");
    buf_json_text(&b, id);
    buf_json_key(&b, "event_type");
    buf_json_text(&b, event_type_name(event->type));
    if (event->has_finding) {
        uuid_format(&event->finding_id, id);
        buf_json_key(&b, "finding_id");
        buf_json_text(&b, id);
    }
    if (event->change_summary) {
        buf_json_key(&b, "change_summary");
        buf_json_text(&b, event->change_summary);
    }
    if (event->error) {
        buf_json_key(&b, "error");
        buf_json_text(&b, event->error);
    }
    buf_add_char(&b, '}');
    m->body = arena_text(arena, b.data, b.len);
    m->body_size = b.len;
    m->content_type = "application/json";
    buf_free(&b);
}

/* Its body is that of a scan_done. */
static void add_expand(struct publish_message *m, const struct event *event)
{
    if (event->expand)
        add_number(m, OWN_EXPAND, 1);
}

void own_message_event(struct publish_message *m, struct arena *arena, const struct event *event,
                       const struct own_ticket *ticket)
{
    m->message_id = event->id;
    m->header_count = 0;
    set_body(m, arena, event);
    add_number(m, OWN_ATTEMPT, ticket->attempt);
    if (ticket->integration)
        add_integration(m, arena, ticket->integration);
    add_time(m, OWN_FIRST_SEEN, event->first_seen_us);
    if (ticket->origin_queue)
        add_text(m, OWN_QUEUE, ticket->origin_queue);
    if (ticket->redelivered)
        add_number(m, OWN_REDELIVERED, 1);
    if (ticket->has_eta)
        add_time(m, OWN_ETA, ticket->eta_us);
    if (ticket->has_expires)
        add_time(m, OWN_EXPIRES, ticket->expires_us);
    add_expand(m, event);
    add_trace(m, arena, &event->trace); /* one that follows from the id does so everywhere */
}

void own_message_wake(struct publish_message *m, struct arena *arena, const struct uuid *integration,
                      int number)
{
    char *id = arena_alloc(arena, UUID_TEXT);
    uuid_format(integration, id);
    m->exchange = TOPOLOGY_WAKE;
    m->routing_key = "";
    m->message_id = arena_printf(arena, "wake.%s.%d", id, number);
    m->body = "{}";
    m->body_size = 2;
    m->content_type = "application/json";
    m->header_count = 0;
    add_text(m, OWN_WAKE, id);
    add_number(m, OWN_WAKE_NUMBER, number);
}

static void set_dead(struct publish_message *m, struct arena *arena, const struct own_dead *d,
                     int64_t first_seen_us)
{
    m->exchange = TOPOLOGY_DEAD;
    m->routing_key = "";
    m->header_count = 0;
    add_text(m, OWN_REASON, reason_name(d->reason));
    if (d->detail)
        add_text(m, OWN_DETAIL, utf8_storable_copy(arena, d->detail, strlen(d->detail), DETAIL_MAX));
    if (d->error != ERROR_NONE)
        add_text(m, OWN_ERROR, error_word_name(d->error));
    add_number(m, OWN_ATTEMPT, d->attempt);
    if (d->integration)
        add_integration(m, arena, d->integration);
    add_time(m, OWN_FIRST_SEEN, first_seen_us);
    if (d->queue)
        add_text(m, OWN_QUEUE, d->queue);
}

void own_message_dead_event(struct publish_message *m, struct arena *arena, const struct event *event,
                            const struct own_dead *d)
{
    m->message_id = event->id;
    set_body(m, arena, event);
    struct trace trace = event_trace(event);
    set_dead(m, arena, d, event->first_seen_us);
    add_expand(m, event);
    add_trace(m, arena, &trace);
}

/* A property of the original, as a header that the broker and other tools can show. */
static const char *short_text(struct arena *arena, const char *text)
{
    return utf8_storable_copy(arena, text, strlen(text), EVENT_ID_MAX);
}

void own_message_dead_raw(struct publish_message *m, struct arena *arena, const struct raw_message *raw,
                          const char *id, const struct own_dead *d, int64_t now_us)
{
    unsigned char hash[SHA256_SIZE];
    char *hex = arena_alloc(arena, SHA256_HEX);
    const char *task = raw_message_header_text(raw, "task");
    hash_sha256(raw->body, raw->body_size, hash);
    hash_hex(raw->body_cut ? raw->whole_hash : hash, sizeof hash, hex);
    m->message_id = id;
    m->body = raw->body;
    m->body_size = raw->body_size < DEAD_BODY_MAX ? raw->body_size : DEAD_BODY_MAX;
    m->content_type = "application/octet-stream";
    set_dead(m, arena, d, now_us);
    add_number(m, OWN_SIZE, raw->announced_size > INT64_MAX ? INT64_MAX : (int64_t)raw->announced_size);
    add_text(m, OWN_SHA256, hex);
    if (raw->content_type)
        add_text(m, OWN_CONTENT_TYPE, short_text(arena, raw->content_type));
    if (task)
        add_text(m, OWN_TASK, short_text(arena, task));
    struct event unread = {.id = id, .trace = raw_trace(raw)};
    struct trace trace = event_trace(&unread);
    add_trace(m, arena, &trace);
}
