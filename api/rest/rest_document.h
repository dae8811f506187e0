#ifndef NOTIFY_API_REST_DOCUMENT_H
#define NOTIFY_API_REST_DOCUMENT_H

#include "api/http/http_router.h"
#include "common/base/buf.h"

enum { REST_DOCUMENT_MAX = 4 << 20 };

/* Appends the description of the API, OpenAPI 3.1: made of the tables that validate. */
void rest_document_add(struct buf *out, const struct route *routes);

/* Statuses of errors that ROUTE can answer, ascending, a zero behind the last. */
enum { REST_ERRORS_MAX = 24 };
void rest_errors_of(const struct route *route, int statuses[REST_ERRORS_MAX]);

#endif
