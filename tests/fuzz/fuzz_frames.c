/*
 * The broker's side of a connection: bytes, as the library makes frames of them, put together to messages. Whatever comes
 * out is whole: no more of a body than the limit, texts that end, and an arena that holds all of it; and the decoder
 * understands it or says why not (decode_check.h). What is passed on of it fits a frame, bears our mark once and says nothing
 * that would lead it elsewhere.
 *
 * Input: a byte for the limit of a body, and then what the broker sends.
 */
#include "tests/fuzz/decode_check.h"
#include "tests/fuzz/fuzz.h"
#include "worker/amqp_frames.h"
#include "worker/publish_foreign.h"

enum { HEADERS_MOST = 256 };

static size_t sum_of(const char *text)
{
    return text ? strlen(text) : 0;
}

/* Every byte is read, so that one that is not there is noticed. */
static void check_whole(const struct amqp_frames_message *m, size_t body_max, size_t whole_max)
{
    const struct raw_message *raw = &m->raw;
    size_t seen = 0;
    check(raw->body_cut == (raw->announced_size > body_max));
    bool kept_part = raw->body_cut && raw->announced_size > whole_max;
    check(raw->body_size == (kept_part ? body_max : raw->announced_size));
    check(raw->header_count <= HEADERS_MOST);
    for (size_t i = 0; i < raw->body_size; i++)
        seen += (unsigned char)raw->body[i];
    for (size_t i = 0; i < raw->header_count; i++) {
        const struct raw_header *h = &raw->headers[i];
        seen += strlen(h->name);
        if (h->kind == RAW_HEADER_TEXT) {
            check(h->text[h->size] == 0);
            seen += strlen(h->text);
        }
    }
    seen += sum_of(raw->content_type) + sum_of(raw->content_encoding) + sum_of(raw->message_id);
    seen += sum_of(m->consumer_tag) + sum_of(m->return_text) + sum_of(m->return_exchange);
    seen += sum_of(m->return_key) + sum_of(m->return_correlation);
    check(m->returned ? m->return_text != NULL : m->consumer_tag != NULL);
    check(seen < SIZE_MAX);
}

static bool is_called(amqp_bytes_t name, const char *text)
{
    return name.len == strlen(text) && memcmp(name.bytes, text, name.len) == 0;
}

static void check_foreign(const struct raw_message *raw)
{
    struct publish_foreign foreign = {.raw = raw, .has_left = true, .left_ms = 1234567890123};
    amqp_basic_properties_t *p = NULL;
    amqp_pool_t pool;
    static char encoded[AMQP_LINK_FRAME_MAX - 20];
    init_amqp_pool(&pool, 4096);
    publish_foreign_properties(&foreign, "18446744073709551615", &pool, &p);
    check(amqp_encode_properties(AMQP_BASIC_CLASS, p, (amqp_bytes_t){sizeof encoded, encoded}) >= 0);
    check(!(p->_flags & AMQP_BASIC_USER_ID_FLAG));
    for (int i = 0; i < p->headers.num_entries; i++) {
        amqp_bytes_t name = p->headers.entries[i].key;
        check(!is_called(name, "CC") && !is_called(name, "BCC") && !is_called(name, "x-death"));
        check(i == 0 || !is_called(name, PUBLISH_FOREIGN_MARK));
    }
    empty_amqp_pool(&pool);
}

/* With properties and headers as the library reads them from the wire. */
static void decode_both(struct arena *arena, struct raw_message *raw)
{
    raw->queue = "notify";
    decode_check(arena, raw);
    raw->queue = "notify.due";
    raw->from_own_queue = true;
    decode_check(arena, raw);
}

/* False when the bytes after these are of no interest: the link would be closed. */
static bool take(struct amqp_frames *frames, const amqp_frame_t *frame)
{
    struct amqp_frames_message message;
    struct arena arena;
    enum amqp_frames_result result = amqp_frames_take(frames, frame, &message, &arena);
    if (result == FRAMES_WHOLE) {
        check_whole(&message, frames->body_max, frames->whole_max);
        if (message.raw.properties)
            check_foreign(&message.raw);
        if (!message.returned)
            decode_both(&arena, &message.raw);
        arena_free(&arena);
    }
    return result != FRAMES_BROKEN;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    size_t body_max = 4 * (size_t)fuzz_byte(&in), left = in.size;
    amqp_connection_state_t connection = amqp_new_connection();
    char *all = mem_alloc(left + 1), *at = all;
    struct amqp_frames frames;
    check(connection != NULL);
    memcpy(all, in.data, left);
    amqp_frames_init(&frames, body_max);
    frames.keeps_properties = true;
    frames.whole_max = body_max & 4 ? 2 * body_max : 0;
    while (left > 0) {
        amqp_frame_t frame;
        int eaten = amqp_handle_input(connection, (amqp_bytes_t){left, at}, &frame);
        if (eaten <= 0 || (size_t)eaten > left)
            break;
        at += eaten;
        left -= (size_t)eaten;
        if (frame.frame_type != 0 && frame.frame_type != AMQP_FRAME_HEARTBEAT && !take(&frames, &frame))
            break;
        amqp_maybe_release_buffers(connection);
    }
    amqp_frames_reset(&frames);
    amqp_destroy_connection(connection);
    free(all);
    return 0;
}
