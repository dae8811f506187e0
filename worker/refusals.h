#ifndef NOTIFY_WORKER_REFUSALS_H
#define NOTIFY_WORKER_REFUSALS_H

#include <stdbool.h>
#include <stdint.h>

struct publish_message;

/*
 * Since when each way (exchange and routing key) takes nothing: a full queue refuses whatever goes there, while the others
 * take what they get. Ways share places by their hash: one that takes messages then speaks for another that does not,
 * which makes a message wait for its own patience, no more.
 */
enum { REFUSALS_WAYS = 64 };

struct refusals {
    struct {
        int64_t since_us; /* monotonic; 0: the last one was taken */
        int64_t said_us;
        long long unsaid;
        bool returned; /* as said */
    } ways[REFUSALS_WAYS];
};

/*
 * M was refused or returned at NOW_US. Returns since when all that goes its way is. Logged at most every ten seconds for a
 * way, with how many there were, and when one is returned after others were refused.
 */
int64_t refusals_add(struct refusals *r, const struct publish_message *m, int64_t now_us);
/* M was taken. */
void refusals_end(struct refusals *r, const struct publish_message *m);
/* Another link, another broker. */
void refusals_forget(struct refusals *r);

#endif
