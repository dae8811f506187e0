/*
 * Discord: what holds for every destination (dest_fuzz.h), and that no text can be markup, a mention or a link: nothing
 * of a text that Markdown begins with stands without a backslash, nobody may be mentioned, and no text and no sum of
 * them is longer than Discord allows.
 */
#include "common/base/json.h"
#include "common/destinations/discord.h"
#include "tests/fuzz/dest_fuzz.h"
#include "tests/fuzz/dest_fuzz_checks.h"
#include "tests/fuzz/fuzz.h"

static size_t check_length(const char *text, size_t max)
{
    size_t units = dest_fuzz_check_seen(text, true);
    check(units <= max);
    return units;
}

/* A backslash is before a mark and nowhere else, and what is before a mark is a backslash. */
static size_t check_escaped(const char *text, size_t max)
{
    for (const char *p = text; *p; p++) {
        if (*p == '\\') {
            check(p[1] && strchr("\\*_~`|<>@#:/[]-.", p[1]));
            p++;
        } else {
            check(!strchr("*_~`|<>@#:/[]", *p));
            check(*p != '-' ||
                  (p > text &&
                   strchr("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", p[-1])));
        }
    }
    return check_length(text, max);
}

static size_t check_fields(struct json_object *fields)
{
    size_t sum = 0;
    check(json_object_is_type(fields, json_type_array) &&
          json_object_array_length(fields) <= DISCORD_FIELDS_MAX);
    for (size_t i = 0; i < json_object_array_length(fields); i++) {
        struct json_object *field = json_object_array_get_idx(fields, i);
        check(json_object_object_length(field) == 3);
        sum += check_escaped(dest_fuzz_text(field, "name"), DISCORD_TITLE_MAX);
        sum += check_escaped(dest_fuzz_text(field, "value"), DISCORD_VALUE_MAX);
    }
    return sum;
}

static void check_embed(struct json_object *embed)
{
    check(json_object_is_type(embed, json_type_object));
    bool described = json_get(embed, "description") != NULL;
    check(json_object_object_length(embed) == (described ? 6 : 5));
    size_t sum = check_escaped(dest_fuzz_text(embed, "title"), DISCORD_TITLE_MAX);
    sum += described ? check_escaped(dest_fuzz_text(embed, "description"), DISCORD_DESCRIPTION_MAX) : 0;
    sum += check_fields(json_get(embed, "fields"));
    sum += check_length(dest_fuzz_text(json_get(embed, "footer"), "text"), DISCORD_FOOTER_MAX);
    check(sum <= DISCORD_EMBEDS_TEXT_MAX);
    check(strlen(dest_fuzz_text(embed, "timestamp")) == 24);
}

/* The names of all members are those of the twin; here is what they must say. */
static void check_message(const struct dest_request *request, struct json_object *root)
{
    struct json_object *embeds = json_get(root, "embeds");
    check(strcmp(request->method, "POST") == 0 && request->header_count == 2);
    const char *query = strchr(request->url, '?');
    check(query && strstr(query, "wait=true") && !strchr(request->url, '#'));
    check(json_object_array_length(json_get(json_get(root, "allowed_mentions"), "parse")) == 0);
    if (embeds) {
        check(json_object_object_length(root) == 2 && json_object_array_length(embeds) == 1);
        check_embed(json_object_array_get_idx(embeds, 0));
    } else {
        check(json_object_object_length(root) == 3);
        check(json_object_get_int(json_get(root, "flags")) == DISCORD_SUPPRESS_EMBEDS);
        check_escaped(dest_fuzz_text(root, "content"), DISCORD_CONTENT_MAX);
    }
}

/* An edit names all that a message has, and says in words of ours what happened. */
static void check_edit(const struct dest_request *request, struct json_object *root)
{
    if (strcmp(request->method, "PATCH") != 0)
        return;
    struct json_object *embeds = json_get(root, "embeds");
    const char *said = dest_fuzz_text(root, "content"), *place = request->url + strcspn(request->url, "?");
    bool card = json_object_array_length(embeds) == 1;
    check(request->header_count == 2 && !request->once);
    while (place[-1] >= '0' && place[-1] <= '9')
        place--;
    check(place[strspn(place, "0123456789")] == '\0' || place[strspn(place, "0123456789")] == '?');
    check(*place != '?' && *place && strncmp(place - 10, "/messages/", 10) == 0);
    check(json_object_object_length(root) == 4);
    check(json_object_array_length(json_get(json_get(root, "allowed_mentions"), "parse")) == 0);
    check(json_object_get_int(json_get(root, "flags")) == (card ? 0 : DISCORD_SUPPRESS_EMBEDS));
    check_escaped(said, card ? DISCORD_WORDS_MAX : DISCORD_CONTENT_MAX);
    check(strncmp(said, "Closed\\: ", 9) == 0 || strncmp(said, "Open again", 10) == 0 ||
          strncmp(said, "Found again", 11) == 0 || strncmp(said, "Updated", 7) == 0);
    if (card)
        check_embed(json_object_array_get_idx(embeds, 0));
}

