/*
 * http_pack - answers as gzip has them
 */
#include "api/http/http_pack.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "common/base/check.h"

enum { GZIP_BITS = 15 + 16 /* with gzip's head */ };

bool http_takes_gzip(const struct http_exchange *x)
{
    const char *accept = http_header(x, "Accept-Encoding");
    while (accept && *accept) {
        size_t n = strcspn(accept, ","), name = strcspn(accept, ",; ");
        const char *weight = strchr(accept, ';');
        if (name == 4 && strncasecmp(accept, "gzip", 4) == 0) {
            bool weighed = weight && weight < accept + n;
            const char *value = weighed ? strchr(weight, '=') : NULL;
            return !value || strtod(value + 1, NULL) > 0;
        }
        accept += n + strspn(accept + n, ", ");
    }
    return false;
}

const char *http_pack(struct arena *arena, const char *bytes, size_t size, int level, size_t *packed)
{
    z_stream z = {0};
    mem_check(deflateInit2(&z, level, Z_DEFLATED, GZIP_BITS, MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK);
    uLong most = deflateBound(&z, (uLong)size);
    char *out = arena_alloc(arena, most);
    z.next_in = (Bytef *)bytes;
    z.avail_in = (uInt)size;
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)most;
    check(deflate(&z, Z_FINISH) == Z_STREAM_END);
    *packed = z.total_out;
    deflateEnd(&z);
    return out;
}
