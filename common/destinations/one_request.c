/*
 * one_request - the conversation of a destination that needs a single request for an event
 *
 * Pure. Most destinations are this, a body and a way to read answers. The body is shared: it is built for the first
 * integration of an event that asks for its layout.
 */
#include "common/base/check.h"
#include "common/destinations/dest.h"

enum { STEP_SENT = 1 };

const struct buf *dest_cached_body(const struct conversation *c, int layout, dest_body_builder *build)
{
    struct dest_body_cache *cache = c->cache;
    check(layout >= 0 && layout < DEST_LAYOUTS_MAX);
    if (!cache->layouts[layout].built) {
        build(c->jobs[0].event, c->jobs[0].facts, layout, &cache->layouts[layout].body);
        cache->layouts[layout].built = true;
    }
    return &cache->layouts[layout].body;
}

enum dest_next dest_one_request(struct conversation *c, const struct dest_response *last,
                                struct dest_request *out, const char *url, int layout,
                                dest_body_builder *build, dest_judge *judge)
{
    check(c->job_count == 1 && c->cache != NULL && c->is_test == (c->jobs[0].event == NULL));
    if (last) {
        check(c->step == STEP_SENT);
        c->jobs[0].verdict = judge(last);
        return DEST_FINISHED;
    }
    const struct buf *body = dest_cached_body(c, layout, build);
    if (body->overflow) {
        c->jobs[0].verdict = verdict_too_long();
        return DEST_FINISHED;
    }
    dest_request_post_json(out, url, body);
    c->step = STEP_SENT;
    return DEST_SEND;
}
