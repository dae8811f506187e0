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

#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/http/http_decode.h"
#include "api/http/http_listen.h"
#include "api/http/http_manners.h"
#include "api/http/http_strict.h"
#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/uuid.h"

enum { ARENA_BLOCK = 4096, SPARE_CONNECTIONS = 64, REQUEST_ID_MAX = 64, QUERY_MAX = 32 };

#define TLS_VERSIONS "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"

struct http_server {
    struct http_settings settings;
    struct event_base *base;
    struct MHD_Daemon *daemon;
    struct event *ready;  /* the daemon's epoll descriptor */
    struct event *again;  /* it has more to do than it did at once */
    struct event *late;   /* the first of `arriving` may be */
    struct list arriving; /* connections, the one that has for the longest first */
    struct list handled;  /* requests */
    size_t connections;
    int listener;
    int port;
    bool stopped;
};

struct connection {
    struct list link; /* in `arriving`, else alone */
    struct http_server *server;
    int fd;
    const char *target_end; /* of the request whose headers arrive: a place in the daemon's memory */
    int64_t since_us;
    bool busy; /* a part of a request is there, or of its answer left */
};

struct http_request {
    struct list link; /* in `handled`, else alone */
    struct http_exchange x;
    struct http_server *server;
    struct connection *connection;
    struct MHD_Connection *mhd;
    struct MHD_Response *response; /* NULL: it has none yet */
    struct list headers;           /* of the answer */
    struct arena arena;
    struct buf body;
    struct {
        const char *name, *value;
    } query[QUERY_MAX];
    size_t query_count;
    size_t length; /* of the body, as it was announced */
    int64_t given_us;
    int status;
    bool suspended;
    bool given;  /* to whoever handles it */
    bool unread; /* its body is not read: who knows where it ends, or it has not been sent */
};

struct header {
    struct list link;
    const char *name, *value;
};

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
        s->connections--;
        free(c);
        return;
    }
    struct connection *c = mem_zalloc(sizeof *c);
    c->server = s;
    c->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    list_init(&c->link);
    *context = c;
    if (++s->connections > s->settings.connections && !list_is_empty(&s->arriving))
        hang_up(list_entry(s->arriving.next, struct connection, link));
    arrives(c);
    await_late(s);
}

/* ---- what has arrived ---- */

static void refuse(struct http_request *r, int status, const char *detail)
{
    if (r->x.wrong)
        return;
    r->x.wrong = status;
    r->x.wrong_detail = detail;
}

static enum MHD_Result take_argument(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct http_request *r = arg;
    (void)kind;
    name = http_decode(&r->arena, name, strlen(name), true);
    value = value ? http_decode(&r->arena, value, strlen(value), true) : "";
    if (!name || !value) {
        refuse(r, 400, "the query is not UTF-8 in percent-encoding");
    } else if (r->query_count == QUERY_MAX) {
        refuse(r, 400, "the query has too many parameters");
    } else {
        r->query[r->query_count].name = name;
        r->query[r->query_count++].value = value;
    }
    return MHD_YES;
}

static bool is_word(const char *text)
{
    size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.");
    return n > 0 && n <= REQUEST_ID_MAX && !text[n];
}

static const char *request_id(struct http_request *r)
{
    const char *theirs = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, "X-Request-Id");
    char drawn[UUID_TEXT];
    struct uuid id;
    if (theirs && is_word(theirs))
        return arena_strdup(&r->arena, theirs);
    uuid_random(&id);
    uuid_format(&id, drawn);
    return arena_strdup(&r->arena, drawn);
}

static const char *peer(struct http_request *r)
{
    const struct sockaddr *at =
        MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    char text[INET6_ADDRSTRLEN] = "";
    const void *address = at->sa_family == AF_INET6
                              ? (const void *)&((const struct sockaddr_in6 *)(const void *)at)->sin6_addr
                              : (const void *)&((const struct sockaddr_in *)(const void *)at)->sin_addr;
    inet_ntop(at->sa_family, address, text, sizeof text);
    return arena_strdup(&r->arena, text);
}

static bool is_path(struct http_request *r)
{
    const char *path = r->x.path;
    bool all = strcmp(path, "*") == 0 && strcmp(r->x.method, "OPTIONS") == 0;
    return all || (path[0] == '/' && http_decode(&r->arena, path, strlen(path), false));
}

/* What is wrong with it before its body is read. */
static void judge(struct http_request *r, const char *version)
{
    const char *length = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, "Content-Length");
    const char *wrong = http_strict_wrong(r->mhd, version, r->connection->target_end);
    r->connection->target_end = NULL;
    r->length = length ? strtoull(length, NULL, 10) : 0;
    if (wrong) {
        refuse(r, 400, wrong);
        r->unread = true;
    } else if (MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, "Transfer-Encoding")) {
        refuse(r, 411, "send the body with its Content-Length, not in chunks");
    } else if (r->length > r->server->settings.body_bytes) {
        refuse(r, 413, "the body is too large");
        r->unread = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, "Expect") != NULL;
    } else if (!is_path(r)) {
        refuse(r, 400, "the target is a path that begins with a slash, UTF-8 in percent-encoding");
    }
}

