/*
 * Bytes from a client to the API's door: libmicrohttpd takes them apart, http_server judges them, the router looks for a route.
 * Nothing of a request that is handed on could be misread, each is answered once, and no connection stays when its client is gone.
 *
 * Input: what the client sends before it closes, as it is.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/http/http_router.h"
#include "api/rest/rest_routes.h"
#include "common/base/log.h"
#include "common/base/utf8.h"
#include "tests/fuzz/fuzz.h"

enum { QUIET = 12, TURNS = 20000, HEADER_BYTES = 4096, BODY_BYTES = 4096 };

static struct event_base *base;
static struct http_server *server;
static size_t handled, answered;

static void check_text(const char *text)
{
    check(!text || utf8_is_storable(text, strlen(text)));
}

static void handle(void *owner, struct http_exchange *x)
{
    struct route_words words;
    (void)owner;
    handled++;
    check(x->method && x->peer && x->id && *x->id);
    if (!x->wrong) {
        check(*x->path == '/' || strcmp(x->path, "*") == 0);
        check(x->body_size <= BODY_BYTES && !x->body[x->body_size]);
        for (size_t i = 0; http_query_name(x, i); i++) {
            check_text(http_query_name(x, i));
            check_text(http_query(x, http_query_name(x, i)));
        }
    } else {
        check(x->wrong >= 400 && x->wrong < 500 && x->wrong_detail);
    }
    http_header(x, "Authorization");
    const struct route *route = http_route(rest_routes, x, &words);
    if (!route)
        return; /* it was answered */
    for (size_t i = 0; i < ROUTE_WORDS_MAX && words.words[i]; i++)
        check_text(words.words[i]);
    http_answer(x, 200, "text/plain", "good\n", 5);
}

static void on_answered(void *owner, const struct http_exchange *x, int status, double seconds)
{
    (void)owner;
    (void)x;
    check(status >= 200 && status < 600 && seconds >= 0);
    answered++;
}

static void start(void)
{
    static const char *const origins[] = {"https://dashboard.example"};
    struct http_settings settings = {
        .host = "127.0.0.1",
        .connections = 16,
        .header_bytes = HEADER_BYTES,
        .body_bytes = BODY_BYTES,
        .patience_s = 5,
        .origins = origins,
        .origin_count = 1,
        .handle = handle,
        .answered = on_answered,
    };
    char why[128];
    log_threshold = (enum log_level)(LOG_ERROR + 1);
    base = event_base_new();
    server = http_server_new(base, &settings, why, sizeof why);
    check(server != NULL);
}

static int dial(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)http_server_port(server))};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    check(fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0);
    struct linger now = {1, 0}; /* no port waits for stray packets */
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

/* Turn the loop until the client has nothing to send and nothing more comes; whether the server has closed. */
static bool talk(int fd, const uint8_t *data, size_t size)
{
    char answer[4096];
    size_t sent = 0;
    for (int quiet = 0; quiet < QUIET; quiet++) {
        ssize_t n = sent < size ? send(fd, data + sent, size - sent, MSG_NOSIGNAL) : 0;
        if (n < 0 && errno != EAGAIN)
            return true;
        sent += n > 0 ? (size_t)n : 0;
        event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
        ssize_t got = recv(fd, answer, sizeof answer, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            return true;
        if (n > 0 || got > 0)
            quiet = 0;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!base)
        start();
    int fd = dial();
    talk(fd, data, size);
    close(fd);
    for (int i = 0; http_server_connections(server) > 0 && i < TURNS; i++)
        event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    check(http_server_connections(server) == 0 && handled == answered);
    return 0;
}
