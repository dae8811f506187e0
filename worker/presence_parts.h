#ifndef NOTIFY_WORKER_PRESENCE_PARTS_H
#define NOTIFY_WORKER_PRESENCE_PARTS_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/conf.h"
#include "worker/amqp_frames.h"
#include "worker/amqp_link.h"
#include "worker/presence.h"
#include "worker/presence_request.h"
#include "worker/presence_shared.h"

/* Shared by the presence*.c files of the agent, and by nobody else. */

enum {
    PRESENCE_TEXT = 256,          /* names at the broker: a short string and a NUL */
    PRESENCE_NATIVE = 1405,       /* no code of the broker's: 405, and the queue is no pool's */
    PRESENCE_REPLY_BYTES = 98304, /* of a reply or a batch of events: what one send takes (send_room) */
};

/*
 *   state     means                                              left by
 *   WAITING   another agent of this pool is shown                it is gone -> DOWN
 *   DOWN      no connection, or not yet declared                 declared -> SHOWN; refused -> REFUSED
 *   REFUSED   the broker does not allow it; tried again later    tried again -> as from DOWN
 *   SHOWN     heartbeats are sent, requests answered             the connection is lost -> DOWN
 */
enum presence_state { PRESENCE_WAITING, PRESENCE_DOWN, PRESENCE_REFUSED, PRESENCE_SHOWN };

struct presence {
    const struct conf *conf;
    enum presence_state state;
    char node[PRESENCE_TEXT];
    char control[PRESENCE_TEXT]; /* the exchange that requests come from */
    char reply[PRESENCE_TEXT];   /* and the one that replies go to */
    char queue[PRESENCE_TEXT];
    pid_t supervisor;
    int64_t begun_us;
    struct amqp_link *link;
    struct amqp_frames frames;
    struct event *beat;  /* heartbeats */
    struct event *again; /* WAITING and REFUSED: look again */
    struct event *drain; /* task events, while they are wanted */
    struct presence_reader reader;
    uint64_t said_lost;
    int64_t clock; /* Lamport */
    bool blocked;  /* the broker takes no publishes */
    int refusals;  /* in a row */
    int said_code; /* of the refusal that was said last */
    int short_lives;
    int64_t shown_us;
    int64_t
        ours_until_us; /* monotonic; so long our queue may be that of our last connection; 0: there was none */
    double tokens;     /* requests that may still be answered now */
    int64_t tokens_us;
    uint64_t dropped; /* requests, said once */
    bool shutdown_asked;
};

/* presence.c */
int64_t presence_tick(struct presence *p); /* the clock, one further */
/*
 * Publish JSON to EXCHANGE with HEADERS (hostname, or ticket and clock). False when it was dropped: the link is down, full or
 * blocked.
 */
bool presence_publish(struct presence *p, const char *exchange, const char *key, amqp_table_t headers,
                      const struct buf *body);
void presence_set_events(struct presence *p, bool on);

/* presence_topology.c: 0, or the broker's code for what it refused, PRESENCE_NATIVE, or -1 when the link failed. */
int presence_declare(struct presence *p, const char **what);
/* Make the exchange of replies anew, should somebody have deleted it: a publish to none closes the channel. */
void presence_declare_reply(struct presence *p);

/* presence_events.c */
void presence_say_worker(struct presence *p, const char *type);
/* What the workers have put down since the last call. */
void presence_drain_events(struct presence *p);
/* "('4711', 'finding_new')" and "{'finding_id': '…'}", as Python writes them. */
void presence_args(const struct presence_task *t, struct buf *out);
void presence_kwargs(const struct presence_task *t, struct buf *out);

/* presence_control.c */
void presence_take_request(struct presence *p, const struct raw_message *raw);
void presence_ok(struct buf *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
void presence_error(struct buf *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct presence_question {
    const struct presence_request *request;
    struct arena *arena;
};

/* presence_stats.c: each appends its reply */
typedef void presence_answer(struct presence *p, const struct presence_question *q, struct buf *out);
presence_answer presence_stats, presence_conf, presence_report;
/* presence_lists.c */
presence_answer presence_active, presence_reserved, presence_registered, presence_active_queues,
    presence_query_task;
bool presence_is_own_queue(const char *name);
bool presence_is_configured(const struct presence *p, const char *queue);
/* Messages in hand of all workers. */
uint64_t presence_in_hand(void);
long presence_workers(void);

#endif
