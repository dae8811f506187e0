/*
 * receiver - an HTTP receiver that counts, and that behaves or misbehaves as it is told
 *
 * One process, one loop, kept-alive connections on 127.0.0.1. It reads from each request its webhook-id (or the event's
 * id, where there is none) and when its event was published, and notes both (tally.h) before it answers. Each path
 * answers in its own way, 200 at once until told otherwise.
 *
 * Control, on the same port; a change counts for requests that are read after it:
 *     POST /.control/answer?path=/slow&how=after&ms=5000     how: ok, never, after, fail (503), large (64 KB)
 *     GET  /.control/figures                                 the figures as JSON
 *     POST /.control/reset                                   the same, and they are 0 again; the ways of answering stay
 *
 * One request at a time per connection: what a client sends before it has its answer is read afterwards.
 */
#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "tests/bench/request.h"
#include "tests/bench/sent.h"
#include "tests/bench/tally.h"

enum { ROUTES_MAX = 256, LARGE_BODY = 65536, FIGURES_MAX = 16 << 20, BACKLOG = 1024, MS_MAX = 600000 };

enum how { HOW_OK, HOW_NEVER, HOW_AFTER, HOW_FAIL, HOW_LARGE, HOW_COUNT };

static const char *const how_names[HOW_COUNT] = {"ok", "never", "after", "fail", "large"};

struct route {
    char *path;
    size_t path_size;
    struct tally_path *tally;
    enum how how;
    long ms; /* HOW_AFTER */
};

struct client {
    struct bufferevent *stream;
    struct event *pause; /* of an answer that comes later */
    struct route *route; /* of the request in hand */
    bool busy;
    bool close;
};

static struct event_base *base;
static struct route routes[ROUTES_MAX];
static size_t route_count;
static char large_body[LARGE_BODY];

static const char answer_ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
static const char answer_fail[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
static const char answer_large[] = "HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n";
static const char answer_refused[] =
    "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

static void serve(struct client *c);

/* NULL when there are too many. */
static struct route *route_of(const char *path, size_t size)
{
    for (size_t i = 0; i < route_count; i++)
        if (routes[i].path_size == size && memcmp(routes[i].path, path, size) == 0)
            return &routes[i];
    struct tally_path *tally = route_count < ROUTES_MAX ? tally_path_new(path, size) : NULL;
    if (!tally)
        return NULL;
    struct route *r = &routes[route_count++];
    *r = (struct route){.path = mem_alloc(size), .path_size = size, .tally = tally, .how = HOW_OK};
    memcpy(r->path, path, size);
    return r;
}

static void free_client(struct client *c)
{
    event_free(c->pause);
    bufferevent_free(c->stream);
    free(c);
}

static void say(struct client *c, const char *text)
{
    evbuffer_add(bufferevent_get_output(c->stream), text, strlen(text));
}

static void answer(struct client *c)
{
    struct route *r = c->route;
    c->busy = false;
    tally_answered(r->tally, r->how == HOW_FAIL ? TALLY_REFUSED : TALLY_DELIVERED);
    if (r->how == HOW_LARGE) {
        say(c, answer_large);
        evbuffer_add_reference(bufferevent_get_output(c->stream), large_body, LARGE_BODY, NULL, NULL);
    } else {
        say(c, r->how == HOW_FAIL ? answer_fail : answer_ok);
    }
}

static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
    struct client *c = arg;
    (void)fd;
    (void)what;
    answer(c);
    serve(c);
}

static void note(struct client *c, const struct request *r)
{
    static const char key[] = "\"id\":\"";
    const char *id = r->webhook_id, *digits = sent_find(r->body, r->body_size);
    size_t id_size = r->webhook_id_size;
    const char *end = r->body + r->body_size;
    if (!id && (id = memmem(r->body, r->body_size, key, sizeof key - 1))) {
        id += sizeof key - 1;
        const char *quote = memchr(id, '"', (size_t)(end - id));
        id_size = quote ? (size_t)(quote - id) : 0;
    }
    tally_request(c->route->tally, id, id_size, digits ? sent_read(digits) : -1, r->body_size);
}

static void take_request(struct client *c, const struct request *r)
{
    c->route = route_of(r->path, r->path_size);
    c->close = r->close;
    if (!c->route) {
        say(c, answer_refused);
        c->close = true;
        return;
    }
    note(c, r);
    c->busy = c->route->how == HOW_NEVER || c->route->how == HOW_AFTER;
    if (c->route->how == HOW_NEVER)
        tally_answered(c->route->tally, TALLY_SILENCE);
    else if (c->route->how == HOW_AFTER)
        event_add(c->pause, &(struct timeval){c->route->ms / 1000, c->route->ms % 1000 * 1000});
    else
        answer(c);
}

/* The value of KEY (with its "=") in a query; "" when it is not there. Borrowed. */
static const char *query_value(const char *query, size_t size, const char *key, size_t *value_size)
{
    size_t n = strlen(key);
    *value_size = 0;
    for (const char *at = query, *end = query + size; at < end;) {
        const char *stop = memchr(at, '&', (size_t)(end - at));
        if (!stop)
            stop = end;
        if ((size_t)(stop - at) >= n && memcmp(at, key, n) == 0) {
            *value_size = (size_t)(stop - at) - n;
            return at + n;
        }
        at = stop + 1;
    }
    return "";
}

