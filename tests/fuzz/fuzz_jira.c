/*
 * Jira: what holds for every destination (dest_fuzz.h), and that no text can be more than itself: in a document all of them
 * stand in text nodes of one line, in wiki markup no character is left that the renderer reads.
 */
#include "common/base/json.h"
#include "common/base/utf8.h"
#include "common/destinations/alert.h"
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

static bool is_wiki(const struct dest_request *request)
{
    return strstr(request->url, "/rest/api/2/") != NULL;
}

/* A document or wiki markup, within the limit. */
static void check_text(struct json_object *text, bool wiki)
{
    check(json_is_text(text) == wiki);
    check(dest_fuzz_units(wiki ? json_object_get_string(text)
                               : json_object_to_json_string_ext(text, JSON_C_TO_STRING_PLAIN |
                                                                          JSON_C_TO_STRING_NOSLASHESCAPE)) <=
          JIRA_DESCRIPTION_MAX);
    if (wiki)
        check_wiki(json_object_get_string(text));
    else
        check_node(text);
}

static void check_new_issue(const struct dest_request *request, struct json_object *root)
{
    struct json_object *fields = json_get(root, "fields");
    check(json_object_object_length(root) == 1 && request->once);
    check_line(json_get(fields, "summary"));
    check(dest_fuzz_units(json_object_get_string(json_get(fields, "summary"))) <= JIRA_SUMMARY_MAX);
    check_text(json_get(fields, "description"), is_wiki(request));
    check(json_object_array_length(json_get(fields, "labels")) >= 2);
}

static const char *skip(const char *text, const char *what)
{
    check(strncmp(text, what, strlen(what)) == 0);
    return text + strlen(what);
}

/* Quoted are the key of the settings, which are checked, and the marker. */
static void check_search(const struct dest_request *request, struct json_object *root)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    const char *at = skip(dest_fuzz_text(root, "jql"), "project = \"");
    at = skip(at + strspn(at, letters), "\" AND description ~ \"pencheff");
    at = skip(at + strspn(at, "0123456789abcdef"), "\" ORDER BY created ASC");
    check(*at == '\0' && !request->once);
}

static bool is_at(const struct dest_request *request, const char *path)
{
    size_t n = strlen(request->url), end = strlen(path);
    return n > end && strcmp(request->url + n - end, path) == 0;
}

static void check_first(const struct dest_request *request, struct json_object *root)
{
    check(strcmp(request->method, "POST") == 0 && request->header_count == 5);
    if (is_at(request, "/search") || is_at(request, "/search/jql"))
        check_search(request, root);
    else
        check_new_issue(request, root);
}

/* Of every request: nobody is led anywhere but to an issue, its project, the search and the account. */
static void check_each(const struct dest_request *request, struct json_object *root)
{
    const char *path = strstr(request->url, "/rest/api/");
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-/";
    check(path && strspn(path, allowed) == strlen(path) && !strstr(path, "//"));
    if (root && is_at(request, "/comment")) {
        check(strcmp(request->method, "POST") == 0 && request->once);
        check_text(json_get(root, "body"), is_wiki(request));
    }
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

/* The marker is a hash of the texts: TWIN's becomes that of HOSTILE. Both texts end in it. */
static struct json_object *with_marker(struct json_object *hostile, struct json_object *twin, size_t behind)
{
    const char *from = json_object_get_string(hostile), *to = json_object_get_string(twin);
    size_t n = ALERT_MARKER_TEXT - 1 + behind;
    struct buf text;
    check(strlen(from) >= n && strlen(to) >= n);
    buf_init(&text, TEXT_MOST);
    buf_add(&text, to, strlen(to) - n);
    buf_add_text(&text, from + strlen(from) - n);
    struct json_object *made = json_object_new_string(buf_text(&text));
    buf_free(&text);
    return made;
}

/* The only text of the last paragraph. */
static struct json_object *last_text(struct json_object *document)
{
    struct json_object *blocks = json_get(document, "content");
    struct json_object *last = json_object_array_get_idx(blocks, json_object_array_length(blocks) - 1);
    return json_object_array_get_idx(json_get(last, "content"), 0);
}

static void align_description(struct json_object *fields, struct json_object *others)
{
    struct json_object *description = json_get(fields, "description"),
                       *other = json_get(others, "description");
    if (json_is_text(description))
        json_object_object_add(others, "description", with_marker(description, other, 0));
    else
        json_object_object_add(
            last_text(other), "text",
            with_marker(json_get(last_text(description), "text"), json_get(last_text(other), "text"), 0));
}

/* Of a description or a comment, OBJECT's member KEY. */
static void align_text(struct json_object *object, struct json_object *twin, const char *key)
{
    struct json_object *text = json_get(object, key);
    if (strstr(json_object_to_json_string(text), "Left out for length: "))
        json_object_object_add(twin, key, json_object_get(text));
    else if (!json_is_text(text))
        join_lines(text);
}

static void align_issue(struct json_object *fields, struct json_object *others)
{
    struct json_object *labels = json_get(fields, "labels");
    align_description(fields, others);
    align_text(fields, others, "description");
    dest_fuzz_check_codes(labels);
    json_object_object_add(others, "labels", json_object_get(labels));
}

static void align(struct json_object *hostile, struct json_object *twin)
{
    struct json_object *jql = json_get(hostile, "jql");
    if (jql)
        json_object_object_add(twin, "jql",
                               with_marker(jql, json_get(twin, "jql"), strlen("\" ORDER BY created ASC")));
    else if (json_get(hostile, "body"))
        align_text(hostile, twin, "body");
    else
        align_issue(json_get(hostile, "fields"), json_get(twin, "fields"));
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
        "\"close_transition\":\"Done\",\"reopen_transition\":\"11\","
        "\"api_token\":\"" DEST_FUZZ_SECRET "\"}",
        NULL};
    static const char *const keys[] = {
        "base_url", "email", "api_token",        "project_key",       "issue_type", "priority",
        "labels",   "auth",  "close_transition", "reopen_transition", NULL};
    static const struct dest_fuzz jira = {
        .kind = "jira",
        .settings = settings,
        .setting_keys = keys,
        .show = show,
        .ways = 4,
        .cuts = true,
        .align = align,
        .check_request = check_first,
        .check_each = check_each,
        .is_success = is_success,
    };
    return dest_fuzz_run(&jira, data, size);
}
