/*
 * amqp_frames - frames of one channel to whole messages
 *
 * Owns the message that is being put together. The library's own amqp_read_message waits without a deadline
 * and loses frames of other channels; this takes one frame at a time and never waits. All bytes are copied,
 * because the library's memory goes after each frame. The announced size of a body is 64 bits from outside:
 * no more than body_max, or whole_max, is ever kept, and the rest is counted, hashed and dropped. Of headers, the first are kept,
 * and it is noted when those are not all.
 */
#include "worker/amqp_frames.h"

#include <string.h>

#include "common/base/check.h"
#include "worker/amqp_link.h"

/* Twice what a producer can put into one frame of RabbitMQ's default, since the frame grows on its way. */
enum {
    HEADERS_MAX = 256,
    HEADER_BYTES_MAX = 2 * AMQP_LINK_FRAME_MAX,
    ARENA_BLOCK = 4096,
    HEADER_FRAME_REST =
        64, /* of a header frame, beside its properties: 20 bytes, and room for our mark (publish_foreign) */
};

void amqp_frames_init(struct amqp_frames *f, size_t body_max)
{
    memset(f, 0, sizeof *f);
    f->body_max = body_max;
    arena_init(&f->arena, ARENA_BLOCK);
}

void amqp_frames_reset(struct amqp_frames *f)
{
    arena_free(&f->arena);
    if (f->hash)
        hash_sha256_end(f->hash, NULL);
    f->hash = NULL;
    f->state = FRAMES_IDLE;
}

static const char *copy(struct arena *a, amqp_bytes_t bytes)
{
    return arena_text(a, bytes.bytes, bytes.len);
}

static void read_header_value(struct arena *a, const amqp_field_value_t *v, struct raw_header *out)
{
    switch (v->kind) {
    case AMQP_FIELD_KIND_UTF8:
    case AMQP_FIELD_KIND_BYTES:
        out->kind = RAW_HEADER_TEXT;
        out->text = copy(a, v->value.bytes);
        out->size = v->value.bytes.len;
        return;
    case AMQP_FIELD_KIND_BOOLEAN:
        out->number = v->value.boolean != 0;
        break;
    case AMQP_FIELD_KIND_I8:
        out->number = (int64_t)v->value.i8;
        break;
    case AMQP_FIELD_KIND_U8:
        out->number = v->value.u8;
        break;
    case AMQP_FIELD_KIND_I16:
        out->number = v->value.i16;
        break;
    case AMQP_FIELD_KIND_U16:
        out->number = v->value.u16;
        break;
    case AMQP_FIELD_KIND_I32:
        out->number = v->value.i32;
        break;
    case AMQP_FIELD_KIND_U32:
        out->number = v->value.u32;
        break;
    case AMQP_FIELD_KIND_I64:
    case AMQP_FIELD_KIND_TIMESTAMP:
        out->number = v->value.i64;
        break;
    case AMQP_FIELD_KIND_U64:
        out->number = v->value.u64 > INT64_MAX ? INT64_MAX : (int64_t)v->value.u64;
        break;
    case AMQP_FIELD_KIND_F32:
        out->kind = RAW_HEADER_FLOAT;
        out->real = (double)v->value.f32;
        return;
    case AMQP_FIELD_KIND_F64:
        out->kind = RAW_HEADER_FLOAT;
        out->real = v->value.f64;
        return;
    case AMQP_FIELD_KIND_VOID:
        out->kind = RAW_HEADER_NULL;
        return;
    default:
        out->kind = RAW_HEADER_OTHER; /* arrays, tables, decimals: nothing we read */
        return;
    }
    out->kind = RAW_HEADER_INT;
}

static size_t bytes_of(const amqp_table_entry_t *e)
{
    bool text = e->value.kind == AMQP_FIELD_KIND_UTF8 || e->value.kind == AMQP_FIELD_KIND_BYTES;
    return e->key.len + (text ? e->value.value.bytes.len : 0);
}

static void read_headers(struct arena *a, const amqp_table_t *table, struct raw_message *raw)
{
    size_t all = (size_t)table->num_entries, n = 0, bytes = 0;
    while (n < all && n < HEADERS_MAX && (bytes += bytes_of(&table->entries[n])) <= HEADER_BYTES_MAX)
        n++;
    struct raw_header *headers = arena_alloc(a, n * sizeof *headers);
    for (size_t i = 0; i < n; i++) {
        headers[i].name = copy(a, table->entries[i].key);
        read_header_value(a, &table->entries[i].value, &headers[i]);
    }
    raw->headers = headers;
    raw->header_count = n;
    raw->headers_cut = all - n;
}

/* Those that grew beyond the frame that was agreed cannot be sent again: they are not kept. */
static void keep_properties(struct amqp_frames *f, amqp_basic_properties_t *p)
{
    char encoded[AMQP_LINK_FRAME_MAX - HEADER_FRAME_REST];
    amqp_bytes_t room = {sizeof encoded, encoded};
    int size = amqp_encode_properties(AMQP_BASIC_CLASS, p, room);
    if (size < 0)
        return;
    f->message.raw.properties = arena_text(&f->arena, encoded, (size_t)size);
    f->message.raw.properties_size = (size_t)size;
}

