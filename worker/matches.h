#ifndef NOTIFY_WORKER_MATCHES_H
#define NOTIFY_WORKER_MATCHES_H

#include "common/model/event.h"

struct rules_integration;

/* Which integrations of a workspace an event fires, and how many each filter held back. */
struct matches_found {
    struct rules_integration **fires;
    size_t count;
    int held_back[MATCH_COUNT]; /* by stage */
};

struct matches_slot;

/* What the filters said, kept while the integrations are the same. Zero at first. */
struct matches {
    struct matches_slot *slots; /* NULL: too few integrations for that to pay */
    struct matches_found last;
    size_t held; /* bytes */
};

void matches_free(struct matches *m);
/*
 * Ask the filters of COUNT INTEGRATIONS, which must be the same at each call, about an event of TYPE. What is returned is good
 * until the next call.
 */
const struct matches_found *matches_find(struct matches *m, struct rules_integration *integrations,
                                         size_t count, enum event_type type, const struct facts *facts);

#endif
