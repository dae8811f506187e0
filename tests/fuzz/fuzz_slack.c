/*
 * Hostile settings, texts and answers: settings are refused, or a request is built whose body, in both
 * layouts, is one JSON document with nothing but our members, in which no text is longer than Slack allows,
 * every & < > is an entity and nothing invisible is left; and an answer is taken for a success only when it
 * is one.
 */
#include <string.h>

#include "common/base/json.h"
#include "common/base/utf8.h"
#include "common/destinations/slack.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/json_check.h"

static const char *const keys[] = {"text",   "mrkdwn",      "unfurl_links", "unfurl_media",
                                   "blocks", "attachments", "color",        "elements",
                                   "fields", "type",        "emoji"};

static void check_keys(struct json_object *object)
{
    json_object_object_foreach(object, key, value)
    {
        size_t i = 0;
        while (i < sizeof keys / sizeof keys[0] && strcmp(keys[i], key) != 0)
            i++;
        check(i < sizeof keys / sizeof keys[0]);
        if (json_object_is_type(value, json_type_boolean))
            check(!json_object_get_boolean(value));
    }
}

/* Characters as Slack may count them at most; each is one that may be seen, each & begins an entity. */
static void check_escaped(struct json_object *value, size_t max)
{
    check(json_is_text(value));
    const char *text = json_object_get_string(value);
    size_t n = (size_t)json_object_get_string_len(value), units = 0;
    check(n > 0 && strlen(text) == n);
    for (size_t i = 0; i < n; units++) {
        size_t length = utf8_length_at(text + i, n - i);
        check(length > 0 && text[i] != '<' && text[i] != '>');
        check((unsigned char)text[i] >= ' ' || text[i] == '\n');
        check(text[i] != '&' || strncmp(text + i, "&amp;", 5) == 0 || strncmp(text + i, "&lt;", 4) == 0 ||
              strncmp(text + i, "&gt;", 4) == 0);
        check(strncmp(text + i, "\xe2\x80\xae", 3) != 0 && strncmp(text + i, "\xe2\x80\x8b", 3) != 0);
        units += length == 4;
        i += length;
    }
    check(units <= max);
}

static void check_plain(struct json_object *object, size_t max)
{
    check_keys(object);
    check(strcmp(json_object_get_string(json_get(object, "type")), "plain_text") == 0);
    check_escaped(json_get(object, "text"), max);
}

static void check_list(struct json_object *list, size_t max_count, size_t max)
{
    size_t count = json_object_array_length(list);
    check(count >= 1 && count <= max_count);
    for (size_t i = 0; i < count; i++)
        check_plain(json_object_array_get_idx(list, i), max);
}

static void check_blocks(struct json_object *blocks)
{
    check(json_object_is_type(blocks, json_type_array));
    size_t count = json_object_array_length(blocks);
    check(count >= 1 && count <= SLACK_BLOCKS_MAX);
    for (size_t i = 0; i < count; i++) {
        struct json_object *block = json_object_array_get_idx(blocks, i);
        bool header = strcmp(json_object_get_string(json_get(block, "type")), "header") == 0;
        check_keys(block);
        if (json_get(block, "text"))
            check_plain(json_get(block, "text"), header ? SLACK_HEADER_MAX : SLACK_SECTION_MAX);
        else if (json_get(block, "fields"))
            check_list(json_get(block, "fields"), SLACK_FIELDS_MAX, SLACK_FIELD_MAX);
        else
            check_list(json_get(block, "elements"), 10, SLACK_FIELD_MAX);
    }
}

static void check_body(const char *body, size_t n, enum dest_style style)
{
    const char *why;
    struct json_object *root = json_parse(body, n, &why);
    check(root != NULL && json_check(body, n, false) && !memchr(body, '<', n) && !memchr(body, '>', n));
    check_keys(root);
    check(json_object_object_length(root) == (style == DEST_STYLE_CARD ? 6 : 5));
    check_escaped(json_get(root, "text"), SLACK_TEXT_MAX);
    check_blocks(json_get(root, "blocks"));
    struct json_object *attachments = json_get(root, "attachments");
    check((attachments != NULL) == (style == DEST_STYLE_CARD));
    if (attachments) {
        struct json_object *one = json_object_array_get_idx(attachments, 0);
        check(json_object_array_length(attachments) == 1 && json_object_object_length(one) == 2);
        check(strlen(json_object_get_string(json_get(one, "color"))) == 7);
        check_blocks(json_get(one, "blocks"));
    }
    json_object_put(root);
}

