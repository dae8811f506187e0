#ifndef NOTIFY_API_REST_REST_SEND_H
#define NOTIFY_API_REST_REST_SEND_H

#include "api/rest/rest_parts.h"

/* Why a trial was not begun; WAIT_S: of one that comes too often. */
void rest_refuse_trial(struct asked *a, enum trial_begun begun, double wait_s);

/* The routes that send, show what would be sent, or copy an integration. */
void rest_test_integration(struct asked *a);
void rest_test_settings(struct asked *a);
void rest_preview(struct asked *a, struct service_call *c);
void rest_duplicate_integration(struct asked *a, struct service_call *c);

#endif