static struct http_request *new_request(struct http_server *s, struct MHD_Connection *mhd, const char *method,
                                        const char *url, const char *version)
{
    struct http_request *r = mem_zalloc(sizeof *r);
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    r->server = s;
    r->mhd = mhd;
    r->connection = info->socket_context;
    r->connection->busy = true;
    arena_init(&r->arena, ARENA_BLOCK);
    buf_init(&r->body, s->settings.body_bytes);
    list_init(&r->headers);
    list_init(&r->link);
    r->x = (struct http_exchange){.arena = &r->arena, .request = r};
    r->x.method = arena_strdup(&r->arena, method);
    r->x.path = arena_strdup(&r->arena, url);
    r->x.peer = peer(r);
    r->x.id = request_id(r);
    judge(r, version);
    MHD_get_connection_values(mhd, MHD_GET_ARGUMENT_KIND, take_argument, r);
    return r;
}

static void free_request(struct http_request *r)
{
    if (r->response)
        MHD_destroy_response(r->response);
    buf_wipe(&r->body);
    arena_wipe(&r->arena);
    free(r);
}

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
    list_append(&s->handled, &r->link);
    s->settings.handle(s->settings.owner, &r->x);
    if (r->response)
        return queue(r);
    r->suspended = true;
    MHD_suspend_connection(r->mhd);
    return MHD_YES;
}

/*
 * An end that came together with the last bytes is told to the daemon once, and it has read only the bytes then. In TLS bytes may
 * have been read and not been looked at yet, so there the connection stays until patience is over.
 */
static bool has_ended(const struct connection *c)
{
    char next;
    return !c->server->settings.key && recv(c->fd, &next, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *mhd, const char *url, const char *method,
                                  const char *version, const char *data, size_t *size, void **context)
{
    struct http_request *r = *context;
    if (!r) {
        *context = r = new_request(arg, mhd, method, url, version);
        return r->unread ? hand_over(r) : MHD_YES;
    }
    if (r->response)
        return queue(r);
    if (r->given)
        return MHD_YES;
    if (*size == 0)
        return hand_over(r);
    buf_add(&r->body, data, *size);
    if (r->body.overflow)
        refuse(r, 413, "the body is too large");
    *size = 0;
    if (r->body.len < r->length && has_ended(r->connection))
        hang_up(r->connection);
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
    free_request(r);
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

void http_add_header(struct http_exchange *x, const char *name, const char *value)
{
    struct header *h = arena_alloc(x->arena, sizeof *h);
    h->name = arena_strdup(x->arena, name);
    h->value = arena_strdup(x->arena, value);
    list_init(&h->link);
    list_append(&x->request->headers, &h->link);
}

void http_set_header(struct http_exchange *x, const char *name, const char *value)
{
    struct list *at, *next;
    list_for_each_safe (at, next, &x->request->headers)
        if (strcmp(list_entry(at, struct header, link)->name, name) == 0)
            list_remove(at);
    http_add_header(x, name, value);
}

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

bool http_has_header(const struct http_exchange *x, const char *name)
{
    struct list *at;
    list_for_each (at, &x->request->headers)
        if (strcasecmp(list_entry(at, struct header, link)->name, name) == 0)
            return true;
    return false;
}

const struct http_settings *http_settings_of(const struct http_exchange *x)
{
    return &x->request->server->settings;
}

size_t http_open_connections(const struct http_exchange *x)
{
    return x->request->server->connections;
}

const char *http_header(const struct http_exchange *x, const char *name)
{
    return MHD_lookup_connection_value(x->request->mhd, MHD_HEADER_KIND, name);
}

const char *http_query(const struct http_exchange *x, const char *name)
{
    const struct http_request *r = x->request;
    for (size_t i = 0; i < r->query_count; i++)
        if (strcmp(r->query[i].name, name) == 0)
            return r->query[i].value;
    return NULL;
}

const char *http_query_name(const struct http_exchange *x, size_t index)
{
    return index < x->request->query_count ? x->request->query[index].name : NULL;
}

/* ---- the loop ---- */

static void run(struct http_server *s)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;
    MHD_run(s->daemon);
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
    return MHD_start_daemon(
        flags | (c->key ? MHD_USE_TLS : 0), 0, NULL, NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, on_log,
        s, MHD_OPTION_LISTEN_SOCKET, s->listener, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)(c->connections + SPARE_CONNECTIONS), MHD_OPTION_CONNECTION_MEMORY_LIMIT, c->header_bytes,
        MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL,
        MHD_OPTION_URI_LOG_CALLBACK, on_target, s, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY,
        c->key ? tls : none, MHD_OPTION_END);
}

struct http_server *http_server_new(struct event_base *base, const struct http_settings *settings, char *why,
                                    size_t size)
{
    struct http_server *s = mem_zalloc(sizeof *s);
    s->settings = *settings;
    s->base = base;
    list_init(&s->arriving);
    list_init(&s->handled);
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
