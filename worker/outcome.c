/*
 * outcome - what follows from a verdict
 *
 * Pure. The one place that turns what a destination said into the state of a row, the delay of a retry or a
 * dead letter. It neither writes nor publishes: job and trip do, in the order that they promise.
 */
#include "worker/outcome.h"

#include <math.h>

#include "common/base/check.h"

enum { AGAIN_S = 1 };

static double retry_delay(const struct conf *conf, const struct verdict *v, int attempt, double chance)
{
    double delay = conf->retry_base * pow(conf->retry_factor, attempt - 1);
    if (!(delay < conf->retry_max_delay))
        delay = conf->retry_max_delay;
    double asked = v->not_before < conf->retry_max_retry_after ? v->not_before : conf->retry_max_retry_after;
    if (asked > delay)
        delay = asked;
    return delay * (1 + conf->retry_jitter * chance);
}

struct outcome outcome_decide(const struct conf *conf, const struct verdict *v, int attempt, double chance)
{
    struct outcome o = {.error = v->error};
    switch (v->kind) {
    case VERDICT_DELIVERED:
    case VERDICT_NOTHING_TO_DO:
        o.state = DELIVERY_DELIVERED;
        return o;
    case VERDICT_REJECTED:
        o.state = DELIVERY_DEAD;
        o.reason = v->reason;
        return o;
    case VERDICT_RETRY:
        if (attempt >= conf->retry_max_attempts) {
            o.state = DELIVERY_DEAD;
            o.reason = REASON_ATTEMPTS_EXHAUSTED;
            return o;
        }
        o.state = DELIVERY_WAITING;
        o.delay_s = retry_delay(conf, v, attempt, chance);
        return o;
    case VERDICT_AGAIN:
        o.state = attempt < conf->retry_max_attempts ? DELIVERY_WAITING : DELIVERY_DEAD;
        o.reason = o.state == DELIVERY_DEAD ? REASON_ATTEMPTS_EXHAUSTED : REASON_NONE;
        o.delay_s = AGAIN_S;
        return o;
    case VERDICT_NONE:
        break;
    }
    check(v->kind != VERDICT_NONE); /* a destination finished without a verdict */
    return o;
}
