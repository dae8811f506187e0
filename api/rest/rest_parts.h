#ifndef NOTIFY_API_REST_PARTS_H
#define NOTIFY_API_REST_PARTS_H

#include "api/http/http_problem.h"
#include "api/http/http_router.h"
#include "api/rest/rest.h"

/* For the files that handle routes. */

struct rest {
    const struct conf *conf;
    struct auth *auth;
    struct calls *calls;
    const struct fernet_keys *keys;
};

/* One request on its way; it is there until it is answered. */
struct asked {
    struct rest *rest;
    struct http_exchange *x;
    const struct route *route;
    struct route_words words;
    struct auth_wait auth;        /* of an open route: nobody's */
    struct service_caller caller; /* likewise */
    struct running_call running;
    int64_t begun_us;
    bool has_call;
};

/* Each of these answers, and ASKED is gone afterwards. */

/* TYPE: NULL for JSON. BODY is copied; NULL: none. */
void rest_answer(struct asked *asked, int status, const char *type, const char *body);
/* application/problem+json; DETAIL says what to do. */
void rest_refuse(struct asked *asked, int status, const char *detail);
/* The same, and after how many SECONDS to try again. */
void rest_refuse_for(struct asked *asked, int status, double seconds, const char *detail);
/* As the call in asked->running says, which service_finish was called for; asked->has_call. */
void rest_answer_call(struct asked *asked);

/*
 * Run the call in asked->running.call, which was made, and answer as it says. For a handler that does something of its own
 * first.
 */
void rest_run_call(struct asked *asked);

#endif
