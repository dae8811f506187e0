#ifndef NOTIFY_WORKER_BUNDLE_H
#define NOTIFY_WORKER_BUNDLE_H

#include "common/base/list.h"
#include "worker/parts.h"
#include "worker/talk.h"

/*
 * Deliveries of one integration that share a conversation: events in one request, findings in one message. It is admitted
 * once for all, each member takes its row, and each hears its own verdict.
 */
struct bundle;

/* A delivery in it, embedded; the holder fills the first part and joins. */
struct bundle_member {
    struct conversation_job *item; /* the verdict is written there */
    /* As of a conversation of its own; also the result, but for what has been written to its arena: that is the bundle's, and
     * lives until bundle_release. Its callbacks are not called. */
    struct talk *talk;
    /* Exactly one of the two is called, once, later: it may begin, so it takes its row and says bundle_ready or bundle_leave ... */
    void (*admitted)(struct bundle_member *member);
    /* ... or it stays where it is; release it. */
    void (*held_back)(struct bundle_member *member);
    /* After bundle_ready: its verdict is there. Release it when what is the bundle's is not needed any more. */
    void (*concluded)(struct bundle_member *member);

    /* Private. */
    struct list link;
    struct bundle *bundle;
};

/* COUNT are to come: each joins, or does not. */
struct bundle *bundle_new(struct parts *parts, size_t count);
/* False: the integration has changed since the others joined, and the member goes by itself. */
bool bundle_join(struct bundle *b, struct bundle_member *member);
/* One of those that were to come does not. The bundle may be gone afterwards. */
void bundle_miss(struct bundle *b);
/*
 * Those that nobody gathers: MEMBER joins the bundle of its integration that has not been admitted yet and has less than MOST
 * members, or begins one. So what waits for a destination goes together, and what is alone waits for nobody.
 */
struct bundles;
struct bundles *bundles_new(void);
void bundles_free(struct bundles *all);
void bundles_join(struct bundles *all, struct bundle_member *member, size_t most);
/* Admitted, and its row is taken. */
void bundle_ready(struct bundle_member *member);
/* Admitted, but not to begin. The member is released. */
void bundle_leave(struct bundle_member *member);
void bundle_release(struct bundle_member *member);
/* Which one it is, as the ledger keeps it; NULL: it has one member, and is none. */
const struct uuid *bundle_id(const struct bundle_member *member);

#endif
