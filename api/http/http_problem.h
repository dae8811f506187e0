#ifndef NOTIFY_API_HTTP_PROBLEM_H
#define NOTIFY_API_HTTP_PROBLEM_H

#include "api/http/http_server.h"
#include "common/base/buf.h"

/* What is wrong with one field of a request. */
struct http_field_error {
    const char *field; /* "config.webhook_url", or the name of a parameter */
    const char *detail;
};

/*
 * Answers with application/problem+json (RFC 9457): STATUS, its title, and DETAIL, which says what to do. ERRORS may be
 * none. X is gone afterwards.
 */
void http_problem(struct http_exchange *x, int status, const char *detail,
                  const struct http_field_error *errors, size_t count);

/* The same as text, without errors, under the request id ID: for what is said where no exchange is. OUT must have room. */
void http_problem_text(struct buf *out, const char *id, int status, const char *detail);

/* The reason phrase of RFC 9110; "" for one that we do not send. */
const char *http_status_title(int status);

#endif
