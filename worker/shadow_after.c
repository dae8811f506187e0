/*
 * shadow_after - what is judged of a message that is passed on and acknowledged
 *
 * What was not there when the event came is looked for again, as a pool that delivers would (the producer's transaction may
 * still be open); and the findings of a scan are judged, of which there may be many: the worker that delivers does not wait for
 * a report. Nothing bounds these by itself, since they are out of the prefetch. So at most broker.prefetch of them are kept,
 * each with no more than its event; of the others the report says what was found at first. A worker that ends leaves them.
 */
#include "worker/shadow_message.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"

enum { AFTER_ARENA_BLOCK = 1024 };

/* Its event, in memory of its own. */
static void keep_event(struct shadow_message *m)
{
    struct event *e = &m->decoded.event;
    struct event event = *e;
    const char *queue = m->raw.queue;
    struct arena kept;
    arena_init(&kept, AFTER_ARENA_BLOCK);
    event.id = arena_strdup(&kept, e->id);
    event.change_summary = arena_strdup(&kept, e->change_summary);
    event.error = arena_strdup(&kept, e->error);
    event.trace.state = arena_strdup(&kept, e->trace.state);
    m->raw = (struct raw_message){.queue = arena_strdup(&kept, queue)};
    m->decoded = (struct decoded){.event = event};
    m->id = event.id;
    m->event.id = m->id;
    m->event.queue = m->raw.queue;
    arena_free(&m->arena);
    m->arena = kept;
}

static bool has_place(struct shadow_message *m)
{
    struct shadows *all = m->all;
    if (m->is_afterward)
        return true;
    if (all->afterward >= (size_t)all->parts->conf->broker_prefetch)
        return false;
    m->is_afterward = true;
    all->afterward++;
    keep_event(m);
    return true;
}

static void on_time(evutil_socket_t fd, short what, void *arg)
{
    struct shadow_message *m = arg;
    (void)fd;
    (void)what;
    m->event.again = m->scan.again = true;
    shadow_event_begin(&m->event);
}

static void look_again(struct shadow_message *m)
{
    struct timeval tv = clock_timeval(m->all->parts->conf->retry_not_found.items[m->looks++]);
    if (!m->timer)
        m->timer = event_new(m->all->base, -1, 0, on_time, m);
    mem_check(m->timer && event_add(m->timer, &tv) == 0);
}

static void on_scan_ended(struct shadow_scan *scan)
{
    shadow_free(list_entry(scan, struct shadow_message, scan));
}

static void begin_scan(struct shadow_message *m)
{
    m->expands = false;
    m->scan.all = m->all;
    m->scan.task = &m->decoded.event;
    m->scan.queue = m->raw.queue;
    m->scan.ended = on_scan_ended;
    shadow_scan_begin(&m->scan);
}

void shadow_after(struct shadow_message *m)
{
    const struct conf_numbers *pauses = &m->all->parts->conf->retry_not_found;
    bool looks_again = m->event.is_missing && (size_t)m->looks < pauses->count;
    if (m->all->draining || (!m->expands && !looks_again)) {
        shadow_free(m);
    } else if (!has_place(m)) {
        LOG(m->expands ? LOG_WARN : LOG_DEBUG, "shadow_left", LOG_TEXT("id", m->id),
            LOG_TEXT("why", "as many as broker.prefetch wait already to be judged further"));
        shadow_free(m);
    } else if (m->expands) {
        begin_scan(m);
    } else {
        look_again(m);
    }
}
