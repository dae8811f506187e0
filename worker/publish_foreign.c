/*
 * publish_foreign - somebody else's message, published once more
 *
 * Pure but for the sending. Body, properties and headers go as they came, so that whoever reads them next finds what the
 * producer said, with its types. Left out is what would do something else on a second way through the broker:
 *
 *   CC, BCC                              the broker would route copies
 *   user_id                              the broker closes the channel of who is not that user
 *   x-death and what belongs to it,      another queue counted there: 4.0 does not read them, but earlier ones take the second
 *   x-delivery-count                     trip for a cycle and drop the message
 *   reply_to "amq.rabbitmq.reply-to"     the broker closes the channel that has no such consumer
 *
 * `expiration` counts anew from here. The caller says what is left where the message says until when it is good; that only ever
 * shortens it, for the broker closes the channel at one beyond its maximum (315,360,000,000 ms in RabbitMQ 3.10).
 *
 * Our mark stands first in the table of headers: a message that comes back is known by it, since its correlation id is its
 * producer's. There is room for it, since amqp_frames leaves some; were there none, the message would go without.
 */
#include "worker/publish_foreign.h"

#include <amqp.h>
#include <amqp_framing.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/check.h"
#include "worker/shared.h"

enum { FRAME_FIXED = 20, POOL_PAGE = 4096 };

static bool is_text(amqp_bytes_t bytes, const char *text)
{
    return bytes.len == strlen(text) && memcmp(bytes.bytes, text, bytes.len) == 0;
}

static bool begins_with(amqp_bytes_t bytes, const char *text)
{
    return bytes.len >= strlen(text) && memcmp(bytes.bytes, text, strlen(text)) == 0;
}

static bool is_left_out(amqp_bytes_t name)
{
    static const char *const names[] = {
        "CC", "BCC", "x-delivery-count", "x-acquired-count", "x-death", PUBLISH_FOREIGN_MARK};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (is_text(name, names[i]))
            return true;
    return begins_with(name, "x-first-death-") || begins_with(name, "x-last-death-");
}

/* ENTRIES has room for one more than TABLE has. */
static void copy_headers(const amqp_table_t *table, const char *mark, amqp_table_entry_t *entries,
                         amqp_table_t *out)
{
    entries[0].key = amqp_cstring_bytes(PUBLISH_FOREIGN_MARK);
    entries[0].value.kind = AMQP_FIELD_KIND_UTF8;
    entries[0].value.value.bytes = amqp_cstring_bytes(mark);
    *out = (amqp_table_t){1, entries};
    for (int i = 0; i < table->num_entries; i++)
        if (!is_left_out(table->entries[i].key))
            entries[out->num_entries++] = table->entries[i];
}

/* As the broker reads it: digits, and nothing else. One that cannot be read is left as it is. */
static bool is_longer(amqp_bytes_t expiration, int64_t left_ms)
{
    const char *digits = expiration.bytes;
    int64_t ms = 0;
    for (size_t i = 0; i < expiration.len; i++) {
        if (digits[i] < '0' || digits[i] > '9' || ms > INT64_MAX / 10 - 1)
            return false;
        ms = ms * 10 + (digits[i] - '0');
    }
    return ms > left_ms;
}

static void set_expiration(amqp_basic_properties_t *p, amqp_pool_t *pool, const struct publish_foreign *f)
{
    enum { DIGITS = 24 };
    if (!f->has_left || !(p->_flags & AMQP_BASIC_EXPIRATION_FLAG))
        return;
    if (f->left_ms <= 0) {
        p->_flags &= ~(amqp_flags_t)AMQP_BASIC_EXPIRATION_FLAG;
    } else if (is_longer(p->expiration, f->left_ms)) {
        char *text = amqp_pool_alloc(pool, DIGITS);
        mem_check(text);
        snprintf(text, DIGITS, "%" PRId64, f->left_ms);
        p->expiration = amqp_cstring_bytes(text);
    }
}

static bool fits_a_frame(amqp_basic_properties_t *p)
{
    char encoded[AMQP_LINK_FRAME_MAX - FRAME_FIXED];
    amqp_bytes_t room = {sizeof encoded, encoded};
    return amqp_encode_properties(AMQP_BASIC_CLASS, p, room) >= 0;
}

