/*
 * http_request - one request: what of it is taken, and the headers of its answer
 *
 * Everything that was sent is looked at here once, when the head has arrived: the target and the query come out as text or not
 * at all, and what is wrong with the request as a whole is noted, to be answered in its turn. Owns the texts of an exchange, in
 * its arena.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/http/http_decode.h"
#include "api/http/http_parts.h"
#include "api/http/http_strict.h"
#include "common/base/check.h"
#include "common/base/uuid.h"

enum {
    ARENA_BLOCK = 4096,
    REQUEST_ID_MAX = 64,
    ENTRY_BYTES =
        64, /* of libmicrohttpd's memory for each header, cookie and parameter, beside its text (0.9.75) */
};

void http_request_refuse(struct http_request *r, int status, const char *detail)
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
        http_request_refuse(r, 400, "the query is not UTF-8 in percent-encoding");
    } else if (r->query_count == HTTP_QUERY_MAX) {
        http_request_refuse(r, 400, "the query has too many parameters");
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

/* How much of the connection's memory its head takes; the rest is for the answer. */
static size_t head_bytes(struct http_request *r)
{
    const enum MHD_ValueKind all = MHD_HEADER_KIND | MHD_COOKIE_KIND | MHD_GET_ARGUMENT_KIND;
    const char *cookie = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, "Cookie");
    size_t entries = (size_t)MHD_get_connection_values(r->mhd, all, NULL, NULL);
    size_t text = MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;
    return text + entries * ENTRY_BYTES + (cookie ? strlen(cookie) : 0); /* which it copies */
}

/* What is wrong with it before its body is read. */
static void judge(struct http_request *r, const char *version)
{
    const char *length = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, "Content-Length");
    const char *wrong = http_strict_wrong(r->mhd, version, r->connection->target_end);
    r->connection->target_end = NULL;
    r->length = length ? strtoull(length, NULL, 10) : 0;
    r->head_bytes = head_bytes(r);
    if (wrong) {
        http_request_refuse(r, 400, wrong);
        r->unread = true;
    } else if (r->head_bytes > r->server->settings.header_bytes) {
        http_request_refuse(r, 431, HTTP_HEAD_TOO_LARGE);
        r->unread = true;
    } else if (MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, "Transfer-Encoding")) {
        http_request_refuse(r, 411, "send the body with its Content-Length, not in chunks");
    } else if (r->length > r->server->settings.body_bytes) {
        http_request_refuse(r, 413, "the body is too large");
        r->unread = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, "Expect") != NULL;
    } else if (!is_path(r)) {
        http_request_refuse(r, 400,
                            "the target is a path that begins with a slash, UTF-8 in percent-encoding");
    }
}

struct http_request *http_request_new(struct http_server *s, struct MHD_Connection *mhd, const char *method,
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

void http_request_free(struct http_request *r)
{
    if (r->response)
        MHD_destroy_response(r->response);
    buf_wipe(&r->body);
    arena_wipe(&r->arena);
    free(r);
}

/* ---- what can be asked of it, and its answer's headers ---- */

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
