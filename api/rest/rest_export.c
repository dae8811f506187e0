/*
 * rest_export - routes that send findings to one integration
 */
#include "api/rest/rest_export.h"

void rest_export(struct asked *a, struct service_call *c)
{
    service_export(c, &a->caller, a->words.words[0], a->x->body, a->x->body_size,
                   http_header(a->x, "Idempotency-Key"), &a->rest->export_limits);
}

void rest_cancel_export(struct asked *a, struct service_call *c)
{
    service_export_cancel(c, &a->caller, a->words.words[0]);
}
