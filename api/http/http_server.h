#ifndef NOTIFY_API_HTTP_SERVER_H
#define NOTIFY_API_HTTP_SERVER_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/arena.h"

/*
 * Requests that have arrived whole, one at a time per connection, and their answers. HTTP/1.1 and TLS are libmicrohttpd's.
 */
struct http_server;

/* One request; it is there until http_answer. Texts are borrowed from it. */
struct http_exchange {
    const char *method;
    const char
        *path; /* as it was sent, in good percent-encoding; begins with a slash; "*": see RFC 9110, OPTIONS */
    const char *body; /* NUL-terminated, any bytes */
    size_t body_size;
    int wrong; /* a status (400, 411, 413, 431) where the request is no good as a whole; then path, query and body are not to be used */
    const char *wrong_detail; /* why, for people */
    const char *peer;         /* the client's address as text */
    const char *
        id; /* of the request, for the answer and the log: the client's X-Request-Id where it is a word, else drawn */
    struct arena *arena; /* lives as long as the exchange */
    void *owner;         /* whoever handles it */
    const char *route;   /* what http_route took it for, the path in the table; NULL: for none */

    /* Private. */
    struct http_request *request;
};

struct http_settings {
    const char *host;   /* an address */
    int port;           /* 0: the kernel chooses */
    size_t connections; /* at a time; beyond them the one that keeps us waiting for the longest is closed */
    size_t header_bytes;
    size_t body_bytes;
    /* For a request to arrive whole, from the first look or the end of the answer before; and for an answer to be taken. */
    double patience_s;
    const char *certificate, *key; /* PEM; NULL: no TLS */
    const char *const *origins;    /* whose pages may ask, as a browser sends them */
    size_t origin_count;
    /* Called once for each request; http_answer is called then, or later. */
    void (*handle)(void *owner, struct http_exchange *x);
    /* Called with each answer, SECONDS after the request had arrived. */
    void (*answered)(void *owner, const struct http_exchange *x, int status, double seconds);
    void *owner;
};

/* NULL with the reason in WHY (of SIZE bytes) when it cannot listen. SETTINGS are copied, but for their texts. */
struct http_server *http_server_new(struct event_base *base, const struct http_settings *settings, char *why,
                                    size_t size);
int http_server_port(const struct http_server *s);
/* No new connections, and each ends with its answer. */
void http_server_stop(struct http_server *s);
/* Connections that are open. */
size_t http_server_connections(const struct http_server *s);
/* What is not answered is forgotten. */
void http_server_free(struct http_server *s);

/* The value of a header, NULL when it is not there; the first of several. NAME in any case. */
const char *http_header(const struct http_exchange *x, const char *name);

/* Of what stands behind the question mark, decoded: the value of NAME, "" without one; NULL: it is not there. The first of several. */
const char *http_query(const struct http_exchange *x, const char *name);
/* The name at INDEX, from 0 on; NULL behind the last. */
const char *http_query_name(const struct http_exchange *x, size_t index);

/* Was NAME, in any case, added to the answer? */
bool http_has_header(const struct http_exchange *x, const char *name);
const struct http_settings *http_settings_of(const struct http_exchange *x);
/* As http_server_connections, of the server that X came to. */
size_t http_open_connections(const struct http_exchange *x);
/* Before the answer. The texts are copied. */
void http_add_header(struct http_exchange *x, const char *name, const char *value);
/* The same, in place of those of this name, in the same letters, that were added before. */
void http_set_header(struct http_exchange *x, const char *name, const char *value);
/* The answer; X is gone afterwards. BODY is copied. */
void http_answer(struct http_exchange *x, int status, const char *type, const char *body, size_t size);

#endif
