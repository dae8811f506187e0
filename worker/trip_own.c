/*
 * trip_own - what a message writes and publishes for itself
 *
 * The event's own row, when no delivery's row carries it, and the event's own messages: round the ladder, a dead
 * letter, or an event for each finding of its scan. The order is that of job.c: the row is committed, then what
 * follows is published, then the trip's count goes down. Decides nothing.
 */
#include <string.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "worker/ladder.h"
#include "worker/own_message.h"
#include "worker/shared.h"
#include "worker/trip_parts.h"

static void on_confirmed(struct publish_message *m)
{
    struct trip *t = list_entry(m, struct trip, message);
    fault_here(FAULT_CONFIRM, t->decoded.event.id);
    trip_close_one(t);
}

static void on_owed(struct ledger_write *w)
{
    trip_close_one(list_entry(w, struct trip, write));
}

/* The broker takes nothing. When the event comes again stands in its row; a dead letter needs a mark. */
static void on_given_up(struct publish_message *m)
{
    struct trip *t = list_entry(m, struct trip, message);
    if (t->continues) {
        trip_close_one(t);
        return;
    }
    memset(&t->write, 0, sizeof t->write);
    t->write.kind = LEDGER_OWE;
    t->write.event_id = t->decoded.event.id;
    t->write.about = &t->decoded.event;
    t->write.written = on_owed;
    ledger_write(t->parts->ledger, &t->write);
}

void trip_publish(struct trip *t)
{
    job_event_misses_bundle(&t->job_event);
    if (t->state == TRIP_NEW || t->continues)
        trip_move(t, TRIP_LEAVING, t->continues ? "the event comes again" : "nothing is done for it");
    t->open++;
    t->message.confirmed = on_confirmed;
    t->message.given_up = t->has_row ? on_given_up : NULL;
    publisher_send(t->parts->publisher, &t->message);
    fault_here(FAULT_PUBLISH, t->decoded.event.id);
}

void trip_make_ladder_message(struct trip *t, int attempt, double delay_s)
{
    struct own_ticket ticket = {
        .attempt = attempt,
        .origin_queue = t->job_event.queue,
        .redelivered = t->decoded.redelivered,
        .has_eta = t->decoded.has_eta,
        .eta_us = t->decoded.eta_us,
        .has_expires = t->decoded.has_expires,
        .expires_us = t->decoded.expires_us,
    };
    t->continues = true;
    own_message_event(&t->message, &t->arena, &t->decoded.event, &ticket);
    ladder_put(&t->message, &t->arena, delay_s);
}

void trip_make_dead_letter(struct trip *t, enum reason reason, const char *detail)
{
    struct own_dead dead = {
        .reason = reason,
        .detail = detail,
        .attempt = 0, /* at delivering it; looks do not count */
        .integration = t->decoded.has_integration ? &t->decoded.integration : NULL,
        .queue = t->job_event.queue,
    };
    own_message_dead_event(&t->message, &t->arena, &t->decoded.event, &dead);
}

static void on_expanded(struct expansion *x, enum expansion_end end)
{
    enum { OVERTAKEN_PAUSE_S = 5 };
    struct trip *t = list_entry(x, struct trip, expansion);
    if (end == EXPANSION_REFUSED)
        trip_end_dead(t, REASON_ROW_REFUSED, "see the log for the database's words");
    else if (end == EXPANSION_OVERTAKEN) /* somebody else goes on; should he die, we do */
        trip_look_again(t, t->decoded.attempt, OVERTAKEN_PAUSE_S);
    trip_close_one(t);
}

static void begin_expansion(struct trip *t)
{
    t->then_expand = false;
    t->open++;
    expansion_run(&t->expansion);
}

static void on_written(struct ledger_write *w)
{
    struct trip *t = list_entry(w, struct trip, write);
    fault_here(FAULT_COMMIT, t->decoded.event.id);
    if (w->refused && !t->then_publish && !t->end_written) {
        trip_make_dead_letter(t, REASON_ROW_REFUSED, "see the log for the database's words");
        t->then_publish = true;
    }
    t->has_row = !w->refused;
    if (t->then_publish)
        trip_publish(t);
    if (t->then_expand && !w->refused)
        begin_expansion(t);
    trip_close_one(t);
}

void trip_write_event(struct trip *t, enum event_state state, enum reason reason)
{
    struct ledger_event *e = &t->ledger_event;
    e->state = state;
    e->reason = reason;
    memset(&t->write, 0, sizeof t->write);
    t->write.kind = LEDGER_EVENT;
    t->write.event = e;
    t->write.event_id = t->decoded.event.id;
    t->write.about = &t->decoded.event;
    t->write.written = on_written;
    t->open++;
    ledger_write(t->parts->ledger, &t->write);
}

void trip_look_again(struct trip *t, int attempt, double pause_s)
{
    trip_make_ladder_message(t, attempt, pause_s);
    t->ledger_event.scheduled_us = clock_wall_us() + clock_us(pause_s);
    t->then_publish = true;
    trip_write_event(t, EVENT_STATE_OPEN, REASON_NONE);
}

void trip_expand(struct trip *t)
{
    t->decoded.event.trace = event_trace(&t->decoded.event); /* worked out once for all of its events */
    t->expansion.task = &t->decoded.event;
    t->expansion.queue = t->job_event.queue;
    t->expansion.ended = on_expanded;
    t->then_expand = true;
    trip_write_event(t, EVENT_STATE_OPEN, REASON_NONE);
}

void trip_end_with_refused_rows(struct trip *t)
{
    struct ledger_event *e = &t->ledger_event;
    bool any = e->rows_committed > 0 || t->lookup.row_count > 0;
    e->rows_total = e->rows_committed;
    t->end_written = true;
    trip_write_event(t, any ? EVENT_STATE_DONE : EVENT_STATE_DEAD, any ? REASON_NONE : REASON_ROW_REFUSED);
}

void trip_end_dead(struct trip *t, enum reason reason, const char *detail)
{
    LOG(LOG_WARN, "event_dead", LOG_EVENT(&t->decoded.event), LOG_TEXT("reason", reason_name(reason)),
        LOG_TEXT("detail", detail), LOG_TEXT("queue", t->raw.queue));
    shared_count_cell(COUNT_REJECTED, reason);
    trip_make_dead_letter(t, reason, detail);
    t->then_publish = true;
    trip_write_event(t, EVENT_STATE_DEAD, reason);
}

void trip_end_without_row(struct trip *t, enum reason reason, const char *detail)
{
    LOG(LOG_WARN, "message_rejected", LOG_EVENT(&t->decoded.event), LOG_TEXT("reason", reason_name(reason)),
        LOG_TEXT("detail", detail), LOG_TEXT("queue", t->raw.queue));
    shared_count_cell(COUNT_REJECTED, reason);
    trip_make_dead_letter(t, reason, detail);
    trip_publish(t);
}

void trip_reject_raw(struct trip *t, enum reason reason, const char *detail)
{
    struct own_dead dead = {.reason = reason, .detail = detail, .queue = t->raw.queue};
    LOG(LOG_WARN, "message_rejected", LOG_EVENT(&t->decoded.event), LOG_TEXT("reason", reason_name(reason)),
        LOG_TEXT("detail", detail), LOG_TEXT("queue", t->raw.queue), LOG_NUM("bytes", t->raw.announced_size));
    shared_count_cell(COUNT_REJECTED, reason);
    own_message_dead_raw(&t->message, &t->arena, &t->raw, t->decoded.event.id, &dead, clock_wall_us());
    trip_publish(t);
}
