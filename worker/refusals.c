/* refusals - which ways through the broker take nothing, and since when */
#include "worker/refusals.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/model/event.h"
#include "worker/publish.h"

/* A line per message would be thousands per second when a queue is full; it says the same. */
enum { SAY_EVERY_US = 10 * 1000000 };

static size_t way_of(const struct publish_message *m)
{
    uint64_t h = hash_more(HASH_START, m->exchange, strlen(m->exchange) + 1);
    return hash_more(h, m->routing_key, strlen(m->routing_key)) % REFUSALS_WAYS;
}

/* The event that M is about, as far as the log names it. */
static struct event event_of(const struct publish_message *m)
{
    struct event event = {.id = m->message_id};
    for (size_t i = 0; i < m->header_count; i++)
        if (m->headers[i].text && strcmp(m->headers[i].name, TRACE_PARENT_HEADER) == 0)
            trace_parse(&event.trace, m->headers[i].text, strlen(m->headers[i].text));
    return event;
}

int64_t refusals_add(struct refusals *r, const struct publish_message *m, int64_t now_us)
{
    size_t way = way_of(m);
    if (!r->ways[way].since_us)
        r->ways[way].since_us = now_us;
    r->ways[way].unsaid++;
    if (!r->ways[way].said_us || now_us - r->ways[way].said_us >= SAY_EVERY_US ||
        m->returned != r->ways[way].returned) {
        const struct event event = event_of(m);
        LOG(LOG_WARN, m->returned ? "publish_returned" : "publish_refused", LOG_TEXT("exchange", m->exchange),
            LOG_TEXT("key", m->routing_key), LOG_EVENT(&event), LOG_NUM("messages", r->ways[way].unsaid));
        r->ways[way].said_us = now_us;
        r->ways[way].returned = m->returned;
        r->ways[way].unsaid = 0;
    }
    return r->ways[way].since_us;
}

void refusals_end(struct refusals *r, const struct publish_message *m)
{
    size_t way = way_of(m);
    if (!r->ways[way].since_us)
        return;
    int64_t lasted_us = clock_mono_us() - r->ways[way].since_us;
    if (lasted_us >= SAY_EVERY_US) /* a queue that is just full refuses and takes by turns */
        LOG(LOG_INFO, "publish_taken_again", LOG_TEXT("exchange", m->exchange),
            LOG_TEXT("key", m->routing_key), LOG_NUM("seconds", lasted_us / 1000000));
    r->ways[way].since_us = 0;
}

void refusals_forget(struct refusals *r)
{
    memset(r, 0, sizeof *r);
}
