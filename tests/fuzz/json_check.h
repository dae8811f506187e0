#ifndef NOTIFY_TESTS_JSON_CHECK_H
#define NOTIFY_TESTS_JSON_CHECK_H

#include <stdbool.h>
#include <stddef.h>

/* True when all N bytes are one JSON value in UTF-8, nested JSON_DEPTH_MAX deep at most. PYTHONIC also takes
 * NaN, Infinity and -Infinity, as Python writes them. */
bool json_check(const char *text, size_t n, bool pythonic);

#endif
