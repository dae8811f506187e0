/*
 * decode_check - what a message may become, whatever is in it
 */
#include "tests/fuzz/decode_check.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/utf8.h"
#include "tests/fuzz/json_check.h"
#include "worker/amqp_link.h"
#include "worker/decode.h"
#include "worker/own_message.h"
#include "worker/topology.h"

enum { SHORT_STRING = 255, DETAIL_MOST = 512, NOW_S = 1795312755 };

static const char *event_tasks[] = {"notify_event"};
static const char *expand_tasks[] = {"notify_scan_findings"};
static const struct conf conf = {
    .limits_message_bytes = 65536, /* the least that may be configured */
    .tasks_notify_event = {event_tasks, 1},
    .tasks_notify_scan_findings = {expand_tasks, 1},
};

static void check_text(const char *text, size_t max)
{
    if (text)
        check(strlen(text) <= max && utf8_is_storable(text, strlen(text)));
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* A detail stands in tables and in logs. */
static void check_line(const char *text)
{
    for (; *text; text++)
        check((unsigned char)*text >= 0x20 && *text != 0x7f);
}

static void check_decoded(enum decode_result result, const struct decoded *d)
{
    check_text(d->event.id, EVENT_ID_MAX);
    check_text(d->event.change_summary, EVENT_TEXT_MAX);
    check_text(d->event.error, EVENT_TEXT_MAX);
    check_text(d->detail, DETAIL_MOST);
    if (result == DECODE_REJECT) {
        check(d->reason != REASON_NONE && d->reason < REASON_COUNT && d->detail && *d->detail);
        check_line(d->detail);
        return;
    }
    check(d->reason == REASON_NONE && d->event.id && *d->event.id && d->attempt >= 1);
    check((unsigned)d->event.type < EVENT_TYPE_COUNT);
    check(event_is_about_finding(d->event.type) == d->event.has_finding);
    check(!d->event.expand || (d->event.type == EVENT_SCAN_DONE && !d->has_integration));
}

/* What AMQP can carry, in one frame each. */
static void check_message(const struct publish_message *m)
{
    size_t table = 0;
    check(m->body_size < AMQP_LINK_FRAME_MAX - 8 && m->body_size <= (size_t)conf.limits_message_bytes);
    check(m->header_count <= PUBLISH_HEADERS_MAX && strlen(m->content_type) <= SHORT_STRING);
    check(!m->message_id || strlen(m->message_id) <= SHORT_STRING);
    for (size_t i = 0; i < m->header_count; i++) {
        check(strlen(m->headers[i].name) <= SHORT_STRING);
        check_text(m->headers[i].text, 4096);
        table += 16 + strlen(m->headers[i].name) + (m->headers[i].text ? strlen(m->headers[i].text) : 0);
    }
    check(table < AMQP_LINK_FRAME_MAX / 2);
}

/* M as it comes back from a queue of ours. */
static void receive(const struct publish_message *m, struct arena *arena, struct raw_message *raw)
{
    struct raw_header *headers = arena_alloc(arena, (m->header_count + 1) * sizeof *headers);
    for (size_t i = 0; i < m->header_count; i++) {
        const struct publish_header *h = &m->headers[i];
        headers[i] = (struct raw_header){.name = h->name,
                                         .kind = h->text ? RAW_HEADER_TEXT : RAW_HEADER_INT,
                                         .text = h->text,
                                         .size = h->text ? strlen(h->text) : 0,
                                         .number = h->number};
    }
    *raw = (struct raw_message){.body = m->body,
                                .body_size = m->body_size,
                                .announced_size = m->body_size,
                                .content_type = m->content_type,
                                .message_id = m->message_id,
                                .headers = headers,
                                .header_count = m->header_count,
                                .from_own_queue = true,
                                .queue = TOPOLOGY_DUE};
}

/* Milliseconds, as a header carries them. */
static int64_t carried(int64_t us)
{
    int64_t ms = us < 0 ? 0 : us / 1000;
    return ms < OWN_TIME_MAX_MS ? ms : OWN_TIME_MAX_MS;
}

static void check_same(const struct decoded *a, const struct decoded *b)
{
    check(strcmp(a->event.id, b->event.id) == 0 && a->event.type == b->event.type);
    check(a->event.expand == b->event.expand && a->event.has_finding == b->event.has_finding);
    check(memcmp(a->event.content_hash, b->event.content_hash, sizeof a->event.content_hash) == 0);
    check(same_text(a->event.change_summary, b->event.change_summary));
    check(same_text(a->event.error, b->event.error));
    check(a->attempt == b->attempt && a->redelivered == b->redelivered);
    check(a->has_integration == b->has_integration);
    check(!a->has_integration || uuid_equal(&a->integration, &b->integration));
    check(same_text(a->origin_queue, b->origin_queue));
    check(a->has_eta == b->has_eta && (!a->has_eta || carried(a->eta_us) == b->eta_us / 1000));
    check(a->has_expires == b->has_expires);
    check(!a->has_expires || carried(a->expires_us) == b->expires_us / 1000);
    check(carried(a->event.first_seen_us) == b->event.first_seen_us / 1000);
}

static void check_put_off(struct arena *arena, const struct decoded *d)
{
    struct publish_message m = {0};
    struct raw_message raw;
    struct decoded again;
    struct own_ticket ticket = {.attempt = d->attempt,
                                .integration = d->has_integration ? &d->integration : NULL,
                                .origin_queue = d->origin_queue,
                                .redelivered = d->redelivered,
                                .has_eta = d->has_eta,
                                .eta_us = d->eta_us,
                                .has_expires = d->has_expires,
                                .expires_us = d->expires_us};
    own_message_event(&m, arena, &d->event, &ticket);
    check_message(&m);
    check(json_check(m.body, m.body_size, false));
    receive(&m, arena, &raw);
    check(decode_message(&conf, arena, &raw, 0, &again) == DECODE_EVENT);
    check_same(d, &again);
}

static void check_dead(struct arena *arena, const struct raw_message *raw, enum decode_result result,
                       const struct decoded *d)
{
    struct publish_message m = {0};
    struct own_dead dead = {.reason = result == DECODE_REJECT ? d->reason : REASON_GONE,
                            .detail = d->detail,
                            .error = ERROR_TIMEOUT,
                            .attempt = d->attempt,
                            .integration = d->has_integration ? &d->integration : NULL,
                            .queue = d->origin_queue};
    if (result == DECODE_EVENT)
        own_message_dead_event(&m, arena, &d->event, &dead);
    else
        own_message_dead_raw(&m, arena, raw, d->event.id, &dead, NOW_S * INT64_C(1000000));
    check_message(&m);
}

void decode_check(struct arena *arena, const struct raw_message *raw)
{
    struct decoded out, again;
    struct uuid integration;
    int number = 0;
    if (decode_wake(raw, &integration, &number))
        check(number >= 1);
    enum decode_result result = decode_message(&conf, arena, raw, NOW_S * INT64_C(1000000), &out);
    check_decoded(result, &out);
    check(decode_message(&conf, arena, raw, NOW_S * INT64_C(1000000), &again) == result);
    check(out.reason == again.reason && same_text(out.detail, again.detail));
    if (result == DECODE_EVENT)
        check_put_off(arena, &out);
    check_dead(arena, raw, result, &out);
}
