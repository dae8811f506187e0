/*
 * outcome - what follows from a verdict
 *
 * Pure. The one place that turns what a destination said into the state of a row, the delay of a retry or a
 * dead letter. It neither writes nor publishes: job and trip do, in the order that they promise.
 */
#include "worker/outcome.h"

#include <math.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/utf8.h"
#include "worker/ladder.h"
#include "worker/topology.h"

enum { DEAD_BODY_MAX = 65536, DETAIL_MAX = 200 };

static double retry_delay(const struct conf *conf, const struct verdict *v, int attempt, double chance)
{
    double delay = conf->retry_base * pow(conf->retry_factor, attempt - 1);
    if (!(delay < conf->retry_max_delay))
        delay = conf->retry_max_delay;
    double asked = v->not_before < conf->retry_max_retry_after ? v->not_before : conf->retry_max_retry_after;
    if (asked > delay)
        delay = asked;
    return delay * (1 + conf->retry_jitter * chance);
}

struct outcome outcome_decide(const struct conf *conf, const struct verdict *v, int attempt, double chance)
{
    struct outcome o = {.error = v->error};
    switch (v->kind) {
    case VERDICT_DELIVERED:
    case VERDICT_NOTHING_TO_DO:
        o.state = DELIVERY_DELIVERED;
        return o;
    case VERDICT_REJECTED:
        o.state = DELIVERY_DEAD;
        o.reason = v->reason;
        return o;
    case VERDICT_RETRY:
        if (attempt >= conf->retry_max_attempts) {
            o.state = DELIVERY_DEAD;
            o.reason = REASON_ATTEMPTS_EXHAUSTED;
            return o;
        }
        o.state = DELIVERY_WAITING;
        o.delay_s = retry_delay(conf, v, attempt, chance);
        return o;
    case VERDICT_NONE:
        break;
    }
    check(v->kind != VERDICT_NONE); /* a destination finished without a verdict */
    return o;
}

static void add_dead_headers(struct publish_message *m, struct arena *arena, const struct outcome_dead *d,
                             int64_t first_seen_us)
{
    m->exchange = TOPOLOGY_DEAD;
    m->routing_key = "";
    m->header_count = 0;
    publish_add_text(m, "x-notify-reason", reason_name(d->reason));
    if (d->detail)
        publish_add_text(m, "x-notify-detail",
                         utf8_storable_copy(arena, d->detail, strlen(d->detail), DETAIL_MAX));
    if (d->error != ERROR_NONE)
        publish_add_text(m, "x-notify-error", error_word_name(d->error));
    if (d->attempt >= 0)
        publish_add_number(m, "x-notify-attempt", d->attempt);
    if (d->integration) {
        char *id = arena_alloc(arena, UUID_TEXT);
        uuid_format(d->integration, id);
        publish_add_text(m, "x-notify-integration", id);
    }
    publish_add_number(m, "x-notify-first-seen", first_seen_us / 1000);
    if (d->queue)
        publish_add_text(m, "x-notify-queue", d->queue);
}

void outcome_dead_event(struct publish_message *m, struct arena *arena, const struct event *event,
                        const struct outcome_dead *d)
{
    m->message_id = event->id;
    m->body = ladder_event_json(arena, event, &m->body_size);
    m->content_type = "application/json";
    add_dead_headers(m, arena, d, event->first_seen_us);
}

/* A property of the original, as a header that the broker and other tools can show. */
static const char *short_text(struct arena *arena, const char *text)
{
    return utf8_storable_copy(arena, text, strlen(text), EVENT_ID_MAX);
}

void outcome_dead_raw(struct publish_message *m, struct arena *arena, const struct raw_message *raw,
                      const char *id, const struct outcome_dead *d, int64_t now_us)
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
    add_dead_headers(m, arena, d, now_us);
    publish_add_number(m, "x-notify-size", (long long)raw->announced_size);
    publish_add_text(m, "x-notify-sha256", hex);
    if (raw->content_type)
        publish_add_text(m, "x-notify-content-type", short_text(arena, raw->content_type));
    if (task)
        publish_add_text(m, "x-notify-task", short_text(arena, task));
}
