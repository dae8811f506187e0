#ifndef NOTIFY_API_REST_REST_H
#define NOTIFY_API_REST_REST_H

#include "api/http/http_server.h"
#include "api/rest/auth.h"
#include "api/rest/calls.h"
#include "api/send/trial.h"
#include "common/base/fernet.h"

/* The routes of the API (contract section 6) over the service layer. */
struct rest;

struct rest *rest_new(const struct conf *conf, struct auth *auth, struct calls *calls, struct trials *trials,
                      const struct fernet_keys *keys);
void rest_free(struct rest *rest);
/* The server's handler; OWNER is the struct rest. */
void rest_handle(void *owner, struct http_exchange *x);
/* Likewise, for each of its answers. */
void rest_answered(void *owner, const struct http_exchange *x, int status, double seconds);

#endif
