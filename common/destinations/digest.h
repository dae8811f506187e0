#ifndef NOTIFY_DESTINATIONS_DIGEST_H
#define NOTIFY_DESTINATIONS_DIGEST_H

#include "common/destinations/dest.h"

/*
 * Many new findings of one scan as one message of a chat. What makes messages (message.h, wording.h) gets it as an event of the
 * scan whose facts have a digest, so every chat tells it in its own layout.
 */
struct digest {
    struct event event;
    struct facts facts;
    struct facts_digest many;
};

/* Of the jobs of C, two or more, all of finding_new of one scan. What it refers to is theirs. */
void digest_build(struct digest *out, const struct conversation *c);

#endif
