/*
 * service_explain - the call that explains why an event reached an integration, or did not
 *
 * Everything is read in one transaction, without a look at what came before: the events that are meant, their deliveries and
 * attempts, and what the filters look at now. What it says is explanation's.
 */
#include <string.h>

#include "api/service/explanation.h"
#include "api/service/service_page.h"
#include "common/base/check.h"

enum { EVENTS = 1, DELIVERIES, ATTEMPTS, FACTS, INTEGRATIONS, STEPS };

/* The type of what is explained: of an event that is named, its own. -1: none that filters know. */
static int type_of(const struct service_call *call)
{
    const PGresult *events = call->own->kept[EVENTS];
    const char *type = call->own->event_type;
    if (PQntuples(events))
        type = PQgetvalue(events, 0, PQfnumber(events, "event_type"));
    return type ? event_type_parse(type) : -1;
}

static void add(struct service_call *call, struct explain_now *now, int event)
{
    PGresult *const *kept = call->own->kept;
    struct explanation x = {.now = now};
    if (event >= 0) {
        x.events = kept[EVENTS];
        x.event = event;
        x.deliveries = kept[DELIVERIES];
        x.attempts = kept[ATTEMPTS];
    }
    if (explanation_is_task(&x))
        x.now = NULL;
    explanation_prepare(&x, &call->arena);
    explanation_add(service_page_add(call), &x);
}

static void explain_finish(struct service_call *call)
{
    PGresult *const *kept = call->own->kept;
    int count = PQntuples(kept[EVENTS]), type = type_of(call);
    struct explain_now now = {.count = 0};
    bool asks = type >= 0 && !PQgetisnull(kept[FACTS], 0, EXPLAIN_WORKSPACE);
    if (!count && PQgetisnull(kept[FACTS], 0, EXPLAIN_WORKSPACE)) {
        service_refuse(call, SERVICE_NOT_FOUND,
                       call->own->scan ? "there is no such scan in this workspace"
                                       : "no event with this id was received for this workspace, or its row "
                                         "was deleted since");
        return;
    }
    if (asks)
        explain_now_read(&now, (enum event_type)type, kept[FACTS], kept[INTEGRATIONS]);
    service_page_begin(call);
    for (int i = 0; i < count && !service_page_is_full(call); i++)
        add(call, asks ? &now : NULL, i);
    if (!count)
        add(call, &now, -1);
    static const char *const none[] = {NULL};
    service_page_end(call, none, 1);
    service_page_finish(call);
    explain_now_free(&now);
}

static void check_question(struct service_call *call, const struct service_question *q)
{
    int type = q->event_type ? event_type_parse(q->event_type) : -1;
    if (q->event && (q->scan || q->event_type || q->finding))
        service_wrong(call, "event_id", "name either an event, or a scan with a type of event");
    if (q->event)
        return;
    if (!q->scan)
        service_wrong(call, "scan_id", "name the scan that it is about, or the event_id");
    if (!q->event_type)
        service_wrong(call, "event_type", "name the type of the event, as finding_new");
    if (type >= 0 && event_is_about_finding((enum event_type)type) && !q->finding)
        service_wrong(call, "finding_id", "an event of this type is about a finding: name it");
}

void service_explain(struct service_call *call, const struct service_caller *caller,
                     const struct service_question *q)
{
    service_begin(call, caller, explain_finish);
    call->own->keeps_all = true;
    const char *event = service_check_event(call, "event_id", q->event);
    const char *scan = service_check_uuid(call, "scan_id", q->scan);
    const char *type = service_check_word(call, "event_type", q->event_type, "events");
    const char *finding = service_check_uuid(call, "finding_id", q->finding);
    const char *integration = service_check_uuid(call, "integration_id", q->integration);
    check_question(call, q);
    if (call->status != SERVICE_UNFINISHED)
        return;
    call->own->scan = scan;
    call->own->event_type = type;
    const char *const asked[] = {
        caller->workspace,
        event,
        scan,
        type,
        finding,
        arena_printf(&call->arena, "%d", SERVICE_EXPLAINED_MAX),
        integration,
    };
    for (enum api_statement s = API_EXPLAIN_EVENTS; s <= API_EXPLAIN_ATTEMPTS; s++) {
        struct service_step *step = service_add(call, s);
        memcpy(step->values, asked, (size_t)step->count * sizeof asked[0]);
    }
    struct service_step *facts = service_add(call, API_EXPLAIN_FACTS);
    facts->values[0] = caller->workspace;
    facts->values[1] = event;
    facts->values[2] = scan;
    facts->values[3] = finding;
    struct service_step *integrations = service_add(call, API_EXPLAIN_INTEGRATIONS);
    integrations->values[0] = caller->workspace;
    integrations->values[1] = integration;
    check(call->step_count == STEPS);
}
