#ifndef NOTIFY_WORKER_SHADOW_ROWS_H
#define NOTIFY_WORKER_SHADOW_ROWS_H

#include <event2/event.h>

#include "common/base/conf.h"
#include "common/model/event.h"
#include "worker/pg_batch.h"

/*
 * What shadow mode writes down, and what it reads beside the look-ups: rows of notify.shadow, many in one statement, and the
 * findings of a scan.
 */
struct shadow_rows;

/* The filters' counts for an event, as in notify.events. */
struct shadow_counts {
    int considered;
    int matched;
    int filtered[MATCH_COUNT]; /* by stage; MATCH_FIRES is unused */
};

/* One row. Texts are borrowed until `written`. */
struct shadow_row {
    struct pg_batch_item item; /* private */
    const char *event_id;
    const struct event *event; /* NULL: it was not understood */
    const char *queue;
    const struct uuid *workspace; /* NULL: nobody knows */
    struct uuid integration;      /* zero: the row of the event itself */
    const char *name, *kind;      /* of the integration */
    enum shadow_verdict verdict;
    enum reason reason;
    const char *detail;
    const struct shadow_counts *counts; /* of the event's own row; NULL: the filters were not asked */
    const char *method, *url;           /* masked; NULL: no request */
    size_t body_size;
    unsigned char body_hash[SHA256_SIZE];
    const char *body; /* its first body_kept bytes, masked */
    size_t body_kept;
    bool refused; /* result: the database did not take it */
    bool again;   /* the message is not counted, for it did not come again */
    void *owner;
    void (*written)(
        struct shadow_row *row); /* called once; also when the database refuses it, which the log says */
};

enum { SHADOW_FINDINGS_MAX = 100000 };

/* A question for the findings of a scan that are not suppressed, in any order. */
struct shadow_findings {
    struct pg_batch_item item; /* private */
    struct uuid scan;
    struct uuid *ids; /* the answer, which the asker frees; NULL: the database refuses the question */
    size_t count;     /* SHADOW_FINDINGS_MAX: there may be more */
    void (*answered)(struct shadow_findings *findings);
};

struct shadow_rows *shadow_rows_new(struct event_base *base, struct pg_link *link, const struct conf *conf);
/* After the link. */
void shadow_rows_free(struct shadow_rows *r);
void shadow_rows_write(struct shadow_rows *r, struct shadow_row *row);
void shadow_rows_ask(struct shadow_rows *r, struct shadow_findings *findings);
/* The link has come up. */
void shadow_rows_resume(struct shadow_rows *r);

#endif
