#ifndef NOTIFY_API_MCP_LINES_H
#define NOTIFY_API_MCP_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"

/* Bytes from a client to lines. One that is longer than the limit is told once and skipped, not kept. */
struct lines {
    struct buf held; /* the beginning of a line whose end has not come */
    bool skipping;   /* it was told that it is too long */
};

/*
 * LINE: N bytes without its end, any bytes; NULL: a line was longer than the limit. Borrowed for the call. True: go on; false: there is
 * no room for the next one now.
 */
typedef bool lines_fn(void *owner, const char *line, size_t n);

/* MAX: bytes of a line, without its end. */
void lines_init(struct lines *l, size_t max);
void lines_free(struct lines *l);
/*
 * Calls TAKE for each line that is whole with these N bytes; lines of nothing but blanks are left out. Returns how many of them were
 * used: all, or those up to the end of the line after which there was no room. The rest is to be fed again.
 */
size_t lines_feed(struct lines *l, const char *bytes, size_t n, lines_fn *take, void *owner);
/* No more will come: what is held is a line, too. */
void lines_end(struct lines *l, lines_fn *take, void *owner);

#endif
