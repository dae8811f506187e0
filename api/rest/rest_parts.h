#ifndef NOTIFY_API_REST_PARTS_H
#define NOTIFY_API_REST_PARTS_H

#include "api/http/http_problem.h"
#include "api/http/http_router.h"
#include "api/rest/rest.h"
#include "api/send/trial.h"
#include "common/base/hash.h"
#include "common/model/trace.h"

/* For the files that handle routes. */

/* What is made at the start and answered as it is. */
struct rest_text {
    const char *text;
    size_t size;
    const char *encoding;      /* of its bytes, as HTTP calls it; NULL: none */
    char etag[SHA256_HEX + 2]; /* with its quotes */
};

struct rest {
    const struct conf *conf;
    struct auth *auth;
    struct calls *calls;
    struct trials *trials;
    const struct fernet_keys *keys;
    struct service_export_limits export_limits, unsaved_limits;
    struct arena arena; /* of its texts */
    struct rest_text document, kinds;
    struct rest_metrics *metrics;
    struct rest_web *web;
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
    /* Set by a handler: called in place of the answer of a call that went well. It answers, then or later. */
    void (*then)(struct asked *asked);
    int64_t begun_us;
    bool has_call;
};

/* What a line of the log says of a request: its id, and the trace that its client gave. */
#define LOG_ASKED(asked)                                                                                     \
    LOG_TEXT("id", (asked)->x->id), LOG_TEXT("trace", rest_trace_text((asked), (char[TRACE_ID_TEXT]){0}))
/* The id of that trace, written into OUT; NULL: none was given. */
const char *rest_trace_text(const struct asked *asked, char out[TRACE_ID_TEXT]);

/* Each of these answers, and ASKED is gone afterwards. */

/* TYPE: NULL for JSON. BODY is copied; NULL: none. */
void rest_answer(struct asked *asked, int status, const char *type, const char *body);
/* application/problem+json; DETAIL says what to do. */
void rest_refuse(struct asked *asked, int status, const char *detail);
/* The same, with what is wrong field by field; all is copied. */
void rest_refuse_fields(struct asked *asked, int status, const char *detail,
                        const struct http_field_error *errors, size_t count);
/* As rest_refuse, and after how many SECONDS to try again. */
void rest_refuse_for(struct asked *asked, int status, double seconds, const char *detail);
/* As the call in asked->running says, which service_finish was called for; asked->has_call. */
void rest_answer_call(struct asked *asked);

/* SIZE bytes at BYTES with their ETag, for rest_answer_text; they must stay. */
struct rest_text rest_text_of(const char *bytes, size_t size);
/* 200 with TEXT and its ETag; 304 when If-None-Match has it. */
void rest_answer_text(struct asked *asked, const char *type, const struct rest_text *text);

/*
 * Run the call in asked->running.call, which was made, and answer as it says. For a handler that does something of its own
 * first.
 */
void rest_run_call(struct asked *asked);

#endif
