/*
 * A message with any body, properties and headers. Whatever comes out keeps decode.h's promises: an event is
 * complete, its texts are storable and within their limits; a reject has a reason and a detail.
 *
 * Input: a byte of flags, then texts that end with NUL: content type, encoding, message id, then as many
 * headers as the flags say (name, a byte for the kind, value), and the rest is the body.
 */
#include <zlib.h>

#include "common/base/utf8.h"
#include "tests/fuzz/fuzz.h"
#include "worker/decode.h"

enum { HEADERS_MAX = 8 };

static const char *event_tasks[] = {"notify_event"};
static const char *expand_tasks[] = {"notify_scan_findings"};
static const struct conf conf = {
    .limits_message_bytes = 4096,
    .tasks_notify_event = {event_tasks, 1},
    .tasks_notify_scan_findings = {expand_tasks, 1},
};

static void make_header(struct fuzz_input *in, struct arena *a, struct raw_header *h)
{
    h->name = fuzz_text(in, a, NULL);
    uint8_t kind = fuzz_byte(in);
    h->kind = (enum raw_header_kind)(kind % 5);
    h->text = fuzz_text(in, a, &h->size);
    if (h->kind == RAW_HEADER_INT)
        memcpy(&h->number, h->text, h->size < sizeof h->number ? h->size : sizeof h->number);
    if (kind >= 128 && h->size > 2)
        ((char *)h->text)[h->size / 2] = 0; /* a NUL inside */
}

static void check_text(const char *text, size_t max)
{
    if (text)
        check(strlen(text) <= max && utf8_is_storable(text, strlen(text)));
}

static void check_decoded(enum decode_result result, const struct decoded *d)
{
    check_text(d->event.id, EVENT_ID_MAX);
    check_text(d->event.change_summary, EVENT_TEXT_MAX);
    check_text(d->event.error, EVENT_TEXT_MAX);
    check_text(d->detail, 512);
    if (result == DECODE_REJECT) {
        check(d->reason != REASON_NONE && d->reason < REASON_COUNT && d->detail && *d->detail);
        return;
    }
    check(d->reason == REASON_NONE && d->event.id && *d->event.id && d->attempt >= 1);
    check((unsigned)d->event.type < EVENT_TYPE_COUNT);
    check(event_is_about_finding(d->event.type) == d->event.has_finding);
    check(!d->event.expand || (d->event.type == EVENT_SCAN_DONE && !d->has_integration));
}

/* For inputs that want it, the body is compressed first: a fuzzer does not find zlib's checksum. */
static char *pack(struct arena *a, const char *body, size_t *n)
{
    uLongf size = compressBound(*n);
    char *out = arena_alloc(a, size);
    check(compress((Bytef *)out, &size, (const Bytef *)body, *n) == Z_OK);
    *n = size;
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct raw_header headers[HEADERS_MAX] = {0};
    struct raw_message raw = {.headers = headers, .queue = "notify"};
    struct decoded out;
    struct arena a;
    arena_init(&a, 64);
    uint8_t flags = fuzz_byte(&in);
    raw.content_type = flags & 64 ? fuzz_text(&in, &a, NULL) : "application/json";
    raw.content_encoding = flags & 64 ? fuzz_text(&in, &a, NULL) : NULL;
    raw.message_id = flags & 128 ? fuzz_text(&in, &a, NULL) : NULL;
    raw.from_own_queue = flags & 16;
    raw.header_count = flags & 7;
    for (size_t i = 0; i < raw.header_count; i++)
        make_header(&in, &a, &headers[i]);
    char *body = mem_dup(in.data, in.size); /* its own block, and no NUL behind it */
    raw.body = body;
    raw.body_size = in.size;
    if (flags & 8) {
        raw.body = pack(&a, body, &raw.body_size);
        headers[raw.header_count++] =
            (struct raw_header){.name = "compression", .kind = RAW_HEADER_TEXT, .text = "gzip", .size = 4};
    }
    raw.body_cut = flags == 0xff;
    enum decode_result result = decode_message(&conf, &a, &raw, 1795312755000000, &out);
    check_decoded(result, &out);
    free(body);
    arena_free(&a);
    return 0;
}
