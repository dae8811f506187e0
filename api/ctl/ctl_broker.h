#ifndef NOTIFY_CTL_CTL_BROKER_H
#define NOTIFY_CTL_CTL_BROKER_H

#include <amqp.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/ctl/ctl.h"
#include "common/base/buf.h"
#include "common/base/conf.h"
#include "common/broker_tls.h"

/* A blocking broker connection for questions about queues; every step of it ends within 3 s. */
struct broker {
    amqp_connection_state_t link; /* NULL: closed */
    bool channel_open;
    bool refused;   /* the broker is there and refuses user, password or virtual host */
    bool untrusted; /* TLS with the broker is not possible as set: advice says what to do */
    bool tls;       /* amqps://, and then with whom: */
    struct broker_tls_peer peer;
    const char *advice; /* to the last failure, static text; NULL: none of its own */
    int code;           /* of the last refusal, AMQP 0-9-1 section 1.2; 0: the last failure was none */
    char why[512];      /* of the last failure, one line without a full stop */
    char user[256];     /* of broker.url */
    char vhost[256];    /* of broker.url */
};

struct broker_queue {
    bool exists;
    uint32_t messages; /* ready to be delivered */
    uint32_t consumers;
};

/* Connect and log in to broker.url, or to the first of broker.hosts that answers. False with why, refused and untrusted; broker_close is safe in either case. */
bool broker_open(struct broker *broker, const struct conf *conf);
void broker_close(struct broker *broker);
/* The last failure was that the user lacks a right. */
bool broker_is_forbidden(const struct broker *broker);
/* What to do about the last failure. Static text. */
const char *broker_advice(const struct broker *broker);

/* Ask for a queue by a passive declaration, which changes nothing. False when there was no answer, or another
 * one than "it is there" and "it is not". */
bool broker_look(struct broker *broker, const char *queue, struct broker_queue *out);
/* The queues that matter, one after the other: the producers', then our own; NULL behind the last. Points into CONF, or static. */
const char *broker_queue_name(const struct conf *conf, size_t index);
/*
 * Whether an existing queue of ours has the arguments that the configuration asks for, in *FITS. Declares it
 * again, which changes nothing on a queue that exists. False when there was no answer, or when the user may not
 * configure the queue (then broker_is_forbidden).
 */
bool broker_fits(struct broker *broker, const char *queue, bool quorum, bool *fits);

/* A message in our hands, which is no other consumer's until it is put back. */
struct broker_message {
    uint64_t tag;
    const amqp_basic_properties_t *properties; /* until broker_get is called again */
    struct buf body;                           /* what is longer than BROKER_BODY_MAX overflows it */
};
enum { BROKER_BODY_MAX = 131072 };

/* Get the next message of a queue. False when there was no answer; *ANY false: there is none, or no such queue. OUT was
 * zero or is the one of the call before; buf_free its body at the end. */
bool broker_get(struct broker *broker, const char *queue, struct broker_message *out, bool *any);
/* Take it off the queue, for good once broker_put_back has returned true. */
bool broker_ack(struct broker *broker, const struct broker_message *message);
/* Give back every message that was got and not taken off, in its old place; the broker marks them as redelivered. */
bool broker_put_back(struct broker *broker);
/* The exit code for the last failure, which is said on standard error. */
enum ctl_exit broker_fail(const struct broker *broker);

/* Whether the user has a right, in *MAY; nothing changes. The queue need not exist. False when there was no
 * answer. */
bool broker_may_read(struct broker *broker, const char *queue, bool *may);
bool broker_may_write(struct broker *broker, const char *queue, bool *may);

#endif
