/*
 * rest_ledger - from a request to the service's call about the ledger
 *
 * Nothing is judged here: what may be asked is the service's.
 */
#include "api/rest/rest_ledger.h"

static void list(struct asked *a, struct service_call *c, const char *integration, bool is_there)
{
    struct service_delivery_filter filter = {
        .limit = http_query(a->x, "limit"),
        .cursor = http_query(a->x, "cursor"),
        .state = http_query(a->x, "state"),
        .reason = http_query(a->x, "reason"),
        .event_type = http_query(a->x, "event_type"),
        .integration = integration,
        .event = http_query(a->x, "event_id"),
        .scan = http_query(a->x, "scan_id"),
        .finding = http_query(a->x, "finding_id"),
        .export = http_query(a->x, "export_id"),
        .is_there = is_there,
    };
    service_delivery_list(c, &a->caller, &filter);
}

void rest_list_deliveries(struct asked *a, struct service_call *c)
{
    list(a, c, http_query(a->x, "integration_id"), false);
}

void rest_list_deliveries_of_one(struct asked *a, struct service_call *c)
{
    list(a, c, a->words.words[0], true);
}

void rest_get_delivery(struct asked *a, struct service_call *c)
{
    service_delivery_get(c, &a->caller, a->words.words[0], a->words.words[1]);
}

void rest_replay_delivery(struct asked *a, struct service_call *c)
{
    service_delivery_replay(c, &a->caller, a->words.words[0], a->words.words[1]);
}

void rest_replay_deliveries(struct asked *a, struct service_call *c)
{
    service_delivery_replay_list(c, &a->caller, a->x->body, a->x->body_size);
}

void rest_drop_deliveries(struct asked *a, struct service_call *c)
{
    service_delivery_drop_list(c, &a->caller, a->x->body, a->x->body_size);
}

void rest_explain(struct asked *a, struct service_call *c)
{
    struct service_question question = {
        .event = http_query(a->x, "event_id"),
        .scan = http_query(a->x, "scan_id"),
        .event_type = http_query(a->x, "event_type"),
        .finding = http_query(a->x, "finding_id"),
        .integration = http_query(a->x, "integration_id"),
    };
    service_explain(c, &a->caller, &question);
}

void rest_list_targets(struct asked *a, struct service_call *c)
{
    service_target_list(c, &a->caller, http_query(a->x, "limit"), http_query(a->x, "cursor"));
}

void rest_list_events(struct asked *a, struct service_call *c)
{
    struct service_event_filter filter = {
        .limit = http_query(a->x, "limit"),
        .cursor = http_query(a->x, "cursor"),
        .state = http_query(a->x, "state"),
        .reason = http_query(a->x, "reason"),
        .event_type = http_query(a->x, "event_type"),
        .scan = http_query(a->x, "scan_id"),
        .finding = http_query(a->x, "finding_id"),
    };
    service_event_list(c, &a->caller, &filter);
}

void rest_show_overview(struct asked *a, struct service_call *c)
{
    struct service_overview_filter filter = {
        .limit = http_query(a->x, "limit"),
        .cursor = http_query(a->x, "cursor"),
        .q = http_query(a->x, "q"),
        .kind = http_query(a->x, "kind"),
        .health = http_query(a->x, "health"),
    };
    service_overview(c, &a->caller, &filter);
}

void rest_show_stats(struct asked *a, struct service_call *c)
{
    service_stats(c, &a->caller);
}
