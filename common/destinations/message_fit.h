#ifndef NOTIFY_DESTINATIONS_MESSAGE_FIT_H
#define NOTIFY_DESTINATIONS_MESSAGE_FIT_H

#include "common/base/buf.h"
#include "common/destinations/message.h"

/* Appends M to OUT without the parts that were dropped. LEFT_OUT names these; NULL when there are none. */
typedef void message_layout(const struct message *m, const char *left_out, int layout, struct buf *out);

/*
 * For a chat, which does without details: append to OUT the message of EVENT as LAY makes it, without as many of its
 * parts as have to go so that it has at most MAX bytes. OUT overflows, and gets nothing, when what LAY always shows does
 * not fit.
 */
void message_fit(const struct event *event, const struct facts *facts, message_layout *lay, int layout,
                 size_t max, struct buf *out);

#endif