/* As every text from the database and from messages: storable, or NULL. Some are made long. */
static const char *some_text(struct fuzz_input *in, struct arena *a)
{
    size_t n, times = fuzz_byte(in);
    const char *text = fuzz_text(in, a, &n);
    if (n == 0)
        return NULL;
    times = times > 200 && n < 200 ? 20 * (times - 200) : 1;
    char *many = arena_alloc(a, n * times + 1);
    for (size_t i = 0; i < times; i++)
        memcpy(many + i * n, text, n);
    return utf8_storable_copy(a, many, n * times, 65536);
}

static double some_number(struct fuzz_input *in)
{
    double value = 0;
    unsigned char bytes[sizeof value];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = fuzz_byte(in);
    memcpy(&value, bytes, sizeof value);
    return value;
}

static void read_facts(struct fuzz_input *in, struct arena *a, struct event *event, struct facts *facts)
{
    struct facts_finding *f = &facts->finding;
    event->type = (enum event_type)(fuzz_byte(in) % EVENT_TYPE_COUNT);
    event->id = "e";
    f->severity = (enum severity)(fuzz_byte(in) % SEVERITY_COUNT);
    facts->has_finding = event_is_about_finding(event->type);
    f->has_cvss_score = f->has_epss = facts->scan.has_score = fuzz_byte(in) & 1;
    f->kev = fuzz_byte(in) & 1;
    f->title = some_text(in, a);
    facts->target.name = some_text(in, a);
    f->endpoint = some_text(in, a);
    event->error = some_text(in, a);
    event->change_summary = some_text(in, a);
    facts->scan.summary_json = some_text(in, a);
    f->description = some_text(in, a);
    f->remediation = some_text(in, a);
    f->parameter = f->category = f->owasp_category = some_text(in, a);
    f->cwe_id = f->verification_status = some_text(in, a);
    facts->scan.profile = facts->scan.grade = facts->target.base_url = some_text(in, a);
    facts->scan.score = fuzz_byte(in);
    f->cvss_score = some_number(in);
    f->epss = some_number(in);
}

static void check_verdict(const struct verdict *v, const struct dest_response *r)
{
    bool delivered = r->status == 200 && !r->truncated && strcmp(r->body, "ok") == 0 && r->body_size == 2;
    check(v->kind != VERDICT_NONE && (v->kind == VERDICT_DELIVERED) == delivered);
    check(delivered || v->detail != NULL);
    check((v->kind == VERDICT_REJECTED) == (v->reason != REASON_NONE));
    check(v->not_before == 0 || v->kind == VERDICT_RETRY);
}

static void talk(struct fuzz_input *in, struct arena *a, const struct slack_config *config)
{
    struct event event = {0};
    struct facts facts = {0};
    struct dest_body_cache cache;
    struct conversation_job job = {.event = &event, .facts = &facts, .webhook_id = "0123"};
    struct conversation c = {.config = config, .jobs = &job, .job_count = 1, .cache = &cache, .arena = a};
    struct dest_request request;
    struct dest_response answer = {.status = 100 + 2 * fuzz_byte(in), .retry_after = fuzz_byte(in)};
    answer.truncated = answer.status % 8 == 6;
    answer.body = fuzz_text(in, a, &answer.body_size);
    read_facts(in, a, &event, &facts);
    dest_body_cache_init(&cache, 262144);
    check(dest_find("slack")->next(&c, NULL, &request) == DEST_SEND);
    check(strcmp(request.url, config->url) == 0 && request.header_count == 2);
    check_body(request.body, request.body_size, config->style);
    check(dest_find("slack")->next(&c, &answer, &request) == DEST_FINISHED);
    check_verdict(&job.verdict, &answer);
    dest_body_cache_free(&cache);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const plain[] = {"{\"webhook_url\":\"https://h\"}",
                                        "{\"webhook_url\":\"https://h\",\"style\":\"text\"}"};
    struct fuzz_input in = {data, size};
    struct dest_config_error error = {REASON_NONE, NULL};
    struct arena a;
    size_t n;
    arena_init(&a, 1024);
    const char *settings = fuzz_text(&in, &a, &n);
    const void *config = dest_find("slack")->config_parse(&a, settings, n, &error);
    if (!config)
        check(error.reason != REASON_NONE && error.detail != NULL);
    for (size_t i = 0; i < 2; i++) {
        struct fuzz_input rest = in;
        const char *json = plain[i];
        talk(&rest, &a, dest_find("slack")->config_parse(&a, json, strlen(json), &error));
    }
    if (config)
        talk(&in, &a, config);
    arena_wipe(&a);
    return 0;
}
