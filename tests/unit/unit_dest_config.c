/*
 * Settings that several kinds share: what passes can be put into a request as it is, and what does not is refused with
 * the key and advice, but never with the value.
 */
#include <string.h>

#include "common/base/json.h"
#include "common/destinations/dest_config.h"
#include "tests/unit/unit.h"

static struct arena arena; /* begins anew in each case */
static struct dest_config_error error;

static struct json_object *settings(const char *json)
{
    error = (struct dest_config_error){.reason = REASON_NONE};
    struct json_object *root = dest_config_read(json, strlen(json), &error);
    EXPECT(root != NULL);
    return root;
}

static void hosts_are_recognised_whatever_stands_around_them(void)
{
    EXPECT(dest_config_host_is("https://hooks.slack.com/services/x", "hooks.slack.com"));
    EXPECT(dest_config_host_is("https://HOOKS.slack.COM:443", "hooks.slack.com"));
    EXPECT(dest_config_host_is("https://user:p@ss@hooks.slack.com./x", "hooks.slack.com"));
    EXPECT(dest_config_host_is("http://hooks.slack.com?x", "hooks.slack.com"));
    EXPECT(!dest_config_host_is("https://evil.example/hooks.slack.com", "hooks.slack.com"));
    EXPECT(!dest_config_host_is("https://hooks.slack.com@evil.example/", "hooks.slack.com"));
    EXPECT(!dest_config_host_is("https://xhooks.slack.com/", "hooks.slack.com"));
    EXPECT(!dest_config_host_is("https://hooks.slack.com.evil.example/", "hooks.slack.com"));
    EXPECT(!dest_config_host_is("https://[2001:db8::1]:443/", "hooks.slack.com"));
    EXPECT(dest_config_host_is("https://tenant.webhook.office.com/webhookb2/x", ".webhook.office.com"));
    EXPECT(!dest_config_host_is("https://webhook.office.com.evil.example/", ".webhook.office.com"));
    EXPECT(!dest_config_host_is("https://xwebhook.office.com/", ".webhook.office.com"));
}

static void a_base_address_ends_without_a_slash_and_before_any_query(void)
{
    arena_init(&arena, 1024);
    struct json_object *root =
        settings("{\"api_url\": \"https://ghe.example/api/v3//\", \"bad\": \"https://h/?secret\"}");
    EXPECT_TEXT(dest_config_base_url(&arena, root, "api_url", "the server's", "https://x", &error),
                "https://ghe.example/api/v3");
    EXPECT_TEXT(dest_config_base_url(&arena, root, "none", "the server's", "https://x", &error), "https://x");
    EXPECT(dest_config_base_url(&arena, root, "bad", "the server's", "https://x", &error) == NULL);
    EXPECT(strstr(error.detail, "bad ") && !strstr(error.detail, "secret"));
    json_object_put(root);
    arena_free(&arena);
}

static void words_are_of_one_line_and_not_too_long(void)
{
    arena_init(&arena, 1024);
    struct json_object *root =
        settings("{\"key\": \"abc\", \"long\": \"abcd\", \"lines\": \"a\\nb\", \"nul\": \"a\\u0000b\","
                 " \"blank\": \"a \", \"empty\": \"\", \"number\": 7, \"null\": null}");
    const char *text = "x";
    EXPECT_TEXT(dest_config_word(&arena, root, "key", 3, "the key", &error), "abc");
    static const char *const bad[] = {"long", "lines", "nul", "blank", "empty", "number", "null", "missing"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        error = (struct dest_config_error){.reason = REASON_NONE};
        EXPECT(dest_config_word(&arena, root, bad[i], 3, "the key of the page", &error) == NULL);
        EXPECT(error.reason == REASON_CONFIG_INVALID && strncmp(error.detail, bad[i], strlen(bad[i])) == 0);
        bool there = i < 4 || i == 5;
        EXPECT(dest_config_optional(&arena, root, bad[i], 3, &text, &error) == !there);
        EXPECT(there || text == NULL);
    }
    json_object_put(root);
    arena_free(&arena);
}

static void lists_hold_so_many_texts_and_nothing_else(void)
{
    arena_init(&arena, 1024);
    struct dest_config_list list;
    struct json_object *root =
        settings("{\"good\": [\"a\", \"bc\"], \"many\": [\"a\", \"b\", \"c\"], \"long\": [\"abc\"],"
                 " \"mixed\": [1], \"empty\": [\"\"], \"text\": \"a,b\", \"none\": []}");
    EXPECT(dest_config_list(&arena, root, "good", 2, 2, &list, &error) && list.count == 2);
    EXPECT_TEXT(list.items[1], "bc");
    EXPECT(dest_config_list(&arena, root, "none", 2, 2, &list, &error) && list.count == 0);
    EXPECT(dest_config_list(&arena, root, "missing", 2, 2, &list, &error) && list.count == 0);
    static const char *const bad[] = {"many", "long", "mixed", "empty", "text"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        EXPECT(!dest_config_list(&arena, root, bad[i], 2, 2, &list, &error));
        EXPECT(error.reason == REASON_CONFIG_INVALID && strstr(error.detail, bad[i]));
    }
    json_object_put(root);
    arena_free(&arena);
}

UNIT_MAIN(UNIT_CASE(hosts_are_recognised_whatever_stands_around_them),
          UNIT_CASE(a_base_address_ends_without_a_slash_and_before_any_query),
          UNIT_CASE(words_are_of_one_line_and_not_too_long),
          UNIT_CASE(lists_hold_so_many_texts_and_nothing_else))
