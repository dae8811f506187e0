#ifndef NOTIFY_API_MCP_RESULT_H
#define NOTIFY_API_MCP_RESULT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/json.h"

/* What is said of a cut. */
struct result_form {
    const char *page;   /* the list whose next page the member `next` leads to; NULL: none */
    const char *advice; /* what to do about a cut; NULL: ask for less */
};

/*
 * Make RESULT, an object, no longer than MAX bytes of JSON, a little less where something has to be cut: lists lose entries, those that
 * went well first and then the last, and texts their end, the longest first, and the member `cut` says so. When the page was cut, `next`
 * becomes null, for it leads behind what was cut. What JSON has no number for becomes null. False: it cannot be made so short.
 */
bool result_bound(struct json_object *result, size_t max, const struct result_form *form);

#endif
