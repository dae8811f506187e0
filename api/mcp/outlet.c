/*
 * outlet - lines to the client
 *
 * Owns what is not written yet. Standard output is shared with whoever started us, so its O_NONBLOCK is not ours to set: a pipe or
 * a socket that is ready takes PIPE_BUF bytes without waiting (pipe(7), unix(7)), so that many are written at a time, and then
 * the loop comes first. When OUTLET_FULL bytes wait, the owner should read no more from the client; each answer is bounded
 * (mcp.result_bytes) and so is the number of calls, so what waits is bounded, too.
 */
#include "api/mcp/outlet.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/check.h"

enum { OUTLET_FULL = 4194304, OUTLET_MOST = 1 << 30 };

struct outlet {
    int fd;
    struct event *ready;
    struct buf waiting;
    size_t written; /* of `waiting` */
    bool broken;
    const struct outlet_calls *calls;
    void *owner;
};

static void forget(struct outlet *o)
{
    buf_free(&o->waiting);
    buf_init(&o->waiting, OUTLET_MOST);
    o->written = 0;
}

static size_t left(const struct outlet *o)
{
    return o->waiting.len - o->written;
}

/* What is written makes room at the end, or a client that always has something to read would be kept all of it. */
static void move_up(struct outlet *o)
{
    if (o->written < OUTLET_FULL)
        return;
    memmove(o->waiting.data, o->waiting.data + o->written, left(o) + 1);
    o->waiting.len -= o->written;
    o->written = 0;
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct outlet *o = arg;
    (void)what;
    if (left(o) > 0) {
        size_t piece = left(o) < PIPE_BUF ? left(o) : PIPE_BUF;
        bool was_full = outlet_is_full(o);
        ssize_t n = write(fd, o->waiting.data + o->written, piece);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            return;
        if (n < 0) {
            o->broken = true;
            event_del(o->ready);
            forget(o);
            o->calls->broken(o->owner);
            return;
        }
        o->written += (size_t)n;
        move_up(o);
        if (was_full && !outlet_is_full(o))
            o->calls->drained(o->owner);
    }
    if (left(o) > 0)
        return;
    event_del(o->ready);
    forget(o);
    o->calls->drained(o->owner);
}

struct outlet *outlet_new(struct event_base *base, int fd, const struct outlet_calls *calls, void *owner)
{
    struct outlet *o = mem_zalloc(sizeof *o);
    o->fd = fd;
    o->calls = calls;
    o->owner = owner;
    buf_init(&o->waiting, OUTLET_MOST);
    o->ready = event_new(base, fd, EV_WRITE | EV_PERSIST, on_ready, o);
    return o;
}

void outlet_free(struct outlet *o)
{
    if (!o)
        return;
    event_free(o->ready);
    buf_free(&o->waiting);
    free(o);
}

void outlet_add(struct outlet *o, const struct buf *line)
{
    if (o->broken)
        return;
    check(!line->overflow);
    buf_add(&o->waiting, buf_text(line), line->len);
    buf_add_char(&o->waiting, '\n');
    check(!o->waiting.overflow);
    event_add(o->ready, NULL);
}

bool outlet_is_full(const struct outlet *o)
{
    return left(o) >= OUTLET_FULL;
}

bool outlet_is_empty(const struct outlet *o)
{
    return left(o) == 0;
}