static struct json_object *embed_of(struct json_object *root)
{
    struct json_object *embeds = json_get(root, "embeds");
    return embeds ? json_object_array_get_idx(embeds, 0) : NULL;
}

static bool has_field(struct json_object *fields, const char *name)
{
    for (size_t i = 0; i < json_object_array_length(fields); i++)
        if (strcmp(dest_fuzz_text(json_object_array_get_idx(fields, i), "name"), name) == 0)
            return true;
    return false;
}

/* Fields that are left out for length, each named in the small print. */
static void leave_out(struct json_object *hostile, struct json_object *twin)
{
    const char *footer = dest_fuzz_text(json_get(hostile, "footer"), "text");
    const char *usual = dest_fuzz_text(json_get(twin, "footer"), "text");
    struct json_object *fields = json_get(hostile, "fields"), *others = json_get(twin, "fields");
    for (size_t i = json_object_array_length(others); i > 0; i--) {
        const char *name = dest_fuzz_text(json_object_array_get_idx(others, i - 1), "name");
        if (has_field(fields, name))
            continue;
        check(strstr(footer, name));
        check(json_object_array_del_idx(others, i - 1, 1) == 0);
    }
    if (strcmp(footer, usual) == 0)
        return;
    check(strncmp(footer, usual, strlen(usual)) == 0 && strstr(footer, "\nLeft out for length: "));
    json_object_object_add(json_get(twin, "footer"), "text", json_object_new_string(footer));
}

/* A headline that is too long for a title stands once more in the description. */
static void align(struct json_object *hostile_root, struct json_object *twin_root)
{
    struct json_object *hostile = embed_of(hostile_root), *twin = embed_of(twin_root);
    if (!hostile)
        return;
    leave_out(hostile, twin);
    const char *below = json_get(hostile, "description") ? dest_fuzz_text(hostile, "description") : "";
    const char *title = dest_fuzz_text(hostile, "title"), *cut = strstr(title, "\xe2\x80\xa6");
    const char *twin_title = dest_fuzz_text(twin, "title");
    struct json_object *usual = json_get(twin, "description"), *whole = NULL;
    while (cut && cut[3])
        cut = strstr(cut + 3, "\xe2\x80\xa6");
    if (!cut || strncmp(title, below, (size_t)(cut - title)) != 0 || strlen(below) <= (size_t)(cut - title))
        return;
    struct buf text;
    buf_init(&text, 65536);
    buf_add_text(&text, twin_title);
    if (usual)
        buf_printf(&text, "\n\n%s", json_object_get_string(usual));
    whole = json_object_new_string(buf_text(&text));
    buf_free(&text);
    if (usual) {
        json_object_object_add(twin, "description", whole);
        return;
    }
    /* The second of the members: those behind it are put there once more. */
    static const char *const behind[] = {"color", "timestamp", "fields", "footer"};
    json_object_object_add(twin, "description", whole);
    for (size_t i = 0; i < sizeof behind / sizeof behind[0]; i++) {
        struct json_object *value = json_object_get(json_get(twin, behind[i]));
        json_object_object_del(twin, behind[i]);
        json_object_object_add(twin, behind[i], value);
    }
}

/* Lines first, then paragraphs. */
static void show(struct buf *out, const char *text, int way)
{
    dest_fuzz_show_escaped(out, text, way == 0 ? TEXT_ONE_LINE : TEXT_LINES, discord_escape);
}

static bool is_success(const struct dest_response *answer)
{
    return answer->status == 204 ||
           (answer->status == 200 && dest_fuzz_answer_has(answer, "id", json_type_string));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const settings[] = {
        "{\"webhook_url\":\"https://h/api/webhooks/1/" DEST_FUZZ_SECRET "\"}",
        "{\"webhook_url\":\"https://h/api/webhooks/1/" DEST_FUZZ_SECRET "\",\"style\":\"text\"}", NULL};
    static const char *const keys[] = {"webhook_url", "style", NULL};
    static const struct dest_fuzz discord = {
        .kind = "discord",
        .settings = settings,
        .setting_keys = keys,
        .show = show,
        .ways = 2,
        .cuts = true,
        .align = align,
        .check_request = check_message,
        .check_each = check_edit,
        .is_success = is_success,
    };
    return dest_fuzz_run(&discord, data, size);
}
