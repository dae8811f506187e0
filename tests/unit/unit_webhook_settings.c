/*
 * A webhook's settings: what is taken, and what is refused with advice that holds no value.
 */
#include <stdio.h>
#include <string.h>

#include "common/destinations/webhook.h"
#include "tests/unit/settings_case.h"
#include "tests/unit/talk.h"
#include "tests/unit/unit.h"

static const struct webhook_config *parse(struct arena *a, const char *json, struct dest_config_error *error)
{
    return talk_parse(a, "webhook", json, error);
}

static void good_settings_are_taken(void)
{
    static const struct settings_case cases[] = {
        {.json = "{\"webhook_url\":\"https://hooks.example/x\"}"},
        {.json = "{\"webhook_url\":\"http://h\"}"},
        {.json = "{\"webhook_url\":\"HTTPS://user:pw@h:8443/a?b=c#d\"}"},
        {.json = "{\"webhook_url\":\"https://[2001:db8::1]:8443/\"}"},
        {.json = "{\"webhook_url\":\"https://bücher.example/\"}"},
        {.json = "{\"webhook_url\":\"https://h\",\"hmac_secret\":null,\"headers\":null,\"other\":[1]}"},
        {.json = "{\"webhook_url\":\"https://h\",\"hmac_secret\":\"\",\"headers\":{}}"},
        {.json =
             "{\"webhook_url\":\"https://h\",\"headers\":{\"X-A\":\"b c\",\"Authorization\":\"Bearer é\"}}"},
    };
    EXPECT_SETTINGS("webhook", cases);
}

static void bad_settings_are_refused_with_advice_and_without_values(void)
{
    static const struct settings_case cases[] = {
        {"", .refused = "JSON"},
        {"[]", .refused = "JSON"},
        {"{}", .refused = "webhook_url"},
        {"{\"webhook_url\":null}", .refused = "webhook_url"},
        {"{\"webhook_url\":5}", .refused = "webhook_url"},
        {"{\"webhook_url\":\"\"}", .refused = "webhook_url"},
        {"{\"webhook_url\":\"ftp://SECRET\"}", .refused = "webhook_url"},
        {"{\"webhook_url\":\"SECRET\"}", .refused = "webhook_url"},
        {"{\"webhook_url\":\"https:/SECRET\"}", .refused = "webhook_url"},
        {"{\"webhook_url\":\"https://\"}", .refused = "webhook_url"},
        {"{\"webhook_url\":\"https:///SECRET\"}", .refused = "webhook_url"},
        {"{\"webhook_url\":\"https://?SECRET\"}", .refused = "webhook_url"},
        {"{\"webhook_url\":\"https://u@/SECRET\"}", .refused = "webhook_url"},
        {"{\"webhook_url\":\"https://:80/SECRET\"}", .refused = "webhook_url"},
        {"{\"webhook_url\":\" https://SECRET\"}", .refused = "webhook_url"},
        {"{\"webhook_url\":\"https://SECRET/a b\"}", .refused = "webhook_url"},
        {"{\"webhook_url\":\"https://SECRET/\\r\\nX: y\"}", .refused = "webhook_url"},
        {"{\"webhook_url\":\"https://SECRET/\\u0000\"}", .refused = "webhook_url"},
        {"{\"webhook_url\":\"https://SECRET/\\u007f\"}", .refused = "webhook_url"},
        {"{\"webhook_url\":\"https://h\",\"hmac_secret\":5}", .refused = "hmac_secret"},
        {"{\"webhook_url\":\"https://h\",\"hmac_secret\":{\"SECRET\":1}}", .refused = "hmac_secret"},
        {"{\"webhook_url\":\"https://h\",\"hmac_secret\":\"whsec_\"}", .refused = "whsec_"},
        {"{\"webhook_url\":\"https://h\",\"hmac_secret\":\"whsec_SECRET!\"}", .refused = "whsec_"},
        {"{\"webhook_url\":\"https://h\",\"hmac_secret\":\"whsec_SECRE\\n\"}", .refused = "whsec_"},
        {"{\"webhook_url\":\"https://h\",\"webhook_secret\":\"whsec_SECRE\"}", .refused = "whsec_"},
        {"{\"webhook_url\":\"https://h\",\"headers\":[]}", .refused = "headers"},
        {"{\"webhook_url\":\"https://h\",\"headers\":\"X-A: SECRET\"}", .refused = "headers"},
        {"{\"webhook_url\":\"https://h\",\"headers\":{\"\":\"SECRET\"}}", .refused = "headers"},
        {"{\"webhook_url\":\"https://h\",\"headers\":{\"X A\":\"SECRET\"}}", .refused = "headers"},
        {"{\"webhook_url\":\"https://h\",\"headers\":{\"X-A:\":\"SECRET\"}}", .refused = "headers"},
        {"{\"webhook_url\":\"https://h\",\"headers\":{\"X-A\\r\\nB\":\"SECRET\"}}", .refused = "headers"},
        {"{\"webhook_url\":\"https://h\",\"headers\":{\"X-\\u00e9\":\"SECRET\"}}", .refused = "headers"},
        {"{\"webhook_url\":\"https://h\",\"headers\":{\"X-A\":\"SECRET\\r\\nB: c\"}}", .refused = "headers"},
        {"{\"webhook_url\":\"https://h\",\"headers\":{\"X-A\":\"SECRET\\u0000\"}}", .refused = "headers"},
        {"{\"webhook_url\":\"https://h\",\"headers\":{\"X-A\":\"SECRET\\t\"}}", .refused = "headers"},
        {"{\"webhook_url\":\"https://h\",\"headers\":{\"X-A\":\" SECRET\"}}", .refused = "headers"},
        {"{\"webhook_url\":\"https://h\",\"headers\":{\"X-A\":\"\"}}", .refused = "headers"},
        {"{\"webhook_url\":\"https://h\",\"headers\":{\"X-A\":5}}", .refused = "headers"},
        {"{\"webhook_url\":\"https://h\",\"headers\":{\"X-A\":null}}", .refused = "headers"},
        {"{\"webhook_url\":\"https://h\",\"headers\":{\"X-A\":\"a\",\"x-a\":\"b\"}}", .refused = "headers"},
    };
    EXPECT_SETTINGS("webhook", cases);
}

