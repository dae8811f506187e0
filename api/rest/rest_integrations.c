/*
 * rest_integrations - from a request to the service's call about integrations
 *
 * Nothing is judged here: what may be asked is the service's.
 */
#include "api/rest/rest_integrations.h"

void rest_list_integrations(struct asked *a, struct service_call *c)
{
    service_integration_list(c, &a->caller, http_query(a->x, "limit"), http_query(a->x, "cursor"));
}

void rest_create_integration(struct asked *a, struct service_call *c)
{
    service_integration_create(c, &a->caller, a->x->body, a->x->body_size,
                               http_header(a->x, "Idempotency-Key"));
}

void rest_get_integration(struct asked *a, struct service_call *c)
{
    service_integration_get(c, &a->caller, a->words.words[0]);
}

void rest_update_integration(struct asked *a, struct service_call *c)
{
    service_integration_update(c, &a->caller, a->words.words[0], a->x->body, a->x->body_size,
                               http_header(a->x, "If-Match"));
}

void rest_delete_integration(struct asked *a, struct service_call *c)
{
    service_integration_delete(c, &a->caller, a->words.words[0], http_header(a->x, "If-Match"));
}
