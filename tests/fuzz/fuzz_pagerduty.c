/*
 * PagerDuty: what holds for every destination (dest_fuzz.h), and that no text decides about anything: action, severity
 * and dedup_key are words of ours, the summary is one line that is no longer than PagerDuty allows, and nothing that
 * cannot be seen is left.
 */
#include "common/base/json.h"
#include "common/destinations/alert.h"
#include "common/destinations/pagerduty.h"
#include "tests/fuzz/dest_fuzz.h"
#include "tests/fuzz/dest_fuzz_checks.h"
#include "tests/fuzz/fuzz.h"

#define KEY "s3cr3t01234567890123456789012345"

static bool is(struct json_object *object, const char *key, const char *word)
{
    return strcmp(dest_fuzz_text(object, key), word) == 0;
}

static void check_payload(struct json_object *payload)
{
    check(is(payload, "severity", "critical") || is(payload, "severity", "error") ||
          is(payload, "severity", "warning") || is(payload, "severity", "info"));
    check(text_length(dest_fuzz_text(payload, "summary"), TEXT_UTF16_UNITS) <= PAGERDUTY_SUMMARY_MAX);
    json_object_object_foreach(payload, name, value)
    {
        if (strcmp(name, "custom_details") != 0)
            dest_fuzz_check_seen(dest_fuzz_text(payload, name), false);
        (void)value;
    }
    struct json_object *details = json_get(payload, "custom_details");
    json_object_object_foreach(details, label, detail)
    {
        dest_fuzz_check_seen(dest_fuzz_text(details, label), true);
        check(text_length(json_object_get_string(detail), TEXT_CODE_POINTS) <= PAGERDUTY_PARAGRAPH_MAX);
    }
}

static void check_event(const struct dest_request *request, struct json_object *root)
{
    check(strcmp(request->method, "POST") == 0 && request->header_count == 2);
    check(request->body_size <= PAGERDUTY_BODY_MAX);
    check(strlen(dest_fuzz_text(root, "routing_key")) == PAGERDUTY_KEY_SIZE);
    const char *key = dest_fuzz_text(root, "dedup_key");
    check(alert_is_key(key) || strcmp(key, "pencheff-test") == 0);
    if (is(root, "event_action", "resolve")) {
        check(json_object_object_length(root) == 3);
        return;
    }
    check(is(root, "event_action", "trigger") && is(root, "client", "Pencheff"));
    check(json_object_object_length(root) == 5);
    check_payload(json_get(root, "payload"));
}

/* The hash is of another name. */
static void align(struct json_object *hostile, struct json_object *twin)
{
    json_object_object_add(twin, "dedup_key", json_object_get(json_get(hostile, "dedup_key")));
}

static bool is_success(const struct dest_response *answer)
{
    const char *why;
    struct json_object *body = json_parse(answer->body, answer->body_size, &why);
    struct json_object *status = json_get(body, "status");
    bool success = json_is_text(status) && strcmp(json_object_get_string(status), "success") == 0;
    json_object_put(body);
    return success && answer->status == 202 && !answer->truncated;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const settings[] = {
        "{\"routing_key\":\"" KEY "\"}",
        "{\"routing_key\":\"" KEY "\",\"api_url\":\"https://events.eu.pagerduty.com/" DEST_FUZZ_SECRET "\"}",
        NULL};
    static const char *const keys[] = {"routing_key", "api_url", NULL};
    static const struct dest_fuzz pagerduty = {
        .kind = "pagerduty",
        .settings = settings,
        .setting_keys = keys,
        .show = dest_fuzz_show_clean,
        .ways = 2,
        .cuts = true,
        .secret_in_body = true,
        .align = align,
        .check_each = check_event,
        .is_success = is_success,
    };
    return dest_fuzz_run(&pagerduty, data, size);
}