static void read_properties(struct amqp_frames *f, amqp_basic_properties_t *p, uint64_t body_size)
{
    struct raw_message *raw = &f->message.raw;
    if (p->_flags & AMQP_BASIC_CONTENT_TYPE_FLAG)
        raw->content_type = copy(&f->arena, p->content_type);
    if (p->_flags & AMQP_BASIC_CONTENT_ENCODING_FLAG)
        raw->content_encoding = copy(&f->arena, p->content_encoding);
    if (p->_flags & AMQP_BASIC_MESSAGE_ID_FLAG)
        raw->message_id = copy(&f->arena, p->message_id);
    if (p->_flags & AMQP_BASIC_TIMESTAMP_FLAG && p->timestamp < INT64_MAX / 1000000)
        raw->sent_us = (int64_t)p->timestamp * 1000000;
    if (p->_flags & AMQP_BASIC_HEADERS_FLAG)
        read_headers(&f->arena, &p->headers, raw);
    if (f->message.returned && p->_flags & AMQP_BASIC_CORRELATION_ID_FLAG)
        f->message.return_correlation = copy(&f->arena, p->correlation_id);
    if (f->keeps_properties && !f->message.returned)
        keep_properties(f, p);
    raw->announced_size = body_size;
    raw->body_cut = body_size > f->body_max;
    if (raw->body_cut)
        f->hash = hash_sha256_begin();
    f->body_room = raw->body_cut && body_size > f->whole_max ? f->body_max : (size_t)body_size;
    f->body = arena_alloc(&f->arena, f->body_room + 1);
    raw->body = f->body;
    raw->body_size = 0;
    f->body_seen = 0;
}

static enum amqp_frames_result finish(struct amqp_frames *f, struct amqp_frames_message *out,
                                      struct arena *arena)
{
    if (f->hash)
        hash_sha256_end(f->hash, f->message.raw.whole_hash);
    f->hash = NULL;
    *out = f->message;
    *arena = f->arena;
    arena_init(&f->arena, ARENA_BLOCK);
    f->state = FRAMES_IDLE;
    return FRAMES_WHOLE;
}

static enum amqp_frames_result take_method(struct amqp_frames *f, const amqp_method_t *method)
{
    if (method->id != AMQP_BASIC_DELIVER_METHOD && method->id != AMQP_BASIC_RETURN_METHOD)
        return FRAMES_OTHER;
    if (f->state != FRAMES_IDLE)
        return FRAMES_BROKEN;
    memset(&f->message, 0, sizeof f->message);
    if (method->id == AMQP_BASIC_DELIVER_METHOD) {
        const amqp_basic_deliver_t *m = method->decoded;
        f->message.delivery_tag = m->delivery_tag;
        f->message.consumer_tag = copy(&f->arena, m->consumer_tag);
        f->message.raw.redelivered = m->redelivered;
    } else {
        const amqp_basic_return_t *m = method->decoded;
        f->message.returned = true;
        f->message.return_code = m->reply_code;
        f->message.return_text = copy(&f->arena, m->reply_text);
        f->message.return_exchange = copy(&f->arena, m->exchange);
        f->message.return_key = copy(&f->arena, m->routing_key);
    }
    f->state = FRAMES_WANT_HEADER;
    return FRAMES_MORE;
}

static enum amqp_frames_result take_body(struct amqp_frames *f, amqp_bytes_t part,
                                         struct amqp_frames_message *out, struct arena *arena)
{
    struct raw_message *raw = &f->message.raw;
    size_t room = f->body_room - raw->body_size;
    size_t keep = part.len < room ? part.len : room;
    if (part.len > raw->announced_size - f->body_seen)
        return FRAMES_BROKEN;
    memcpy(f->body + raw->body_size, part.bytes, keep);
    raw->body_size += keep;
    if (f->hash)
        hash_sha256_piece(f->hash, part.bytes, part.len);
    f->body_seen += part.len;
    return f->body_seen == raw->announced_size ? finish(f, out, arena) : FRAMES_MORE;
}

enum amqp_frames_result amqp_frames_take(struct amqp_frames *f, const amqp_frame_t *frame,
                                         struct amqp_frames_message *out, struct arena *arena)
{
    switch (frame->frame_type) {
    case AMQP_FRAME_METHOD:
        return take_method(f, &frame->payload.method);
    case AMQP_FRAME_HEADER:
        /* The library decodes the properties of any class, to a struct of that class. */
        if (f->state != FRAMES_WANT_HEADER || frame->payload.properties.class_id != AMQP_BASIC_CLASS)
            return FRAMES_BROKEN;
        read_properties(f, frame->payload.properties.decoded, frame->payload.properties.body_size);
        f->state = FRAMES_WANT_BODY;
        return frame->payload.properties.body_size == 0 ? finish(f, out, arena) : FRAMES_MORE;
    case AMQP_FRAME_BODY:
        if (f->state != FRAMES_WANT_BODY)
            return FRAMES_BROKEN;
        return take_body(f, frame->payload.body_fragment, out, arena);
    default:
        return FRAMES_BROKEN;
    }
}
