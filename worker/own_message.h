#ifndef NOTIFY_WORKER_OWN_MESSAGE_H
#define NOTIFY_WORKER_OWN_MESSAGE_H

#include "common/base/arena.h"
#include "common/model/event.h"
#include "worker/publish.h"
#include "worker/raw_message.h"

/*
 * The messages that we publish: the plain JSON form of an event (contract section 4) with headers of our own. What
 * is written here is read by decode_own.c; names and ranges are those of this page on both sides. Pure.
 */

/* X(ENUM, name, what it says) */
#define OWN_HEADER_LIST(X)                                                                                   \
    X(ATTEMPT, "x-notify-attempt", "the attempt to be made; of a dead letter, the last that was made")       \
    X(INTEGRATION, "x-notify-integration", "the one integration it is for; without it, the whole event")     \
    X(FIRST_SEEN, "x-notify-first-seen", "when a worker first read the event, Unix milliseconds")            \
    X(QUEUE, "x-notify-queue", "the queue that the event came from")                                         \
    X(ETA, "x-notify-eta", "not before this time, Unix milliseconds")                                        \
    X(EXPIRES, "x-notify-expires", "not after this time, Unix milliseconds")                                 \
    X(REDELIVERED, "x-notify-redelivered", "1: the broker had delivered it again before it was put off")     \
    X(REASON, "x-notify-reason", "why it is dead: a word of notifyctl --list reasons")                       \
    X(DETAIL, "x-notify-detail", "the same for people, up to 200 bytes")                                     \
    X(ERROR, "x-notify-error", "what the last attempt ended with: a word of notifyctl --list errors")        \
    X(SIZE, "x-notify-size", "bytes of the original body")                                                   \
    X(SHA256, "x-notify-sha256", "SHA-256 of the original body, in hexadecimal digits")                      \
    X(CONTENT_TYPE, "x-notify-content-type", "the original's content type")                                  \
    X(TASK, "x-notify-task", "the original's task header")                                                   \
    X(EXPAND, "x-notify-expand", "1: not scan_done itself, but a task notify_scan_findings")                 \
    X(TRACE, TRACE_PARENT_HEADER,                                                                            \
      "the trace that the event belongs to; without it, the one that follows from its id")                   \
    X(TRACE_STATE, TRACE_STATE_HEADER, "what the producer's tracing keeps with it")                          \
    X(WAKE, "x-notify-wake", "no event: the integration whose mailbox is to be emptied")                     \
    X(WAKE_NUMBER, "x-notify-wake-number", "which wake of it; an older one is void")

#define OWN_HEADER_ENUM(e, name, help) OWN_##e,
enum own_header { OWN_HEADER_LIST(OWN_HEADER_ENUM) OWN_HEADER_COUNT };
const char *own_header_name(enum own_header header);

/* What a reader accepts; a writer stays inside. */
#define OWN_ATTEMPT_MAX 1000000
#define OWN_TIME_MAX_MS 253402300799999 /* the end of the year 9999 */

/* What a message that comes back to us carries besides the event. */
struct own_ticket {
    int attempt;                    /* the attempt to be made, 1 or more */
    const struct uuid *integration; /* NULL: the whole event */
    const char *origin_queue;       /* may be NULL */
    bool redelivered;               /* a worker died with it: its rows may be owed what follows from them */
    bool has_eta;
    int64_t eta_us; /* wall clock; so is the next */
    bool has_expires;
    int64_t expires_us;
};

/* Fill all of MESSAGE but its route (see ladder.h). Texts are allocated in ARENA or borrowed from EVENT and TICKET. */
void own_message_event(struct publish_message *message, struct arena *arena, const struct event *event,
                       const struct own_ticket *ticket);

/* A wake: the mailbox of INTEGRATION is to be emptied (route included). */
void own_message_wake(struct publish_message *message, struct arena *arena, const struct uuid *integration,
                      int number);

/* What a dead letter says (contract section 4). Texts are borrowed until it is confirmed. */
struct own_dead {
    enum reason reason;
    const char *detail;             /* may be NULL */
    enum error_word error;          /* of the last attempt */
    int attempt;                    /* 0: none was made */
    const struct uuid *integration; /* NULL: the whole event */
    const char *queue;
};

/* The dead letter of an event. */
void own_message_dead_event(struct publish_message *message, struct arena *arena, const struct event *event,
                            const struct own_dead *dead);
/* The dead letter of a message that never became an event: its first 64 KiB, its size and its SHA-256. */
void own_message_dead_raw(struct publish_message *message, struct arena *arena, const struct raw_message *raw,
                          const char *id, const struct own_dead *dead, int64_t now_us);

#endif
