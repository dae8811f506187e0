/*
 * agent_http - health and counters over HTTP
 *
 * Listens on the socket that the supervisor holds (agent_listen), else on one of its own. Reads the shared memory and nothing else, so an answer never waits for a server:
 * /healthz says that the agent lives, /readyz whether at least one worker consumes and both servers are
 * reachable, /metrics the counters in Prometheus's text format (version 0.0.4). No secrets are in reach here.
 */
#include "worker/agent_http.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/figures.h"
#include "common/base/log.h"
#include "worker/agent_listen.h"
#include "worker/shared.h"
#include "worker/shared_older.h"

enum { BIND_AGAIN_S = 2, HEADERS_MAX = 8192, BODY_MAX = 1024, TIMEOUT_S = 5, FIGURES_MAX = 1 << 20 };
enum {
    ANSWER_MS =
        100, /* from a connection to its request, and to the answer, of a client of this host or near it */
    WAIT_MS =
        400, /* the supervisor sees that we work, within its tick, and the agent before us ends its answers */
};

struct agent_http {
    struct evhttp *server;
    struct event *bind_again;
    char host[64];
    int port;
    bool complained;
    struct evhttp_bound_socket *bound; /* NULL: it does not listen */
    int64_t accepted_us;               /* the last connection */
};

struct readiness {
    int workers;
    int consuming;
    int with_database;
    int ready; /* both */
};

static struct readiness look(void)
{
    struct readiness r = {0, 0, 0, 0};
    for (int i = 0; i < SHARED_SLOTS; i++) {
        const struct shared_slot *s = shared_slot_at(i);
        if (s->role != SHARED_WORKER)
            continue;
        r.workers++;
        r.consuming += s->consuming;
        r.with_database += s->database_up != 0;
        r.ready += s->consuming && s->database_up;
    }
    return r;
}

static void answer(struct evhttp_request *request, int status, const char *type, struct evbuffer *body)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    evhttp_add_header(headers, "Content-Type", type);
    evhttp_add_header(headers, "Cache-Control", "no-store");
    evhttp_send_reply(request, status, NULL, body);
    evbuffer_free(body);
}

static struct evbuffer *new_body(void)
{
    struct evbuffer *b = evbuffer_new();
    check(b != NULL);
    return b;
}

static void on_health(struct evhttp_request *request, void *arg)
{
    struct evbuffer *b = new_body();
    (void)arg;
    evbuffer_add_printf(b, "ok\n");
    answer(request, 200, "text/plain", b);
}

static void on_ready(struct evhttp_request *request, void *arg)
{
    struct readiness r = look();
    struct evbuffer *b = new_body();
    (void)arg;
    evbuffer_add_printf(b, "%s\nworkers %d, consuming from the broker %d, connected to the database %d\n",
                        r.ready ? "ready" : "not ready", r.workers, r.consuming, r.with_database);
    answer(request, r.ready ? 200 : 503, "text/plain", b);
}

static void on_metrics(struct evhttp_request *request, void *arg)
{
    static const struct {
        const char *word, *help;
    } counters[] = {
#define AGENT_COUNTER(e, w, h) {w, h},
        COUNTER_LIST(AGENT_COUNTER)};
    uint64_t in_hand = 0, sending = 0, unwritten = 0;
    struct readiness r = look();
    shared_older_count();
    struct evbuffer *body = new_body();
    struct buf b;
    char name[64];
    (void)arg;
    buf_init(&b, FIGURES_MAX);
    for (int i = 0; i < COUNTER_COUNT; i++) {
        snprintf(name, sizeof name, "notify_%s_total", counters[i].word);
        figures_add(&b, name, "counter", counters[i].help, shared_sum((enum counter)i));
    }
    for (int i = 0; i < SHARED_SLOTS; i++) {
        in_hand += shared_slot_at(i)->in_hand;
        sending += shared_slot_at(i)->sending;
        unwritten += shared_slot_at(i)->unwritten;
    }
    figures_add(&b, "notify_workers", "gauge", "worker processes", (uint64_t)r.workers);
    figures_add(&b, "notify_workers_consuming", "gauge", "workers that consume", (uint64_t)r.consuming);
    figures_add(&b, "notify_workers_with_database", "gauge", "workers that are connected to the database",
                (uint64_t)r.with_database);
    figures_add(&b, "notify_messages_in_hand", "gauge", "messages held", in_hand);
    figures_add(&b, "notify_requests_in_flight", "gauge", "requests under way", sending);
    figures_add(&b, "notify_deliveries_unwritten", "gauge",
                "requests made whose outcome is not in the database yet", unwritten);
    evbuffer_add(body, buf_text(&b), b.len);
    buf_free(&b);
    answer(request, 200, FIGURES_TYPE, body);
}

