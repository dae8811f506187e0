/*
 * shadow - a message through a worker that sends nothing
 *
 *   decode -> judge (shadow_event, shadow_scan) -> rows of notify.shadow -> passed on to `forward`, confirmed -> acknowledged
 *
 * Takes the place of trip.c and of all that follows it. Owns the messages in hand, each with its arena. Invariants:
 *   - a message is acknowledged when the broker has confirmed that the queue `forward` has it, and not before: so it is never
 *     lost, and twice there only when the worker or a connection dies between the two;
 *   - what is passed on is what came, byte by byte (publish_foreign), also when it could not be understood;
 *   - one whose receipt is void is not passed on: the broker delivers it again;
 *   - what came from a pool in shadow mode is not passed on once more, or it went round for ever: it is a dead letter;
 *   - no other table is written, no other queue is read, no request is made.
 *
 * A message that we do not hold whole (larger than limits.message_bytes) cannot be passed on. It is held, unacknowledged, and
 * the log says what to do. With forward = "" nothing is passed on, and what is judged is acknowledged.
 *
 * An event whose scan is not there yet is passed on at once, and looked for again afterwards (retry.not_found), as a pool that
 * delivers would; a worker that ends meanwhile leaves it as not found.
 */
#include "worker/shadow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "worker/decode.h"
#include "worker/own_message.h"
#include "worker/publish_foreign.h"
#include "worker/shadow_parts.h"
#include "worker/shared.h"

/*
 *   state        means                                             left by
 *   NEW          made                                              -> JUDGING; HELD; FORWARDING
 *   JUDGING      it is looked up, matched, rendered, written down  -> FORWARDING; EXPANDING; handed back -> SETTLED
 *   EXPANDING    so are the findings of its scan                   -> FORWARDING
 *   FORWARDING   the broker has not confirmed it                   -> SETTLED
 *   HELD         it cannot be passed on                            the worker ends -> SETTLED
 *   SETTLED      acknowledged, handed back or void; what is missing may be looked for again
 */
enum state { NEW, JUDGING, EXPANDING, FORWARDING, HELD, SETTLED };

struct shadow_message {
    struct shadows *all;
    struct list link;
    enum state state;
    struct arena arena;
    struct raw_message raw;
    struct decoded decoded;
    struct intake_receipt *receipt; /* NULL: settled */
    int64_t begun_us;
    int looks; /* for what is not there */
    const char *id;
    struct shadow_event event;
    struct shadow_scan scan;
    struct publish_message message;
    struct publish_foreign foreign;
    char expiration[24];
    struct event *timer; /* until it is looked for again */
};

static const char *const state_names[] = {"new", "judging", "expanding", "forwarding", "held", "settled"};

static void move(struct shadow_message *m, enum state to, const char *why)
{
    LOG(LOG_DEBUG, "shadow", LOG_TEXT("id", m->id), LOG_TEXT("from", state_names[m->state]),
        LOG_TEXT("to", state_names[to]), LOG_TEXT("why", why));
    if (to == SETTLED)
        m->all->unsettled--;
    m->state = to;
}

static void free_message(struct shadow_message *m)
{
    if (m->timer)
        event_free(m->timer);
    shadow_scan_drop(&m->scan);
    list_remove(&m->link);
    arena_free(&m->arena);
    free(m);
}

/* ---- settled ---- */

static void on_time(evutil_socket_t fd, short what, void *arg)
{
    struct shadow_message *m = arg;
    (void)fd;
    (void)what;
    m->event.again = m->scan.again = true;
    shadow_event_begin(&m->event);
}

/* The producer's transaction may still be open. */
static bool looks_again(struct shadow_message *m)
{
    const struct conf_numbers *pauses = &m->all->parts->conf->retry_not_found;
    if (!m->event.is_missing || m->all->draining || (size_t)m->looks >= pauses->count)
        return false;
    struct timeval tv = clock_timeval(pauses->items[m->looks++]);
    if (!m->timer)
        m->timer = event_new(m->all->base, -1, 0, on_time, m);
    mem_check(m->timer && event_add(m->timer, &tv) == 0);
    return true;
}

static void acknowledge(struct shadow_message *m, const char *why)
{
    fault_here(FAULT_ACK, m->id);
    intake_ack(m->all->parts->intake, m->receipt);
    m->receipt = NULL;
    move(m, SETTLED, why);
    if (!looks_again(m))
        free_message(m);
}

static void hand_back(struct shadow_message *m, const char *why)
{
    intake_requeue(m->all->parts->intake, m->receipt);
    m->receipt = NULL;
    move(m, SETTLED, why);
    free_message(m);
}

/* ---- passed on ---- */

