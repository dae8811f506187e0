/*
 * Teams: what holds for every destination (dest_fuzz.h), and that no text can be Markdown, a link or a function of a
 * card: a card has no texts but TextRuns and nothing that acts, a MessageCard has its Markdown off and look-alikes in
 * place of markup, and none is longer than Teams allows.
 */
#include "common/base/json.h"
#include "common/destinations/teams.h"
#include "tests/fuzz/dest_fuzz.h"
#include "tests/fuzz/dest_fuzz_checks.h"
#include "tests/fuzz/fuzz.h"

/* Every text of a card, wherever it stands, is that of a TextRun; there is nothing to click on. */
static void check_element(struct json_object *element)
{
    if (json_object_is_type(element, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(element); i++)
            check_element(json_object_array_get_idx(element, i));
        check(json_object_array_length(element) > 0);
        return;
    }
    if (!json_object_is_type(element, json_type_object))
        return;
    json_object_object_foreach(element, name, value)
    {
        check(strcmp(name, "actions") != 0 && strcmp(name, "selectAction") != 0 &&
              strcmp(name, "entities") != 0);
        if (strcmp(name, "text") == 0)
            check(strcmp(json_object_get_string(json_get(element, "type")), "TextRun") == 0 &&
                  json_object_get_string_len(value) > 0);
        check_element(value);
    }
}

static void check_message_card(const struct dest_request *request, struct json_object *root)
{
    struct json_object *sections = json_get(root, "sections");
    check(json_object_object_length(root) == 6 && json_object_array_length(sections) > 0);
    check(json_object_get_string_len(json_get(root, "summary")) > 0);
    check(strlen(json_object_get_string(json_get(root, "themeColor"))) == 6);
    for (size_t i = 0; i < json_object_array_length(sections); i++)
        check(!json_object_get_boolean(json_get(json_object_array_get_idx(sections, i), "markdown")));
    for (const char *letter = "<>*~`"; *letter; letter++)
        check(!memchr(request->body, *letter, request->body_size));
    check(!memmem(request->body, request->body_size, "](", 2));
}

static void check_message(const struct dest_request *request, struct json_object *root)
{
    check(strcmp(request->method, "POST") == 0 && request->header_count == 2);
    check(request->body_size <= TEAMS_MESSAGE_MAX);
    check(!memmem(request->body, request->body_size, "{{", 2));
    check(!memmem(request->body, request->body_size, "${", 2));
    if (json_get(root, "@type"))
        check_message_card(request, root);
    else
        check_element(root);
}

static void escape_run(struct buf *out, const char *text, int way)
{
    (void)way;
    text_add_escaped(out, text, out->max, TEXT_CODE_POINTS, text_escape_template);
}

static const char *look_alike_lines(uint32_t code, uint32_t before)
{
    return code == '\n' ? "\n\n" : text_escape_lookalike(code, before);
}

static void escape_look_alike(struct buf *out, const char *text, int way)
{
    text_add_escaped(out, text, out->max, TEXT_CODE_POINTS,
                     way == 0 ? text_escape_lookalike : look_alike_lines);
}

/* Anything but a failure or a page. */
static bool workflow_took_it(const struct dest_response *answer)
{
    const char *body = answer->body;
    while (*body && strchr(" \t\r\n", *body))
        body++;
    return answer->status == 202 || (answer->status >= 200 && answer->status < 300 && *body != '<' &&
                                     !strstr(body, "Webhook message delivery failed"));
}

static bool connector_took_it(const struct dest_response *answer)
{
    return answer->status == 200 && !answer->truncated && answer->body_size == 1 && *answer->body == '1';
}

/* The first byte says which of the two is asked. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const of_workflow[] = {
        "{\"webhook_url\":\"https://h/workflows/w?sig=" DEST_FUZZ_SECRET "\"}",
        "{\"webhook_url\":\"https://h/workflows/w?sig=" DEST_FUZZ_SECRET "\",\"style\":\"text\"}", NULL};
    static const char *const of_connector[] = {
        "{\"webhook_url\":\"https://h/hook/" DEST_FUZZ_SECRET "\",\"style\":\"connector\"}", NULL};
    static const char *const keys[] = {"webhook_url", "style", NULL};
    static const struct dest_fuzz workflow = {
        .kind = "teams",
        .settings = of_workflow,
        .setting_keys = keys,
        .show = dest_fuzz_show_clean,
        .ways = 2,
        .escape = escape_run,
        .cuts = true,
        .check_request = check_message,
        .is_success = workflow_took_it,
    };
    static const struct dest_fuzz connector = {
        .kind = "teams",
        .settings = of_connector,
        .setting_keys = keys,
        .show = dest_fuzz_show_clean,
        .ways = 2,
        .escape = escape_look_alike,
        .cuts = true,
        .check_request = check_message,
        .is_success = connector_took_it,
    };
    if (size == 0)
        return 0;
    return dest_fuzz_run(data[0] & 1 ? &connector : &workflow, data + 1, size - 1);
}
