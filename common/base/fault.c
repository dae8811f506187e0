/*
 * fault - places where a test can cut the power
 *
 * Owns one armed point and, shared with all processes forked later, how many may still be killed. The only
 * thing that ever happens is SIGKILL to this process: what is tested is that nothing is lost by it, so no
 * tidier way of failing would do.
 */
#include "common/base/fault.h"

#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/log.h"

bool fault_armed;

static const char *const names[] = {
#define FAULT_NAME(e, w, h) w,
    FAULT_LIST(FAULT_NAME)};
static int armed_point;
static long armed_count;
static const char *armed_text;
static _Atomic long *kills_left;

/* "count", "count*kills", either with "/text" behind it. */
static bool read_numbers(const char *spec)
{
    char *end = NULL;
    long kills = LONG_MAX;
    armed_count = strtol(spec, &end, 10);
    if (*end == '*')
        kills = strtol(end + 1, &end, 10);
    if (armed_count < 1 || kills < 1 || (*end && *end != '/'))
        return false;
    armed_text = *end ? end + 1 : "";
    kills_left = mmap(NULL, sizeof *kills_left, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(kills_left != MAP_FAILED);
    *kills_left = kills;
    return true;
}

bool fault_setup(void)
{
    const char *spec = getenv("NOTIFY_FAULT");
    if (!spec || !*spec)
        return true;
    const char *equals = strchr(spec, '=');
    for (int i = 0; equals && i < FAULT_COUNT; i++) {
        if (strlen(names[i]) != (size_t)(equals - spec) || strncmp(names[i], spec, strlen(names[i])) != 0)
            continue;
        if (!read_numbers(equals + 1))
            return false;
        armed_point = i;
        fault_armed = true;
        LOG(LOG_WARN, "fault_armed", LOG_TEXT("spec", spec));
        return true;
    }
    return false;
}

void fault_reach(enum fault fault, const char *id)
{
    if ((int)fault != armed_point || !strstr(id ? id : "", armed_text) || --armed_count > 0)
        return;
    if (atomic_fetch_sub(kills_left, 1) > 0)
        kill(getpid(), SIGKILL);
}
