/*
 * shadow_hold - messages that cannot be passed on, or not yet
 *
 * Owns the count of what messages beyond limits.message_bytes take in memory (shadow.message_bytes), and what was learned of
 * messages at which the broker closes the connection. Invariants:
 *   - of a message that is held, only the receipt and the id are kept;
 *   - none is held longer than held_max, which is below the broker's limit for an acknowledgement (30 minutes, after which it
 *     closes the channel): it is handed back then, and comes again;
 *   - one whose receipt is void is forgotten;
 *   - what only waits for memory is handed back as soon as there is some.
 */
#include "worker/shadow_message.h"

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "worker/shared.h"

enum { HELD_ARENA_BLOCK = 256 };

static size_t budget(const struct shadows *all)
{
    const struct conf *conf = all->parts->conf;
    return conf->forward[0] ? (size_t)conf->shadow_message_bytes : 0;
}

static size_t room(const struct shadows *all)
{
    return budget(all) - all->large_bytes;
}

bool shadow_hold_is_whole(const struct shadow_message *m)
{
    return m->raw.body_size == m->raw.announced_size && m->raw.properties;
}

void shadow_hold_room(struct shadows *all)
{
    intake_keep_whole(all->parts->intake, room(all));
}

void shadow_hold_begin(struct shadow_message *m)
{
    if (!m->raw.body_cut || m->raw.body_size != m->raw.announced_size)
        return;
    m->large = m->raw.body_size;
    m->all->large_bytes += m->large;
    check(m->all->large_bytes <= budget(m->all));
    shadow_hold_room(m->all);
}

/* As many of those that wait as there is room for now: one that came without room would only wait again. */
static void hand_back_waiting(struct shadows *all)
{
    struct list *at, *next;
    uint64_t left = room(all);
    list_for_each_safe (at, next, &all->all) {
        struct shadow_message *m = list_entry(at, struct shadow_message, link);
        if (m->state != SHADOW_HELD || !m->waits || m->raw.announced_size > left)
            continue;
        left -= m->raw.announced_size;
        shadow_hand_back(m, "there is room for it");
    }
}

void shadow_hold_end(struct shadow_message *m)
{
    size_t large = m->large;
    if (!large)
        return;
    m->large = 0;
    m->all->large_bytes -= large;
    shadow_hold_room(m->all);
    hand_back_waiting(m->all);
}

/* Only its id stays, and what is said of it. */
static void keep_receipt(struct shadow_message *m)
{
    struct arena kept;
    arena_init(&kept, HELD_ARENA_BLOCK);
    m->id = arena_strdup(&kept, m->id);
    m->raw = (struct raw_message){.queue = arena_strdup(&kept, m->raw.queue),
                                  .announced_size = m->raw.announced_size};
    m->decoded = (struct decoded){0};
    arena_free(&m->arena);
    m->arena = kept;
    m->begun_us = clock_mono_us();
    shared_gauge(COUNT_SHADOW_HELD, ++m->all->held);
}

static void say_held(const struct shadow_message *m, const char *advice)
{
    LOG(LOG_ERROR, "shadow_held", LOG_TEXT("id", m->id), LOG_TEXT("queue", m->raw.queue),
        LOG_NUM("bytes", m->raw.announced_size), LOG_TEXT("advice", advice));
}

void shadow_hold(struct shadow_message *m)
{
    bool has_properties = m->raw.properties != NULL;
    bool is_larger = m->raw.announced_size > budget(m->all);
    m->waits = has_properties && !is_larger;
    keep_receipt(m);
    if (!has_properties)
        say_held(m, "its properties fill more than a frame, so that they cannot be published again: let the "
                    "other worker read that queue");
    else if (is_larger)
        say_held(m, "it is too large to be passed on, and stays in its queue: raise shadow.message_bytes, or "
                    "let the other worker read that queue");
    shadow_move(m, SHADOW_HELD, m->waits ? "no room for it" : "it is not whole");
}

/* ---- what the broker refuses ---- */

bool shadow_hold_is_known(const struct shadow_message *m)
{
    for (size_t i = 0; i < SHADOW_KNOWN; i++)
        if (m->all->known[i] == m->hash)
            return true;
    return false;
}

void shadow_hold_refused(struct shadow_message *m)
{
    if (!shadow_hold_is_known(m))
        m->all->known[m->all->known_next++ % SHADOW_KNOWN] = m->hash;
    m->waits = false;
    keep_receipt(m);
    shadow_hold_end(m);
    say_held(m,
             "the broker closes the connection when it is passed on (broker_link_down says why), and takes "
             "others: it stays in its queue, and is tried again after held_max");
    shadow_move(m, SHADOW_HELD, "the broker refuses it");
}

void shadow_hold_look(struct shadow_message *m, int64_t max_us)
{
    if (!intake_is_current(m->all->parts->intake, m->receipt))
        shadow_void(m);
    else if (clock_mono_us() - m->begun_us >= max_us)
        shadow_hand_back(m, "held for so long");
}
