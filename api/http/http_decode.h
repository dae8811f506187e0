#ifndef NOTIFY_API_HTTP_DECODE_H
#define NOTIFY_API_HTTP_DECODE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/arena.h"

/* The N bytes at TEXT without their percent-encoding, in ARENA; NULL: they are no text. PLUS_IS_SPACE: as in a query. */
const char *http_decode(struct arena *arena, const char *text, size_t n, bool plus_is_space);

#endif
