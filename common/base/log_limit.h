#ifndef NOTIFY_BASE_LOG_LIMIT_H
#define NOTIFY_BASE_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * How often one happening may be logged: for log.c alone. Times are monotonic microseconds.
 */
struct log_left_out {
    const char *event;
    int level;
    uint64_t lines;
};

/* BURST lines of the same event and level in INTERVAL_S seconds; 0: no limit. What was left out before stays counted. */
void log_limit_set(long burst, double interval_s);
/* After a fork: what the parent has left out, it says itself. */
void log_limit_forget(void);
/*
 * Whether a line is written. LEFT_OUT: of its like before it, for the line to say; they are no longer counted then.
 * EVENT must be static.
 */
bool log_limit_admit(const char *event, int level, int64_t now_us, uint64_t *left_out);
/*
 * Takes out one happening of which lines were left out in an interval that is over, or in any when ALL. False: there is none.
 */
bool log_limit_take(bool all, int64_t now_us, struct log_left_out *out);

/* It could not be said: it is to be said later. */
void log_limit_put_back(const struct log_left_out *left_out);

/*
 * What is never left out, and why. X(event, why)
 */
#define LOG_UNLIMITED_LIST(X)                                                                                \
    X("started", "who started when is looked for in every trouble")                                          \
    X("ended", "so is who ended")                                                                            \
    X("ending", "and who asked for it")                                                                      \
    X("child_started", "each names another process")                                                         \
    X("child_ended", "each says what became of another process")                                             \
    X("child_hangs", "each names another process")                                                           \
    X("killing_the_late", "one, at the end")                                                                 \
    X("worker_draining", "each is another process's")                                                        \
    X("worker_leaves", "each is another process's")                                                          \
    X("reloading", "an operator waits for it")                                                               \
    X("reload_refused", "each names another error of the file")                                              \
    X("bad_configuration", "each names another error of the file")                                           \
    X("log_level", "an operator waits for it")                                                               \
    X("log_limited", "it says what was left out")                                                            \
    X("integration_tested", "somebody made us call an address, and nothing else remembers who")              \
    X("findings_exported", "somebody took findings out")

#endif
