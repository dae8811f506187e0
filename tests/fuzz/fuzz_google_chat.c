/*
 * Google Chat: what holds for every destination (dest_fuzz.h), and that no text can be a mention, a link or emphasis:
 * cards hold only our own few tags, plain text no markup, and no message is longer than Google Chat allows.
 */
#include "common/base/json.h"
#include "common/destinations/alert.h"
#include "common/destinations/google_chat.h"
#include "tests/fuzz/dest_fuzz.h"
#include "tests/fuzz/dest_fuzz_checks.h"
#include "tests/fuzz/fuzz.h"

/* The beginnings of all tags and entities there are. */
static void check_html(const char *html)
{
    static const char *const tags[] = {"<b>",  "</b>", "<br>", "<font color=\"#", "</font>", "<i>",
                                       "</i>", "&lt;", "&gt;", "&amp;",           "&quot;",  "&#39;"};
    for (const char *at = html; *at; at++) {
        bool known = *at != '<' && *at != '&' && *at != '\'' && *at != '\n';
        for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++)
            known = known || strncmp(at, tags[i], strlen(tags[i])) == 0;
        check(known);
    }
    check(*html);
}

static void check_plain(struct json_object *value)
{
    const char *text = json_object_get_string(value);
    check(json_is_text(value) && *text && !strpbrk(text, "<>*~`@") && !strstr(text, "://"));
    check(strlen(text) <= 3 * GOOGLE_CHAT_TEXT_MAX);
}

static struct json_object *widgets_of(struct json_object *root)
{
    struct json_object *cards = json_get(root, "cardsV2");
    struct json_object *card = cards ? json_get(json_object_array_get_idx(cards, 0), "card") : NULL;
    return card ? json_get(json_object_array_get_idx(json_get(card, "sections"), 0), "widgets") : NULL;
}

static struct json_object *html_of(struct json_object *widgets, size_t i)
{
    struct json_object *widget = json_object_array_get_idx(widgets, i);
    struct json_object *paragraph = json_get(widget, "textParagraph");
    return json_get(paragraph ? paragraph : json_get(widget, "decoratedText"), "text");
}

static void check_message(const struct dest_request *request, struct json_object *root)
{
    struct json_object *widgets = widgets_of(root);
    check(strcmp(request->method, "POST") == 0 && request->header_count == 2);
    check(request->body_size <= GOOGLE_CHAT_MESSAGE_MAX);
    struct json_object *thread = json_get(root, "thread");
    check(!thread == !strstr(request->url, "messageReplyOption="));
    check(!thread || strlen(dest_fuzz_text(thread, "threadKey")) == ALERT_KEY_TEXT - 1);
    check(json_object_object_length(root) == (widgets ? 2 : 1) + (thread ? 1 : 0));
    check_plain(json_get(root, widgets ? "fallbackText" : "text"));
    size_t count = widgets ? json_object_array_length(widgets) : 0;
    check(count <= GOOGLE_CHAT_WIDGETS_MAX);
    for (size_t i = 0; i < count; i++)
        check_html(json_object_get_string(html_of(widgets, i)));
}

/* What the small print before the last says was left out; NULL: nothing. */
static const char *left_out(struct json_object *widgets)
{
    static const char begin[] = "<i>Left out for length: ";
    const char *html = json_object_get_string(html_of(widgets, json_object_array_length(widgets) - 2));
    return strncmp(html, begin, strlen(begin)) == 0 ? html + strlen(begin) : NULL;
}

/* The label of a widget, or "the text" for a paragraph without one. */
static const char *label_of(struct arena *a, struct json_object *widgets, size_t i)
{
    struct json_object *field = json_get(json_object_array_get_idx(widgets, i), "decoratedText");
    const char *html = json_object_get_string(html_of(widgets, i));
    if (field)
        return json_object_get_string(json_get(field, "topLabel"));
    const char *end = strncmp(html, "<b>", 3) == 0 ? strstr(html, "</b>") : NULL;
    return end ? arena_text(a, html + 3, (size_t)(end - html - 3)) : "the text";
}

/* What was left out is not in the twin either, and the small print that says so is. */
static void align(struct json_object *hostile, struct json_object *twin)
{
    struct json_object *thread = json_get(hostile, "thread"); /* its key is a hash of another name */
    if (thread)
        json_object_object_add(twin, "thread", json_object_get(thread));
    struct json_object *widgets = widgets_of(hostile), *others = widgets_of(twin);
    const char *names = widgets ? left_out(widgets) : NULL;
    struct arena a;
    if (!names)
        return;
    arena_init(&a, 256);
    for (size_t i = json_object_array_length(others) - 2; i > 0; i--)
        if (strstr(names, label_of(&a, others, i)))
            json_object_array_del_idx(others, i, 1);
    size_t last = json_object_array_length(others) - 1;
    struct json_object *note = json_object_array_get_idx(widgets, json_object_array_length(widgets) - 2);
    json_object_array_add(others, json_object_get(json_object_array_get_idx(others, last)));
    json_object_array_put_idx(others, last, json_object_get(note));
    arena_free(&a);
}

enum { HTML_LINE, HTML_LINES, PLAIN, WAYS };

static const char *as_html(uint32_t code, uint32_t before)
{
    switch (code) {
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    case '\n':
        return "<br>";
    default:
        return text_escape_entities(code, before);
    }
}

static void show(struct buf *out, const char *text, int way)
{
    dest_fuzz_show_escaped(out, text, way == HTML_LINES ? TEXT_LINES : TEXT_ONE_LINE,
                           way == PLAIN ? NULL : as_html);
}

static void escape(struct buf *out, const char *text, int way)
{
    text_add_escaped(out, text, out->max, TEXT_BYTES, way == PLAIN ? text_escape_lookalike : NULL);
}

static bool is_success(const struct dest_response *answer)
{
    const char *why;
    struct json_object *root = json_parse(answer->body, answer->body_size, &why);
    bool message = (json_object_is_type(root, json_type_object) && !json_get(root, "error")) ||
                   (!root && answer->truncated && answer->body[0] == '{');
    json_object_put(root);
    return message && answer->status >= 200 && answer->status < 300;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const settings[] = {
        "{\"webhook_url\":\"https://h/v1/spaces/S/messages?key=k&token=" DEST_FUZZ_SECRET "\"}",
        "{\"webhook_url\":\"https://h/v1/spaces/S/messages?key=k&token=" DEST_FUZZ_SECRET
        "\",\"style\":\"text\"}",
        NULL};
    static const char *const keys[] = {"webhook_url", "style", NULL};
    static const struct dest_fuzz google_chat = {
        .kind = "google_chat",
        .settings = settings,
        .setting_keys = keys,
        .show = show,
        .ways = WAYS,
        .escape = escape,
        .cuts = true,
        .align = align,
        .check_request = check_message,
        .is_success = is_success,
    };
    return dest_fuzz_run(&google_chat, data, size);
}
