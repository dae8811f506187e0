/*
 * A request of remote control with any body, ticket, destination and pattern, and the globs by themselves.
 *
 * Input: a byte; the clock's kind and bytes; then the body. With the first byte's lowest bit set instead: a pattern and a
 * text that end with NUL.
 */
#include "common/base/check.h"
#include "tests/fuzz/fuzz.h"
#include "worker/presence_request.h"

static void check_texts(const struct presence_request *r)
{
    check(r->method && r->method[0] && strlen(r->method) <= PRESENCE_METHOD_BYTES);
    check(!r->reply_exchange == !(r->reply_exchange && r->reply_key));
    check(!r->reply_exchange || (r->reply_exchange[0] && strlen(r->reply_exchange) <= 255));
    check(!r->reply_key || (r->reply_key[0] && strlen(r->reply_key) <= 255));
    check(!r->ticket || strlen(r->ticket) <= 255);
    check(!r->arguments || json_object_is_type(r->arguments, json_type_object));
    check(r->clock >= 0 && r->clock < INT64_C(1) << 53);
}

static void check_request(struct fuzz_input *in, struct arena *a)
{
    struct raw_header clock = {.name = "clock", .kind = (enum raw_header_kind)(fuzz_byte(in) % 5)};
    int n;
    clock.text = "1";
    clock.size = 1;
    clock.number = (int64_t)((uint64_t)fuzz_byte(in) << 56 | fuzz_byte(in));
    char *body = mem_dup(in->data, in->size); /* its own block, and no NUL behind it */
    struct raw_message raw = {.body = body,
                              .body_size = in->size,
                              .announced_size = in->size,
                              .headers = &clock,
                              .header_count = 1};
    struct presence_request r;
    const char *why = NULL;
    enum presence_request_result result = presence_request_read(&raw, a, "celery@host", &r, &why);
    if (result == PRESENCE_REQUEST_OURS || result == PRESENCE_REQUEST_UNMATCHABLE) {
        check_texts(&r);
        const char *queue = presence_argument_text(&r, a, "queue", 255);
        check(!queue || (queue[0] && strlen(queue) <= 255));
        if (presence_argument_number(&r, "n", 1, 256, 1, &n))
            check(n >= 1 && n <= 256);
    }
    check(result == PRESENCE_REQUEST_OURS || result == PRESENCE_REQUEST_OTHERS || why);
    presence_request_free(&r);
    free(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct arena a;
    arena_init(&a, 256);
    if (fuzz_byte(&in) & 1) {
        const char *pattern = fuzz_text(&in, &a, NULL), *text = fuzz_text(&in, &a, NULL);
        if (strlen(pattern) < 256 && strlen(text) < 256) {
            bool matches = presence_glob(pattern, text);
            check(!matches || pattern[0] || !text[0]);
        }
        check(presence_glob("*", text));
    } else {
        check_request(&in, &a);
    }
    arena_free(&a);
    return 0;
}
