/*
 * client - requests to the REST API
 *
 * Over the same transfers as deliveries: caps, deadlines, no redirects, no proxy of the environment. The address policy lets all
 * addresses through, for whoever starts the program names the host; but http:// leads to this host only unless it is allowed,
 * because it carries the token in clear.
 *
 * A request is made again, within its time, when that cannot do it twice: nothing of it was sent, it was refused as too much
 * (429), or it is one that may be repeated (GET, `repeats`, or with an Idempotency-Key) whose answer was lost or says that a server is
 * away.
 *
 * Whether something was carried out is remembered over the tries of a request: once one was sent to which no answer of 2xx or 4xx came,
 * it may have been, whatever comes later. That no connection is made after it is no word on that.
 *
 * Owns the transfers. Knows no route and no tool. The token is in no text that it makes.
 */
#include "api/mcp/client.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/model/words.h"

enum { TOKEN_MAX = 256, TRIES_MAX = 4, HEADERS_MAX = 65536, IDLE_CONNECTIONS = 4, NETWORKS_MAX = 2 };

static const double first_pause_s = 0.2;

struct client {
    struct event_base *base;
    struct client_settings settings;
    struct address_network networks[NETWORKS_MAX];
    struct transfers *transfers;
    char *authorization;
};

/* ---- what it is made of ---- */

const char *client_url_fault(const char *url, bool allow_http)
{
    bool plain = strncmp(url, "http://", 7) == 0;
    const char *host = plain ? url + 7 : strncmp(url, "https://", 8) == 0 ? url + 8 : NULL;
    if (!host || !*host || *host == '/' || *host == ':')
        return "must be as https://notify.example or http://127.0.0.1:8080";
    for (const char *at = url; *at; at++)
        if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7f || strchr("?#@\\", *at))
            return "must have no blank, no user, nothing behind ? or #, and ASCII alone";
    size_t n = strcspn(host, "/:");
    if (*host == '[')
        n = strcspn(host, "]") + 1;
    static const char *const own[] = {"127.0.0.1", "localhost", "[::1]"};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (n == strlen(own[i]) && strncmp(host, own[i], n) == 0)
            return NULL;
    if (plain && !allow_http)
        return "is http:// and leads to another host, so that everybody between could read the token: use "
               "https://, or allow it with --allow-http";
    return NULL;
}

const char *client_token_fault(const char *token)
{
    size_t n = strlen(token);
    if (n == 0 || n > TOKEN_MAX)
        return n ? "is longer than any token" : "is empty";
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)token[i] <= ' ' || (unsigned char)token[i] >= 0x7f)
            return "holds a blank or a character that no token has; give the token alone";
    return NULL;
}

static void add_network(struct client *c, struct address_policy *policy, const char *text)
{
    const char *why;
    check(policy->allowed_count < NETWORKS_MAX);
    check(address_network_parse(&c->networks[policy->allowed_count++], text, &why));
    policy->allowed = c->networks;
}

struct client *client_new(struct event_base *base, const struct client_settings *settings)
{
    struct client *c = mem_zalloc(sizeof *c);
    bool own_host = strncmp(settings->url, "http://", 7) == 0 && !settings->allow_http;
    size_t room = strlen(settings->token) + sizeof "Bearer ";
    struct transfer_settings transfer = {
        .timeout_s = settings->timeout_s,
        .connect_timeout_s = settings->timeout_s,
        .max_response = settings->answer_max,
        .max_headers = HEADERS_MAX,
        .idle_connections = IDLE_CONNECTIONS,
        .allow_http = strncmp(settings->url, "http://", 7) == 0,
        .ca_file = settings->ca_file,
        .proxy = "",
    };
    c->base = base;
    c->settings = *settings;
    add_network(c, &transfer.policy, own_host ? "127.0.0.0/8" : "0.0.0.0/0");
    add_network(c, &transfer.policy, own_host ? "::1" : "::/0");
    c->transfers = transfers_new(base, &transfer);
    c->authorization = mem_alloc(room);
    snprintf(c->authorization, room, "Bearer %s", settings->token);
    return c;
}

void client_free(struct client *c)
{
    if (!c)
        return;
    transfers_free(c->transfers);
    explicit_bzero(c->authorization, strlen(c->authorization));
    free(c->authorization);
    free(c);
}

