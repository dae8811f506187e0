/*
 * fault - places where a test can cut the power
 *
 * Owns one armed point. The only thing that ever happens is SIGKILL to this process: what is tested is that
 * nothing is lost by it, so no tidier way of failing would do.
 */
#include "common/base/fault.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"

bool fault_armed;

static const char *const names[] = {
#define FAULT_NAME(e, w, h) w,
    FAULT_LIST(FAULT_NAME)};
static int armed_point;
static long armed_count;
static const char *armed_text;

bool fault_setup(void)
{
    const char *spec = getenv("NOTIFY_FAULT");
    if (!spec || !*spec)
        return true;
    const char *equals = strchr(spec, '=');
    for (int i = 0; equals && i < FAULT_COUNT; i++) {
        if (strlen(names[i]) != (size_t)(equals - spec) || strncmp(names[i], spec, strlen(names[i])) != 0)
            continue;
        char *end = NULL;
        armed_count = strtol(equals + 1, &end, 10);
        if (armed_count < 1 || (*end && *end != '/'))
            return false;
        armed_point = i;
        armed_text = *end ? end + 1 : "";
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
    kill(getpid(), SIGKILL);
}
