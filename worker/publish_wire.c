/*
 * publish_wire - a message as a basic.publish
 *
 * Writes what publish.h describes in the words of AMQP: properties, a table of headers, a body that fits one frame.
 * Everything is persistent and mandatory. The correlation id is the sequence number under which the broker will
 * confirm it, so that one that comes back can be told from its like. Decides nothing: whether and when to send is
 * publish.c's.
 */
#include "worker/publish_wire.h"

#include <amqp.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/check.h"

static size_t size_of(const char *text)
{
    return text ? strlen(text) : 0;
}

size_t publish_wire_size(const struct publish_message *m)
{
    enum { FIXED = 128, PER_HEADER = 16 };
    size_t size = FIXED + size_of(m->exchange) + size_of(m->routing_key) + size_of(m->content_type) +
                  size_of(m->message_id) + m->body_size;
    for (size_t i = 0; i < m->header_count; i++)
        size += PER_HEADER + size_of(m->headers[i].name) + size_of(m->headers[i].text);
    return size;
}

bool publish_wire_send(struct amqp_link *link, const struct publish_message *m, uint64_t sequence)
{
    char correlation[24];
    amqp_table_entry_t entries[PUBLISH_HEADERS_MAX];
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_HEADERS_FLAG |
                  AMQP_BASIC_CORRELATION_ID_FLAG,
        .content_type = amqp_cstring_bytes(m->content_type),
        .delivery_mode = 2,
        .headers = {(int)m->header_count, entries},
    };
    snprintf(correlation, sizeof correlation, "%" PRIu64, sequence);
    properties.correlation_id = amqp_cstring_bytes(correlation);
    if (m->message_id) {
        properties._flags |= AMQP_BASIC_MESSAGE_ID_FLAG;
        properties.message_id = amqp_cstring_bytes(m->message_id);
    }
    for (size_t i = 0; i < m->header_count; i++) {
        entries[i].key = amqp_cstring_bytes(m->headers[i].name);
        if (m->headers[i].text) {
            entries[i].value.kind = AMQP_FIELD_KIND_UTF8;
            entries[i].value.value.bytes = amqp_cstring_bytes(m->headers[i].text);
        } else {
            entries[i].value.kind = AMQP_FIELD_KIND_I64;
            entries[i].value.value.i64 = m->headers[i].number;
        }
    }
    /* The library leaves the last part of a body of an exact multiple of a frame in the kernel for 200 ms.
     * Ours are smaller than one frame. */
    check(m->body_size < AMQP_LINK_FRAME_MAX - 8);
    amqp_bytes_t body = {m->body_size, (char *)m->body};
    int status =
        amqp_basic_publish(amqp_link_connection(link), AMQP_LINK_CHANNEL, amqp_cstring_bytes(m->exchange),
                           amqp_cstring_bytes(m->routing_key), 1, 0, &properties, body);
    return amqp_link_sent(link, status, "basic.publish");
}
