#ifndef NOTIFY_WORKER_SURVEY_H
#define NOTIFY_WORKER_SURVEY_H

#include "worker/figure_table.h"

/* How the processes of this host fare, as shared memory has it. */
struct survey {
    int workers;
    int consuming; /* a queue of the producers, at least */
    int cancelled; /* would consume, but Celery's tools have cancelled all of those */
    int with_database;
    int ready; /* consuming and with_database */
    int draining;
    uint64_t in_hand;
    uint64_t sending;
    uint64_t unwritten;
    uint64_t broker_links; /* connections to the broker that are up */
    int64_t broker_us;     /* monotonic; when it let one of them log in last; 0: never */
    uint64_t resident[PROCESS_COUNT];
    uint64_t resident_most[PROCESS_COUNT];
};

/* What to do about `cancelled`. */
#define SURVEY_CANCELLED_ADVICE                                                                              \
    "somebody asked for that (cancel_consumer); take one back with notifyctl queue add NAME"

void survey_take(struct survey *survey);
/* What figures_show wants besides the words, of which TOTALS are all; healthy is the caller's to set. */
void survey_figures(const struct survey *survey, const uint64_t *totals, struct figures_asked *out);

#endif
