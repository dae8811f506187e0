#ifndef NOTIFY_API_REST_OWN_H
#define NOTIFY_API_REST_OWN_H

#include "api/rest/rest_parts.h"

/* Handlers: what the server says of itself, to anybody. */
void rest_say_alive(struct asked *asked);
void rest_say_ready(struct asked *asked);
void rest_show_document(struct asked *asked);

/* Handler: who asks. */
void rest_show_token(struct asked *asked);

#endif
