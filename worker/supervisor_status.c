/*
 * supervisor_status - tells the service manager how the pool is
 *
 * A status of one line when it has changed, and a sign of life when the manager wants them. Ready, reloading and
 * stopping are told where they happen.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/service_manager.h"
#include "worker/supervisor_parts.h"

static void describe(const struct supervisor *s, char *status, size_t size)
{
    int consuming = 0, old = 0;
    for (int i = 0; i < CHILDREN_MAX; i++) {
        const struct child *c = &s->children[i];
        if (!c->pid || c->role != SHARED_WORKER)
            continue;
        if (c->generation == s->generation && !c->asked_to_end)
            consuming += shared_slot_at(c->slot)->consuming != 0;
        else
            old++;
    }
    snprintf(status, size, "%d of %ld workers consume%s%s; generation %u, " NOTIFY_VERSION, consuming,
             s->wanted, old ? ", others drain or work on" : "", s->ending ? "; ending" : "", s->generation);
}

void supervisor_tell(struct supervisor *s)
{
    char status[sizeof s->said];
    int64_t now = clock_mono_us(), every = service_manager_watchdog_us();
    describe(s, status, sizeof status);
    if (strcmp(status, s->said) != 0) {
        service_manager_tell("STATUS=%s\n", status);
        snprintf(s->said, sizeof s->said, "%s", status);
    }
    if (every > 0 && now >= s->alive_at_us) {
        service_manager_tell("WATCHDOG=1\n");
        s->alive_at_us = now + every / 2; /* as sd_watchdog_enabled(3) advises */
    }
}
