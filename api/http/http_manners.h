#ifndef NOTIFY_API_HTTP_MANNERS_H
#define NOTIFY_API_HTTP_MANNERS_H

#include "api/http/http_server.h"

/* Adds what every answer has, but for what X has already. */
void http_manners_add(struct http_exchange *x, const struct http_settings *settings);
/* Does X come from a page of an origin that may ask? */
bool http_manners_origin(const struct http_exchange *x, const struct http_settings *settings);
/* Adds to the answer to OPTIONS what a browser wants to know before it asks; METHODS: those of the path. */
void http_manners_preflight(struct http_exchange *x, const struct http_settings *settings,
                            const char *methods);

#endif
