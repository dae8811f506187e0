#ifndef NOTIFY_WORKER_OUTCOME_H
#define NOTIFY_WORKER_OUTCOME_H

#include "common/base/conf.h"
#include "common/destinations/dest.h"
#include "worker/publish.h"
#include "worker/raw_message.h"

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

/* What a dead letter says (contract section 4). Texts are borrowed until it is confirmed. */
struct outcome_dead {
    enum reason reason;
    const char *detail;             /* may be NULL */
    enum error_word error;          /* of the last attempt */
    int attempt;                    /* 0: none was made; negative: it never came to that */
    const struct uuid *integration; /* NULL: the whole event */
    const char *queue;
};

/* The dead letter of an event: our own form. */
void outcome_dead_event(struct publish_message *message, struct arena *arena, const struct event *event,
                        const struct outcome_dead *dead);
/* The dead letter of a message that never became an event: its first 64 KiB, its size and its SHA-256. */
void outcome_dead_raw(struct publish_message *message, struct arena *arena, const struct raw_message *raw,
                      const char *id, const struct outcome_dead *dead, int64_t now_us);

#endif
