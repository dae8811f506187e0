/*
 * Jira: what holds for every destination (dest_fuzz.h), and that no text can be more than itself: in a document all of them
 * stand in text nodes of one line, in wiki markup no character is left that the renderer reads.
 */
#include "common/base/json.h"
#include "common/base/utf8.h"
#include "common/destinations/jira.h"
#include "tests/fuzz/dest_fuzz.h"
#include "tests/fuzz/dest_fuzz_checks.h"
#include "tests/fuzz/fuzz.h"

enum { TEXT_MOST = 1 << 20 };

static const char *type_of(struct json_object *node)
{
    check(json_is_text(json_get(node, "type")));
    return json_object_get_string(json_get(node, "type"));
}

static void check_line(struct json_object *value)
{
    check(json_is_text(value));
    const char *text = json_object_get_string(value);
    check(*text && strlen(text) == (size_t)json_object_get_string_len(value));
    check(utf8_is_storable(text, strlen(text)));
    for (; *text; text++)
        check((unsigned char)*text >= ' ' && *text != 0x7f);
}

/* Only what is no more than text and its order (developer.atlassian.com, document structure). */
static void check_node(struct json_object *node)
{
    static const char known[] = " doc paragraph heading bulletList listItem hardBreak text ";
    const char *type = type_of(node), *found = strstr(known, type);
    check(found && found[-1] == ' ' && found[strlen(type)] == ' ');
    check((strcmp(type, "text") == 0) == (json_get(node, "text") != NULL));
    if (json_get(node, "text"))
        check_line(json_get(node, "text"));
    struct json_object *content = json_get(node, "content");
    for (size_t i = 0; content && i < json_object_array_length(content); i++)
        check_node(json_object_array_get_idx(content, i));
}

/* What is left of a line without what is kept as it is, and without our own mark at its beginning. */
static void check_wiki_line(const char *line, size_t n)
{
    const char *at = line, *end = line + n;
    if (n > 21 && strncmp(line, "Left out for length: ", 21) == 0)
        return;
    const char *label = n > 3 && strncmp(line, "* *", 3) == 0 ? memmem(line, n, ":* ", 3) : NULL;
    if (label)
        at = label + 3;
    else if (n > 4 && strncmp(line, "h3. ", 4) == 0)
        at += 4;
    else
        check(n == 0 || (*at != 'h' && *at != 'b'));
    for (; at < end; at++) {
        if (*at == '\\') {
            at++;
            check(at < end && strchr("![]^~+?%{}()*_-|@", *at));
        } else if (*at == '&') {
            const char *stop = memchr(at, ';', (size_t)(end - at));
            check(stop && stop - at <= 5 && (at[1] == '#' || at[1] == 'a' || at[1] == 'l' || at[1] == 'g'));
            at = stop;
        } else {
            check(!strchr("![]^~+?%{}()*_-|@#:<>", *at) && (unsigned char)*at >= ' ');
        }
    }
}

static void check_wiki(const char *text)
{
    for (const char *at = text; *at; at += strcspn(at, "\n") + (strchr(at, '\n') != NULL))
        check_wiki_line(at, strcspn(at, "\n"));
}

static void check_issue(const struct dest_request *request, struct json_object *root)
{
    struct json_object *fields = json_get(root, "fields"), *description = json_get(fields, "description");
    bool wiki = strstr(request->url, "/rest/api/2/issue") != NULL;
    check(strcmp(request->method, "POST") == 0 && request->header_count == 5);
    check(json_object_object_length(root) == 1 && json_is_text(description) == wiki);
    check_line(json_get(fields, "summary"));
    check(dest_fuzz_units(json_object_get_string(json_get(fields, "summary"))) <= JIRA_SUMMARY_MAX);
    check(dest_fuzz_units(wiki ? json_object_get_string(description)
                               : json_object_to_json_string_ext(
                                     description, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)) <=
          JIRA_DESCRIPTION_MAX);
    if (wiki)
        check_wiki(json_object_get_string(description));
    else
        check_node(description);
    check(json_object_array_length(json_get(fields, "labels")) >= 2);
}

/* ---- markup that depends on what is in it ---- */

/* Of a paragraph of several lines, one text with line breaks in it. */
static void join_lines(struct json_object *node)
{
    struct json_object *content = json_get(node, "content");
    size_t count = content ? json_object_array_length(content) : 0;
    struct buf text;
    for (size_t i = 0; i < count; i++)
        join_lines(json_object_array_get_idx(content, i));
    if (count < 2 || strcmp(type_of(node), "paragraph") != 0 ||
        json_get(json_object_array_get_idx(content, 0), "marks"))
        return;
    buf_init(&text, TEXT_MOST);
    for (size_t i = 0; i < count; i++) {
        struct json_object *part = json_get(json_object_array_get_idx(content, i), "text");
        buf_add_text(&text, part ? json_object_get_string(part) : "\n");
    }
    json_object_set_string(json_get(json_object_array_get_idx(content, 0), "text"), buf_text(&text));
    json_object_array_del_idx(content, 1, count - 1);
    buf_free(&text);
}

static void align(struct json_object *hostile, struct json_object *twin)
{
    struct json_object *fields = json_get(hostile, "fields"), *others = json_get(twin, "fields");
    struct json_object *description = json_get(fields, "description");
    if (strstr(json_object_to_json_string(description), "Left out for length: "))
        json_object_object_add(others, "description", json_object_get(description));
    else if (!json_is_text(description))
        join_lines(description);
    struct json_object *labels = json_get(fields, "labels");
    dest_fuzz_check_codes(labels);
    json_object_object_add(others, "labels", json_object_get(labels));
}

/* Lines and paragraphs, as they are and in wiki markup. */
static void show(struct buf *out, const char *text, int way)
{
    static text_escape *const escapes[] = {NULL, NULL, jira_escape_value, jira_escape_lines};
    dest_fuzz_show_escaped(out, text, way % 2 == 0 ? TEXT_ONE_LINE : TEXT_LINES, escapes[way]);
}

static bool is_success(const struct dest_response *answer)
{
    return answer->status == 201 && !answer->truncated &&
           dest_fuzz_answer_has(answer, "key", json_type_string);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const settings[] = {
        "{\"base_url\":\"https://"
        "h\",\"email\":\"a@b\",\"project_key\":\"SEC\",\"api_token\":\"" DEST_FUZZ_SECRET "\"}",
        "{\"base_url\":\"https://h/"
        "jira\",\"auth\":\"bearer\",\"project_key\":\"SEC\",\"priority\":\"P1\",\"labels\":[\"x\"],"
        "\"api_token\":\"" DEST_FUZZ_SECRET "\"}",
        NULL};
    static const char *const keys[] = {"base_url", "email",  "api_token", "project_key", "issue_type",
                                       "priority", "labels", "auth",      NULL};
    static const struct dest_fuzz jira = {
        .kind = "jira",
        .settings = settings,
        .setting_keys = keys,
        .show = show,
        .ways = 4,
        .cuts = true,
        .align = align,
        .check_request = check_issue,
        .is_success = is_success,
    };
    return dest_fuzz_run(&jira, data, size);
}
