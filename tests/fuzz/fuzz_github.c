/*
 * GitHub: what holds for every destination (dest_fuzz.h), and that no text can be a mention, a reference, a link or markup:
 * in a body all of them stand in code that ends where it should, in a title nothing is left that GitHub reads. The same of
 * comments.
 */
#include "common/base/json.h"
#include "common/base/utf8.h"
#include "common/destinations/alert.h"
#include "common/destinations/github.h"
#include "tests/fuzz/dest_fuzz.h"
#include "tests/fuzz/dest_fuzz_checks.h"
#include "tests/fuzz/fuzz.h"

enum { MARKDOWN_MOST = 1 << 20 };

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void check_inert(struct json_object *value, size_t max)
{
    check(json_is_text(value));
    const char *text = json_object_get_string(value);
    check(strlen(text) == (size_t)json_object_get_string_len(value));
    check(utf8_is_storable(text, strlen(text)) && dest_fuzz_units(text) <= max);
    for (; *text; text++) {
        check(text[0] != '@' || !is_word(text[1]));
        check(text[0] != '#' || text[1] < '0' || text[1] > '9');
        check((unsigned char)*text >= ' ' || *text == '\n');
    }
}

static void check_issue(const struct dest_request *request, struct json_object *root)
{
    const char *title = json_object_get_string(json_get(root, "title"));
    check(strcmp(request->method, "POST") == 0 && request->header_count == 5);
    check(strcmp(request->url + strlen(request->url) - 7, "/issues") == 0);
    check_inert(json_get(root, "title"), GITHUB_TITLE_MAX);
    check_inert(json_get(root, "body"), GITHUB_BODY_MAX);
    check(*title && !strpbrk(title, "`\n"));
    check(json_object_array_length(json_get(root, "labels")) >= 2);
}

/* ---- markup that depends on what it is around ---- */

static size_t run_at(const char *text)
{
    return strspn(text, "`");
}

/* The line at AT, of N bytes, with one backtick on either side of the code that ends it. */
static void add_line(struct buf *out, const char *at, size_t n)
{
    const char *start = memchr(at, '`', n), *end = at + n;
    if (!start) {
        buf_add(out, at, n);
        return;
    }
    size_t run = run_at(start), pad = start[run] == ' ';
    check(n > 2 * run && (size_t)(end - start) > 2 * (run + pad));
    const char *code = start + run + pad, *code_end = end - run - pad;
    for (const char *p = start + run; p < end; p += run_at(p) ? run_at(p) : 1)
        check((run_at(p) == run) == (p == end - run));
    check(!pad || (code_end[0] == ' ' && (*code == '`' || code_end[-1] == '`')));
    buf_add(out, at, (size_t)(start - at) + 1);
    buf_add(out, code, (size_t)(code_end - code));
    buf_add_char(out, '`');
}

/* The end of the fence of RUN backticks whose text begins at AT: the first line that is nothing else. */
static const char *end_of_fence(const char *at, size_t run)
{
    for (;; at = strchr(at, '\n') + 1) {
        check(strchr(at, '\n'));
        if (run_at(at) >= run) {
            check(run_at(at) == run && at[run] == '\n');
            return at;
        }
    }
}

/* The same with the shortest code marks, nothing when parts of it were left out for length. */
static void make_plain(const char *body, struct buf *out)
{
    for (const char *at = body; *at;) {
        size_t run = run_at(at), n = strcspn(at, "\n");
        if (strncmp(at, "Left out for length: ", 21) == 0) {
            buf_reset(out);
            return;
        }
        if (run >= 3 && strncmp(at + run, "text\n", 5) == 0) {
            const char *text = at + run + 5, *end = end_of_fence(text, run);
            buf_add_text(out, "```text\n");
            buf_add(out, text, (size_t)(end - text));
            buf_add_text(out, "```\n");
            at = end + run + 1;
            continue;
        }
        add_line(out, at, n);
        buf_add(out, at + n, at[n] ? 1 : 0);
        at += n + (at[n] ? 1 : 0);
    }
}

