#ifndef NOTIFY_WORKER_DECODE_PARTS_H
#define NOTIFY_WORKER_DECODE_PARTS_H

#include <json-c/json.h>

#include "common/base/buf.h"
#include "worker/decode.h"

/*
 * What the files of the decoder share; nobody else includes this. A step returns true when the message is
 * good so far; false means that it called decode_refuse, which recorded why.
 */
struct decoding {
    const struct conf *conf;
    struct arena *arena;
    const struct raw_message *raw;
    struct decoded *out;
};

/* Record the reject and return false. FORMAT makes the detail; bytes of the message in it come from
 * decode_quote. */
bool decode_refuse(struct decoding *d, enum reason reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Up to 60 bytes of N for a detail: valid UTF-8, without control characters. Lives in the arena. */
const char *decode_quote(struct decoding *d, const char *text, size_t n);
/* As decode_quote, for the name or the text of a JSON value. */
const char *decode_quote_json(struct decoding *d, struct json_object *value);

/* decode_body: the body's bytes, decompressed where needed, into PLAIN (initialised here; free it always). */
bool decode_body_read(struct decoding *d, struct buf *plain);

/* decode_args: bind Celery's ARGS (an array) and KWARGS (an object) as Python would, then read the values. */
bool decode_args_bind(struct decoding *d, struct json_object *args, struct json_object *kwargs);
/* The plain form: the same values as members of OBJECT. */
bool decode_args_plain(struct decoding *d, struct json_object *object);

/* decode_own: x-notify-* headers, to be called for messages from our own queues only. */
bool decode_own_headers(struct decoding *d);

#endif
