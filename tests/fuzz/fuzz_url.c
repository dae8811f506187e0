/*
 * URLs from settings and addresses from resolvers, through curl: whatever the URL says and wherever its name leads, no
 * connection is begun to an address that is neither public nor allowed. A URL that the settings' check lets pass is
 * put into a request as it is.
 *
 * Input: a byte of flags, a byte for how many addresses the name has, 17 bytes for each, and the URL.
 */
#include <json-c/json.h>

#include "common/destinations/webhook.h"
#include "tests/fuzz/address_check.h"
#include "tests/fuzz/fake_net.h"
#include "tests/fuzz/fuzz.h"

enum { ALLOW_HTTP = 1, ALLOW_LOOPBACK = 2 };

static struct address_network loopback = {.family = AF_INET, .bytes = {127}, .prefix = 8};
static bool loopback_allowed;

/* Also where IPv6 carries it. */
static bool is_loopback(const struct sockaddr *addr)
{
    static const unsigned char mapped[13] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127};
    if (addr->sa_family == AF_INET6)
        return memcmp(&((const struct sockaddr_in6 *)addr)->sin6_addr, mapped, sizeof mapped) == 0;
    return ((const unsigned char *)&((const struct sockaddr_in *)addr)->sin_addr)[0] == 127;
}

static void on_connecting(const struct sockaddr *addr)
{
    check(!address_check_is_dangerous(addr) || (loopback_allowed && is_loopback(addr)));
}

static void on_done(struct transfer *t)
{
    const struct dest_response *r = &t->response;
    check(r->status == 0 && r->body_size == 0 && r->error != ERROR_NONE && r->error < ERROR_WORD_COUNT);
    check(r->error == ERROR_CONNECT || r->error == ERROR_ADDRESS_REFUSED || r->error == ERROR_URL ||
          r->error == ERROR_DNS || r->error == ERROR_TIMEOUT || r->error == ERROR_OTHER);
    check(r->error_text && *r->error_text);
    struct verdict v = verdict_from_status(r);
    check((r->error == ERROR_ADDRESS_REFUSED || r->error == ERROR_URL) == (v.kind == VERDICT_REJECTED));
}

static void read_addresses(struct fuzz_input *in)
{
    fake_net.address_count = fuzz_byte(in) % (FAKE_NET_ADDRESSES_MAX + 1);
    for (size_t i = 0; i < fake_net.address_count; i++) {
        struct sockaddr_storage *addr = &fake_net.addresses[i];
        unsigned char bytes[16];
        memset(addr, 0, sizeof *addr);
        addr->ss_family = fuzz_byte(in) & 1 ? AF_INET6 : AF_INET;
        for (size_t at = 0; at < sizeof bytes; at++)
            bytes[at] = fuzz_byte(in);
        if (addr->ss_family == AF_INET)
            memcpy(&((struct sockaddr_in *)addr)->sin_addr, bytes, 4);
        else
            memcpy(&((struct sockaddr_in6 *)addr)->sin6_addr, bytes, 16);
    }
}

/* The settings' check says yes: then it is what HTTP can carry. */
static void check_setting(struct arena *a, const char *url)
{
    struct dest_config_error error = {.reason = REASON_NONE};
    struct json_object *root = json_object_new_object();
    json_object_object_add(root, "webhook_url", json_object_new_string(url));
    const char *json = json_object_to_json_string(root);
    const struct webhook_config *config = webhook_config_parse(a, json, strlen(json), &error);
    if (config) {
        check(strcmp(config->url, url) == 0 && strlen(url) <= 2048);
        for (const char *p = url; *p; p++)
            check((unsigned char)*p > ' ' && *p != 0x7f);
    } else {
        check(error.detail != NULL);
    }
    json_object_put(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct arena a;
    struct dest_request request = {.method = "POST", .body = "{}", .body_size = 2};
    struct transfer_settings settings = {.timeout_s = FAKE_NET_PATIENCE_S,
                                         .connect_timeout_s = FAKE_NET_PATIENCE_S,
                                         .max_response = 1024,
                                         .max_headers = 1024,
                                         .idle_connections = 2,
                                         .ca_file = "",
                                         .proxy = ""};
    arena_init(&a, 256);
    uint8_t flags = fuzz_byte(&in);
    settings.allow_http = flags & ALLOW_HTTP;
    loopback_allowed = flags & ALLOW_LOOPBACK;
    settings.policy = (struct address_policy){&loopback, loopback_allowed};
    read_addresses(&in);
    request.url = fuzz_text(&in, &a, NULL);
    check_setting(&a, request.url);
    fake_net.connecting = on_connecting;
    fake_net_transfer(&settings, &request, on_done);
    arena_free(&a);
    return 0;
}
