#ifndef NOTIFY_SERVICE_EXPLANATION_H
#define NOTIFY_SERVICE_EXPLANATION_H

#include <libpq-fe.h>

#include "api/service/explain_now.h"

/*
 * Why an event reached an integration, or did not. Two sources, kept apart: what the ledger wrote down when it happened, and
 * what the filters say now. Rows are borrowed.
 */
struct explanation {
    const PGresult *events;        /* NULL: no such event was ever received, and this is what one would do */
    int event;                     /* its row */
    const PGresult *deliveries;    /* of this event, and perhaps of others; NULL without an event */
    const PGresult *attempts;      /* likewise */
    const struct explain_now *now; /* NULL: there is nothing to ask the filters about */

    /* By explanation_prepare. */
    struct explanation_rows {
        struct explanation_row {
            struct uuid integration;
            int row;
            bool is_here; /* of a delivery: its integration is one of those of now, else it is gone */
        } * at;
        size_t count;
    } deliveries_of, attempts_of; /* the rows of this event, by integration, and of one in their order */
};

/* Columns of rows of deliveries, of which more follow that have names: */
enum explain_delivery_column {
    EXPLAIN_EVENT,
    EXPLAIN_INTEGRATION,
    EXPLAIN_KIND,
    EXPLAIN_NAME,
    EXPLAIN_STATE,
    EXPLAIN_ATTEMPT,
};
/* And of attempts: those of enum explain_attempt_column, which are not shown, and more, by time. */
enum explain_attempt_column { EXPLAIN_ATTEMPT_EVENT, EXPLAIN_ATTEMPT_INTEGRATION, EXPLAIN_ATTEMPT_SHOWN };

/* To be called when all of the above is set, before what is below. What it makes lives in ARENA. */
void explanation_prepare(struct explanation *x, struct arena *arena);
/* The event's column NAME; NULL when it is null. */
const char *explanation_value(const struct explanation *x, const char *name);
/* Whether it is the task that stands for a scan's findings, and no event that filters could be asked for. */
bool explanation_is_task(const struct explanation *x);
/* The filters can be asked. */
bool explanation_has_now(const struct explanation *x);
/* The row of the delivery to INTEGRATION; -1: there is none. */
int explanation_delivery(const struct explanation *x, const struct uuid *integration);
/* The conclusion in plain words. */
void explanation_conclude(struct buf *out, const struct explanation *x);
enum { EXPLANATION_CONCLUSION_MAX = 8192 /* bytes of that */ };

/* Everything, as an object. */
void explanation_add(struct buf *out, const struct explanation *x);

#endif