/* Every issue ends in its marker, which is a hash of texts: in BODY the same one for all. */
static void hide_marker(struct json_object *body)
{
    enum { DIGITS = ALERT_MARKER_TEXT - sizeof "pencheff" };
    const char *text = json_object_get_string(body);
    size_t n = strlen(text);
    check(n > ALERT_MARKER_TEXT && text[n - 1] == '`');
    struct buf hidden;
    buf_init(&hidden, MARKDOWN_MOST);
    buf_add_text(&hidden, text);
    char *marker = hidden.data + n - ALERT_MARKER_TEXT;
    check(strncmp(marker, "pencheff", sizeof "pencheff" - 1) == 0);
    check(strspn(marker + sizeof "pencheff" - 1, "0123456789abcdef") == DIGITS);
    marker[ALERT_MARKER_TEXT - 1] = 0;
    check(github_body_has_marker(text, marker));
    marker[ALERT_MARKER_TEXT - 1] = '`';
    memset(marker + sizeof "pencheff" - 1, '0', DIGITS);
    json_object_set_string(body, buf_text(&hidden));
    buf_free(&hidden);
}

/* The first request is about an issue that there is: a comment, which is as inert as an issue, or a state of ours alone. */
static bool is_about_issue(struct json_object *root)
{
    if (json_get(root, "labels"))
        return false;
    check(json_object_object_length(root) == (json_get(root, "state") ? 2 : 1));
    if (json_get(root, "body"))
        check_inert(json_get(root, "body"), GITHUB_BODY_MAX);
    return true;
}

static void align(struct json_object *hostile, struct json_object *twin)
{
    bool about_issue = is_about_issue(hostile);
    check(about_issue == is_about_issue(twin));
    if (json_get(hostile, "state"))
        return;
    if (!about_issue) {
        hide_marker(json_get(hostile, "body"));
        hide_marker(json_get(twin, "body"));
    }
    struct buf plain, other;
    buf_init(&plain, MARKDOWN_MOST);
    buf_init(&other, MARKDOWN_MOST);
    make_plain(json_object_get_string(json_get(hostile, "body")), &plain);
    make_plain(json_object_get_string(json_get(twin, "body")), &other);
    json_object_set_string(json_get(hostile, "body"), buf_text(&plain));
    json_object_set_string(json_get(twin, "body"), plain.len ? buf_text(&other) : "");
    buf_free(&plain);
    buf_free(&other);
    if (about_issue)
        return;
    struct json_object *labels = json_get(hostile, "labels");
    dest_fuzz_check_codes(labels);
    json_object_object_add(twin, "labels", json_object_get(labels));
}

/* Lines, paragraphs, the title. */
static void show(struct buf *out, const char *text, int way)
{
    struct buf clean;
    buf_init(&clean, out->max);
    text_add_clean(&clean, text, way == 1 ? TEXT_LINES : TEXT_ONE_LINE);
    (way == 0 ? github_add_inert : way == 1 ? github_add_prose : github_add_title)(out, buf_text(&clean));
    buf_free(&clean);
}

/* An issue has a number, as far as can be seen. */
static bool is_success(const struct dest_response *answer)
{
    return answer->status == 201 &&
           (answer->truncated || dest_fuzz_answer_has(answer, "number", json_type_int));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const settings[] = {
        "{\"repo\":\"o/r\",\"token\":\"" DEST_FUZZ_SECRET "\"}",
        "{\"repo\":\"o/r\",\"token\":\"" DEST_FUZZ_SECRET
        "\",\"api_url\":\"https://h/api/v3\",\"labels\":[\"x\"],\"assignees\":[\"y\"]}",
        NULL};
    static const char *const keys[] = {"repo", "token", "api_url", "labels", "assignees", NULL};
    static const struct dest_fuzz github = {
        .kind = "github",
        .settings = settings,
        .setting_keys = keys,
        .show = show,
        .ways = 3,
        .cuts = true,
        .align = align,
        .check_request = check_issue,
        .is_success = is_success,
    };
    return dest_fuzz_run(&github, data, size);
}
