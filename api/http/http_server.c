/*
 * http_server - libmicrohttpd on the loop
 *
 * Owns the daemon, which has no thread: its epoll descriptor is an event of the loop. A request that has arrived whole is
 * handed over and its connection suspended until it is answered.
 *
 *   a connection   ARRIVING   a request is awaited, or its answer taken     whole -> HANDLED; patience is over -> closed
 *                  HANDLED    somebody has it                               answered -> ARRIVING
 *
 * Whoever sends a byte a second, or nothing, or takes no answer, is closed when patience_s is over, whatever arrived meanwhile; when
 * there are too many connections, the one that began to arrive first. So slow clients cost others nothing but a place that
 * is given back.
 *
 * Knows neither routes nor JSON.
 */
#include "api/http/http_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/http/http_listen.h"
#include "api/http/http_manners.h"
#include "api/http/http_parts.h"
#include "api/http/http_problem.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"

enum {
    SPARE_CONNECTIONS = 64,
    ANSWER_BYTES = 4096,  /* for the head of an answer, beside a request as large as may be */
    REFUSAL_BYTES = 1024, /* for that of a refusal, which has less */
    REFUSAL_MAX = 1024,   /* one that is written by hand */
    /* Memory of a connection, in header_bytes. Of what does not fit in it the daemon says what it likes; twice the limit means that
     * nearly all that is too large is refused by us. What nobody sends takes no memory. */
    HEADS = 2,
};

#define TLS_VERSIONS "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"

/* ---- connections ---- */

static void arrives(struct connection *c)
{
    list_remove(&c->link);
    list_append(&c->server->arriving, &c->link);
    c->since_us = clock_mono_us();
}

/* The daemon finds it closed, and lets it go. */
static void hang_up(struct connection *c)
{
    list_remove(&c->link);
    shutdown(c->fd, SHUT_RDWR);
}

static void await_late(struct http_server *s)
{
    if (list_is_empty(&s->arriving) || event_pending(s->late, EV_TIMEOUT, NULL))
        return;
    int64_t left = list_entry(s->arriving.next, struct connection, link)->since_us +
                   clock_us(s->settings.patience_s) - clock_mono_us();
    struct timeval tv = clock_timeval(left > 0 ? (double)left / 1e6 : 0);
    event_add(s->late, &tv);
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
    struct http_server *s = arg;
    int64_t before = clock_mono_us() - clock_us(s->settings.patience_s);
    (void)fd;
    (void)what;
    while (!list_is_empty(&s->arriving)) {
        struct connection *c = list_entry(s->arriving.next, struct connection, link);
        if (c->since_us > before)
            break;
        hang_up(c);
    }
    await_late(s);
}

static void on_connection(void *arg, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_server *s = arg;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        struct connection *c = *context;
        list_remove(&c->link);
        list_remove(&c->ended);
        s->connections--;
        free(c);
        return;
    }
    struct connection *c = mem_zalloc(sizeof *c);
    c->server = s;
    c->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    list_init(&c->link);
    list_init(&c->ended);
    *context = c;
    if (++s->connections > s->settings.connections && !list_is_empty(&s->arriving))
        hang_up(list_entry(s->arriving.next, struct connection, link));
    arrives(c);
    await_late(s);
}

/* ---- what has arrived ---- */

static enum MHD_Result queue(struct http_request *r)
{
    arrives(r->connection);
    await_late(r->server);
    return MHD_queue_response(r->mhd, (unsigned)r->status, r->response);
}

/* All of it is there. */
static enum MHD_Result hand_over(struct http_request *r)
{
    struct http_server *s = r->server;
    check(!r->unread || r->x.wrong); /* such a one cannot wait */
    r->given = true;
    r->given_us = clock_mono_us();
    r->x.body = buf_text(&r->body);
    r->x.body_size = r->body.len;
    list_remove(&r->connection->link);
    list_remove(&r->connection->ended); /* it is all there */
    list_append(&s->handled, &r->link);
    s->settings.handle(s->settings.owner, &r->x);
    if (r->response)
        return queue(r);
    r->suspended = true;
    MHD_suspend_connection(r->mhd);
    return MHD_YES;
}

static size_t pool_bytes(const struct http_server *s)
{
    return HEADS * s->settings.header_bytes + ANSWER_BYTES;
}

