/*
 * ladder - a delay as a way through queues
 *
 * Pure: turns a delay into an exchange and a routing key, and an event into our own message. Level k holds a
 * message for 2^k seconds; the routing key is the delay in binary, one word per level, highest first, and
 * each level's exchange either lets a message wait or passes it on (topology.c). Entering at the level of the
 * highest set bit spares the broker the way down from the top: a delay of 5 s costs a twelfth.
 *
 * Nothing of the message that came in is copied: its expiration would cut the delay short, its CC would make
 * copies, its x-death would look like a cycle. Only ids and the event's own fields travel, no settings.
 */
#include "worker/ladder.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "worker/topology.h"

enum { JSON_MAX = 65536 };

int ladder_round(double seconds)
{
    if (!(seconds > 1))
        return 1;
    if (seconds >= LADDER_MAX_SECONDS)
        return LADDER_MAX_SECONDS;
    int whole = (int)ceil(seconds);
    int step = 1;
    while (whole / step >= 16)
        step *= 2;
    whole = (whole + step - 1) / step * step;
    return whole > LADDER_MAX_SECONDS ? LADDER_MAX_SECONDS : whole;
}

int ladder_trip_towards(double seconds)
{
    int whole = seconds < LADDER_TRIP_MAX ? (int)ceil(seconds) : LADDER_TRIP_MAX;
    int step = 1;
    while (whole / step >= 16)
        step *= 2;
    return whole > 1 ? whole / step * step : 1;
}

void ladder_route(int seconds, char exchange[32], char key[LADDER_KEY])
{
    int top = 0;
    for (int level = 0; level < TOPOLOGY_LEVELS; level++)
        if (seconds >> level & 1)
            top = level;
    snprintf(exchange, 32, "%s.%d", TOPOLOGY_DELAY, top);
    char *p = key;
    for (int level = TOPOLOGY_LEVELS - 1; level >= 0; level--) {
        *p++ = seconds >> level & 1 ? '1' : '0';
        *p++ = level ? '.' : 0;
    }
}

const char *ladder_event_json(struct arena *arena, const struct event *event, size_t *size)
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
    const char *text = arena_text(arena, b.data, b.len);
    *size = b.len;
    buf_free(&b);
    return text;
}

int ladder_make(struct publish_message *m, struct arena *arena, const struct event *event,
                const struct ladder_ticket *ticket, double delay_s)
{
    int seconds = 0;
    m->message_id = event->id;
    m->body = ladder_event_json(arena, event, &m->body_size);
    if (delay_s > 0) {
        char *exchange = arena_alloc(arena, 32), *key = arena_alloc(arena, LADDER_KEY);
        seconds = ladder_round(delay_s);
        ladder_route(seconds, exchange, key);
        m->exchange = exchange;
        m->routing_key = key;
    } else {
        m->exchange = "";
        m->routing_key = TOPOLOGY_DUE;
    }
    m->header_count = 0;
    publish_add_number(m, "x-notify-attempt", ticket->attempt);
    if (ticket->integration) {
        char *id = arena_alloc(arena, UUID_TEXT);
        uuid_format(ticket->integration, id);
        publish_add_text(m, "x-notify-integration", id);
    }
    publish_add_number(m, "x-notify-first-seen", event->first_seen_us / 1000);
    if (ticket->origin_queue)
        publish_add_text(m, "x-notify-queue", ticket->origin_queue);
    if (ticket->eta_us)
        publish_add_number(m, "x-notify-eta", ticket->eta_us / 1000);
    if (ticket->expires_us)
        publish_add_number(m, "x-notify-expires", ticket->expires_us / 1000);
    return seconds;
}