/* ---- asking ---- */

static void add_header(struct dest_request *r, const char *name, const char *value)
{
    check(r->header_count < DEST_HEADERS_MAX);
    r->headers[r->header_count++] = (struct dest_header){name, value};
}

static void send_request(struct client_ask *ask)
{
    struct client *c = ask->client;
    struct dest_request *r = &ask->transfer.request;
    size_t n = strlen(c->settings.url);
    while (n > 0 && c->settings.url[n - 1] == '/')
        n--;
    *r = (struct dest_request){
        .method = ask->method,
        .url = arena_printf(ask->arena, "%.*s%s", (int)n, c->settings.url, ask->path),
        .once = true, /* a kept connection may be closed by the time of the next call */
        .body = ask->body,
        .body_size = ask->body ? strlen(ask->body) : 0,
    };
    add_header(r, "Authorization", c->authorization);
    add_header(r, "Accept", "application/json");
    add_header(r, "User-Agent", "notify-mcp/" NOTIFY_VERSION);
    if (ask->body)
        add_header(r, "Content-Type", "application/json");
    if (ask->key)
        add_header(r, "Idempotency-Key", ask->key);
    ask->tries++;
    transfers_start(c->transfers, &ask->transfer);
}

static void end_ask(struct client_ask *ask, const struct client_answer *answer)
{
    ask->under_way = false;
    event_free(ask->timer);
    ask->timer = NULL;
    LOG(LOG_DEBUG, "api_asked", LOG_TEXT("method", ask->method), LOG_NUM("status", answer->status),
        LOG_NUM("tries", ask->tries));
    ask->done(ask, answer);
}

/* Done twice, it is as if it was done once. */
static bool is_harmless(const struct client_ask *ask)
{
    return ask->repeats || strcmp(ask->method, "GET") == 0;
}

/* The time is over, or the pause before the next try. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct client_ask *ask = arg;
    (void)fd;
    (void)what;
    if (clock_mono_us() < ask->deadline_us && !ask->transfer.state) {
        struct timeval rest = clock_timeval((double)(ask->deadline_us - clock_mono_us()) / 1e6);
        event_add(ask->timer, &rest);
        send_request(ask);
        return;
    }
    ask->maybe_done |= ask->transfer.state && !is_harmless(ask);
    transfers_cancel(ask->client->transfers, &ask->transfer);
    struct client_answer answer = {
        .fault = arena_printf(ask->arena, "the API at %s did not answer in %.15g s",
                              ask->client->settings.url, ask->client->settings.timeout_s),
        .maybe_done = ask->maybe_done};
    end_ask(ask, &answer);
}

/* ---- answers ---- */

/* Can it be asked again, without doing anything twice? */
static bool is_repeatable(const struct client_ask *ask, const struct dest_response *r)
{
    if (r->status == 429 || (r->error != ERROR_NONE && !r->sent))
        return r->error != ERROR_ADDRESS_REFUSED && r->error != ERROR_URL && r->error != ERROR_TLS;
    bool lost = r->error == ERROR_CONNECTION_LOST || r->status == 502 || r->status == 503 || r->status == 504;
    return lost && (ask->key || is_harmless(ask));
}

static bool ask_again(struct client_ask *ask, const struct dest_response *r)
{
    double pause = first_pause_s * (double)(1 << ask->tries);
    if (r->retry_after > pause)
        pause = r->retry_after;
    int64_t at_us = clock_mono_us() + clock_us(pause);
    if (ask->tries >= TRIES_MAX || !is_repeatable(ask, r) || at_us >= ask->deadline_us)
        return false;
    struct timeval tv = clock_timeval(pause);
    event_add(ask->timer, &tv);
    return true;
}

/* Is it known from this answer that it was carried out, or that it was refused? */
static bool is_definite(const struct dest_response *r, struct json_object *body)
{
    if (r->error != ERROR_NONE)
        return !r->sent;
    if (r->status >= 200 && r->status < 300)
        return !r->truncated && (r->body_size == 0 || body);
    return r->status >= 400 && r->status < 500;
}

