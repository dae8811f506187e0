#ifndef NOTIFY_API_REST_EXPORT_H
#define NOTIFY_API_REST_EXPORT_H

#include "api/rest/rest_parts.h"

void rest_export(struct asked *a, struct service_call *c);
void rest_export_unsaved(struct asked *a);
void rest_cancel_export(struct asked *a, struct service_call *c);

#endif
