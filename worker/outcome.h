#ifndef NOTIFY_WORKER_OUTCOME_H
#define NOTIFY_WORKER_OUTCOME_H

#include "common/base/conf.h"
#include "common/destinations/dest.h"

/* What follows from a verdict: the state of the row, and the message that goes with it. */
struct outcome {
    enum delivery_state state; /* DELIVERED, WAITING, DEAD, CANCELED */
    enum reason reason;
    enum error_word error;
    double delay_s; /* for WAITING */
};

/*
 * Decide, for attempt ATTEMPT (1 for the first) that ended in VERDICT. CHANCE in [0, 1) is the jitter's.
 * Pure. Delay before attempt n + 1: min(max_delay, base * factor^(n-1)), raised to what the destination asked
 * for (capped at retry.max_retry_after), plus jitter upward (architecture section 4).
 */
struct outcome outcome_decide(const struct conf *conf, const struct verdict *verdict, int attempt,
                              double chance);

#endif
