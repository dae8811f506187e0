#ifndef NOTIFY_API_HTTP_PACK_H
#define NOTIFY_API_HTTP_PACK_H

#include "api/http/http_server.h"

/* Whether the client takes gzip: it names it, and not with a weight of nothing (RFC 9110 section 12.5.3). */
bool http_takes_gzip(const struct http_exchange *x);

/* SIZE bytes as gzip has them, in ARENA; PACKED gets how many they are. LEVEL: zlib's, from 1, which is quick, to 9. */
const char *http_pack(struct arena *arena, const char *bytes, size_t size, int level, size_t *packed);

#endif
