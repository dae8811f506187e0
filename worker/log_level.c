/*
 * log_level - one level for all processes of the pool, changed by signals
 *
 * Owns nothing but the meaning of a word in shared memory: 0 is "as the settings say", which may differ between two generations
 * of workers, else the level and 1. The supervisor writes it, children look at it twice a second: no signal has to reach them, and
 * one that a shell sends to the whole process group ends none of them.
 */
#include "worker/log_level.h"

#include <signal.h>

#include "common/base/log.h"
#include "worker/shared.h"

void log_level_signal(int number)
{
    shared_log_level_set((int)log_step(number == SIGUSR1 ? -1 : 1) + 1);
}

void log_level_reset(void)
{
    shared_log_level_set(0);
}

void log_level_ignore_signals(void)
{
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
}

void log_level_follow(void)
{
    log_set_level(shared_log_level() - 1);
    log_tick();
}
