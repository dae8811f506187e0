#ifndef NOTIFY_WORKER_SHADOW_REQUEST_H
#define NOTIFY_WORKER_SHADOW_REQUEST_H

#include "common/base/fernet.h"
#include "common/egress/transfer.h"
#include "worker/rules.h"
#include "worker/shadow_rows.h"

/* What is the same for all deliveries of an event. */
struct shadow_render {
    const struct conf *conf;
    const struct fernet_keys *keys;
    const struct transfer_settings *transfer;
    struct arena *arena; /* what the rows show lives here */
    const struct event *event;
    const struct facts *facts;
};

/*
 * What would be sent of the event to INTEGRATION, whose settings are opened: fills verdict, reason, detail and the request of
 * ROW. CACHE: of the event, for this kind. Nothing is sent.
 */
void shadow_request(const struct shadow_render *render, const struct rules_integration *integration,
                    struct dest_body_cache *cache, struct shadow_row *row);

#endif
