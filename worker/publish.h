#ifndef NOTIFY_WORKER_PUBLISH_H
#define NOTIFY_WORKER_PUBLISH_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/conf.h"
#include "common/base/list.h"
#include "common/net/dial.h"
#include "worker/raw_message.h"
#include "worker/suspects.h"

/*
 * The publishing side: a connection of its own, every message persistent, mandatory and confirmed. A message
 * is published again until the broker has confirmed it; its caller hears of it once, then.
 */
enum { PUBLISH_HEADERS_MAX = 18 };

struct publish_header {
    const char *name;
    const char *text; /* NULL: the value is `number` */
    long long number;
};

/*
 * Embedded in what wants to publish. All texts are borrowed and must live until `confirmed` was called.
 * `confirmed`, `given_up`, `unwanted` or `impossible` is called exactly once, from the loop.
 */
struct publish_message {
    struct list link;
    const char *exchange;
    const char *routing_key;
    const char *message_id; /* NULL: none */
    const char *body;
    size_t body_size;
    const char *content_type;
    struct publish_header headers[PUBLISH_HEADERS_MAX];
    size_t header_count;
    void (*confirmed)(struct publish_message *message);
    /*
     * Called instead, when the broker has blocked publishing or refused this message or its like for
     * broker.publish_patience: whoever has written down what is owed can go on without. The message may still arrive.
     * NULL: it has to be confirmed.
     */
    void (*given_up)(struct publish_message *message);
    /* Somebody else's message, to be passed on as it is (publish_foreign): its body and properties are sent, and of the rest only
       exchange and key count. NULL: it is ours. */
    const struct publish_foreign *foreign;
    /* Asked each time before it is sent; false: it is not, and `unwanted` is called instead of the other two. NULL: it always is. */
    bool (*is_wanted)(struct publish_message *message);
    void (*unwanted)(struct publish_message *message);
    /*
     * The broker closes the connection whenever it is published, and not at others that go the same way: it will never be
     * confirmed. NULL: it is tried again now and then (suspects.h).
     */
    void (*impossible)(struct publish_message *message);
    bool suspected; /* the broker has closed the connection at it before: it is sent alone from the first */
    struct suspect suspect; /* private */
    bool returned;          /* private: came back as unroutable */
    int64_t sent_us;        /* private: monotonic, the last time */
    int64_t refused_us;     /* private: monotonic, the first time; 0: it was not */
};

/* What is passed on. Borrowed, as above. */
struct publish_foreign {
    const struct raw_message *raw;
    bool has_left;
    int64_t left_ms; /* of its life; an `expiration` that says more is shortened. 0 or less: it is over */
};

struct publisher;

struct publisher *publisher_new(struct event_base *base, struct dialer *dialer, const struct conf *conf);
void publisher_start(struct publisher *p);
/* Drops what is not confirmed, without calling back. */
void publisher_free(struct publisher *p);

void publish_add_text(struct publish_message *m, const char *name, const char *text);
void publish_add_number(struct publish_message *m, const char *name, long long number);
/* Hand over; the caller keeps the memory. */
void publisher_send(struct publisher *p, struct publish_message *m);
/* Messages handed over and not confirmed. */
size_t publisher_pending(const struct publisher *p);
/* Connected, and the broker does not block. */
bool publisher_is_taking(const struct publisher *p);

#endif
