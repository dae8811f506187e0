#ifndef NOTIFY_WORKER_PUBLISH_WIRE_H
#define NOTIFY_WORKER_PUBLISH_WIRE_H

#include "worker/amqp_link.h"
#include "worker/publish.h"

/* At most the bytes that MESSAGE takes on the wire: three frames, their fixed parts rounded up. */
size_t publish_wire_size(const struct publish_message *message);
/* Send MESSAGE as number SEQUENCE of the channel; there must be room for it. False: the link has failed. */
bool publish_wire_send(struct amqp_link *link, const struct publish_message *message, uint64_t sequence);

#endif
