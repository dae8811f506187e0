/*
 * lines - bytes from a client to lines
 *
 * A message of the protocol is a line (specification, transports, stdio). Holds the line that is not whole, up to the limit and no
 * further: what a client sends without ever ending it takes no more memory than that. Pure; knows nothing of JSON.
 */
#include "api/mcp/lines.h"

#include <string.h>

void lines_init(struct lines *l, size_t max)
{
    buf_init(&l->held, max);
    l->skipping = false;
}

void lines_free(struct lines *l)
{
    buf_wipe(&l->held); /* settings may be among the arguments */
}

static bool is_blank(const char *line, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
            return false;
    return true;
}

/* A piece of the line that has begun. */
static bool hold(struct lines *l, const char *bytes, size_t n, lines_fn *take, void *owner)
{
    if (l->skipping)
        return true;
    buf_add(&l->held, bytes, n);
    if (!l->held.overflow)
        return true;
    l->skipping = true;
    buf_reset(&l->held);
    return take(owner, NULL, 0);
}

static bool end_line(struct lines *l, lines_fn *take, void *owner)
{
    size_t n = l->held.len;
    const char *line = buf_text(&l->held);
    bool go_on = true;
    if (!l->skipping && !is_blank(line, n))
        go_on = take(owner, line, line[n - 1] == '\r' ? n - 1 : n);
    buf_reset(&l->held);
    l->skipping = false;
    return go_on;
}

size_t lines_feed(struct lines *l, const char *bytes, size_t n, lines_fn *take, void *owner)
{
    bool go_on = true;
    size_t used = 0;
    while (go_on && used < n) {
        const char *end = memchr(bytes + used, '\n', n - used);
        size_t piece = end ? (size_t)(end - bytes) - used : n - used;
        go_on = hold(l, bytes + used, piece, take, owner);
        used += piece;
        if (!end)
            break;
        go_on = end_line(l, take, owner) && go_on;
        used++;
    }
    return used;
}

void lines_end(struct lines *l, lines_fn *take, void *owner)
{
    end_line(l, take, owner);
}
