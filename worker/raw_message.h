#ifndef NOTIFY_WORKER_RAW_MESSAGE_H
#define NOTIFY_WORKER_RAW_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/hash.h"

/*
 * A message as it came from the broker: whole, copied out of the library's memory, not yet understood. Made
 * by amqp_frames, read by decode. Everything is borrowed from the message's arena. Texts are NUL-terminated,
 * but may hold any bytes; absent properties are NULL.
 */
enum raw_header_kind { RAW_HEADER_TEXT, RAW_HEADER_INT, RAW_HEADER_FLOAT, RAW_HEADER_NULL, RAW_HEADER_OTHER };

struct raw_header {
    const char *name;
    enum raw_header_kind kind;
    const char *text; /* RAW_HEADER_TEXT; `size` bytes and a NUL */
    size_t size;
    int64_t number; /* RAW_HEADER_INT and booleans */
    double real;    /* RAW_HEADER_FLOAT */
};

struct raw_message {
    const char *body;
    size_t body_size;
    bool
        body_cut; /* longer than the limit: not read, and `body` holds only its beginning unless all of it was to be kept */
    unsigned char whole_hash[SHA256_SIZE]; /* of the whole body, when it is cut */
    uint64_t announced_size;
    const char *content_type;
    const char *content_encoding;
    const char *message_id;
    int64_t sent_us; /* wall clock of its producer, whole seconds; 0: it does not say */
    const struct raw_header *headers;
    size_t header_count;
    size_t headers_cut; /* further headers, which are not kept */
    /* All properties as the broker sent them, in AMQP's encoding, to publish it once more; NULL: they are not kept. */
    const char *properties;
    size_t properties_size;
    bool redelivered;
    bool from_own_queue; /* notify.due, .bulk, .urgent, .wake: x-notify-* headers are ours and believed */
    const char *queue;
};

/* The header NAME, or NULL. The first one wins. */
const struct raw_header *raw_message_header(const struct raw_message *message, const char *name);
/* Its text, or NULL when it is missing or no text. */
const char *raw_message_header_text(const struct raw_message *message, const char *name);

#endif
