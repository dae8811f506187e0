/*
 * A webhook's settings: what is taken, and what is refused with advice that holds no value.
 */
#include <stdio.h>
#include <string.h>

#include "common/destinations/webhook.h"
#include "tests/unit/talk.h"
#include "tests/unit/unit.h"

static const struct webhook_config *parse(struct arena *a, const char *json, struct dest_config_error *error)
{
    return talk_parse(a, "webhook", json, error);
}

static void good_settings_are_taken(void)
{
    static const char *const good[] = {
        "{\"webhook_url\":\"https://hooks.example/x\"}",
        "{\"webhook_url\":\"http://h\"}",
        "{\"webhook_url\":\"HTTPS://user:pw@h:8443/a?b=c#d\"}",
        "{\"webhook_url\":\"https://[2001:db8::1]:8443/\"}",
        "{\"webhook_url\":\"https://bücher.example/\"}",
        "{\"webhook_url\":\"https://h\",\"hmac_secret\":null,\"headers\":null,\"other\":[1]}",
        "{\"webhook_url\":\"https://h\",\"hmac_secret\":\"\",\"headers\":{}}",
        "{\"webhook_url\":\"https://h\",\"headers\":{\"X-A\":\"b c\",\"Authorization\":\"Bearer é\"}}",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct dest_config_error error;
        struct arena a;
        arena_init(&a, 4096);
        if (!parse(&a, good[i], &error))
            unit_fail(__FILE__, __LINE__, "%s: %s", good[i], error.detail);
        arena_wipe(&a);
    }
}

static void bad_settings_are_refused_with_advice_and_without_values(void)
{
    static const struct {
        const char *json, *names;
    } cases[] = {
        {"", "JSON"},
        {"[]", "JSON"},
        {"{}", "webhook_url"},
        {"{\"webhook_url\":null}", "webhook_url"},
        {"{\"webhook_url\":5}", "webhook_url"},
        {"{\"webhook_url\":\"\"}", "webhook_url"},
        {"{\"webhook_url\":\"ftp://SECRET\"}", "webhook_url"},
        {"{\"webhook_url\":\"SECRET\"}", "webhook_url"},
        {"{\"webhook_url\":\"https:/SECRET\"}", "webhook_url"},
        {"{\"webhook_url\":\"https://\"}", "webhook_url"},
        {"{\"webhook_url\":\"https:///SECRET\"}", "webhook_url"},
        {"{\"webhook_url\":\"https://?SECRET\"}", "webhook_url"},
        {"{\"webhook_url\":\"https://u@/SECRET\"}", "webhook_url"},
        {"{\"webhook_url\":\"https://:80/SECRET\"}", "webhook_url"},
        {"{\"webhook_url\":\" https://SECRET\"}", "webhook_url"},
        {"{\"webhook_url\":\"https://SECRET/a b\"}", "webhook_url"},
        {"{\"webhook_url\":\"https://SECRET/\\r\\nX: y\"}", "webhook_url"},
        {"{\"webhook_url\":\"https://SECRET/\\u0000\"}", "webhook_url"},
        {"{\"webhook_url\":\"https://SECRET/\\u007f\"}", "webhook_url"},
        {"{\"webhook_url\":\"https://h\",\"hmac_secret\":5}", "hmac_secret"},
        {"{\"webhook_url\":\"https://h\",\"hmac_secret\":{\"SECRET\":1}}", "hmac_secret"},
        {"{\"webhook_url\":\"https://h\",\"hmac_secret\":\"whsec_\"}", "whsec_"},
        {"{\"webhook_url\":\"https://h\",\"hmac_secret\":\"whsec_SECRET!\"}", "whsec_"},
        {"{\"webhook_url\":\"https://h\",\"hmac_secret\":\"whsec_SECRE\\n\"}", "whsec_"},
        {"{\"webhook_url\":\"https://h\",\"webhook_secret\":\"whsec_SECRE\"}", "whsec_"},
        {"{\"webhook_url\":\"https://h\",\"headers\":[]}", "headers"},
        {"{\"webhook_url\":\"https://h\",\"headers\":\"X-A: SECRET\"}", "headers"},
        {"{\"webhook_url\":\"https://h\",\"headers\":{\"\":\"SECRET\"}}", "headers"},
        {"{\"webhook_url\":\"https://h\",\"headers\":{\"X A\":\"SECRET\"}}", "headers"},
        {"{\"webhook_url\":\"https://h\",\"headers\":{\"X-A:\":\"SECRET\"}}", "headers"},
        {"{\"webhook_url\":\"https://h\",\"headers\":{\"X-A\\r\\nB\":\"SECRET\"}}", "headers"},
        {"{\"webhook_url\":\"https://h\",\"headers\":{\"X-\\u00e9\":\"SECRET\"}}", "headers"},
        {"{\"webhook_url\":\"https://h\",\"headers\":{\"X-A\":\"SECRET\\r\\nB: c\"}}", "headers"},
        {"{\"webhook_url\":\"https://h\",\"headers\":{\"X-A\":\"SECRET\\u0000\"}}", "headers"},
        {"{\"webhook_url\":\"https://h\",\"headers\":{\"X-A\":\"SECRET\\t\"}}", "headers"},
        {"{\"webhook_url\":\"https://h\",\"headers\":{\"X-A\":\" SECRET\"}}", "headers"},
        {"{\"webhook_url\":\"https://h\",\"headers\":{\"X-A\":\"\"}}", "headers"},
        {"{\"webhook_url\":\"https://h\",\"headers\":{\"X-A\":5}}", "headers"},
        {"{\"webhook_url\":\"https://h\",\"headers\":{\"X-A\":null}}", "headers"},
        {"{\"webhook_url\":\"https://h\",\"headers\":{\"X-A\":\"a\",\"x-a\":\"b\"}}", "headers"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dest_config_error error;
        struct arena a;
        arena_init(&a, 4096);
        if (parse(&a, cases[i].json, &error))
            unit_fail(__FILE__, __LINE__, "taken: %s", cases[i].json);
        EXPECT_INT(error.reason, i < 2 ? REASON_CONFIG_UNREADABLE : REASON_CONFIG_INVALID);
        if (!strstr(error.detail, cases[i].names) || strstr(error.detail, "SECRE"))
            unit_fail(__FILE__, __LINE__, "%s: %s", cases[i].json, error.detail);
        arena_wipe(&a);
    }
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
