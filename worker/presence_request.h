#ifndef NOTIFY_WORKER_PRESENCE_REQUEST_H
#define NOTIFY_WORKER_PRESENCE_REQUEST_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "worker/raw_message.h"

/* One request of Celery's remote control (kombu's pidbox). Texts are borrowed from the arena it was read with. */
struct presence_request {
    const char *method;
    struct json_object *arguments; /* an object, or NULL: none */
    const char *reply_exchange;    /* NULL: nobody waits for a reply; else 1 to 255 bytes, as the next */
    const char *reply_key;
    const char *ticket; /* may be NULL */
    int64_t clock;      /* the sender's; 0: it did not say */
    struct json_object *document;
};

enum presence_request_result {
    PRESENCE_REQUEST_OURS,
    PRESENCE_REQUEST_OTHERS,      /* for another node */
    PRESENCE_REQUEST_UNREADABLE,  /* no request at all; *WHY */
    PRESENCE_REQUEST_UNMATCHABLE, /* we cannot tell whether it is for us; *WHY. It may be answered */
};

enum { PRESENCE_REQUEST_BYTES = 65536, PRESENCE_METHOD_BYTES = 64 };

/*
 * Understand RAW, which anybody may have sent. NODE is our name. OUT is filled when it is ours or unmatchable, and
 * is to be freed in every case. *WHY is static text.
 */
enum presence_request_result presence_request_read(const struct raw_message *raw, struct arena *arena,
                                                   const char *node, struct presence_request *out,
                                                   const char **why);
void presence_request_free(struct presence_request *request);

/* Does PATTERN (*, ?, [a-z], [!a-z]) match the whole of TEXT? In time that grows with the product of their lengths. */
bool presence_glob(const char *pattern, const char *text);

/* Argument KEY as a text of 1 to MAX bytes; NULL when it is none, or holds a NUL. */
const char *presence_argument_text(const struct presence_request *request, struct arena *arena,
                                   const char *key, size_t max);
/* Argument KEY as a whole number of MIN to MAX, DEFAULT_VALUE when it is missing; false when it is something else. */
bool presence_argument_number(const struct presence_request *request, const char *key, int min, int max,
                              int default_value, int *out);

#endif
