/*
 * agent_http - health and figures over HTTP
 *
 * Listens on the socket that the supervisor holds (agent_listen), else on one of its own. Reads the shared memory and
 * nothing else, so an answer never waits for a server:
 * /healthz says that the agent lives, and that no restart would help (agent_health), /readyz whether at least one worker
 * consumes and both servers are reachable, /metrics the figures in Prometheus's text format (version 0.0.4). No secrets are in
 * reach here.
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

enum {
    BIND_AGAIN_S = 2,
    HEADERS_MAX = 8192,
    BODY_MAX = 1024,
    TIMEOUT_S = 5,
    WORDS_MAX = 4096,
    FIGURES_MAX = 4 << 20,
    ANSWER_MS =
        100, /* from a connection to its request, of a client of this host or near it, and to the answer */
    LOOK_MS = 10,
    FINISH_MS = 2000, /* for a client that reads an answer slowly */
    WAIT_MS = 2000,   /* for the agent before us, which the supervisor asks to leave when we work */
};

struct agent_http {
    struct evhttp *server;
    const struct agent_health *health;
    struct event *bind_again;
    char host[64];
    int port;
    bool complained;
    struct evhttp_bound_socket *bound; /* NULL: it does not listen */
    int64_t accepted_us;               /* the last connection */
    int64_t wait_until_us;             /* for the agent before us; 0: it is not waited for */
    int answers; /* not written yet, and those whose connection broke, of which nobody tells */
    uint64_t totals[COUNTER_COUNT];
};

static void on_answered(struct evhttp_request *request, void *arg)
{
    struct agent_http *h = arg;
    (void)request;
    h->answers--;
}

/* TEXT is given back. */
static void answer(struct agent_http *h, struct evhttp_request *request, int status, const char *type,
                   struct buf *text)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    struct evbuffer *body = evbuffer_new();
    mem_check(body && evbuffer_add(body, buf_text(text), text->len) == 0);
    buf_free(text);
    evhttp_add_header(headers, "Content-Type", type);
    evhttp_add_header(headers, "Cache-Control", "no-store");
    h->answers++;
    evhttp_request_set_on_complete_cb(request, on_answered, h);
    evhttp_send_reply(request, status, NULL, body);
    evbuffer_free(body);
}

static void on_health(struct evhttp_request *request, void *arg)
{
    struct agent_http *h = arg;
    struct survey survey;
    struct buf b;
    survey_take(&survey);
    buf_init(&b, WORDS_MAX);
    agent_health_describe(h->health, &survey, &b);
    answer(h, request, agent_health_is_good(h->health) ? 200 : 503, "text/plain", &b);
}

static void on_ready(struct evhttp_request *request, void *arg)
{
    struct agent_http *h = arg;
    struct survey s;
    struct buf b;
    survey_take(&s);
    buf_init(&b, WORDS_MAX);
    buf_printf(&b, "%s\nworkers %d, consuming from the broker %d, connected to the database %d\n",
               s.ready ? "ready" : "not ready", s.workers, s.consuming, s.with_database);
    if (s.cancelled > 0)
        buf_printf(&b, "workers whose producers' queues are all cancelled %d; " SURVEY_CANCELLED_ADVICE "\n",
                   s.cancelled);
    answer(h, request, s.ready ? 200 : 503, "text/plain", &b);
}

static void on_metrics(struct evhttp_request *request, void *arg)
{
    struct agent_http *h = arg;
    struct survey survey;
    struct figures_asked asked;
    struct buf b;
    shared_older_count();
    shared_totals(h->totals);
    survey_take(&survey);
    survey_figures(&survey, h->totals, &asked);
    asked.values[FIGURE_HEALTHY][0] = agent_health_is_good(h->health);
    buf_init(&b, FIGURES_MAX);
    figures_show(&b, h->totals, &asked);
    answer(h, request, 200, FIGURES_TYPE, &b);
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

/* Another agent still accepts. */
static bool another_listens(void)
{
    for (int i = 0; i < SHARED_SLOTS; i++) {
        const struct shared_slot *s = shared_slot_at(i);
        if (i != shared_my_slot() && s->role == SHARED_AGENT && s->pid && !s->draining)
            return true;
    }
    return false;
}

static void wait_or_listen(struct agent_http *h)
{
    if (clock_mono_us() < h->wait_until_us && another_listens())
        event_add(h->bind_again, &(struct timeval){0, LOOK_MS * 1000});
    else
        begin_listening(h);
}

static void on_bind_again(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    wait_or_listen(arg);
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
    shared_mine()->draining = 1; /* the agent after us need not wait any more */
    if (!h || !h->bound)
        return;
    evhttp_del_accept_socket(h->server, h->bound);
    h->bound = NULL;
    int64_t most = clock_mono_us() + FINISH_MS * 1000LL;
    while (clock_mono_us() < most &&
           (h->answers > 0 || clock_mono_us() - h->accepted_us <= ANSWER_MS * 1000LL)) {
        event_base_loopexit(base, &(struct timeval){0, LOOK_MS * 1000});
        event_base_dispatch(base);
        if (event_base_got_break(base))
            return; /* another signal: at once */
    }
}

struct agent_http *agent_http_new(struct event_base *base, const char *listen,
                                  const struct agent_health *health)
{
    const char *colon = strrchr(listen, ':');
    if (!*listen || !colon)
        return NULL;
    struct agent_http *h = mem_zalloc(sizeof *h);
    h->health = health;
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
        h->wait_until_us = clock_mono_us() + WAIT_MS * 1000LL;
    wait_or_listen(h);
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
