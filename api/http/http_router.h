#ifndef NOTIFY_API_HTTP_ROUTER_H
#define NOTIFY_API_HTTP_ROUTER_H

#include "api/http/http_server.h"

enum { ROUTE_WORDS_MAX = 2, ROUTE_QUERY_MAX = 12, ROUTE_ERRORS_MAX = 4 };

/* What stands in braces in the path of the route, in order. */
struct route_words {
    const char *words[ROUTE_WORDS_MAX];
};

/* A parameter of a route: of its query, or the word in braces of that name. */
struct route_parameter {
    const char *name;
    const char *form;  /* as in api/rest/rest_form.h: "uuid", "integer:1:500", "words:events" */
    const char *value; /* without it; NULL: then there is none */
    const char *help;  /* one sentence for people */
    bool required;
};

enum route_scope { ROUTE_OPEN, ROUTE_READ, ROUTE_WRITE };

/* Headers of the request that count, besides those that count everywhere. */
enum route_headers { ROUTE_IF_MATCH = 1, ROUTE_IF_NONE_MATCH = 2, ROUTE_IDEMPOTENCY_KEY = 4 };

struct asked;
struct service_call;

/*
 * One method of one path, and all that is to be said of it: what is taken, and what the document of the API says. A table of
 * them ends with a NULL method. HEAD goes where GET goes; OPTIONS is answered here.
 */
struct route {
    const char *method;
    const char *path;    /* "/integrations/{id}" */
    const char *summary; /* one sentence for people */
    enum route_scope scope;
    struct route_parameter words[ROUTE_WORDS_MAX + 1]; /* one for each in the path, in order */
    struct route_parameter query[ROUTE_QUERY_MAX + 1]; /* others are refused */
    const char
        *body; /* the schema of the JSON that it takes; NULL: it takes none, and one that comes is refused */
    bool may_lack_body; /* it may be left out */
    unsigned headers;   /* of enum route_headers */
    int status;         /* of a good answer */
    const char *answer; /* its schema; "Integration[]" for a list; NULL: JSON of any form, or no JSON */
    const char *type;   /* of the answer, where it is not JSON */
    int errors[ROUTE_ERRORS_MAX]; /* that can be answered besides those that the rest of the row stands for */
    /* One of the two, called when the request was found good, with its token when the route is not open. MAKE makes a call of
     * the service, which is run in one transaction, and its answer is the answer. HANDLE ends, then or later, in one of the
     * functions of api/rest/rest_parts.h that answer. */
    void (*make)(struct asked *asked, struct service_call *call);
    void (*handle)(struct asked *asked);
};

/*
 * The route for X, with its words; NULL: X was answered (404; 405 with the methods that there are; what was wrong with it as a
 * whole; a parameter or a body that the route does not take).
 */
const struct route *http_route(const struct route *table, struct http_exchange *x, struct route_words *words);

#endif
