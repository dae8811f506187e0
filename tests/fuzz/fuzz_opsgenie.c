/*
 * Opsgenie: what holds for every destination (dest_fuzz.h), and that no text can be a tag or an entity of HTML, is longer
 * than Opsgenie allows, or decides about alias, priority, tags or who is told.
 */
#include "common/base/json.h"
#include "common/destinations/alert.h"
#include "common/destinations/opsgenie.h"
#include "tests/fuzz/dest_fuzz.h"
#include "tests/fuzz/dest_fuzz_checks.h"
#include "tests/fuzz/fuzz.h"

#define ELLIPSIS "…"

enum { SIGN_SIZE = 3 /* bytes of the shortest sign that an event has */ };

/* No bracket, nothing that cannot be seen; in HTML each & begins an entity of ours. */
static void check_text(struct json_object *object, const char *key, size_t max, bool html)
{
    const char *text = dest_fuzz_text(object, key);
    check(dest_fuzz_check_seen(text, html) <= max && !strpbrk(text, "<>"));
    if (html)
        dest_fuzz_check_entities(text);
}

static void check_details(struct json_object *details)
{
    size_t sum = 0;
    json_object_object_foreach(details, name, value)
    {
        check_text(details, name, OPSGENIE_DETAILS_MAX, false);
        sum += strlen(name) + text_length(json_object_get_string(value), TEXT_UTF16_UNITS);
    }
    check(sum <= OPSGENIE_DETAILS_MAX);
}

static void check_tags(struct json_object *tags)
{
    dest_fuzz_check_codes(tags);
    check(json_object_array_length(tags) <= OPSGENIE_TAGS_MAX);
    for (size_t i = 0; i < json_object_array_length(tags); i++)
        check(json_object_get_string_len(json_object_array_get_idx(tags, i)) <= OPSGENIE_TAG_MAX);
}

static void check_priority(struct json_object *root)
{
    const char *priority = dest_fuzz_text(root, "priority");
    check(priority[0] == 'P' && priority[1] >= '1' && priority[1] <= '5' && !priority[2]);
}

static void check_alert(struct json_object *root)
{
    const char *alias = dest_fuzz_text(root, "alias");
    check(alert_is_key(alias) || strcmp(alias, "pencheff-test") == 0);
    check_priority(root);
    check_text(root, "message", OPSGENIE_MESSAGE_MAX, false);
    check_text(root, "description", OPSGENIE_DESCRIPTION_MAX, true);
    check_tags(json_get(root, "tags"));
    if (!json_get(root, "details")) { /* a test */
        check(json_object_object_length(root) == 7);
        return;
    }
    check(json_object_object_length(root) == (json_get(root, "entity") ? 9 : 8));
    if (json_get(root, "entity"))
        check_text(root, "entity", OPSGENIE_ENTITY_MAX, false);
    check_details(json_get(root, "details"));
}

/* URL leads to an alert of ours, by its alias, and what is to become of it is ACTION. */
static void check_place(const char *url, const char *action)
{
    char alias[ALERT_KEY_TEXT];
    const char *end = strstr(url, action);
    check(end && strcmp(end, action) == 0 && end - url > ALERT_KEY_TEXT);
    memcpy(alias, end - (ALERT_KEY_TEXT - 1), ALERT_KEY_TEXT - 1);
    alias[ALERT_KEY_TEXT - 1] = '\0';
    check(alert_is_key(alias) && end[-ALERT_KEY_TEXT] == '/');
}

static void check_each(const struct dest_request *request, struct json_object *root)
{
    check(!root || request->header_count == 3);
    if (strcmp(request->method, "GET") == 0) {
        check(!root && strstr(request->url, "/requests/"));
        return;
    }
    if (strcmp(request->method, "PUT") == 0) {
        check(json_object_object_length(root) == 1);
        check_priority(root);
        check_place(request->url, "/priority?identifierType=alias");
        return;
    }
    check(strcmp(request->method, "POST") == 0);
    check(strcmp(dest_fuzz_text(root, "user"), "Pencheff") == 0 &&
          strcmp(dest_fuzz_text(root, "source"), "Pencheff") == 0);
    if (!json_get(root, "note")) {
        check_alert(root);
        return;
    }
    bool ends = strstr(request->url, "/close?") != NULL;
    check(json_object_object_length(root) == 3);
    check_place(request->url, ends ? "/close?identifierType=alias" : "/notes?identifierType=alias");
    check_text(root, "note", OPSGENIE_NOTE_MAX, true);
    check(!ends || strncmp(dest_fuzz_text(root, "note"), "Closed: ", 8) == 0);
}

static bool is_cut(struct json_object *alert)
{
    const char *message = dest_fuzz_text(alert, "message");
    size_t n = strlen(message), end = sizeof ELLIPSIS - 1;
    return text_length(message, TEXT_UTF16_UNITS) >= OPSGENIE_MESSAGE_MAX - 1 && n > end &&
           strcmp(message + n - end, ELLIPSIS) == 0;
}

/* Where the message is cut, the headline stands before the description: one line, whose beginning the message has too. */
static void take_headline_off(struct json_object *hostile)
{
    const char *description = dest_fuzz_text(hostile, "description"), *end = strstr(description, "\n\n");
    check(end && strncmp(description, dest_fuzz_text(hostile, "message"), SIGN_SIZE) == 0);
    json_object_object_add(hostile, "description", json_object_new_string(end + 2));
}

/* The hash is of another name, and tags are made of what has the form of a code; what tags look like is checked above. */
static void align(struct json_object *hostile, struct json_object *twin)
{
    if (!json_get(hostile, "alias"))
        return;
    json_object_object_add(twin, "alias", json_object_get(json_get(hostile, "alias")));
    json_object_object_add(twin, "tags", json_object_get(json_get(hostile, "tags")));
    if (is_cut(hostile))
        take_headline_off(hostile);
}

static const char *as_quotes(uint32_t code, uint32_t before)
{
    (void)before;
    return code == '<' ? "‹" : code == '>' ? "›" : NULL;
}

/* Lines of HTML, its paragraphs, lines of text. */
static void show(struct buf *out, const char *text, int way)
{
    if (way < 2)
        dest_fuzz_show_escaped(out, text, way == 1 ? TEXT_LINES : TEXT_ONE_LINE, text_escape_entities);
    else
        dest_fuzz_show_escaped(out, text, TEXT_ONE_LINE, as_quotes);
}

static bool is_success(const struct dest_response *answer)
{
    const char *why;
    struct json_object *body = json_parse(answer->body, answer->body_size, &why);
    struct json_object *id = json_get(body, "requestId");
    int n = json_is_text(id) ? json_object_get_string_len(id) : 0;
    json_object_put(body);
    return !answer->truncated && answer->status >= 200 && answer->status < 300 && n > 0 && n <= 100;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const settings[] = {
        "{\"api_key\":\"" DEST_FUZZ_SECRET "\"}",
        "{\"api_key\":\"" DEST_FUZZ_SECRET "\",\"api_url\":\"https://api.atlassian.com\"}", NULL};
    static const char *const keys[] = {"api_key", "api_url", NULL};
    static const struct dest_fuzz opsgenie = {
        .kind = "opsgenie",
        .settings = settings,
        .setting_keys = keys,
        .show = show,
        .ways = 3,
        .cuts = true,
        .align = align,
        .check_each = check_each,
        .is_success = is_success,
    };
    return dest_fuzz_run(&opsgenie, data, size);
}