static void change_properties(amqp_basic_properties_t *p, amqp_pool_t *pool, const struct publish_foreign *f,
                              const char *mark)
{
    amqp_table_t none = {0, NULL}, *headers = p->_flags & AMQP_BASIC_HEADERS_FLAG ? &p->headers : &none;
    size_t room = ((size_t)headers->num_entries + 1) * sizeof(amqp_table_entry_t);
    amqp_table_entry_t *entries = amqp_pool_alloc(pool, room);
    amqp_table_t marked;
    mem_check(entries);
    copy_headers(headers, mark, entries, &marked);
    p->headers = marked;
    p->_flags |= AMQP_BASIC_HEADERS_FLAG;
    p->_flags &= ~(amqp_flags_t)AMQP_BASIC_USER_ID_FLAG;
    if (p->_flags & AMQP_BASIC_REPLY_TO_FLAG && is_text(p->reply_to, "amq.rabbitmq.reply-to"))
        p->_flags &= ~(amqp_flags_t)AMQP_BASIC_REPLY_TO_FLAG;
    set_expiration(p, pool, f);
    if (!fits_a_frame(p))
        p->headers = (amqp_table_t){marked.num_entries - 1, entries + 1};
}

size_t publish_foreign_size(const struct publish_message *m)
{
    enum { FIXED = 256, PER_FRAME = 8 };
    const struct raw_message *raw = m->foreign->raw;
    size_t frames = raw->body_size / (AMQP_LINK_FRAME_MAX - PER_FRAME) + 1;
    return FIXED + strlen(m->routing_key) + raw->properties_size + raw->body_size + frames * PER_FRAME;
}

static int send_body(amqp_connection_state_t connection, const struct raw_message *raw)
{
    enum { MOST = AMQP_LINK_FRAME_MAX - 8 };
    int status = AMQP_STATUS_OK;
    for (size_t at = 0; at < raw->body_size && status >= 0; at += MOST) {
        size_t left = raw->body_size - at;
        amqp_frame_t frame = {.frame_type = AMQP_FRAME_BODY, .channel = AMQP_LINK_CHANNEL};
        frame.payload.body_fragment = (amqp_bytes_t){left < MOST ? left : MOST, (char *)raw->body + at};
        status = amqp_send_frame(connection, &frame);
        shared_alive(); /* as long as the broker reads, it is only slow */
    }
    return status;
}

/*
 * Frame by frame, for the library would cut a body only at what it takes from the broker (AMQP_LINK_FRAME_TAKEN). One of many
 * frames finds room only when the socket is empty, and then may wait in the library for a broker that stops reading in the
 * middle: until the watchdog, which is the bound for each frame. Events have a few hundred bytes.
 */
static int send_all(amqp_connection_state_t connection, const struct publish_message *m,
                    amqp_basic_properties_t *properties)
{
    const struct raw_message *raw = m->foreign->raw;
    amqp_basic_publish_t method = {.exchange = amqp_cstring_bytes(m->exchange),
                                   .routing_key = amqp_cstring_bytes(m->routing_key),
                                   .mandatory = 1};
    amqp_frame_t header = {.frame_type = AMQP_FRAME_HEADER, .channel = AMQP_LINK_CHANNEL};
    header.payload.properties.class_id = AMQP_BASIC_CLASS;
    header.payload.properties.body_size = raw->body_size;
    header.payload.properties.decoded = properties;
    int status = amqp_send_method(connection, AMQP_LINK_CHANNEL, AMQP_BASIC_PUBLISH_METHOD, &method);
    if (status >= 0)
        status = amqp_send_frame(connection, &header);
    return status >= 0 ? send_body(connection, raw) : status;
}

void publish_foreign_properties(const struct publish_foreign *f, const char *mark, amqp_pool_t *pool,
                                amqp_basic_properties_t **out)
{
    amqp_bytes_t encoded = {f->raw->properties_size, (char *)f->raw->properties};
    void *decoded = NULL;
    int status = amqp_decode_properties(AMQP_BASIC_CLASS, pool, encoded, &decoded);
    mem_check(status != AMQP_STATUS_NO_MEMORY);
    check(status >= 0); /* they were encoded here */
    change_properties(decoded, pool, f, mark);
    *out = decoded;
}

bool publish_foreign_send(struct amqp_link *link, const struct publish_message *m, uint64_t sequence)
{
    amqp_basic_properties_t *properties;
    amqp_pool_t pool;
    char mark[24];
    snprintf(mark, sizeof mark, "%" PRIu64, sequence);
    init_amqp_pool(&pool, POOL_PAGE);
    publish_foreign_properties(m->foreign, mark, &pool, &properties);
    int status = send_all(amqp_link_connection(link), m, properties);
    empty_amqp_pool(&pool);
    return amqp_link_sent(link, status, "basic.publish");
}
