#ifndef NOTIFY_WORKER_TRIP_PARTS_H
#define NOTIFY_WORKER_TRIP_PARTS_H

#include <stdbool.h>

#include "common/base/list.h"
#include "common/base/table.h"
#include "worker/decode.h"
#include "worker/job.h"
#include "worker/parts.h"
#include "worker/trip.h"

/*
 * One message on its way, shared by the three files that move it and by nobody else: trip.c begins and
 * settles it, judge.c decides what is to be done for it, trip_own.c writes its own row and publishes its own
 * messages.
 */
enum { TRIP_DESTINATIONS_MAX = 16 };

/*
 *   state           means                                            left by
 *   NEW             made                                             -> LOOKING_UP; LEAVING; SETTLED (joined another)
 *   LOOKING_UP      the database is asked what it knows              answered -> WORKING; handed back -> SETTLED
 *   WAITING_RULES   the integrations of its workspace are read       read -> WORKING; handed back -> SETTLED
 *   WORKING         jobs, its own row, its dead letter               -> WAITING_RULES; LEAVING; the last done -> SETTLED
 *   LEAVING         what goes on for it is a message of its own      confirmed -> SETTLED
 *   SETTLED         acknowledged or handed back
 *
 * A copy that arrives joins it from LOOKING_UP to WORKING, and only then: once LEAVING, what arrives under the same key
 * may be the very message that it published, which stands for all that is left to do. Not begun, and so to be
 * handed back when the database stays away, are the two that wait.
 */
enum trip_state { TRIP_NEW, TRIP_LOOKING_UP, TRIP_WAITING_RULES, TRIP_WORKING, TRIP_LEAVING, TRIP_SETTLED };

struct trip {
    struct trips *trips;
    struct parts *parts;
    struct list link;
    enum trip_state state;
    struct table_entry by_key; /* while a copy may join */
    bool taken;                /* noted in shared memory as in hand */
    uint64_t event_hash;
    uint64_t poison_hash; /* noted in shared memory while it is decoded */
    struct arena arena;
    struct raw_message raw;
    struct decoded decoded;
    struct list receipts;
    struct trip_waker *waker; /* it comes from a mailbox; NULL: from the broker */
    int64_t begun_us;
    struct lookup lookup;
    struct rules_wait rules_wait;
    struct rules_entry *rules;
    struct job_event job_event;
    struct ledger_event ledger_event;
    struct ledger_write write;
    struct publish_message message;
    bool continues;    /* `message` is the whole event again */
    bool then_publish; /* `message` goes out when `write` is committed */
    bool has_row;      /* the event's row is committed and says what `message` says: it may be given up */
    bool then_expand;  /* `expansion` begins then */
    struct expansion expansion;
    bool end_written;                                      /* by end_with_refused_rows */
    struct dest_body_cache *bodies[TRIP_DESTINATIONS_MAX]; /* in the arena, of the kinds that matched */
    int open;
    /* trip_show.c */
    int shown_at; /* its place in the list of messages in hand, plus one; 0: none */
    bool shown;   /* as received; its end is to be told */
    bool shown_started;
    enum reason end_reason; /* of its own dead letter */
};

/* The one place where `state` changes. */
void trip_move(struct trip *t, enum trip_state to, const char *why);

/*
 * Everything that the message waits for is counted in `open`: each job, each write, each publish, and a hold
 * while more is being started. This closes one; with the last the message is acknowledged and T is gone.
 */
void trip_close_one(struct trip *t);

/* trip_show.c: for Celery's tools; T is about to go on to state TO, and it is about to be acknowledged. */
void trip_show(struct trip *t, enum trip_state to);
void trip_show_end(struct trip *t);

/* judge.c: the look-up of a trip has been answered. */
void judge_looked_up(struct lookup *lookup);

/* trip_own.c */

/* Publish t->message, which was made by one of the next two. */
void trip_publish(struct trip *t);
/* The whole event again, after DELAY_S, as its look at number ATTEMPT. */
void trip_make_ladder_message(struct trip *t, int attempt, double delay_s);
void trip_make_dead_letter(struct trip *t, enum reason reason, const char *detail);
/* Put the event off for PAUSE_S, as its look at number ATTEMPT; its row says until when. */
void trip_look_again(struct trip *t, int attempt, double pause_s);
/* Write the event's row alone; then publish t->message if t->then_publish. */
void trip_write_event(struct trip *t, enum event_state state, enum reason reason);
/* The event's row as open, then an event for each finding of its scan; `expansion` has been admitted. */
void trip_expand(struct trip *t);
/* The ledger counted on rows that the database refused; their dead letters are confirmed. */
void trip_end_with_refused_rows(struct trip *t);
/* An event that will reach no integration: its row says why, then the dead letter. */
void trip_end_dead(struct trip *t, enum reason reason, const char *detail);
/* As trip_end_dead, for an event that cannot have a row (its id belongs to another). */
void trip_end_without_row(struct trip *t, enum reason reason, const char *detail);
/* A message that never became an event: the dead letter keeps its bytes. */
void trip_reject_raw(struct trip *t, enum reason reason, const char *detail);

#endif
