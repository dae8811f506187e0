#ifndef NOTIFY_CTL_CTL_WATCH_H
#define NOTIFY_CTL_CTL_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "api/ctl/ctl.h"
#include "api/ctl/ctl_broker.h"
#include "common/base/buf.h"

enum {
    WATCH_SAMPLES = 32,
    WATCH_QUEUES = 64,
    WATCH_TIME = 64,
    WATCH_WHY = 640,
    WATCH_MOST = 10000, /* rows that are looked at of each kind; more is said to be more */
};

/* What has happened since the watch began; falls behind by the seconds between two reports of the workers. */
struct watch_sample {
    double at; /* seconds, the database's clock */
    double events, deliveries, failures, dead;
};

/* One turn's picture. */
struct watch_look {
    /* The ledger's; when it is not known, why. */
    bool ledger_known;
    char database_why[WATCH_WHY];
    char at[WATCH_TIME]; /* ISO 8601; of this host's clock when the database is away */
    bool rates_known;
    double window;             /* seconds over which the rates are */
    struct watch_sample rates; /* a second; `at` is not used */
    long sending, waiting, overdue, deferred, dead;
    bool more_open, more_deferred, more_dead; /* ... and more than that */
    long overdue_s, deferred_s; /* seconds since the oldest was due, since the oldest was deferred */
    PGresult *reasons;          /* of what is dead; NULL: not known */
    PGresult *failing;          /* integrations; likewise */

    /* The broker's; likewise. */
    bool queues_known;
    char broker_why[WATCH_WHY];
    size_t queue_count;
    const char *queue_names[WATCH_QUEUES];
    struct broker_queue queues[WATCH_QUEUES];
};

/* What stays between turns: connections, and the figures that rates are made of. */
struct watch {
    const struct conf *conf;
    struct db db;
    bool db_open, broker_open;
    struct broker broker;
    char events_until[WATCH_TIME]; /* events are counted up to here; "": not yet */
    char hours_since[WATCH_TIME];  /* the first hour of the sums of the turn before */
    struct watch_sample last;      /* of those sums */
    struct watch_sample samples[WATCH_SAMPLES];
    size_t sample_count;
};

void watch_begin(struct watch *watch, const struct conf *conf);
void watch_end(struct watch *watch);
/* Look at everything once. What cannot be seen is said in *OUT, and tried again at the next call. Free *OUT by watch_look_free. */
void watch_look(struct watch *watch, struct watch_look *out);
void watch_look_free(struct watch_look *look);

/* Show a look: as the lines of a terminal (ctl_terminal.h), as one line, as one JSON object on a line. */
void watch_show_frame(FILE *out, const struct watch_look *look, double interval);
void watch_show_line(FILE *out, const struct watch_look *look);
void watch_show_json(struct buf *out, const struct watch_look *look, double interval);

#endif
