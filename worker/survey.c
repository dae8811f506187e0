/*
 * survey - how the processes of this host fare
 *
 * Reads shared memory and nothing else, so it never waits. What it reads is written meanwhile: each number is right, all of them
 * together may never have been true at one moment.
 */
#include "worker/survey.h"

#include <string.h>

#include "common/base/clock.h"
#include "worker/shared.h"

static void add_memory(struct survey *s, enum process_group group, uint64_t bytes)
{
    s->resident[group] += bytes;
    if (bytes > s->resident_most[group])
        s->resident_most[group] = bytes;
}

static void add_worker(struct survey *s, const struct shared_slot *slot)
{
    s->workers++;
    int consuming = slot->consuming;
    s->consuming += consuming == SHARED_CONSUMING;
    s->cancelled += consuming == SHARED_CONSUMING_OWN;
    s->with_database += slot->database_up != 0;
    s->ready += consuming == SHARED_CONSUMING && slot->database_up;
    s->draining += slot->draining != 0;
}

void survey_take(struct survey *s)
{
    memset(s, 0, sizeof *s);
    add_memory(s, PROCESS_SUPERVISOR, shared_slot_at(SHARED_SUPERVISOR)->resident);
    for (int i = 0; i < shared_slots_used(); i++) {
        const struct shared_slot *slot = shared_slot_at(i);
        int role = slot->role;
        if (role == SHARED_FREE)
            continue;
        if (role == SHARED_WORKER)
            add_worker(s, slot);
        add_memory(s, role == SHARED_WORKER ? PROCESS_WORKER : PROCESS_AGENT, slot->resident);
        s->in_hand += slot->in_hand;
        s->sending += slot->sending;
        s->unwritten += slot->unwritten;
        s->broker_links += slot->broker_links;
        if (slot->broker_us > s->broker_us)
            s->broker_us = slot->broker_us;
    }
}

struct limits_seen {
    int64_t now_us;
    int open;
    int mailboxes;
};

static void see_limits(void *owner, const struct limits *l)
{
    struct limits_seen *seen = owner;
    seen->open += l->open_until_us != 0;
    seen->mailboxes += l->mailbox_until_us > seen->now_us;
}

/* Unix time in seconds of a moment of the monotonic clock; 0: there was none. */
static double wall_of(uint64_t mono_us)
{
    if (!mono_us)
        return 0;
    return (double)(clock_wall_us() - (clock_mono_us() - (int64_t)mono_us)) / 1e6;
}

void survey_figures(const struct survey *s, const uint64_t *totals, struct figures_asked *out)
{
    struct limits_seen seen = {.now_us = clock_mono_us()};
    shared_limits_each(see_limits, &seen);
    memset(out, 0, sizeof *out);
    out->values[FIGURE_LAST_RECEIVED][0] = wall_of(totals[COUNT_LAST_RECEIVED]);
    out->values[FIGURE_IN_HAND][0] = (double)s->in_hand;
    out->values[FIGURE_SENDING][0] = (double)s->sending;
    out->values[FIGURE_UNWRITTEN][0] = (double)s->unwritten;
    out->values[FIGURE_MAILBOXES][0] = seen.mailboxes;
    out->values[FIGURE_OPEN][0] = seen.open;
    out->values[FIGURE_DUE_LATE][0] = shared_due_lateness();
    out->values[FIGURE_WORKERS][0] = s->workers;
    out->values[FIGURE_CONSUMING][0] = s->consuming;
    out->values[FIGURE_WITH_DATABASE][0] = s->with_database;
    out->values[FIGURE_DRAINING][0] = s->draining;
    for (int i = 0; i < PROCESS_COUNT; i++) {
        out->values[FIGURE_MEMORY][i] = (double)s->resident[i];
        out->values[FIGURE_MEMORY_MOST][i] = (double)s->resident_most[i];
    }
    out->values[FIGURE_QUEUES_ADDED][0] = presence_shared_queues_in(PRESENCE_QUEUE_ADDED);
    out->values[FIGURE_QUEUES_CANCELLED][0] = presence_shared_queues_in(PRESENCE_QUEUE_CANCELLED);
    out->values[FIGURE_BUILD][0] = 1;
    out->values[FIGURE_STARTED][0] = (double)shared_started_us() / 1e6;
}