/* With the port 0 the kernel has chosen one. */
static int port_of(struct evhttp_bound_socket *bound)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at = {.v6 = {0}};
    socklen_t size = sizeof at;
    check(getsockname(evhttp_bound_socket_get_fd(bound), &at.any, &size) == 0);
    return ntohs(at.any.sa_family == AF_INET6 ? at.v6.sin6_port : at.v4.sin_port);
}

/* The supervisor listens for us: both generations accept from its socket. */
static bool take_listening(struct agent_http *h)
{
    int fd = agent_listen_descriptor();
    h->bound = fd >= 0 ? evhttp_accept_socket_with_handle(h->server, fd) : NULL;
    if (h->bound)
        LOG(LOG_INFO, "agent_listening", LOG_TEXT("host", h->host), LOG_NUM("port", port_of(h->bound)));
    return h->bound != NULL;
}

static void try_bind(struct agent_http *h)
{
    h->bound = evhttp_bind_socket_with_handle(h->server, h->host, (uint16_t)h->port);
    if (h->bound) {
        LOG(LOG_INFO, "agent_listening", LOG_TEXT("host", h->host), LOG_NUM("port", port_of(h->bound)));
        return;
    }
    if (!h->complained)
        LOG(LOG_WARN, "agent_cannot_listen", LOG_TEXT("host", h->host), LOG_NUM("port", h->port),
            LOG_TEXT("reason", strerror(EVUTIL_SOCKET_ERROR())),
            LOG_TEXT("advice", "set agent.listen to a free address of this host; it is tried again"));
    h->complained = true;
    event_add(h->bind_again, &(struct timeval){BIND_AGAIN_S, 0});
}

static void begin_listening(struct agent_http *h)
{
    if (!take_listening(h))
        try_bind(h);
}

static void on_bind_again(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    begin_listening(arg);
}

/* Notes when; NULL lets libevent make what it makes. */
static struct bufferevent *on_connection(struct event_base *base, void *arg)
{
    struct agent_http *h = arg;
    (void)base;
    h->accepted_us = clock_mono_us();
    return NULL;
}

void agent_http_finish(struct agent_http *h, struct event_base *base)
{
    if (!h || !h->bound)
        return;
    evhttp_del_accept_socket(h->server, h->bound);
    h->bound = NULL;
    if (clock_mono_us() - h->accepted_us > ANSWER_MS * 1000LL)
        return;
    event_base_loopexit(base, &(struct timeval){0, ANSWER_MS * 1000});
    event_base_dispatch(base);
}

struct agent_http *agent_http_new(struct event_base *base, const char *listen)
{
    const char *colon = strrchr(listen, ':');
    if (!*listen || !colon)
        return NULL;
    struct agent_http *h = mem_zalloc(sizeof *h);
    const char *start = *listen == '[' ? listen + 1 : listen;
    size_t length = (size_t)(colon - start) - (*listen == '[');
    snprintf(h->host, sizeof h->host, "%.*s", (int)length, start);
    h->port = atoi(colon + 1);
    h->server = evhttp_new(base);
    check(h->server != NULL);
    evhttp_set_allowed_methods(h->server, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
    evhttp_set_max_headers_size(h->server, HEADERS_MAX);
    evhttp_set_max_body_size(h->server, BODY_MAX);
    evhttp_set_timeout(h->server, TIMEOUT_S);
    evhttp_set_bevcb(h->server, on_connection, h);
    evhttp_set_cb(h->server, "/healthz", on_health, h);
    evhttp_set_cb(h->server, "/readyz", on_ready, h);
    evhttp_set_cb(h->server, "/metrics", on_metrics, h);
    h->bind_again = event_new(base, -1, 0, on_bind_again, h);
    if (agent_listen_descriptor() >= 0 && agent_listen_waits())
        event_add(h->bind_again, &(struct timeval){0, WAIT_MS * 1000});
    else
        begin_listening(h);
    return h;
}

void agent_http_free(struct agent_http *h)
{
    if (!h)
        return;
    evhttp_free(h->server);
    event_free(h->bind_again);
    free(h);
}
