#ifndef NOTIFY_API_REST_OWN_H
#define NOTIFY_API_REST_OWN_H

#include "api/rest/rest_parts.h"

/* Handlers: what the server says of itself. */
void rest_say_alive(struct asked *asked);
void rest_say_ready(struct asked *asked);
void rest_show_document(struct asked *asked);

#endif
