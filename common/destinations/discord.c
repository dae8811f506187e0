/*
 * discord - a message into a channel, through a webhook: one for each finding, and one for each event of a scan
 *
 * A conversation of one request; what becomes of a finding's message is in discord_life.c. The URL is the credential: it stands in the request and nowhere else. It is asked with
 * wait=true, since without that Discord answers 204 even when it does not store the message. What Discord has to say it
 * says as a number in the body (discord-api-docs topics/opcodes-and-status-codes), which is judged before the status.
 * There is no idempotency key for webhooks, so that a repeat shows twice: an answer that may mean "shown" is not
 * followed by another request.
 */
#include "common/destinations/discord.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/http_time.h"
#include "common/base/json.h"
#include "common/destinations/answer_wait.h"

/* Bytes of an answer with the message in it: 6,000 UTF-16 units of six bytes each when all are escaped, and what is around. */
enum { ANSWER_MAX = 65536 };

/* The documented form, without which Discord's Cloudflare may refuse requests (discord-api-docs reference). */
#define USER_AGENT "DiscordBot (pencheff-notify, " NOTIFY_VERSION ")"

/* ---- settings ---- */

static const char *skip(const char *text, const char *characters)
{
    return text + strspn(text, characters);
}

/* What is wrong with a path at Discord, /api/webhooks/ID/TOKEN with perhaps a version behind /api; NULL: nothing. */
static const char *path_fault(const char *path)
{
    static const char other[] =
        "webhook_url is not a webhook's; copy it again from the channel's settings, Integrations, Webhooks: "
        "https://discord.com/api/webhooks/ and then two words";
    if (strncmp(path, "/api", 4) != 0)
        return other;
    const char *rest = path + 4;
    if (strncmp(rest, "/v", 2) == 0) {
        if (strspn(rest + 2, "345") == 1 && rest[3] == '/')
            return "webhook_url names a version of Discord's API that is gone; take the part /v… out of it";
        rest = skip(rest + 2, "0123456789");
    }
    if (strncmp(rest, "/webhooks/", 10) != 0)
        return other;
    const char *id = rest + 10, *end = skip(id, "0123456789");
    const char *token = end + 1;
    if (end == id || *end != '/')
        return other;
    end = skip(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
    if (end == token)
        return other;
    if (strncmp(end, "/slack", 6) == 0 || strncmp(end, "/github", 7) == 0)
        return "webhook_url ends in /slack or /github, where Discord expects another service's messages; "
               "take that off";
    return *end && *end != '?' && *end != '#' ? other : NULL;
}

static bool is_discord(const char *url)
{
    return dest_config_host_is(url, "discord.com") || dest_config_host_is(url, ".discord.com");
}

/* False with *ERROR filled. */
static bool check_place(const char *url, struct dest_config_error *error)
{
    bool former = dest_config_host_is(url, "discordapp.com");
    if (!former && !is_discord(url)) {
        error->advice = "webhook_url does not lead to Discord (discord.com); that is right for a server that "
                        "passes messages on to it";
        return true;
    }
    const char *host = strstr(url, "://") + 3;
    const char *fault = path_fault(host + strcspn(host, "/?#"));
    if (fault)
        return dest_config_fail(error, fault);
    if (former)
        error->advice = "webhook_url has Discord's former name; write discord.com in place of discordapp.com";
    return true;
}

static bool is_wait(const char *parameter, size_t n)
{
    return (n == 4 || (n > 4 && parameter[4] == '=')) && strncmp(parameter, "wait", 4) == 0;
}

/* "?" and the parameters of URL but for wait; a fragment, which is never sent, goes. */
static const char *query_of(struct arena *arena, const char *url)
{
    struct buf out;
    const char *at = strpbrk(url, "?#");
    char before = '?';
    buf_init(&out, 2 * DEST_CONFIG_URL_MAX);
    at = at && *at == '?' ? at + 1 : "";
    while (*at && *at != '#') {
        size_t n = strcspn(at, "&#");
        if (n > 0 && !is_wait(at, n)) {
            buf_add_char(&out, before);
            buf_add(&out, at, n);
            before = '&';
        }
        at += n + (at[n] == '&');
    }
    const char *query = arena_text(arena, buf_text(&out), out.len);
    buf_wipe(&out);
    return query;
}

static void take_apart(struct discord_config *config, struct arena *arena, const char *url)
{
    size_t n = strcspn(url, "?#");
    const char *path = arena_text(arena, url, n);
    config->query = query_of(arena, url);
    config->url = arena_printf(arena, "%s%s%swait=true", path, config->query, *config->query ? "&" : "?");
    config->place = arena_text(arena, url, n - (url[n - 1] == '/'));
}

static const struct dest_setting settings[] = {
    DEST_SETTING_WEBHOOK_URL("The URL of a webhook of the channel.", "https://discord.com/api/webhooks/1/x"),
    DEST_SETTING_STYLE,
    {.key = NULL},
};

static const void *discord_config_parse(struct arena *arena, const char *json, size_t size,
                                        struct dest_config_error *error)
{
    struct discord_config *config = arena_alloc(arena, sizeof *config);
    struct json_object *root = dest_config_read(json, size, error);
    if (!root)
        return NULL;
    const char *url = dest_config_url(arena, root, "webhook_url", "the webhook's", error);
    bool good = url && dest_config_style(root, &config->style, error) && check_place(url, error);
    if (good)
        take_apart(config, arena, url);
    json_object_put(root);
    return good ? config : NULL;
}

/* ---- answers ---- */

/* REASON_NONE: tried again. */
static const struct answer_code {
    int code;
    enum reason reason;
    const char *detail;
} answer_codes[] = {
    {10003, REASON_GONE,
     "the webhook's channel or thread does not exist any more (10003); make a new webhook, or take thread_id "
     "out of webhook_url"},
    {10004, REASON_GONE,
     "the webhook's server does not exist any more (10004); make a new webhook elsewhere"},
    {10015, REASON_GONE, "the webhook was deleted (10015); make a new one"},
    {50027, REASON_REJECTED,
     "the webhook's URL is not complete or not valid any more (50027); copy it again from the channel's "
     "settings"},
    {40005, REASON_REJECTED,
     "Discord finds the message too large (40005); please report it, and set style to text meanwhile"},
    {50006, REASON_REJECTED,
     "Discord finds nothing in the message (50006); please report it, and set style to text meanwhile"},
    {50035, REASON_REJECTED,
     "Discord refuses the message's form (50035); please report it, and set style to text meanwhile"},
    {50109, REASON_REJECTED,
     "Discord cannot read the message (50109); please report it, and look for a proxy that changes requests"},
    {50001, REASON_REJECTED,
     "Discord does not let the webhook into the channel (50001); look at the channel's permissions"},
    {50013, REASON_REJECTED,
     "the webhook lacks a permission in its channel (50013); look at the channel's permissions"},
    {50024, REASON_REJECTED,
     "the webhook's channel is of a type that takes no messages (50024); make a webhook for a text channel"},
    {160005, REASON_REJECTED,
     "the thread is locked (160005); unlock it, or take thread_id out of webhook_url"},
    {200000, REASON_REJECTED,
     "the server's AutoMod blocks the message (200000); let its rules leave the channel out, or set style to "
     "text"},
    {220001, REASON_REJECTED,
     "a forum channel needs a thread (220001); add ?thread_id= and the id of one of its posts to "
     "webhook_url"},
    {220002, REASON_REJECTED,
     "webhook_url names a thread twice (220002); leave thread_id in it and nothing else"},
    {220003, REASON_REJECTED,
     "only a forum channel has posts (220003); take everything behind the ? out of webhook_url"},
    {240000, REASON_REJECTED,
     "Discord's filter takes an address in the message for a harmful link (240000); set style to text, or "
     "leave this finding to another integration"},
    {20016, REASON_NONE, "the channel's slow mode asks to wait (20016)"},
    {20028, REASON_NONE, "Discord asks to slow down in this channel (20028)"},
    {20029, REASON_NONE, "Discord asks to slow down in this server (20029)"},
    {30046, REASON_NONE, "Discord asks to come back later (30046)"},
    {40062, REASON_NONE, "Discord asks to slow down (40062)"},
    {40333, REASON_NONE,
     "Discord's Cloudflare blocks requests from this address (40333); if it does not end, look for what else "
     "sends many from it"},
    {130000, REASON_NONE, "Discord is overloaded (130000)"},
};

static const struct answer_code *find_code(struct json_object *body)
{
    struct json_object *code = json_get(body, "code");
    if (!json_object_is_type(code, json_type_int))
        return NULL;
    for (size_t i = 0; i < sizeof answer_codes / sizeof answer_codes[0]; i++)
        if (json_object_get_int64(code) == answer_codes[i].code)
            return &answer_codes[i];
    return NULL;
}

/* The longest of what the body and the header say; the time of a reset only when there is nothing else, since it is
 * of another clock. */
static double wait_asked(const struct dest_response *r, struct json_object *body)
{
    struct json_object *value = json_get(body, "retry_after");
    bool number = json_object_is_type(value, json_type_double) || json_object_is_type(value, json_type_int);
    double said = number ? json_object_get_double(value) : 0;
    double wait = r->retry_after, after = answer_wait(r, ANSWER_RATE_RESET_AFTER);
    wait = said > wait ? said : wait;
    wait = after > wait ? after : wait;
    if (wait <= 0)
        wait = answer_wait(r, ANSWER_RATE_RESET);
    return wait < HTTP_TIME_WAIT_MAX ? wait : HTTP_TIME_WAIT_MAX;
}

static struct verdict from_code(const struct dest_response *r, const struct answer_code *code)
{
    return (struct verdict){.kind = code->reason == REASON_NONE ? VERDICT_RETRY : VERDICT_REJECTED,
                            .reason = code->reason,
                            .error = r->status < 300 ? ERROR_NOT_ACCEPTED : ERROR_HTTP_STATUS,
                            .detail = code->detail};
}

static struct verdict from_body(const struct dest_response *r, struct json_object *body)
{
    const struct answer_code *code = find_code(body);
    if (r->status == 204 || (r->status == 200 && json_is_text(json_get(body, "id"))))
        return (struct verdict){.kind = VERDICT_DELIVERED};
    if (r->status != 429 && code)
        return from_code(r, code);
    if (r->status < 200 || r->status >= 300)
        return verdict_from_status(r);
    return (struct verdict){.kind = VERDICT_REJECTED,
                            .reason = REASON_REJECTED,
                            .error = ERROR_NOT_ACCEPTED,
                            .detail = "the answer is not Discord's; set webhook_url to the URL of a webhook, "
                                      "and look for a proxy that answers in its place"};
}

struct verdict discord_judge(const struct dest_response *r)
{
    if (r->error != ERROR_NONE)
        return verdict_from_status(r);
    struct json_object *body = dest_answer_json(r);
    struct verdict v = from_body(r, body);
    if (v.kind == VERDICT_RETRY)
        v.not_before = wait_asked(r, body);
    json_object_put(body);
    return v;
}

/* ---- the conversation ---- */

void discord_sign(struct dest_request *request)
{
    check(dest_request_set_header(request, "User-Agent", USER_AGENT));
    request->answer_max = ANSWER_MAX;
}

static enum dest_next discord_next(struct conversation *c, const struct dest_response *last,
                                   struct dest_request *out)
{
    const struct discord_config *config = c->config;
    const struct event *event = c->jobs[0].event;
    if (event && c->job_count == 1 && event_is_about_finding(event->type))
        return discord_life_next(c, last, out);
    enum dest_next next =
        dest_one_request(c, last, out, config->url, config->style, discord_body_build, discord_judge);
    if (next == DEST_SEND)
        discord_sign(out);
    return next;
}

const struct dest dest_discord = {
    .kind = "discord",
    .title = "Discord",
    .placeholder = "{\"webhook_url\":\"https://discord.com/api/webhooks/000000000000000000/PLACEHOLDER\"}",
    .repeat_hurts = true,
    .refers = DEST_REFERS_FINDINGS,
    .together_max = DEST_DIGEST_MAX,
    .digests = true,
    .settings = settings,
    .config_parse = discord_config_parse,
    .next = discord_next,
};
