#ifndef NOTIFY_API_REST_LEDGER_H
#define NOTIFY_API_REST_LEDGER_H

#include "api/rest/rest_parts.h"

/* Handlers: deliveries, why they are as they are, and how much there is of everything. */
void rest_list_deliveries(struct asked *asked, struct service_call *call);
void rest_list_deliveries_of_one(struct asked *asked, struct service_call *call);
void rest_get_delivery(struct asked *asked, struct service_call *call);
void rest_replay_delivery(struct asked *asked, struct service_call *call);
void rest_replay_deliveries(struct asked *asked, struct service_call *call);
void rest_drop_deliveries(struct asked *asked, struct service_call *call);
void rest_explain(struct asked *asked, struct service_call *call);
void rest_list_targets(struct asked *asked, struct service_call *call);
void rest_list_events(struct asked *asked, struct service_call *call);
void rest_show_overview(struct asked *asked, struct service_call *call);
void rest_show_stats(struct asked *asked, struct service_call *call);

#endif