static void headers_of_ours_and_of_http_cannot_be_overridden(void)
{
    static const char *const names[] = {
        "Host",
        "host",
        "CONTENT-LENGTH",
        "Transfer-Encoding",
        "Connection",
        "Expect",
        "Content-Type",
        "User-Agent",
        "X-Pencheff-Timestamp",
        "x-pencheff-signature",
        "Webhook-Id",
        "webhook-timestamp",
        "webhook-signature",
        "Upgrade",
        "TE",
        "Trailer",
        "Content-Encoding",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char json[200];
        struct dest_config_error error;
        struct arena a;
        arena_init(&a, 4096);
        snprintf(json, sizeof json, "{\"webhook_url\":\"https://h\",\"headers\":{\"%s\":\"x\"}}", names[i]);
        if (parse(&a, json, &error))
            unit_fail(__FILE__, __LINE__, "%s was taken", names[i]);
        arena_wipe(&a);
    }
}

static void settings_have_limits(void)
{
    static char json[8000], filler[3000];
    struct dest_config_error error;
    struct arena a;
    arena_init(&a, 4096);
    memset(filler, 'a', sizeof filler - 1);
    snprintf(json, sizeof json, "{\"webhook_url\":\"https://h/%.*s\"}", 2048 - 10, filler);
    EXPECT(parse(&a, json, &error));
    snprintf(json, sizeof json, "{\"webhook_url\":\"https://h/%.*s\"}", 2049 - 10, filler);
    EXPECT(!parse(&a, json, &error));
    snprintf(json, sizeof json, "{\"webhook_url\":\"https://h\",\"hmac_secret\":\"%.1024s\"}", filler);
    EXPECT(parse(&a, json, &error));
    snprintf(json, sizeof json, "{\"webhook_url\":\"https://h\",\"hmac_secret\":\"%.1025s\"}", filler);
    EXPECT(!parse(&a, json, &error));
    for (int count = 12; count <= 13; count++) {
        size_t n = (size_t)snprintf(json, sizeof json, "{\"webhook_url\":\"https://h\",\"headers\":{");
        for (int i = 0; i < count; i++)
            n += (size_t)snprintf(json + n, sizeof json - n, "%s\"X-%d\":\"v\"", i ? "," : "", i);
        snprintf(json + n, sizeof json - n, "}}");
        EXPECT((parse(&a, json, &error) != NULL) == (count == 12));
    }
    arena_wipe(&a);
}

static void the_documented_secret_wins_over_the_older_one(void)
{
    struct dest_config_error error;
    struct arena a;
    arena_init(&a, 4096);
    const char *both = "{\"webhook_url\":\"https://h\",\"webhook_secret\":\"old\",\"hmac_secret\":\"new\"}";
    EXPECT_TEXT(parse(&a, both, &error)->secret, "new");
    EXPECT_TEXT(parse(&a, "{\"webhook_url\":\"https://h\",\"webhook_secret\":\"old\"}", &error)->secret,
                "old");
    const char *empty = "{\"webhook_url\":\"https://h\",\"webhook_secret\":\"old\",\"hmac_secret\":\"\"}";
    EXPECT_TEXT(parse(&a, empty, &error)->secret, "old");
    EXPECT(parse(&a, "{\"webhook_url\":\"https://h\"}", &error)->secret == NULL);
    arena_wipe(&a);
}

UNIT_MAIN(UNIT_CASE(good_settings_are_taken),
          UNIT_CASE(bad_settings_are_refused_with_advice_and_without_values),
          UNIT_CASE(headers_of_ours_and_of_http_cannot_be_overridden), UNIT_CASE(settings_have_limits),
          UNIT_CASE(the_documented_secret_wins_over_the_older_one))
