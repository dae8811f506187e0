/*
 * trip_show - what Celery's tools see of a message on its way
 *
 * Notes each trip in the list of messages in hand, and says what becomes of it while somebody wants task events.
 * Called where a trip changes its state; changes nothing of it. Reserved is what has not begun, and could be handed
 * back; active is what is being delivered, put off or given up. With celery.presence off nothing is done here, and
 * with events off nothing but a note of some hundred bytes.
 *
 * One message is one task in the eyes of these tools: a retry of a delivery is received again under the id of its
 * event, as Celery does it. A copy that joins another is none.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "worker/shared.h"
#include "worker/topology.h"
#include "worker/trip_parts.h"

static bool events_are_on(void)
{
    return atomic_load_explicit(&shared_presence()->events_on, memory_order_relaxed);
}

static void cut(char *out, size_t size, const char *text)
{
    size_t n = text ? strnlen(text, size - 1) : 0;
    memcpy(out, text ? text : "", n);
    out[n] = 0;
}

/* As its producer called it; of protocol 1 and of our own messages the name that is configured. */
static const char *name_of(const struct trip *t)
{
    const struct conf *c = t->parts->conf;
    const char *said = raw_message_header_text(&t->raw, "task");
    const struct conf_texts *names =
        t->decoded.event.expand ? &c->tasks_notify_scan_findings : &c->tasks_notify_event;
    return said ? said : names->count ? names->items[0] : "notify_event";
}

static void describe(const struct trip *t, struct presence_task *out)
{
    const struct event *e = &t->decoded.event;
    cut(out->id, sizeof out->id, e->id);
    cut(out->name, sizeof out->name, name_of(t));
    cut(out->queue, sizeof out->queue, t->waker ? TOPOLOGY_WAKE : t->raw.queue);
    out->scan = e->scan_id;
    out->has_finding = e->has_finding;
    out->finding = e->finding_id;
    out->expand = e->expand;
    out->type = e->type;
    out->redelivered = t->decoded.redelivered;
    out->attempt = t->decoded.has_integration ? t->decoded.attempt : 1;
    out->pid = shared_slot_at(shared_my_slot())->pid;
    out->started_us = 0;
}

static void say(const struct trip *t, enum presence_event_kind kind)
{
    struct presence_event e = {.kind = kind, .wall_us = clock_wall_us()};
    describe(t, &e.task);
    if (kind == PRESENCE_SUCCEEDED) {
        e.matched = t->decoded.has_integration ? 1 : t->ledger_event.matched;
        e.runtime_us = clock_mono_us() - t->begun_us;
    }
    e.reason = t->end_reason ? t->end_reason : t->job_event.died;
    presence_shared_put_event(&e);
}

static void begin(struct trip *t)
{
    struct presence_task task;
    describe(t, &task);
    t->shown_at = presence_shared_put_task(&task) + 1;
    if (!t->raw.from_own_queue)
        atomic_fetch_add_explicit(&shared_presence()->totals[t->decoded.event.expand], 1,
                                  memory_order_relaxed);
    t->shown = events_are_on();
    if (t->shown)
        say(t, PRESENCE_RECEIVED);
}

void trip_show(struct trip *t, enum trip_state to)
{
    if (!t->parts->conf->celery_presence)
        return;
    if (to == TRIP_LOOKING_UP) {
        begin(t);
    } else if (to == TRIP_WORKING) {
        if (t->shown_at)
            presence_shared_start_task(t->shown_at - 1, clock_wall_us());
        if (t->shown && !t->shown_started)
            say(t, PRESENCE_STARTED);
        t->shown_started = true;
    } else if (to == TRIP_WAITING_RULES && t->shown_at) {
        presence_shared_move_task(t->shown_at - 1, PRESENCE_RESERVED);
    } else if (to == TRIP_SETTLED && t->shown_at) {
        presence_shared_free_task(t->shown_at - 1);
        t->shown_at = 0;
    }
}

void trip_show_end(struct trip *t)
{
    bool rejected = t->state == TRIP_LEAVING && !t->shown && t->end_reason && t->decoded.event.id;
    if (!t->parts->conf->celery_presence)
        return;
    if (rejected && events_are_on())
        say(t, PRESENCE_REJECTED); /* it never got as far as to be received */
    if (!t->shown)
        return;
    if (t->end_reason || t->job_event.died)
        say(t, PRESENCE_FAILED);
    else if (t->ledger_event.state == EVENT_STATE_EXPIRED)
        say(t, PRESENCE_REVOKED);
    else if (t->continues || t->job_event.comes_again)
        say(t, PRESENCE_RETRIED);
    else
        say(t, PRESENCE_SUCCEEDED);
}
