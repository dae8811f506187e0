#ifndef NOTIFY_DESTINATIONS_LIFE_H
#define NOTIFY_DESTINATIONS_LIFE_H

#include "common/destinations/dest.h"

/*
 * What is to be done at a destination that remembers: it follows from the finding as it is now and from what was told
 * before (the reference), not from the order of events.
 */
enum life_act {
    LIFE_NOTHING, /* it is as it should be: nobody has to be told */
    LIFE_OPEN,    /* nothing stands for it yet, and something should */
    LIFE_LOOK, /* perhaps something stands for it: a request that makes it went out, and nobody knows more */
    LIFE_CHANGE, /* something happened to it, and it stays open, or closed (reference.open) */
    LIFE_CLOSE,
    LIFE_REOPEN,
};

/* Of a conversation about an event, with a kind that keeps references for it. */
enum life_act life_act_of(const struct conversation *c);

/*
 * Keeping the reference. Before each request that makes or changes what stands for the event ... */
void life_asks(struct conversation *c);
/* ... and after its answer one of these: it was carried out, and the thing is open or closed now, under KEY ... */
void life_is(struct conversation *c, const char *key, bool open);
/* ... or it was not, if ANSWER leaves no doubt: 4xx, or the request never went out. Any other answer may come of a request
 * that was carried out, so the reference stays unsure. */
void life_failed(struct conversation *c, const struct dest_response *answer);
/* The answer leaves no doubt that nothing was made or changed. */
bool life_was_not_carried_out(const struct dest_response *answer);
/* What stood for it is not there any more, which is sure: the verdict, AGAIN, as long as there is something to tell. */
struct verdict life_is_gone(struct conversation *c);
/* Nothing has to be done, with the reason for people. */
struct verdict life_nothing(const struct conversation *c);

/* Why nobody has to do anything about it any more. */
enum life_end { LIFE_GOES_ON, LIFE_SUPPRESSED, LIFE_RESOLVED, LIFE_NOT_REAL };
enum life_end life_end_of(const struct facts_finding *finding);

/* "suppressed (accepted risk)", "resolved", "false positive"; plain text that is clean but not escaped, in part from people.
 * NULL while it goes on. */
const char *life_end_words(const struct facts_finding *finding, struct arena *arena);

/*
 * What happened, for people, from ACT and the event: "Closed: suppressed (accepted risk)", "Open again", "Found again",
 * "Updated". Plain text, as above.
 */
const char *life_words(enum life_act act, const struct event *event, const struct facts_finding *finding,
                       struct arena *arena);

#endif
