#ifndef NOTIFY_WORKER_PUBLISH_FOREIGN_H
#define NOTIFY_WORKER_PUBLISH_FOREIGN_H

#include <amqp.h>
#include <amqp_framing.h>

#include "worker/amqp_link.h"
#include "worker/publish.h"

/* Our header on what we pass on: text, the number under which it was sent. Who sees it again has been here before. */
#define PUBLISH_FOREIGN_MARK "x-notify-shadow"

/* The properties with which FOREIGN is published under MARK, in *OUT; they live in POOL and in what FOREIGN and MARK point to. */
void publish_foreign_properties(const struct publish_foreign *foreign, const char *mark, amqp_pool_t *pool,
                                amqp_basic_properties_t **out);
/* At most the bytes that MESSAGE, which has `foreign`, takes on the wire. */
size_t publish_foreign_size(const struct publish_message *message);
/* As publish_wire_send. */
bool publish_foreign_send(struct amqp_link *link, const struct publish_message *message, uint64_t sequence);

#endif
