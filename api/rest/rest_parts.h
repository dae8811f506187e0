#ifndef NOTIFY_API_REST_REST_PARTS_H
#define NOTIFY_API_REST_REST_PARTS_H

#include "api/http/http_router.h"
#include "api/rest/auth.h"
#include "api/rest/calls.h"
#include "api/send/trial.h"
#include "common/base/fernet.h"

/* For the files of the API's door: one request on its way, and how it is answered. */

struct rest {
    const struct conf *conf;
    struct auth *auth;
    struct calls *calls;
    struct trials *trials;
    const struct fernet_keys *keys;
};

struct asked {
    struct rest *rest;
    struct http_exchange *x;
    const struct route *route;
    struct route_words words;
    struct auth_wait auth;
    struct service_caller caller;
    struct running_call running;
    int64_t begun_us;
    bool has_call;
};

/* What a route adds to the router's table. */
struct rest_route {
    bool writes;
    void (*make)(struct asked *a, struct service_call *call);
    /* The call is finished, and OK: instead of its answer. It answers, or lets somebody answer later. NULL: the call's answer. */
    void (*then)(struct asked *a);
};

/* Each answers, and A is gone afterwards. SECONDS: after which to ask again. */
void rest_answer_json(struct asked *a, int status, const char *body, size_t size);
void rest_refuse(struct asked *a, int status, const char *detail);
void rest_refuse_for(struct asked *a, int status, double seconds, const char *detail);

#endif
