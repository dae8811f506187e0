/*
 * Hostile settings and hostile texts: the settings are refused, or a request is built whose headers hold no
 * control bytes, whose own headers stand once, and whose body is JSON with exactly the members of the
 * contract, in which every text comes back as it went in.
 */
#include <stdio.h>
#include <strings.h>

#include "common/base/json.h"
#include "common/base/utf8.h"
#include "common/destinations/dest_config.h"
#include "common/destinations/webhook.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/json_check.h"

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
static const char *const own_headers[] = {"Content-Type",         "User-Agent", "X-Pencheff-Timestamp",
                                          "X-Pencheff-Signature", "webhook-id", "webhook-timestamp",
                                          "webhook-signature",    "Host",       "Content-Length",
                                          "Transfer-Encoding",    "Connection", "Expect"};

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

static void check_text(struct json_object *object, const char *key, const char *want)
{
    struct json_object *value = json_get(object, key);
    check(want ? json_is_text(value) && strcmp(json_object_get_string(value), want) == 0 : value == NULL);
}

static void check_body(const char *body, size_t n, const struct event *event, const struct facts *facts)
{
    const char *why;
    struct json_object *root = json_parse(body, n, &why);
    check(root != NULL && json_check(body, n, false));
    check_members(root, members);
    check_members(json_get(root, "target"), target_members);
    check_members(json_get(root, "scan"), scan_members);
    check_text(root, "tool", "pencheff");
    check_text(root, "id", event->id);
    check_text(root, "change_summary", event->change_summary);
    check_text(json_get(root, "target"), "name", facts->target.name);
    if (event_is_about_finding(event->type)) {
        check_members(json_get(root, "finding"), finding_members);
        check_text(json_get(root, "finding"), "title", facts->finding.title);
        check_text(json_get(root, "finding"), "description", facts->finding.description);
    } else {
        check(json_get(root, "finding") == NULL);
    }
    json_object_put(root);
}

static void check_header_text(const char *text)
{
    for (; *text; text++)
        check((unsigned char)*text >= 0x20 && *text != 0x7f);
}

static void check_request(const struct dest_request *r)
{
    check(strcmp(r->method, "POST") == 0 && r->header_count <= DEST_HEADERS_MAX);
    check(strncasecmp(r->url, "http", 4) == 0 && strlen(r->url) <= DEST_CONFIG_URL_MAX &&
          !strchr(r->url, ' '));
    check_header_text(r->url);
    for (size_t i = 0; i < r->header_count; i++) {
        check(*r->headers[i].name && *r->headers[i].value);
        check_header_text(r->headers[i].name);
        check_header_text(r->headers[i].value);
        check(!strpbrk(r->headers[i].name, " :\t"));
    }
    for (size_t n = 0; n < sizeof own_headers / sizeof own_headers[0]; n++) {
        int seen = 0;
        for (size_t i = 0; i < r->header_count; i++)
            seen += strcasecmp(r->headers[i].name, own_headers[n]) == 0;
        check(n < 7 ? seen <= 1 : seen == 0);
    }
}

/* As every text from the database and from messages: storable, or NULL. */
static const char *some_text(struct fuzz_input *in, struct arena *a)
{
    size_t n;
    const char *text = fuzz_text(in, a, &n);
    return n ? utf8_storable_copy(a, text, n, 4096) : NULL;
}

static void talk(struct fuzz_input *in, struct arena *a, const void *config)
{
    struct event event = {.id = some_text(in, a),
                          .type = (enum event_type)(fuzz_byte(in) % EVENT_TYPE_COUNT)};
    struct facts facts = {.has_finding = event_is_about_finding(event.type)};
    if (!event.id)
        event.id = "e";
    facts.scan.summary_json = some_text(in, a);
    facts.finding.title = some_text(in, a);
    facts.finding.severity_text = some_text(in, a);
    facts.target.name = some_text(in, a);
    event.change_summary = some_text(in, a);
    event.error = some_text(in, a);
    facts.finding.has_cvss_score = true;
    memcpy(&facts.finding.cvss_score, in->data, in->size < 8 ? in->size : 8);
    facts.finding.description = some_text(in, a);
    struct dest_body_cache cache;
    struct conversation_job job = {.event = &event, .facts = &facts, .webhook_id = "0123"};
    struct conversation c = {.config = config, .jobs = &job, .job_count = 1, .cache = &cache, .arena = a};
    struct dest_request request;
    dest_body_cache_init(&cache, 262144);
    check(dest_find("webhook")->next(&c, NULL, &request) == DEST_SEND);
    check_request(&request);
    check_body(request.body, request.body_size, &event, &facts);
    dest_body_cache_free(&cache);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct dest_config_error error = {REASON_NONE, NULL};
    struct arena a;
    size_t n;
    arena_init(&a, 256);
    const char *settings = fuzz_text(&in, &a, &n);
    const void *config = dest_find("webhook")->config_parse(&a, settings, n, &error);
    if (config) {
        talk(&in, &a, config);
    } else {
        check(error.reason != REASON_NONE && error.detail != NULL);
        static const char plain[] = "{\"webhook_url\":\"https://h\"}";
        config = dest_find("webhook")->config_parse(&a, plain, sizeof plain - 1, &error);
        check(config != NULL);
        talk(&in, &a, config);
    }
    arena_wipe(&a);
    return 0;
}
