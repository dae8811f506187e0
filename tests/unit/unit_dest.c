/*
 * What all destinations share: the list, the verdict that a status gives, ids and headers.
 */
#include <string.h>

#include "common/base/check.h"
#include "common/destinations/dest.h"
#include "tests/unit/unit.h"

/* ---- answers ---- */

static void a_status_gives_its_verdict(void)
{
    static const struct {
        long status;
        enum verdict_kind kind;
        enum reason reason;
        enum error_word error;
    } cases[] = {
        {200, VERDICT_DELIVERED, REASON_NONE, ERROR_NONE},
        {204, VERDICT_DELIVERED, REASON_NONE, ERROR_NONE},
        {299, VERDICT_DELIVERED, REASON_NONE, ERROR_NONE},
        {301, VERDICT_REJECTED, REASON_REJECTED, ERROR_REDIRECT},
        {304, VERDICT_REJECTED, REASON_REJECTED, ERROR_REDIRECT},
        {307, VERDICT_REJECTED, REASON_REJECTED, ERROR_REDIRECT},
        {400, VERDICT_REJECTED, REASON_REJECTED, ERROR_HTTP_STATUS},
        {401, VERDICT_REJECTED, REASON_REJECTED, ERROR_HTTP_STATUS},
        {404, VERDICT_REJECTED, REASON_REJECTED, ERROR_HTTP_STATUS},
        {408, VERDICT_RETRY, REASON_NONE, ERROR_HTTP_STATUS},
        {410, VERDICT_REJECTED, REASON_GONE, ERROR_HTTP_STATUS},
        {425, VERDICT_RETRY, REASON_NONE, ERROR_HTTP_STATUS},
        {429, VERDICT_RETRY, REASON_NONE, ERROR_HTTP_STATUS},
        {499, VERDICT_REJECTED, REASON_REJECTED, ERROR_HTTP_STATUS},
        {500, VERDICT_RETRY, REASON_NONE, ERROR_HTTP_STATUS},
        {503, VERDICT_RETRY, REASON_NONE, ERROR_HTTP_STATUS},
        {599, VERDICT_RETRY, REASON_NONE, ERROR_HTTP_STATUS},
        {600, VERDICT_REJECTED, REASON_REJECTED, ERROR_HTTP_STATUS},
        {101, VERDICT_RETRY, REASON_NONE, ERROR_BAD_ANSWER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dest_response r = {.status = cases[i].status, .body = "", .retry_after = 7};
        struct verdict v = verdict_from_status(&r);
        if (v.kind != cases[i].kind || v.reason != cases[i].reason || v.error != cases[i].error)
            unit_fail(__FILE__, __LINE__, "%ld: kind %d reason %d error %d", cases[i].status, v.kind,
                      v.reason, v.error);
        EXPECT(v.not_before == (v.kind == VERDICT_RETRY ? 7 : 0));
        EXPECT(v.kind == VERDICT_DELIVERED || v.detail != NULL);
    }
}

static void transport_errors_are_retried_and_refused_addresses_are_not(void)
{
    static const enum error_word retried[] = {
        ERROR_TIMEOUT,         ERROR_DNS,        ERROR_CONNECT, ERROR_TLS,
        ERROR_CONNECTION_LOST, ERROR_BAD_ANSWER, ERROR_OTHER};
    for (size_t i = 0; i < sizeof retried / sizeof retried[0]; i++) {
        struct dest_response r = {.error = retried[i], .error_text = "curl's words"};
        struct verdict v = verdict_from_status(&r);
        EXPECT_INT(v.kind, VERDICT_RETRY);
        EXPECT_INT(v.error, retried[i]);
        EXPECT_TEXT(v.detail, "curl's words");
    }
    struct dest_response r = {.error = ERROR_ADDRESS_REFUSED};
    struct verdict v = verdict_from_status(&r);
    EXPECT_INT(v.kind, VERDICT_REJECTED);
    EXPECT_INT(v.reason, REASON_ADDRESS_REFUSED);
}

/* ---- the rest ---- */

static struct uuid id(const char *text)
{
    struct uuid u;
    check(uuid_parse(&u, text));
    return u;
}

static void destinations_are_found_by_kind(void)
{
    EXPECT(dest_find("webhook") != NULL);
    EXPECT(dest_find("Webhook") == NULL && dest_find("") == NULL && dest_find(NULL) == NULL);
    for (size_t i = 0; dest_all[i]; i++) {
        EXPECT(dest_find(dest_all[i]->kind) == dest_all[i]);
        EXPECT(dest_all[i]->config_parse && dest_all[i]->next && dest_all[i]->title);
    }
}

static void the_webhook_id_is_of_the_event_and_the_integration(void)
{
    struct uuid one = id("11111111-1111-4111-8111-11111111ABCD"),
                two = id("22222222-2222-4222-8222-222222222222");
    char a[33], b[33];
    dest_webhook_id("event-1", &one, a);
    /* printf 'event-111111111-1111-4111-8111-11111111abcd' | sha256sum | cut -c 1-32 */
    EXPECT_TEXT(a, "be3f0e273e833d750f64d1cbe3289f0e");
    dest_webhook_id("event-1", &two, b);
    EXPECT(strcmp(a, b) != 0);
    dest_webhook_id("event-2", &one, b);
    EXPECT(strcmp(a, b) != 0);
}

static void headers_with_control_bytes_or_too_many_are_not_added(void)
{
    struct dest_request r = {0};
    EXPECT(!dest_request_add_header(&r, "A", "b\r\nC: d"));
    EXPECT(!dest_request_add_header(&r, "A", "b\x7f"));
    EXPECT(!dest_request_add_header(&r, "A\n", "b"));
    EXPECT_INT(r.header_count, 0);
    for (int i = 0; i < DEST_HEADERS_MAX; i++)
        EXPECT(dest_request_add_header(&r, "A", "é b"));
    EXPECT(!dest_request_add_header(&r, "A", "b"));
    EXPECT_INT(r.header_count, DEST_HEADERS_MAX);
}

static void what_goes_into_a_path_is_percent_encoded(void)
{
    struct arena a;
    arena_init(&a, 256);
    EXPECT_TEXT(dest_url_escape(&a, "SEC-12_a.b~c"), "SEC-12_a.b~c");
    EXPECT_TEXT(dest_url_escape(&a, "a/../b?c#d e%"), "a%2F..%2Fb%3Fc%23d%20e%25");
    EXPECT_TEXT(dest_url_escape(&a, "\xc3\xbc\r\n\x7f"), "%C3%BC%0D%0A%7F");
    EXPECT_TEXT(dest_url_escape(&a, ""), "");
    arena_free(&a);
}

static void a_request_without_a_body_says_nothing_of_its_type(void)
{
    struct dest_request r;
    dest_request_json(&r, "DELETE", "https://h/x", NULL, 0);
    EXPECT_TEXT(r.method, "DELETE");
    EXPECT_INT(r.header_count, 1);
    EXPECT_TEXT(r.headers[0].name, "User-Agent");
    dest_request_json(&r, "PATCH", "https://h/x", "{}", 2);
    EXPECT(r.body_size == 2 && r.header_count == 2);
}

UNIT_MAIN(UNIT_CASE(a_status_gives_its_verdict),
          UNIT_CASE(transport_errors_are_retried_and_refused_addresses_are_not),
          UNIT_CASE(destinations_are_found_by_kind),
          UNIT_CASE(the_webhook_id_is_of_the_event_and_the_integration),
          UNIT_CASE(headers_with_control_bytes_or_too_many_are_not_added),
          UNIT_CASE(what_goes_into_a_path_is_percent_encoded),
          UNIT_CASE(a_request_without_a_body_says_nothing_of_its_type))
