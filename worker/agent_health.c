/*
 * agent_health - whether restarting the pool might help
 *
 * States: good -> suspect (the broker lets us in and no worker consumes) -> bad, after agent.not_consuming -> good. A broker that is
 * away, or lets nobody in, makes nothing bad: workers come back by themselves, and a pool that is restarted meanwhile only loses
 * what it has in hand. Nor does the database: without it workers consume, and hold what they have.
 *
 * A cut that nobody announces is noticed by each connection for itself, within two heartbeats; so suspicion lasts that long at
 * least, or the connection that notices last would make the others look idle.
 */
#include "worker/agent_health.h"

#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "worker/shared.h"

enum { LOGIN_SECONDS = 10 }; /* dialing and logging in, more than that takes */

struct agent_health {
    const struct conf *conf;
    int64_t idle_us;    /* monotonic; when a worker consumed last, or the first look */
    int64_t suspect_us; /* monotonic; since when it is; 0: it is not */
    bool bad;
};

struct agent_health *agent_health_new(const struct conf *conf)
{
    struct agent_health *h = mem_zalloc(sizeof *h);
    h->conf = conf;
    return h;
}

void agent_health_free(struct agent_health *h)
{
    free(h);
}

/*
 * A connection is up, or was let in since nobody consumes, and lately: all of them try again within that time. A login from before
 * says nothing, for it may have been the broker's last.
 */
static bool broker_is_there(const struct agent_health *h, const struct survey *s, int64_t now_us)
{
    double seconds = 2 * h->conf->broker_reconnect_max + LOGIN_SECONDS;
    return s->broker_links > 0 || (s->broker_us > h->idle_us && now_us - s->broker_us < clock_us(seconds));
}

static double patience(const struct agent_health *h)
{
    double heartbeats = 2 * (double)h->conf->broker_heartbeat;
    return h->conf->agent_not_consuming > heartbeats ? h->conf->agent_not_consuming : heartbeats;
}

static const char *why_bad(const struct survey *s)
{
    if (s->workers == 0)
        return "no worker lives: see child_ended in the log";
    if (s->draining == s->workers)
        return "all workers drain: what they have in hand does not end";
    return "workers run and do not come to consume: see broker_link_down and child_ended in the log, and "
           "notifyctl check";
}

static void be_good(struct agent_health *h, const struct survey *s)
{
    if (h->bad)
        LOG(LOG_INFO, "healthy", LOG_NUM("consuming", s->consuming));
    h->suspect_us = 0;
    h->bad = false;
}

static void suspect(struct agent_health *h, const struct survey *s, int64_t now_us)
{
    if (!h->suspect_us)
        h->suspect_us = now_us;
    if (h->bad || now_us - h->suspect_us < clock_us(patience(h)))
        return;
    h->bad = true;
    LOG(LOG_ERROR, "not_consuming", LOG_NUM("workers", s->workers), LOG_NUM("draining", s->draining),
        LOG_TEXT("why", why_bad(s)), LOG_TEXT("advice", "/healthz answers 503 until a worker consumes"));
}

void agent_health_tick(struct agent_health *h)
{
    struct survey s;
    int64_t now = clock_mono_us();
    survey_take(&s);
    bool consumes = s.consuming + s.cancelled > 0; /* as it was asked to */
    if (consumes || !h->idle_us)
        h->idle_us = now;
    if (consumes || !broker_is_there(h, &s, now))
        be_good(h, &s);
    else
        suspect(h, &s, now);
}

bool agent_health_is_good(const struct agent_health *h)
{
    return !h->bad;
}

void agent_health_describe(const struct agent_health *h, const struct survey *s, struct buf *out)
{
    buf_printf(out, h->bad ? "not consuming\n" : "ok\n");
    if (h->bad)
        buf_printf(out, "for %.0f s, while the broker is there; %s\n",
                   (double)(clock_mono_us() - h->suspect_us) / 1e6, why_bad(s));
    buf_printf(out, "workers %d, consuming from the broker %d, draining %d, connected to the database %d\n",
               s->workers, s->consuming, s->draining, s->with_database);
    if (s->cancelled > 0)
        buf_printf(out,
                   "workers whose producers' queues are all cancelled %d, which no restart is needed "
                   "for; " SURVEY_CANCELLED_ADVICE "\n",
                   s->cancelled);
}
