#ifndef NOTIFY_API_REST_REST_SEND_H
#define NOTIFY_API_REST_REST_SEND_H

#include "api/rest/rest_parts.h"

/* The routes that send, show what would be sent, or copy an integration. */

/* POST /integrations/{id}/test */
void rest_make_test(struct asked *a, struct service_call *c);
/* POST /integrations/test */
void rest_make_test_of_body(struct asked *a, struct service_call *c);
/* Behind both: the settings are there. */
void rest_try_settings(struct asked *a);
/* POST /integrations/preview */
void rest_make_preview(struct asked *a, struct service_call *c);
/* POST /integrations/{id}/duplicate */
void rest_make_duplicate(struct asked *a, struct service_call *c);

#endif
