/*
 * What a receiver sends back, byte by byte, through curl: an answer ends in a status or in an error, keeps within its
 * limits, and what is kept of it holds no piece of the address that it was sent to.
 *
 * Input: a byte for the limits, and the answer.
 */
#include "common/base/http_time.h"
#include "common/egress/snippet.h"
#include "tests/fuzz/fake_net.h"
#include "tests/fuzz/fuzz.h"

#define TOKEN  "T0KENT0KEN"
#define BEARER "b3arer-t0ken"

enum { HEADERS_STEP = 1024 };

static size_t response_most;

static void check_snippet(const struct transfer *t)
{
    char kept[SNIPPET_MAX];
    size_t n = snippet_take(kept, &t->request, &t->response);
    check(n == (t->response.body_size < SNIPPET_MAX ? t->response.body_size : SNIPPET_MAX));
    check(!memmem(kept, n, TOKEN, strlen(TOKEN)) && !memmem(kept, n, BEARER, strlen(BEARER)));
    for (size_t i = 0; i < n; i++)
        check(kept[i] == t->response.body[i] || kept[i] == '*');
}

static void on_done(struct transfer *t)
{
    const struct dest_response *r = &t->response;
    check(r->body_size <= response_most && r->body[r->body_size] == 0);
    check(!r->truncated || r->body_size == response_most);
    check((r->error == ERROR_NONE) == (r->status != 0) && r->error < ERROR_WORD_COUNT);
    check(r->status == 0 || (r->status >= 100 && r->status < 1000));
    check(r->retry_after >= 0 && r->retry_after <= HTTP_TIME_WAIT_MAX);
    check(r->error == ERROR_NONE || (r->retry_after == 0 && r->error_text && *r->error_text));
    check(fake_net.connections >= 1 || r->error == ERROR_TIMEOUT);
    check(r->error != ERROR_ADDRESS_REFUSED && r->error != ERROR_URL && r->error != ERROR_DNS);
    struct verdict v = verdict_from_status(r);
    check((v.kind == VERDICT_DELIVERED) == (r->status >= 200 && r->status < 300));
    check(r->error == ERROR_NONE || v.kind == VERDICT_RETRY);
    check_snippet(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct dest_request request = {.method = "POST",
                                   .url = "http://1.2.3.4/hooks/" TOKEN "?key=" TOKEN,
                                   .headers = {{"Authorization", "Bearer " BEARER}},
                                   .header_count = 1,
                                   .body = "{}",
                                   .body_size = 2};
    struct transfer_settings settings = {.timeout_s = FAKE_NET_PATIENCE_S,
                                         .connect_timeout_s = FAKE_NET_PATIENCE_S,
                                         .idle_connections = 2,
                                         .allow_http = true,
                                         .ca_file = "",
                                         .proxy = ""};
    uint8_t limits = fuzz_byte(&in);
    if (in.size > 100000)
        return 0;
    response_most = 8 + (size_t)(limits & 15) * 256;
    settings.max_response = response_most;
    settings.max_headers = HEADERS_STEP * (size_t)(1 + limits / 16);
    char *answer = mem_dup(in.data, in.size);
    fake_net.answer = answer;
    fake_net.answer_size = in.size;
    fake_net_transfer(&settings, &request, on_done);
    free(answer);
    return 0;
}
