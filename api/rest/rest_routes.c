/*
 * rest_routes - the table of routes
 *
 * In the order in which people want to read of them. Says everything that is known of a route but what its handler does.
 */
#include "api/rest/rest_routes.h"

#include <stddef.h>

#include "api/rest/rest_export.h"
#include "api/rest/rest_integrations.h"
#include "api/rest/rest_kinds.h"
#include "api/rest/rest_ledger.h"
#include "api/rest/rest_metrics.h"
#include "api/rest/rest_own.h"
#include "api/rest/rest_send.h"
#include "api/service/service.h"

/* ---- parameters that several have ---- */

#define THE_INTEGRATION                                                                                      \
    {                                                                                                        \
        "id", "uuid", NULL, "The id of an integration of the workspace.", true                               \
    }
#define THE_LIMIT                                                                                            \
    {                                                                                                        \
        "limit", "integer:1:500", "100", "Entries of one page.", false                                       \
    }
#define THE_CURSOR                                                                                           \
    {                                                                                                        \
        "cursor", "text", NULL, "Where the page begins: from the Link header of the page before it.", false  \
    }

#define THE_FILTERS                                                                                          \
    {"state", "words:states", NULL, "Deliveries in this state only.", false},                                \
        {"reason", "words:reasons", NULL, "Those that ended for this reason only.", false},                  \
        {"event_type", "words:events", NULL, "Those of events of this type only.", false},                   \
        {"event_id", "text:1:200", NULL, "Those of this event only.", false},                                \
        {"scan_id", "uuid", NULL, "Those of events of this scan only.", false},                              \
        {"finding_id", "uuid", NULL, "Those of events about this finding only.", false},                     \
    {                                                                                                        \
        "export_id", "uuid", NULL, "Those of this export only.", false                                       \
    }
#define THE_DELIVERY                                                                                         \
    {"event", "text:1:200", NULL, "The id of the event; a slash in it as %2F.", true},                       \
    {                                                                                                        \
        "integration", "uuid", NULL, "The id of the integration.", true                                      \
    }

_Static_assert(SERVICE_LIMIT_MAX == 500 && SERVICE_LIMIT_DEFAULT == 100,
               "THE_LIMIT says what the service takes");

/* ---- ---- */