/* A head that leaves no memory for an answer; the daemon would close without one. In TLS only that is left. */
static enum MHD_Result refuse_head(const struct http_request *r)
{
    struct buf problem, answer;
    buf_init(&problem, REFUSAL_MAX);
    buf_init(&answer, 2 * REFUSAL_MAX);
    http_problem_text(&problem, r->x.id, 431, HTTP_HEAD_TOO_LARGE);
    buf_printf(&answer,
               "HTTP/1.1 431 %s\r\nConnection: close\r\nContent-Type: application/problem+json\r\n"
               "X-Request-Id: %s\r\nCache-Control: no-store\r\nContent-Length: %zu\r\n\r\n%s",
               http_status_title(431), r->x.id, problem.len, buf_text(&problem));
    check(!answer.overflow);
    if (!r->server->settings.key)
        (void)send(r->connection->fd, buf_text(&answer), answer.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    buf_free(&problem);
    buf_free(&answer);
    return MHD_NO;
}

/*
 * An end that came together with bytes is told to the daemon once, and it reads only the bytes then. So it is looked for here when
 * more of a body is awaited; unless the daemon has that more already, the connection is closed behind this turn. In TLS bytes may
 * have been read and not been looked at yet, so there it stays until patience is over.
 */
static void look_for_end(struct connection *c)
{
    char next;
    if (c->server->settings.key)
        return;
    ssize_t n = recv(c->fd, &next, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
        return;
    list_remove(&c->ended);
    list_append(&c->server->ended, &c->ended);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *mhd, const char *url, const char *method,
                                  const char *version, const char *data, size_t *size, void **context)
{
    struct http_request *r = *context;
    if (!r) {
        *context = r = http_request_new(arg, mhd, method, url, version);
        if (r->head_bytes > pool_bytes(r->server) - REFUSAL_BYTES)
            return refuse_head(r);
        if (r->unread)
            return hand_over(r);
        if (r->length > 0)
            look_for_end(r->connection);
        return MHD_YES;
    }
    if (r->response)
        return queue(r);
    if (r->given)
        return MHD_YES;
    if (*size == 0)
        return hand_over(r);
    buf_add(&r->body, data, *size);
    if (r->body.overflow)
        http_request_refuse(r, 413, "the body is too large");
    *size = 0;
    if (r->body.len < r->length)
        look_for_end(r->connection);
    return MHD_YES;
}

static void on_completed(void *arg, struct MHD_Connection *mhd, void **context,
                         enum MHD_RequestTerminationCode code)
{
    struct http_request *r = *context;
    (void)arg;
    (void)mhd;
    (void)code;
    *context = NULL;
    if (!r)
        return;
    r->connection->busy = false;
    if (r->server->stopped)
        hang_up(r->connection);
    http_request_free(r);
}

/* What it returns is the request's context. */
static void *on_target(void *arg, const char *target, struct MHD_Connection *mhd)
{
    struct connection *c = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    (void)arg;
    c->target_end = target + strlen(target);
    return NULL;
}

/* Decoding is ours. */
static size_t leave_escaped(void *arg, struct MHD_Connection *mhd, char *text)
{
    (void)arg;
    (void)mhd;
    return strlen(text);
}

static void on_log(void *arg, const char *format, va_list values) __attribute__((format(printf, 2, 0)));
static void on_log(void *arg, const char *format, va_list values)
{
    char line[200];
    (void)arg;
    vsnprintf(line, sizeof line, format, values);
    line[strcspn(line, "\n")] = 0;
    LOG(LOG_DEBUG, "http", LOG_TEXT("words", line));
}

/* ---- the answer ---- */

void http_answer(struct http_exchange *x, int status, const char *type, const char *body, size_t size)
{
    struct http_request *r = x->request;
    struct list *at;
    check(r->given && !r->response);
    const struct http_settings *settings = &r->server->settings;
    settings->answered(settings->owner, x, status, (double)(clock_mono_us() - r->given_us) / 1e6);
    http_manners_add(x, settings);
    r->status = status;
    r->response = MHD_create_response_from_buffer(size, (void *)body, MHD_RESPMEM_MUST_COPY);
    check(r->response != NULL);
    if (type)
        MHD_add_response_header(r->response, "Content-Type", type);
    MHD_add_response_header(r->response, "X-Request-Id", x->id);
    list_for_each (at, &r->headers) {
        const struct header *h = list_entry(at, struct header, link);
        check(MHD_add_response_header(r->response, h->name, h->value) == MHD_YES);
    }
    if (r->server->stopped || r->unread || x->wrong == 413 || x->wrong == 411)
        MHD_add_response_header(r->response, "Connection", "close");
    list_remove(&r->link);
    if (r->suspended) {
        r->suspended = false;
        MHD_resume_connection(r->mhd);
        event_active(r->server->again, EV_TIMEOUT,
                     1); /* its own wake-up does not reach an epoll that is not its own */
    }
}

/* ---- the loop ---- */

static void run(struct http_server *s)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;
    struct list *at;
    MHD_run(s->daemon);
    while ((at = list_shift(&s->ended)))
        hang_up(list_entry(at, struct connection, ended));
    if (MHD_get_timeout(s->daemon, &wait_ms) != MHD_YES)
        return;
    struct timeval tv = {(time_t)(wait_ms / 1000), (suseconds_t)(wait_ms % 1000 * 1000)};
    event_add(s->again, &tv);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    run(arg);
}

/* ---- ---- */

static struct MHD_Daemon *start(struct http_server *s)
{
    const struct http_settings *c = &s->settings;
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)c->key},
                                   {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)c->certificate},
                                   {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)TLS_VERSIONS},
                                   {MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    return MHD_start_daemon(flags | (c->key ? MHD_USE_TLS : 0), 0, NULL, NULL, on_request, s,
                            MHD_OPTION_EXTERNAL_LOGGER, on_log, s, MHD_OPTION_LISTEN_SOCKET, s->listener,
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned)(c->connections + SPARE_CONNECTIONS),
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, pool_bytes(s), MHD_OPTION_CONNECTION_TIMEOUT,
                            0u, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_NOTIFY_CONNECTION,
                            on_connection, s, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL,
                            MHD_OPTION_URI_LOG_CALLBACK, on_target, s, MHD_OPTION_STRICT_FOR_CLIENT, 1,
                            MHD_OPTION_ARRAY, c->key ? tls : none, MHD_OPTION_END);
}

