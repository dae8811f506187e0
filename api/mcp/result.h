#ifndef NOTIFY_API_MCP_RESULT_H
#define NOTIFY_API_MCP_RESULT_H

#include <stddef.h>

#include "common/base/json.h"

/*
 * Make RESULT, an object, no longer than MAX bytes of JSON, a little less where something has to be cut: lists lose their last
 * entries and texts their end, the longest first, and the member `cut` says so. What JSON has no number for becomes null.
 */
void result_bound(struct json_object *result, size_t max);

#endif
