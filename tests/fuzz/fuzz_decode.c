/*
 * A message with any body, properties and headers, through the decoder and what follows from it (decode_check.h).
 *
 * Input: a byte of flags, then texts that end with NUL: content type, encoding, message id, then as many
 * headers as the flags say (name, a byte for the kind, value), and the rest is the body.
 */
#include <zlib.h>

#include "tests/fuzz/decode_check.h"
#include "tests/fuzz/fuzz.h"

enum { HEADERS_MAX = 8 };

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
    raw.announced_size = raw.body_cut ? 1 << 20 : raw.body_size;
    decode_check(&a, &raw);
    free(body);
    arena_free(&a);
    return 0;
}
