/*
 * Slack: what holds for every destination (dest_fuzz.h), and that no text can be a mention, a link or emphasis: in both
 * layouts all of them stand in plain_text objects, every & < > is an entity, nothing invisible is left, and none is
 * longer than Slack allows.
 */
#include "common/base/json.h"
#include "common/destinations/slack.h"
#include "tests/fuzz/dest_fuzz.h"
#include "tests/fuzz/dest_fuzz_checks.h"
#include "tests/fuzz/fuzz.h"

/* Characters as Slack may count them at most; each is one that may be seen, each & begins an entity. */
static void check_escaped(struct json_object *value, size_t max)
{
    check(json_is_text(value));
    const char *text = json_object_get_string(value);
    check(strlen(text) == (size_t)json_object_get_string_len(value));
    check(dest_fuzz_check_seen(text, true) <= max);
    dest_fuzz_check_entities(text);
}

static void check_plain(struct json_object *object, size_t max)
{
    check(strcmp(json_object_get_string(json_get(object, "type")), "plain_text") == 0);
    check(json_get(object, "emoji") && !json_object_get_boolean(json_get(object, "emoji")));
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
        if (json_get(block, "text"))
            check_plain(json_get(block, "text"), header ? SLACK_HEADER_MAX : SLACK_SECTION_MAX);
        else if (json_get(block, "fields"))
            check_list(json_get(block, "fields"), SLACK_FIELDS_MAX, SLACK_FIELD_MAX);
        else
            check_list(json_get(block, "elements"), 10, SLACK_FIELD_MAX);
    }
}

static void check_off(struct json_object *root, const char *key)
{
    check(json_object_is_type(json_get(root, key), json_type_boolean));
    check(!json_object_get_boolean(json_get(root, key)));
}

static struct json_object *blocks_of_attachment(struct json_object *root)
{
    struct json_object *attachments = json_get(root, "attachments");
    return attachments ? json_get(json_object_array_get_idx(attachments, 0), "blocks") : NULL;
}

/* The names of all members are those of the twin; here is what they must say. */
static void check_message(const struct dest_request *request, struct json_object *root)
{
    struct json_object *attachments = json_get(root, "attachments");
    check(strcmp(request->method, "POST") == 0 && request->header_count == 2);
    check(!memchr(request->body, '<', request->body_size) && !memchr(request->body, '>', request->body_size));
    check(json_object_object_length(root) == (attachments ? 6 : 5));
    check_off(root, "mrkdwn");
    check_off(root, "unfurl_links");
    check_off(root, "unfurl_media");
    check_escaped(json_get(root, "text"), SLACK_TEXT_MAX);
    check_blocks(json_get(root, "blocks"));
    if (attachments) {
        struct json_object *one = json_object_array_get_idx(attachments, 0);
        check(json_object_array_length(attachments) == 1 && json_object_object_length(one) == 2);
        check(strlen(json_object_get_string(json_get(one, "color"))) == 7);
        check_blocks(blocks_of_attachment(root));
    }
}

/* A headline that is too long for a header stands once more, as the first section of the attachment. */
static void align(struct json_object *hostile, struct json_object *twin)
{
    struct json_object *blocks = blocks_of_attachment(hostile), *others = blocks_of_attachment(twin);
    if (!blocks || json_object_array_length(blocks) == json_object_array_length(others))
        return;
    struct json_object *header = json_object_array_get_idx(json_get(twin, "blocks"), 0), *section = NULL;
    check(json_object_deep_copy(header, &section, NULL) == 0);
    json_object_object_add(section, "type", json_object_new_string("section"));
    json_object_array_add(others, NULL);
    for (size_t i = json_object_array_length(others) - 1; i > 0; i--)
        json_object_array_put_idx(others, i, json_object_get(json_object_array_get_idx(others, i - 1)));
    json_object_array_put_idx(others, 0, section);
}

/* Lines first, then paragraphs. */
static void show(struct buf *out, const char *text, int way)
{
    dest_fuzz_show_escaped(out, text, way == 0 ? TEXT_ONE_LINE : TEXT_LINES, text_escape_entities);
}

static bool is_success(const struct dest_response *answer)
{
    return answer->status == 200 && !answer->truncated && answer->body_size == 2 &&
           strcmp(answer->body, "ok") == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const settings[] = {
        "{\"webhook_url\":\"https://h/services/" DEST_FUZZ_SECRET "\"}",
        "{\"webhook_url\":\"https://h/services/" DEST_FUZZ_SECRET "\",\"style\":\"text\"}", NULL};
    static const char *const keys[] = {"webhook_url", "style", NULL};
    static const struct dest_fuzz slack = {
        .kind = "slack",
        .settings = settings,
        .setting_keys = keys,
        .show = show,
        .ways = 2,
        .cuts = true,
        .align = align,
        .check_request = check_message,
        .is_success = is_success,
    };
    return dest_fuzz_run(&slack, data, size);
}
