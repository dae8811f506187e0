#ifndef NOTIFY_WORKER_SHADOW_MESSAGE_H
#define NOTIFY_WORKER_SHADOW_MESSAGE_H

#include "worker/decode.h"
#include "worker/intake.h"
#include "worker/publish.h"
#include "worker/raw_message.h"
#include "worker/shadow_parts.h"

/*
 * A message in shadow mode, shared by shadow.c, which moves it to its acknowledgement, shadow_hold.c (what cannot be passed on)
 * and shadow_after.c (what is judged behind the acknowledgement), and by nobody else.
 *
 *   state        means                                             left by
 *   NEW          made                                              -> JUDGING; HELD; FORWARDING
 *   JUDGING      it is looked up, matched, rendered, written down  -> FORWARDING; handed back -> SETTLED
 *   FORWARDING   the broker has not confirmed it                   -> SETTLED; HELD
 *   HELD         it cannot be passed on, or not yet                handed back, or void -> SETTLED
 *   SETTLED      acknowledged, handed back or void; what is missing may be looked for again, and a scan's findings be judged
 */
enum shadow_state { SHADOW_NEW, SHADOW_JUDGING, SHADOW_FORWARDING, SHADOW_HELD, SHADOW_SETTLED };

struct shadow_message {
    struct shadows *all;
    struct list link;
    enum shadow_state state;
    struct arena arena;
    struct raw_message raw;
    struct decoded decoded;
    struct intake_receipt *receipt; /* NULL: settled */
    int64_t begun_us;
    uint64_t hash;     /* of its bytes */
    size_t large;      /* bytes of a body beyond limits.message_bytes that it keeps; 0: it is none */
    bool waits;        /* HELD: only for memory */
    bool is_afterward; /* counted as such */
    bool expands;      /* the findings of its scan are to be judged */
    int looks;         /* for what is not there */
    const char *id;
    struct shadow_event event;
    struct shadow_scan scan;
    struct publish_message message;
    struct publish_foreign foreign;
    struct event *timer; /* until it is looked for again */
};

/* The one place where the state changes. */
void shadow_move(struct shadow_message *m, enum shadow_state to, const char *why);
/* Settled, and nothing of it is under way. */
void shadow_free(struct shadow_message *m);
/* Give it back to its queue; or, when its receipt is void, leave it to the broker. Frees it. */
void shadow_hand_back(struct shadow_message *m, const char *why);
void shadow_void(struct shadow_message *m);

/* ---- shadow_hold.c ---- */

/* Whether M came whole, so that it can be passed on. */
bool shadow_hold_is_whole(const struct shadow_message *m);
/* Count the memory that M takes; to be called at its beginning. */
void shadow_hold_begin(struct shadow_message *m);
/* Give it up, and hand back what waited for it. */
void shadow_hold_end(struct shadow_message *m);
/* M is not whole: keep its receipt and nothing else. */
void shadow_hold(struct shadow_message *m);
/* As shadow_hold: the broker takes others, and M never. */
void shadow_hold_refused(struct shadow_message *m);
/* The broker has refused the like of M before. */
bool shadow_hold_is_known(const struct shadow_message *m);
/* M is HELD, and its time is over: it is handed back, or forgotten when its receipt is void. */
void shadow_hold_look(struct shadow_message *m, int64_t max_us);

/* ---- shadow_after.c ---- */

/* M is acknowledged, or was looked for again: go on with what is left to judge, or free it. */
void shadow_after(struct shadow_message *m);

#endif
