#ifndef NOTIFY_API_REST_INTEGRATIONS_H
#define NOTIFY_API_REST_INTEGRATIONS_H

#include "api/rest/rest_parts.h"

/* Handlers: integrations, as the seed documents have them. */
void rest_list_integrations(struct asked *asked, struct service_call *call);
void rest_create_integration(struct asked *asked, struct service_call *call);
void rest_get_integration(struct asked *asked, struct service_call *call);
void rest_update_integration(struct asked *asked, struct service_call *call);
void rest_delete_integration(struct asked *asked, struct service_call *call);

#endif