struct http_server *http_server_new(struct event_base *base, const struct http_settings *settings, char *why,
                                    size_t size)
{
    struct http_server *s = mem_zalloc(sizeof *s);
    s->settings = *settings;
    s->base = base;
    list_init(&s->arriving);
    list_init(&s->handled);
    list_init(&s->ended);
    s->listener = http_listen(settings->host, settings->port, why, size);
    if (s->listener < 0) {
        free(s);
        return NULL;
    }
    s->port = http_listen_port(s->listener);
    s->late = event_new(base, -1, 0, on_late, s);
    s->again = event_new(base, -1, 0, on_ready, s);
    s->daemon = start(s);
    if (!s->daemon) {
        snprintf(why, size, "%s",
                 settings->key
                     ? "the certificate and its key are not taken: PEM, and they must belong together"
                     : "the server does not start");
        close(s->listener);
        http_server_free(s);
        return NULL;
    }
    int epoll = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    s->ready = event_new(base, epoll, EV_READ | EV_PERSIST, on_ready, s);
    event_add(s->ready, NULL);
    return s;
}

int http_server_port(const struct http_server *s)
{
    return s->port;
}

void http_server_stop(struct http_server *s)
{
    if (s->stopped)
        return;
    struct list *at, *next;
    s->stopped = true;
    list_for_each_safe (at, next, &s->arriving) {
        struct connection *c = list_entry(at, struct connection, link);
        if (!c->busy)
            hang_up(c);
    }
    MHD_socket fd = MHD_quiesce_daemon(s->daemon);
    if (fd != MHD_INVALID_SOCKET)
        close(fd);
}

size_t http_server_connections(const struct http_server *s)
{
    return s->connections;
}

/* The daemon does not end before its last connection goes on. */
static void forget_all(struct http_server *s)
{
    struct list *at;
    while ((at = list_shift(&s->handled))) {
        struct http_request *r = list_entry(at, struct http_request, link);
        hang_up(r->connection);
        if (r->suspended)
            MHD_resume_connection(r->mhd);
    }
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    forget_all(s);
    if (s->daemon)
        MHD_stop_daemon(s->daemon);
    if (s->ready)
        event_free(s->ready);
    event_free(s->late);
    event_free(s->again);
    free(s);
}