static void on_confirmed(struct publish_message *message)
{
    struct shadow_message *m = list_entry(message, struct shadow_message, message);
    fault_here(FAULT_CONFIRM, m->id);
    if (m->message.foreign)
        shared_count(COUNT_FORWARDED);
    acknowledge(m, "passed on");
}

/* Not when the broker delivers it again anyway: its connection is gone, or a worker that ends was refused. */
static bool is_wanted(struct publish_message *message)
{
    const struct shadow_message *m = list_entry(message, struct shadow_message, message);
    return intake_is_current(m->all->parts->intake, m->receipt) && !(m->all->draining && message->refused_us);
}

static void on_void(struct publish_message *message)
{
    struct shadow_message *m = list_entry(message, struct shadow_message, message);
    intake_drop(m->all->parts->intake, m->receipt);
    m->receipt = NULL;
    move(m, SETTLED, "the broker delivers it again");
    free_message(m);
}

/* What is left of its life, where it says until when it is good; "": nothing is said to the broker any more. */
static const char *expiration_of(struct shadow_message *m)
{
    if (!m->decoded.has_expires)
        return NULL;
    int64_t left = (m->decoded.expires_us - clock_wall_us()) / 1000;
    if (left > 0)
        snprintf(m->expiration, sizeof m->expiration, "%lld", (long long)left);
    return m->expiration;
}

static void publish(struct shadow_message *m, const char *why)
{
    move(m, FORWARDING, why);
    m->message.confirmed = on_confirmed;
    publisher_send(m->all->parts->publisher, &m->message);
    fault_here(FAULT_PUBLISH, m->id);
}

static void forward(struct shadow_message *m)
{
    const struct conf *conf = m->all->parts->conf;
    if (!conf->forward[0]) {
        acknowledge(m, "nothing is passed on");
        return;
    }
    m->foreign = (struct publish_foreign){.raw = &m->raw, .expiration = expiration_of(m)};
    m->message = (struct publish_message){.exchange = "",
                                          .routing_key = conf->forward,
                                          .message_id = m->id,
                                          .foreign = &m->foreign,
                                          .is_wanted = is_wanted,
                                          .unwanted = on_void};
    publish(m, "written down");
}

/* ---- judged ---- */

static void on_scan_ended(struct shadow_scan *scan)
{
    struct shadow_message *m = list_entry(scan, struct shadow_message, scan);
    if (m->state == SETTLED)
        free_message(m);
    else
        forward(m);
}

static void begin_scan(struct shadow_message *m)
{
    if (m->state != SETTLED)
        move(m, EXPANDING, "its findings follow");
    m->scan.all = m->all;
    m->scan.task = &m->decoded.event;
    m->scan.queue = m->raw.queue;
    m->scan.ended = on_scan_ended;
    shadow_scan_begin(&m->scan);
}

static void on_judged(struct shadow_event *e)
{
    struct shadow_message *m = list_entry(e, struct shadow_message, event);
    if (e->found && e->event->expand)
        begin_scan(m);
    else if (m->state != SETTLED)
        forward(m);
    else if (!looks_again(m))
        free_message(m);
}

static void judge(struct shadow_message *m, enum decode_result result)
{
    struct shadow_event *e = &m->event;
    *e = (struct shadow_event){.all = m->all,
                               .arena = &m->arena,
                               .id = m->id,
                               .event = result == DECODE_EVENT ? &m->decoded.event : NULL,
                               .queue = m->raw.queue,
                               .judged = on_judged};
    move(m, JUDGING, result == DECODE_EVENT ? "decoded" : "not understood");
    if (result == DECODE_REJECT)
        shadow_event_end(e, SHADOW_REJECTED, m->decoded.reason, m->decoded.detail);
    else if (m->decoded.has_expires && m->decoded.expires_us <= clock_wall_us())
        shadow_event_end(e, SHADOW_EXPIRED, REASON_NONE, NULL);
    else
        shadow_event_begin(e);
}

/* ---- begun ---- */

static uint64_t poison_hash(const struct raw_message *raw)
{
    uint64_t hash = hash_more(hash_bytes(raw->body, raw->body_size), "shadow", 6);
    return hash ? hash : 1;
}

static enum decode_result decode(struct shadow_message *m)
{
    uint64_t hash = poison_hash(&m->raw);
    if (shared_is_poison(hash)) {
        m->decoded.reason = REASON_KILLED_WORKER;
        m->decoded.detail = "reading it ended three worker processes";
        return DECODE_REJECT;
    }
    shared_handling(hash);
    fault_here(FAULT_DECODE, m->raw.body);
    enum decode_result result =
        decode_message(m->all->parts->conf, &m->arena, &m->raw, clock_wall_us(), &m->decoded);
    shared_handled();
    return result;
}

