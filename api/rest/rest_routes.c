/*
 * rest_routes - the table of routes
 *
 * In the order in which people want to read of them. Says everything that is known of a route but what its handler does.
 */
#include "api/rest/rest_routes.h"

#include <stddef.h>

#include "api/rest/rest_integrations.h"
#include "api/rest/rest_kinds.h"
#include "api/rest/rest_own.h"
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
        .make = rest_update_integration,
    },
    {
        .method = "DELETE",
        .path = "/integrations/{id}",
        .summary = "Remove an integration.",
        .scope = ROUTE_WRITE,
        .words = {THE_INTEGRATION},
        .status = 204,
        .make = rest_delete_integration,
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
    {.method = NULL},
};
