#ifndef NOTIFY_API_REST_QUERY_H
#define NOTIFY_API_REST_QUERY_H

#include "api/rest/rest_parts.h"

/* Whether every parameter of the query is of its form, and those that must be there are; else it was answered. */
bool rest_query_is_good(struct asked *asked);

#endif