static bool set_answer(const char *query, size_t size)
{
    size_t path_size, how_size, ms_size;
    const char *path = query_value(query, size, "path=", &path_size);
    const char *how = query_value(query, size, "how=", &how_size);
    const char *ms = query_value(query, size, "ms=", &ms_size);
    struct route *r = path_size ? route_of(path, path_size) : NULL;
    long pause = ms_size ? strtol(ms, NULL, 10) : 0; /* ends at the blank behind the path */
    if (!r || pause < 0 || pause > MS_MAX)
        return false;
    for (int i = 0; i < HOW_COUNT; i++)
        if (strlen(how_names[i]) == how_size && memcmp(how_names[i], how, how_size) == 0) {
            r->how = (enum how)i;
            r->ms = pause;
            return true;
        }
    return false;
}

static void send_figures(struct client *c)
{
    struct buf figures;
    buf_init(&figures, FIGURES_MAX);
    tally_add_json(&figures);
    evbuffer_add_printf(bufferevent_get_output(c->stream),
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                        figures.len);
    evbuffer_add(bufferevent_get_output(c->stream), figures.data, figures.len);
    buf_free(&figures);
}

static bool has_start(const struct request *r, const char *start)
{
    return r->path_size >= strlen(start) && memcmp(r->path, start, strlen(start)) == 0;
}

static void take_control(struct client *c, const struct request *r)
{
    static const char set[] = "/.control/answer?";
    c->close = r->close;
    bool reset = has_start(r, "/.control/reset");
    if (reset || has_start(r, "/.control/figures")) {
        send_figures(c);
        if (reset)
            tally_reset();
        return;
    }
    bool good = has_start(r, set) && set_answer(r->path + sizeof set - 1, r->path_size - (sizeof set - 1));
    say(c, good ? answer_ok : answer_refused);
    c->close = c->close || !good;
}

/* Everything that can be answered now. */
static void serve(struct client *c)
{
    struct evbuffer *in = bufferevent_get_input(c->stream);
    while (!c->busy && !c->close && evbuffer_get_length(in) > 0) {
        struct request r;
        size_t size = evbuffer_get_length(in), used = 0;
        const char *bytes = (const char *)evbuffer_pullup(in, -1);
        enum request_result result = request_read(bytes, size, &r, &used);
        if (result == REQUEST_MORE)
            return;
        if (result == REQUEST_BAD) {
            say(c, answer_refused);
            c->close = true;
            break;
        }
        if (has_start(&r, "/.control/"))
            take_control(c, &r);
        else
            take_request(c, &r);
        evbuffer_drain(in, used);
    }
}

static void on_read(struct bufferevent *stream, void *arg)
{
    (void)stream;
    serve(arg);
}

/* What was to be said is out. */
static void on_written(struct bufferevent *stream, void *arg)
{
    struct client *c = arg;
    (void)stream;
    if (c->close && !c->busy)
        free_client(c);
}

static void on_end(struct bufferevent *stream, short what, void *arg)
{
    (void)stream;
    (void)what; /* closed or broken: the same to us */
    free_client(arg);
}

static void on_client(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from, int size,
                      void *arg)
{
    int on = 1;
    (void)listener;
    (void)from;
    (void)size;
    (void)arg;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct client *c = mem_zalloc(sizeof *c);
    c->stream = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    c->pause = evtimer_new(base, on_pause_over, c);
    check(c->stream != NULL && c->pause != NULL);
    bufferevent_setwatermark(c->stream, EV_READ, 0, REQUEST_HEAD_MAX + REQUEST_BODY_MAX);
    bufferevent_setcb(c->stream, on_read, on_written, on_end, c);
    bufferevent_enable(c->stream, EV_READ | EV_WRITE);
}

static void on_stop(evutil_socket_t number, short what, void *arg)
{
    (void)number;
    (void)what;
    (void)arg;
    event_base_loopbreak(base);
}

int main(int argc, char **argv)
{
    long port = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (port <= 0 || port > 65535) {
        fputs("usage: receiver PORT\n", stderr);
        return 2;
    }
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    signal(SIGPIPE, SIG_IGN);
    base = event_base_new();
    check(base != NULL);
    memset(large_body, 'x', sizeof large_body);
    tally_reset();
    struct evconnlistener *listener =
        evconnlistener_new_bind(base, on_client, NULL, LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_FREE, BACKLOG,
                                (struct sockaddr *)&here, sizeof here);
    if (!listener) {
        perror("receiver: listen");
        return 1;
    }
    struct event *stop = evsignal_new(base, SIGTERM, on_stop, NULL);
    event_add(stop, NULL);
    event_base_dispatch(base);
    event_free(stop);
    evconnlistener_free(listener);
    event_base_free(base); /* clients that are still there go with the process */
    return 0;
}
