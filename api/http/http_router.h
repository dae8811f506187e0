#ifndef NOTIFY_API_HTTP_ROUTER_H
#define NOTIFY_API_HTTP_ROUTER_H

#include "api/http/http_server.h"

enum { ROUTE_WORDS_MAX = 2, ROUTE_QUERY_MAX = 12 };

/* What stands in braces in the path of the route, in order. */
struct route_words {
    const char *words[ROUTE_WORDS_MAX];
};

/*
 * One method of one path. A table of them ends with a NULL method. HEAD goes where GET goes; OPTIONS is answered here.
 */
struct route {
    const char *method;
    const char *path;                       /* "/integrations/{id}" */
    const char *query[ROUTE_QUERY_MAX + 1]; /* the names that it knows; others are refused */
    bool takes_body;                        /* JSON; without it a body is refused */
    void (*handle)(void *owner, struct http_exchange *x, const struct route *route,
                   const struct route_words *words);
    const void *more; /* the table's own */
};

/*
 * The route for X, with its words; NULL: X was answered (404; 405 with the methods that there are; what was wrong with it as a
 * whole; a parameter or a body that the route does not take).
 */
const struct route *http_route(const struct route *table, struct http_exchange *x, struct route_words *words);

#endif