const struct route rest_routes[] = {
    {
        .method = "GET",
        .path = "/integrations",
        .summary = "The integrations of the workspace, by when they were created.",
        .scope = ROUTE_READ,
        .query = {THE_LIMIT, THE_CURSOR},
        .status = 200,
        .answer = "Integration[]",
        .make = rest_list_integrations,
    },
    {
        .method = "POST",
        .path = "/integrations",
        .summary = "Create an integration.",
        .scope = ROUTE_WRITE,
        .body = "IntegrationCreate",
        .headers = ROUTE_IDEMPOTENCY_KEY,
        .status = 201,
        .answer = "Integration",
        .errors = {404}, /* the workspace went away meanwhile */
        .make = rest_create_integration,
    },
    {
        .method = "GET",
        .path = "/integrations/{id}",
        .summary = "One integration.",
        .scope = ROUTE_READ,
        .words = {THE_INTEGRATION},
        .status = 200,
        .answer = "Integration",
        .make = rest_get_integration,
    },
    {
        .method = "PATCH",
        .path = "/integrations/{id}",
        .summary = "Change what is sent and nothing else; config is replaced as a whole.",
        .scope = ROUTE_WRITE,
        .words = {THE_INTEGRATION},
        .body = "IntegrationUpdate",
        .headers = ROUTE_IF_MATCH,
        .status = 200,
        .answer = "Integration",
        .errors = {409}, /* a rule of the product's forbids it */
        .make = rest_update_integration,
    },
    {
        .method = "DELETE",
        .path = "/integrations/{id}",
        .summary = "Remove an integration.",
        .scope = ROUTE_WRITE,
        .words = {THE_INTEGRATION},
        .headers = ROUTE_IF_MATCH,
        .status = 204,
        .errors = {409}, /* likewise */
        .make = rest_delete_integration,
    },
    {
        .method = "POST",
        .path = "/integrations/{id}/test",
        .summary =
            "Send a test through an integration, also a disabled one, and say what came of it. 409: one is "
            "under way, or nothing can be sent with its settings.",
        .scope = ROUTE_WRITE,
        .words = {THE_INTEGRATION},
        .status = 200,
        .answer = "TestResult",
        .errors = {409},
        .handle = rest_test_integration,
    },
    {
        .method = "POST",
        .path = "/integrations/test",
        .summary = "The same with settings that are not saved.",
        .scope = ROUTE_WRITE,
        .body = "SettingsTest",
        .status = 200,
        .answer = "TestResult",
        .handle = rest_test_settings,
    },
    {
        .method = "POST",
        .path = "/integrations/preview",
        .summary =
            "What would be sent of an event that is a sample: the first request that tells it, with stars "
            "for secrets. Nothing is sent.",
        .scope = ROUTE_READ,
        .body = "PreviewOf",
        .status = 200,
        .answer = "Preview",
        .make = rest_preview,
    },
    {
        .method = "POST",
        .path = "/integrations/{id}/duplicate",
        .summary =
            "Another integration with the same settings and filters, disabled. The body may be left out.",
        .scope = ROUTE_WRITE,
        .words = {THE_INTEGRATION},
        .body = "Copy",
        .may_lack_body = true,
        .headers = ROUTE_IDEMPOTENCY_KEY,
        .status = 201,
        .answer = "Integration",
        .make = rest_duplicate_integration,
    },
    {
        .method = "POST",
        .path = "/integrations/{id}/export",
        .summary =
            "Send findings to an integration, past its filters: of a scan, or named. They go into its "
            "mailbox, and workers send them from there; GET /deliveries?export_id= shows how far they are. "
            "409: it is disabled, or its settings cannot be used.",
        .scope = ROUTE_WRITE,
        .words = {THE_INTEGRATION},
        .body = "ExportRequest",
        .headers = ROUTE_IDEMPOTENCY_KEY,
        .status = 200,
        .answer = "Export",
        .errors = {409},
        .make = rest_export,
    },
    {
        .method = "POST",
        .path = "/integrations/export",
        .summary = "Send a few findings with settings that are not saved, now, within the limits of tests. "
                   "None of it "
                   "is in the ledger, and what fails is not tried again.",
        .scope = ROUTE_WRITE,
        .body = "UnsavedExportRequest",
        .status = 200,
        .answer = "UnsavedExport",
        .handle = rest_export_unsaved,
    },
    {
        .method = "POST",
        .path = "/exports/{id}/cancel",
        .summary = "Cancel what of an export nobody has begun to send.",
        .scope = ROUTE_WRITE,
        .words = {{"id", "uuid", NULL, "The export_id of the answer to an export.", true}},
        .status = 200,
        .answer = "Canceled",
        .make = rest_cancel_export,
    },
    {
        .method = "GET",
        .path = "/integrations/{id}/deliveries",
        .summary = "What became of the events that an integration fired for, latest change first.",
        .scope = ROUTE_READ,
        .words = {THE_INTEGRATION},
        .query = {THE_LIMIT, THE_CURSOR, THE_FILTERS},
        .status = 200,
        .answer = "Delivery[]",
        .make = rest_list_deliveries_of_one,
    },
    {
        .method = "GET",
        .path = "/deliveries",
        .summary = "What became of events, integration by integration, latest change first. A page that is "
                   "filtered may be "
                   "shorter than its limit, and have a next one.",
        .scope = ROUTE_READ,
        .query = {THE_LIMIT,
                  THE_CURSOR,
                  {"integration_id", "uuid", NULL, "Those to this integration only.", false},
                  THE_FILTERS},
        .status = 200,
        .answer = "Delivery[]",
        .make = rest_list_deliveries,
    },
    {
        .method = "GET",
        .path = "/deliveries/{event}/{integration}",
        .summary = "One delivery with its failed attempts.",
        .scope = ROUTE_READ,
        .words = {THE_DELIVERY},
        .status = 200,
        .answer = "DeliveryStory",
        .make = rest_get_delivery,
    },
    {
        .method = "POST",
        .path = "/deliveries/{event}/{integration}/replay",
        .summary = "Begin a dead delivery again, with all its attempts.",
        .scope = ROUTE_WRITE,
        .words = {THE_DELIVERY},
        .status = 200,
        .answer = "Change",
        .errors = {409}, /* it is not dead, or somebody has it in hand */
        .make = rest_replay_delivery,
    },
    {
        .method = "POST",
        .path = "/deliveries/replay",
        .summary = "Begin dead deliveries again; the answer says what became of each.",
        .scope = ROUTE_WRITE,
        .body = "DeliveryList",
        .status = 200,
        .answer = "Replayed",
        .make = rest_replay_deliveries,
    },
    {
        .method = "POST",
        .path = "/deliveries/drop",
        .summary = "Give dead deliveries up; the answer says what became of each.",
        .scope = ROUTE_WRITE,
        .body = "DeliveryList",
        .status = 200,
        .answer = "Dropped",
        .make = rest_drop_deliveries,
    },
    {
        .method = "GET",
        .path = "/explain",
        .summary = "Why an event reached each integration of the workspace, or did not: what happened, and "
                   "what the filters "
                   "say now. Of the latest five such events, fewer where there is much to say; of none, what "
                   "one would do.",
        .scope = ROUTE_READ,
        .query = {{"event_id", "text:1:200", NULL, "The event; else name a scan and a type.", false},
                  {"scan_id", "uuid", NULL, "The scan that it is about.", false},
                  {"event_type", "words:events", NULL, "Its type.", false},
                  {"finding_id", "uuid", NULL, "The finding that it is about.", false},
                  {"integration_id", "uuid", NULL, "Explain it for this integration only.", false}},
        .status = 200,
        .answer = "Explanation[]",
        .errors = {404},
        .make = rest_explain,
    },
    {
        .method = "GET",
        .path = "/events",
        .summary = "What was received, latest first, also what reached no integration. A page that is "
                   "filtered may be "
                   "shorter than its limit, and have a next one.",
        .scope = ROUTE_READ,
        .query = {THE_LIMIT,
                  THE_CURSOR,
                  {"state", "words:event-states", NULL, "Events in this state only.", false},
                  {"reason", "words:reasons", NULL, "Those that are dead for this reason only.", false},
                  {"event_type", "words:events", NULL, "Those of this type only.", false},
                  {"scan_id", "uuid", NULL, "Those of this scan only.", false},
                  {"finding_id", "uuid", NULL, "Those about this finding only.", false}},
        .status = 200,
        .answer = "Event[]",
        .make = rest_list_events,
    },
    {
        .method = "GET",
        .path = "/targets",
        .summary = "The targets of the workspace, by name.",
        .scope = ROUTE_READ,
        .query = {THE_LIMIT, THE_CURSOR},
        .status = 200,
        .answer = "Target[]",
        .make = rest_list_targets,
    },
    {
        .method = "GET",
        .path = "/stats",
        .summary = "How much there is of everything, and how each integration fares.",
        .scope = ROUTE_READ,
        .status = 200,
        .answer = "Stats",
        .make = rest_show_stats,
    },
    {
        .method = "GET",
        .path = "/overview",
        .summary = "The integrations of the workspace, by when they were created, and how each fares: now, "
                   "and hour by "
                   "hour in the last 24 hours.",
        .scope = ROUTE_READ,
        .query = {THE_LIMIT,
                  THE_CURSOR,
                  {"q", "text:1:200", NULL, "Those with this in their name, in capitals or not.", false},
                  {"kind", "words:kinds", NULL, "Those of this kind only.", false},
                  {"health", "words:health-states", NULL, "Those that fare so only.", false}},
        .status = 200,
        .answer = "Overview[]",
        .make = rest_show_overview,
    },
    {
        .method = "GET",
        .path = "/kinds",
        .summary = "The kinds of destinations and the settings that each takes.",
        .scope = ROUTE_READ,
        .headers = ROUTE_IF_NONE_MATCH,
        .status = 200,
        .answer = "Kind[]",
        .handle = rest_list_kinds,
    },
    {
        .method = "GET",
        .path = "/openapi.json",
        .summary = "This description of the API.",
        .headers = ROUTE_IF_NONE_MATCH,
        .status = 200,
        .answer = "object",
        .handle = rest_show_document,
    },
    {
        .method = "GET",
        .path = "/healthz",
        .summary = "Whether the process is alive.",
        .status = 200,
        .type = "text/plain",
        .handle = rest_say_alive,
    },
    {
        .method = "GET",
        .path = "/readyz",
        .summary = "Whether requests can be answered: there is a connection to the database.",
        .status = 200,
        .type = "text/plain",
        .errors = {503},
        .handle = rest_say_ready,
    },
    {
        .method = "GET",
        .path = "/metrics",
        .summary = "Figures of this process, for Prometheus.",
        .status = 200,
        .type = "text/plain",
        .handle = rest_show_metrics,
    },
    {.method = NULL},
};
