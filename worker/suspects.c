/*
 * suspects - which message makes the broker close the connection
 *
 * Pure but for the log. Knows neither link nor lists: publish.c tells what was under way when a connection was lost, and
 * sends and sets aside as it is told here. A broker that is restarted, or a right that is missing, proves nothing:
 * others have to be confirmed between two times that a message was lost alone. Until then it is tried again, for ever. Once the
 * right is there, the first that passes must not be held against those that still wait, so it is their next loss that counts.
 */
#include "worker/suspects.h"

#include "common/base/log.h"
#include "worker/publish.h"
#include "worker/shared.h"

enum { PAUSE_MAX_S = 16 };

bool suspects_is_one(const struct suspect *s)
{
    return s->lost >= SUSPECTS_LOST;
}

void suspects_add(struct suspect *s)
{
    s->lost++;
}

static int64_t pause_s(const struct suspect *s)
{
    return s->lost_alone > 4 ? PAUSE_MAX_S : INT64_C(1) << (s->lost_alone - 1);
}

void suspects_add_alone(struct publish_message *m, uint64_t passed, int64_t now_us)
{
    struct suspect *s = &m->suspect;
    s->others_passed |= s->lost_alone++ > 0 && passed > s->passed;
    s->passed = passed;
    s->not_before_us = suspects_is_proved(s) ? now_us : now_us + pause_s(s) * 1000000;
    shared_count(COUNT_SET_ASIDE);
    LOG(LOG_WARN, "publish_set_aside", LOG_TEXT("id", m->message_id), LOG_TEXT("exchange", m->exchange),
        LOG_TEXT("key", m->routing_key), LOG_NUM("times", s->lost_alone),
        LOG_NUM("seconds", (s->not_before_us - now_us) / 1000000));
}

bool suspects_is_proved(const struct suspect *s)
{
    return s->lost_alone >= SUSPECTS_LOST && s->others_passed;
}
