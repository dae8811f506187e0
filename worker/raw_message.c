/*
 * raw_message - looking things up in a message that is not yet understood
 *
 * Pure. Header names compare exactly, as AMQP field tables do. A message has a few dozen headers at most, so
 * a walk is quicker than an index.
 */
#include "worker/raw_message.h"

#include <string.h>

const struct raw_header *raw_message_header(const struct raw_message *message, const char *name)
{
    for (size_t i = 0; i < message->header_count; i++)
        if (strcmp(message->headers[i].name, name) == 0)
            return &message->headers[i];
    return NULL;
}

const char *raw_message_header_text(const struct raw_message *message, const char *name)
{
    const struct raw_header *header = raw_message_header(message, name);
    return header && header->kind == RAW_HEADER_TEXT ? header->text : NULL;
}