static const char *fault_of(const struct client_ask *ask, const struct dest_response *r)
{
    const char *url = ask->client->settings.url, *text = r->error_text ? r->error_text : "";
    switch (r->error) {
    case ERROR_ADDRESS_REFUSED:
        return arena_printf(ask->arena,
                            "%s leads to %s, which is another host, and http:// would show the "
                            "token to everybody between: use https://, or --allow-http",
                            url, text);
    case ERROR_TLS:
        return arena_printf(ask->arena,
                            "no safe connection to %s: %s; a certificate of your own authority needs "
                            "--ca-file",
                            url, text);
    case ERROR_DNS:
    case ERROR_CONNECT:
    case ERROR_URL:
        if (ask->maybe_done)
            return arena_printf(
                ask->arena,
                "the answer of the API at %s was lost, and then it could not be reached again (%s)", url,
                text);
        return arena_printf(ask->arena,
                            "the API cannot be reached at %s (%s): is notify-api running there, "
                            "and is --api-url right?",
                            url, text);
    default:
        return arena_printf(ask->arena, "no answer came from the API at %s (%s: %s)", url,
                            error_word_name(r->error), text);
    }
}

/* Of an answer that came and cannot be read. */
static const char *unread(const struct client_ask *ask, const struct dest_response *r)
{
    const char *url = ask->client->settings.url;
    if (r->truncated)
        return ask->maybe_done ? "the API's answer is longer than mcp.answer_bytes, and was not read"
                               : "the API's answer is longer than mcp.answer_bytes: ask for less, with a "
                                 "smaller limit or for one integration";
    if (r->status >= 500)
        return arena_printf(ask->arena, "what answers at %s, or stands before it, failed (%ld)", url,
                            r->status);
    return arena_printf(
        ask->arena,
        "what answers at %s with status %ld is no notify-api: its answer is no JSON; is --api-url right?",
        url, r->status);
}

/* What stands behind "cursor=" in the Link header; NULL when there is none. */
static const char *next_of(struct client_ask *ask, const struct dest_response *r)
{
    const char *link = r->fields[ANSWER_LINK];
    const char *cursor = link && strstr(link, "rel=\"next\"") ? strstr(link, "cursor=") : NULL;
    if (!cursor)
        return NULL;
    cursor += strlen("cursor=");
    return arena_text(ask->arena, cursor, strcspn(cursor, "&>;\" "));
}

static void on_answer(struct transfer *transfer)
{
    struct client_ask *ask =
        (struct client_ask *)(void *)((char *)transfer - offsetof(struct client_ask, transfer));
    const struct dest_response *r = &transfer->response;
    struct client_answer answer = {.status = r->status};
    const char *why = "";
    if (r->error == ERROR_NONE && !r->truncated && r->body_size > 0) {
        answer.body = json_parse(r->body, r->body_size, &why);
        answer.next = next_of(ask, r);
    }
    ask->maybe_done |= !is_harmless(ask) && !is_definite(r, answer.body);
    if (ask_again(ask, r)) {
        json_object_put(answer.body);
        return;
    }
    if (r->error != ERROR_NONE || r->truncated || (r->body_size > 0 && !answer.body)) {
        answer.status = 0;
        answer.fault = r->error != ERROR_NONE ? fault_of(ask, r) : unread(ask, r);
    }
    bool done = answer.status >= 200 && answer.status < 300;
    answer.maybe_done = ask->maybe_done && !done;
    end_ask(ask, &answer);
    json_object_put(answer.body);
}

void client_start(struct client *c, struct client_ask *ask)
{
    struct timeval tv = clock_timeval(c->settings.timeout_s);
    ask->client = c;
    ask->tries = 0;
    ask->maybe_done = false;
    ask->under_way = true;
    ask->deadline_us = clock_mono_us() + clock_us(c->settings.timeout_s);
    ask->transfer.done = on_answer;
    ask->timer = event_new(c->base, -1, 0, on_timer, ask);
    event_add(ask->timer, &tv);
    send_request(ask);
}

void client_cancel(struct client_ask *ask)
{
    if (!ask->under_way)
        return;
    ask->under_way = false;
    transfers_cancel(ask->client->transfers, &ask->transfer);
    event_free(ask->timer);
    ask->timer = NULL;
}
