/*
 * request - HTTP/1.1 requests, as far as a receiver that only counts needs them
 *
 * Pure. Looks at the request line, Content-Length, Connection and webhook-id and skips all other headers. Bodies come
 * with a length: whoever sends a chunked one is refused, and nobody who is measured does.
 */
#include "tests/bench/request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The value of the header NAME (with its colon) if LINE is one, without blanks before it. */
static const char *value_of(const char *line, size_t size, const char *name, size_t *value_size)
{
    size_t n = strlen(name);
    if (size < n || strncasecmp(line, name, n) != 0)
        return NULL;
    while (n < size && line[n] == ' ')
        n++;
    *value_size = size - n;
    return line + n;
}

static bool read_length(const char *text, size_t size, size_t *length)
{
    *length = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9' || *length > REQUEST_BODY_MAX)
            return false;
        *length = *length * 10 + (size_t)(text[i] - '0');
    }
    return size > 0 && *length <= REQUEST_BODY_MAX;
}

static bool read_header(const char *line, size_t size, struct request *out)
{
    size_t n;
    const char *value;
    if ((value = value_of(line, size, "content-length:", &n)))
        return read_length(value, n, &out->body_size);
    if ((value = value_of(line, size, "webhook-id:", &n))) {
        out->webhook_id = value;
        out->webhook_id_size = n;
    } else if ((value = value_of(line, size, "connection:", &n))) {
        out->close = n == 5 && strncasecmp(value, "close", n) == 0;
    } else if (value_of(line, size, "transfer-encoding:", &n)) {
        return false;
    }
    return true;
}

static bool read_request_line(const char *line, size_t size, struct request *out)
{
    static const char version[] = " HTTP/1.1";
    const size_t tail = sizeof version - 1;
    const char *path = memchr(line, ' ', size);
    if (!path || size < tail || memcmp(line + size - tail, version, tail) != 0)
        return false;
    out->path = ++path;
    if (path > line + size - tail)
        return false;
    out->path_size = (size_t)(line + size - tail - path);
    return true;
}

/* HEAD: the request line and headers, each with its CRLF. */
static bool read_head(const char *head, size_t size, struct request *out)
{
    const char *end = head + size, *line = head, *stop;
    for (; line < end && (stop = memmem(line, (size_t)(end - line), "\r\n", 2)); line = stop + 2) {
        size_t n = (size_t)(stop - line);
        if (!(line == head ? read_request_line(line, n, out) : read_header(line, n, out)))
            return false;
    }
    return out->path != NULL;
}

enum request_result request_read(const char *bytes, size_t size, struct request *out, size_t *used)
{
    const char *end = memmem(bytes, size < REQUEST_HEAD_MAX ? size : REQUEST_HEAD_MAX, "\r\n\r\n", 4);
    *out = (struct request){0};
    if (!end)
        return size < REQUEST_HEAD_MAX ? REQUEST_MORE : REQUEST_BAD;
    size_t head = (size_t)(end - bytes) + 4;
    if (!read_head(bytes, head - 2, out))
        return REQUEST_BAD;
    if (size - head < out->body_size)
        return REQUEST_MORE;
    out->body = bytes + head;
    *used = head + out->body_size;
    return REQUEST_WHOLE;
}
