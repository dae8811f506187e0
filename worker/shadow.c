/*
 * shadow - a message through a worker that sends nothing
 *
 *   decode -> judge (shadow_event, shadow_scan) -> rows of notify.shadow -> passed on to `forward`, confirmed -> acknowledged
 *
 * Takes the place of trip.c and of all that follows it; the states are in shadow_message.h. Owns the messages in hand, each with
 * its arena. Invariants:
 *   - a message is acknowledged when the broker has confirmed that the queue `forward` has it, and not before: so it is never
 *     lost, and twice there only when the worker or a connection dies between the two;
 *   - what is passed on is what came, byte by byte (publish_foreign), also when it could not be understood;
 *   - one whose receipt is void is not passed on: the broker delivers it again;
 *   - what came from a pool in shadow mode is not passed on once more, or it went round for ever: it is a dead letter;
 *   - no other table is written, no other queue is read, no request is made.
 *
 * One larger than limits.message_bytes is passed on without being judged; what cannot be passed on is held, unacknowledged
 * (shadow_hold). With forward = "" nothing is passed on, and what is judged is acknowledged.
 *
 * An event whose scan is not there yet is passed on at once, and so is the task of a scan; both are judged further afterwards
 * (shadow_after).
 */
#include "worker/shadow.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "worker/own_message.h"
#include "worker/publish_foreign.h"
#include "worker/shadow_message.h"
#include "worker/shared.h"

enum { HASHED_MAX = 65536 };

static const char *const state_names[] = {"new", "judging", "forwarding", "held", "settled"};

void shadow_move(struct shadow_message *m, enum shadow_state to, const char *why)
{
    LOG(LOG_DEBUG, "shadow", LOG_TEXT("id", m->id), LOG_TEXT("from", state_names[m->state]),
        LOG_TEXT("to", state_names[to]), LOG_TEXT("why", why));
    if (m->state == SHADOW_HELD)
        shared_gauge(COUNT_SHADOW_HELD, --m->all->held);
    if (to == SHADOW_SETTLED)
        m->all->unsettled--;
    m->state = to;
}

void shadow_free(struct shadow_message *m)
{
    if (m->timer)
        event_free(m->timer);
    shadow_scan_drop(&m->scan);
    list_remove(&m->link);
    arena_free(&m->arena);
    m->all->afterward -= m->is_afterward;
    shadow_hold_end(m);
    free(m);
}

/* ---- settled ---- */

static void acknowledge(struct shadow_message *m, const char *why)
{
    fault_here(FAULT_ACK, m->id);
    intake_ack(m->all->parts->intake, m->receipt);
    m->receipt = NULL;
    shadow_move(m, SHADOW_SETTLED, why);
    shadow_after(m);
}

void shadow_hand_back(struct shadow_message *m, const char *why)
{
    intake_requeue(m->all->parts->intake, m->receipt);
    m->receipt = NULL;
    shadow_move(m, SHADOW_SETTLED, why);
    shadow_free(m);
}

void shadow_void(struct shadow_message *m)
{
    intake_drop(m->all->parts->intake, m->receipt);
    m->receipt = NULL;
    shadow_move(m, SHADOW_SETTLED, "the broker delivers it again");
    shadow_free(m);
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
    shadow_void(list_entry(message, struct shadow_message, message));
}

static void on_impossible(struct publish_message *message)
{
    shadow_hold_refused(list_entry(message, struct shadow_message, message));
}

static void publish(struct shadow_message *m, const char *why)
{
    shadow_move(m, SHADOW_FORWARDING, why);
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
    /* What is left of its life, where it says until when it is good. */
    m->foreign = (struct publish_foreign){.raw = &m->raw,
                                          .has_left = m->decoded.has_expires,
                                          .left_ms = (m->decoded.expires_us - clock_wall_us()) / 1000};
    m->message = (struct publish_message){.exchange = "",
                                          .routing_key = conf->forward,
                                          .message_id = m->id,
                                          .foreign = &m->foreign,
                                          .suspected = shadow_hold_is_known(m),
                                          .impossible = on_impossible,
                                          .is_wanted = is_wanted,
                                          .unwanted = on_void};
    publish(m, "written down");
}

/* ---- judged ---- */

static void on_judged(struct shadow_event *e)
{
    struct shadow_message *m = list_entry(e, struct shadow_message, event);
    m->expands = e->found && e->event->expand;
    if (m->state == SHADOW_SETTLED)
        shadow_after(m);
    else
        forward(m);
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
    shadow_move(m, SHADOW_JUDGING, result == DECODE_EVENT ? "decoded" : "not understood");
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
    size_t size = raw->body_size < HASHED_MAX ? raw->body_size : HASHED_MAX;
    uint64_t hash = hash_more(hash_bytes(raw->body, size), "shadow", 6);
    return hash ? hash : 1;
}

static enum decode_result decode(struct shadow_message *m)
{
    if (shared_is_poison(m->hash)) {
        m->decoded.reason = REASON_KILLED_WORKER;
        m->decoded.detail = "reading it ended three worker processes";
        return DECODE_REJECT;
    }
    shared_handling(m->hash);
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
    m->hash = poison_hash(&m->raw);
    shadow_hold_begin(m);
    enum decode_result result = decode(m);
    m->id = id_of(m);
    if (passes_on && raw_message_header(&m->raw, PUBLISH_FOREIGN_MARK))
        end_loop(m);
    else if (passes_on && !shadow_hold_is_whole(m))
        shadow_hold(m);
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
    shadow_hold_room(all);
    return all;
}

void shadows_free(struct shadows *all)
{
    struct list *at;
    if (!all)
        return;
    while ((at = list_shift(&all->all)))
        shadow_free(list_entry(at, struct shadow_message, link));
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
        if (m->state == SHADOW_HELD)
            shadow_hand_back(m, "the worker ends");
        else if (m->timer && event_pending(m->timer, EV_TIMEOUT, NULL))
            shadow_free(m);
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
        if (m->state == SHADOW_HELD)
            shadow_hold_look(m, max_us);
        else if (m->state == SHADOW_JUDGING && now - m->begun_us >= max_us &&
                 shadow_event_withdraw(&m->event)) {
            shadow_hand_back(m, "the database is away");
            count++;
        }
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
