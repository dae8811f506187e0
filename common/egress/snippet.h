#ifndef NOTIFY_EGRESS_SNIPPET_H
#define NOTIFY_EGRESS_SNIPPET_H

#include "common/destinations/dest.h"

/*
 * What is kept of an answer, for people. Pure.
 */
enum { SNIPPET_MAX = DEST_ANSWER_KEPT };

/*
 * The first SNIPPET_MAX bytes of RESPONSE's body into OUT, any bytes; returns how many. Receivers like to repeat what
 * they were asked ("Cannot POST /hooks/T0KEN"): where the body holds a piece of REQUEST's path or query, the name or
 * the password before its host, also as curl sends them, a word of one of its headers that is not ours, the password of its
 * Basic credentials, or the secret in its body, of SNIPPET_SECRET_MIN bytes or more, stars stand instead.
 */
size_t snippet_take(char out[SNIPPET_MAX], const struct dest_request *request,
                    const struct dest_response *response);
enum { SNIPPET_SECRET_MIN = 8 };

#endif
