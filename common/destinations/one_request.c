/*
 * one_request - the conversation of a destination that needs a single request for an event
 *
 * Pure. Most destinations are this, a body and a way to read answers. The body is shared: it is built for the first
 * integration of an event that asks for its layout. Several jobs in one conversation are told in one message.
 */
#include "common/base/check.h"
#include "common/destinations/digest.h"

enum { STEP_SENT = 1 };

/* A digest is of these jobs and nobody else's: such a conversation has a cache of its own. */
static void build_body(const struct conversation *c, int layout, dest_body_builder *build, struct buf *out)
{
    struct digest digest;
    if (c->job_count == 1) {
        build(c->jobs[0].event, c->jobs[0].facts, layout, out);
        return;
    }
    digest_build(&digest, c);
    build(&digest.event, &digest.facts, layout, out);
}

const struct buf *dest_cached_body(const struct conversation *c, int layout, dest_body_builder *build)
{
    struct dest_body_cache *cache = c->cache;
    check(layout >= 0 && layout < DEST_LAYOUTS_MAX);
    if (!cache->layouts[layout].built) {
        build_body(c, layout, build, &cache->layouts[layout].body);
        cache->layouts[layout].built = true;
    }
    return &cache->layouts[layout].body;
}

static enum dest_next end_all(struct conversation *c, struct verdict v)
{
    for (size_t i = 0; i < c->job_count; i++)
        c->jobs[i].verdict = v;
    return DEST_FINISHED;
}

enum dest_next dest_one_request(struct conversation *c, const struct dest_response *last,
                                struct dest_request *out, const char *url, int layout,
                                dest_body_builder *build, dest_judge *judge)
{
    check(c->job_count > 0 && c->cache != NULL && c->is_test == (c->jobs[0].event == NULL));
    if (last) {
        check(c->step == STEP_SENT);
        return end_all(c, judge(last));
    }
    const struct buf *body = dest_cached_body(c, layout, build);
    if (body->overflow)
        return end_all(c, verdict_too_long());
    dest_request_post_json(out, url, body);
    c->step = STEP_SENT;
    return DEST_SEND;
}
