/*
 * Webhooks: what holds for every destination (dest_fuzz.h), and that the user's headers replace none of ours, that
 * each text is exactly itself in the body, and that the body has the members of the contract and no others.
 */
#include <strings.h>

#include "common/base/json.h"
#include "common/destinations/webhook.h"
#include "tests/fuzz/dest_fuzz.h"
#include "tests/fuzz/fuzz.h"

static const char *const members[] = {"tool",      "version",        "event",  "id",
                                      "timestamp", "workspace_id",   "target", "scan",
                                      "finding",   "change_summary", "error",  NULL};
static const char *const target_members[] = {"id", "name", "url", "kind", NULL};
static const char *const scan_members[] = {"id", "profile", "status", "grade", "score", "summary", NULL};
static const char *const finding_members[] = {
    "id",          "pencheff_finding_id", "title",       "severity",        "category",  "owasp_category",
    "cwe_id",      "cvss_score",          "cvss_vector", "endpoint",        "parameter", "description",
    "remediation", "verification_status", "suppressed",  "suppress_reason", "epss",      "kev",
    "risk_score",  "reachability",        "resolved_at", "created_at",      NULL};

static void check_members(struct json_object *object, const char *const *names)
{
    int i = 0;
    check(json_object_is_type(object, json_type_object));
    json_object_object_foreach(object, key, value)
    {
        (void)value;
        check(names[i] && strcmp(key, names[i]) == 0);
        i++;
    }
    check(names[i] == NULL);
}

/* Severity names and counts; what is neither a number nor a text is null. */
static void check_summary(struct json_object *summary)
{
    if (!summary)
        return;
    check(json_object_is_type(summary, json_type_object));
    json_object_object_foreach(summary, key, value)
    {
        (void)key;
        check(!json_object_is_type(value, json_type_object) && !json_object_is_type(value, json_type_array));
    }
}

static int count_headers(const struct dest_request *r, const char *name)
{
    int count = 0;
    for (size_t i = 0; i < r->header_count; i++)
        count += strcasecmp(r->headers[i].name, name) == 0;
    return count;
}

static void check_message(const struct dest_request *r, struct json_object *root)
{
    static const char *const always[] = {"Content-Type", "User-Agent", "X-Pencheff-Timestamp", "webhook-id",
                                         "webhook-timestamp"};
    check(strcmp(r->method, "POST") == 0);
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++) {
        check(strcmp(r->headers[i].name, always[i]) == 0 && *r->headers[i].value);
        check(count_headers(r, always[i]) == 1);
    }
    check(count_headers(r, "X-Pencheff-Signature") == count_headers(r, "webhook-signature"));
    check_members(root, members);
    check_members(json_get(root, "target"), target_members);
    check_members(json_get(root, "scan"), scan_members);
    check_summary(json_get(json_get(root, "scan"), "summary"));
    if (json_get(root, "finding"))
        check_members(json_get(root, "finding"), finding_members);
    const char *type = json_object_get_string(json_get(root, "event"));
    check(event_is_about_finding((enum event_type)event_type_parse(type)) ==
          (json_get(root, "finding") != NULL));
}

static void show(struct buf *out, const char *text, int way)
{
    (void)way;
    buf_add_text(out, text);
}

static bool is_success(const struct dest_response *answer)
{
    return answer->status >= 200 && answer->status < 300;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const settings[] = {
        "{\"webhook_url\":\"https://h/" DEST_FUZZ_SECRET "\"}",
        "{\"webhook_url\":\"http://h\",\"hmac_secret\":\"" DEST_FUZZ_SECRET
        "\",\"headers\":{\"Authorization\":\"Bearer " DEST_FUZZ_SECRET "\"}}",
        "{\"webhook_url\":\"https://h\",\"hmac_secret\":\"whsec_MDEyMzQ1Njc4OWFiY2RlZg==\"}", NULL};
    static const char *const keys[] = {"webhook_url", "hmac_secret", "webhook_secret", "headers", NULL};
    static const struct dest_fuzz webhook = {
        .kind = "webhook",
        .settings = settings,
        .setting_keys = keys,
        .show = show,
        .ways = 1,
        .shows_empty = true,
        .check_request = check_message,
        .is_success = is_success,
    };
    return dest_fuzz_run(&webhook, data, size);
}
