#ifndef NOTIFY_BENCH_REQUEST_H
#define NOTIFY_BENCH_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

/* A request as it lies in memory; everything is borrowed from the bytes that it was read from. */
struct request {
    const char *path; /* with its query */
    size_t path_size;
    const char *webhook_id; /* NULL: it has none */
    size_t webhook_id_size;
    const char *body;
    size_t body_size;
    bool close; /* the client wants no further answer on this connection */
};

enum { REQUEST_HEAD_MAX = 16384, REQUEST_BODY_MAX = 1 << 20 };

enum request_result { REQUEST_WHOLE, REQUEST_MORE, REQUEST_BAD };

/*
 * Reads the first request in SIZE bytes. WHOLE: *OUT is filled and *USED says how many bytes it takes. MORE: its end is
 * not there yet. BAD: not HTTP/1.1 with a Content-Length, or too large.
 */
enum request_result request_read(const char *bytes, size_t size, struct request *out, size_t *used);

#endif
