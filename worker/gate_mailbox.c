/*
 * gate_mailbox - what the gate says to those who empty mailboxes: when to look, how many to take, what is too old
 */
#include "common/base/clock.h"
#include "worker/gate_parts.h"
#include "worker/shared.h"

enum {
    MAILBOX_SEEN_US = 5000000, /* a note of a mailbox is good for */
    PAUSE_MAX_S = 300          /* limits are forgotten with the host, the time of the next look is not */
};

double gate_pause(const struct uuid *integration)
{
    int64_t now = clock_mono_us();
    double pause = (double)limits_wait(shared_limits(integration, now), now) / 1e6;
    return pause < PAUSE_MAX_S ? pause : PAUSE_MAX_S;
}

bool gate_is_shut(const struct uuid *integration)
{
    return shared_limits(integration, clock_mono_us())->open_until_us != 0;
}

double gate_max_age(const struct gate *g, const struct uuid *integration)
{
    int64_t now = clock_mono_us();
    return g->conf->gate_max_age + (double)limits_held(shared_limits(integration, now), &g->rules, now) / 1e6;
}

/* So many go through the integration's window within the patience; as many as it lets run when nothing is known of it. */
static double window_room(const struct gate *g, const struct uuid *integration, int64_t now)
{
    const struct gate_window *w = gate_window_find(g, integration);
    double running = (double)(w ? w->most : gate_window_first(g));
    double service = w ? gate_window_service_us(w, now) : 0;
    return service > 0 ? running * (1 + (double)g->patience_us / service) : running;
}

long gate_room(const struct gate *g, const struct uuid *integration, long most)
{
    int64_t now = clock_mono_us();
    double room = window_room(g, integration, now);
    return limits_room(shared_limits(integration, now), now, g->patience_us,
                       room < (double)most ? (long)room : most);
}

void gate_note_mailbox(const struct uuid *integration, bool some)
{
    int64_t now = clock_mono_us();
    shared_limits(integration, now)->mailbox_until_us = some ? now + MAILBOX_SEEN_US : 0;
}