/* Its own id, or one made of its bytes, under which it is found in the report. */
static const char *id_of(struct shadow_message *m)
{
    unsigned char hash[SHA256_SIZE];
    char digits[SHA256_HEX];
    if (m->decoded.event.id)
        return m->decoded.event.id;
    if (m->raw.body_cut)
        memcpy(hash, m->raw.whole_hash, sizeof hash);
    else
        hash_sha256(m->raw.body, m->raw.body_size, hash);
    hash_hex(hash, sizeof hash, digits);
    return arena_printf(&m->arena, "sha256:%s", digits);
}

static void end_loop(struct shadow_message *m)
{
    struct own_dead dead = {.reason = REASON_SHADOW_LOOP,
                            .detail = "a pool in shadow mode has passed it on before",
                            .queue = m->raw.queue};
    LOG(LOG_ERROR, "shadow_loop", LOG_TEXT("id", m->id), LOG_TEXT("queue", m->raw.queue),
        LOG_TEXT("advice", "the queue forward leads back to this queue; it is in notify.dead"));
    shared_count_cell(COUNT_REJECTED, REASON_SHADOW_LOOP);
    own_message_dead_raw(&m->message, &m->arena, &m->raw, m->decoded.event.id, &dead, clock_wall_us());
    publish(m, "it was here before");
}

static void hold(struct shadow_message *m)
{
    LOG(LOG_ERROR, "shadow_held", LOG_TEXT("id", m->id), LOG_TEXT("queue", m->raw.queue),
        LOG_NUM("bytes", m->raw.announced_size),
        LOG_TEXT("advice",
                 "it is too large to be passed on, and stays in its queue: raise limits.message_bytes, "
                 "or let the other worker read that queue"));
    move(m, HELD, "it is not whole");
}

void shadows_begin(struct shadows *all, struct raw_message *raw, struct arena *arena,
                   struct intake_receipt *receipt)
{
    struct shadow_message *m = mem_zalloc(sizeof *m);
    bool passes_on = all->parts->conf->forward[0] != 0;
    m->all = all;
    m->arena = *arena;
    m->raw = *raw;
    m->receipt = receipt;
    m->begun_us = clock_mono_us();
    list_init(&m->link);
    list_append(&all->all, &m->link);
    all->unsettled++;
    enum decode_result result = decode(m);
    m->id = id_of(m);
    if (passes_on && raw_message_header(&m->raw, PUBLISH_FOREIGN_MARK))
        end_loop(m);
    else if (passes_on && (m->raw.body_cut || !m->raw.properties))
        hold(m);
    else
        judge(m, result);
}

/* ---- all of them ---- */

struct shadows *shadows_new(struct event_base *base, struct pg_link *link, struct parts *parts,
                            const struct fernet_keys *keys, const struct transfer_settings *transfer)
{
    struct shadows *all = mem_zalloc(sizeof *all);
    all->parts = parts;
    all->base = base;
    all->keys = keys;
    all->transfer = transfer;
    all->rows = shadow_rows_new(base, link, parts->conf);
    list_init(&all->all);
    list_init(&all->scans_waiting);
    return all;
}

void shadows_free(struct shadows *all)
{
    struct list *at;
    if (!all)
        return;
    while ((at = list_shift(&all->all)))
        free_message(list_entry(at, struct shadow_message, link));
    shadow_rows_free(all->rows);
    free(all);
}

size_t shadows_count(const struct shadows *all)
{
    return all ? all->unsettled : 0;
}

void shadows_drain(struct shadows *all)
{
    struct list *at, *next;
    if (!all)
        return;
    all->draining = true;
    list_for_each_safe (at, next, &all->all) {
        struct shadow_message *m = list_entry(at, struct shadow_message, link);
        if (m->state == HELD)
            hand_back(m, "the worker ends");
        else if (m->timer && event_pending(m->timer, EV_TIMEOUT, NULL))
            free_message(m);
    }
}

void shadows_hand_back(struct shadows *all, int64_t max_us)
{
    struct list *at, *next;
    int64_t now = clock_mono_us();
    size_t count = 0;
    if (!all)
        return;
    list_for_each_safe (at, next, &all->all) {
        struct shadow_message *m = list_entry(at, struct shadow_message, link);
        if (m->state != JUDGING || now - m->begun_us < max_us || !shadow_event_withdraw(&m->event))
            continue;
        hand_back(m, "the database is away");
        count++;
    }
    if (count)
        LOG(LOG_WARN, "messages_handed_back", LOG_NUM("count", count),
            LOG_TEXT("why", "the database is away"));
}

void shadows_resume(struct shadows *all)
{
    if (all)
        shadow_rows_resume(all->rows);
}
