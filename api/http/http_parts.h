#ifndef NOTIFY_API_HTTP_PARTS_H
#define NOTIFY_API_HTTP_PARTS_H

#include <microhttpd.h>

#include "api/http/http_server.h"
#include "common/base/buf.h"
#include "common/base/list.h"

/* For http_server.c and http_request.c only. */

#define HTTP_HEAD_TOO_LARGE "the request line and headers are larger than api.header_bytes allows; send less"

enum { HTTP_QUERY_MAX = 32 };

struct http_server {
    struct http_settings settings;
    struct event_base *base;
    struct MHD_Daemon *daemon;
    struct event *ready;  /* the daemon's epoll descriptor */
    struct event *again;  /* it has more to do than it did at once */
    struct event *late;   /* the first of `arriving` may be */
    struct list arriving; /* connections, the one that has for the longest first */
    struct list handled;  /* requests */
    struct list ended;    /* connections, to be closed behind this turn */
    size_t connections;
    int listener;
    int port;
    bool stopped;
};

struct connection {
    struct list link;  /* in `arriving`, else alone */
    struct list ended; /* in the server's, else alone */
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
    } query[HTTP_QUERY_MAX];
    size_t query_count;
    size_t head_bytes; /* of the connection's memory that request line and headers take */
    size_t length;     /* of the body, as it was announced */
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

/* A request whose head has arrived; x.wrong says whether it is one. */
struct http_request *http_request_new(struct http_server *s, struct MHD_Connection *mhd, const char *method,
                                      const char *url, const char *version);
void http_request_free(struct http_request *r);
/* It is no good as a whole: STATUS and DETAIL, which is a literal, unless something else was found before. */
void http_request_refuse(struct http_request *r, int status, const char *detail);

#endif
