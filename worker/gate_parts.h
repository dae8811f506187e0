#ifndef NOTIFY_WORKER_GATE_PARTS_H
#define NOTIFY_WORKER_GATE_PARTS_H

/* What gate.c, gate_window.c and gate_mailbox.c share, and nobody else sees. */
#include "worker/gate.h"

/* An integration, as far as this worker is concerned. */
struct gate_window {
    struct table_entry by_integration;
    struct list ready;
    struct list idle;
    struct list to_report;
    struct gate *gate;
    struct uuid integration;
    struct limits *limits; /* as find_limits left it */
    double rate;           /* as configured */
    uint64_t settings;
    struct list waiting; /* worst first */
    struct list active;  /* the longest running first */
    long waiting_count;
    long running;
    int64_t service_us; /* how long requests take, smoothed; 0: not known */
    long most;
    struct event *turn; /* when the limits let the next one start; NULL until first needed */
    struct gate_report report;
};

struct gate {
    struct event_base *base;
    const struct conf *conf;
    struct limits_rules rules;
    struct gone_rules gone_rules;
    int64_t patience_us;
    long running;
    struct table windows;
    struct list ready;
    struct list idle; /* the longest unused first */
    size_t idle_count;
    struct list to_report;
    struct list by_age;       /* passes that wait, the oldest first */
    struct list from_mailbox; /* passes from there that wait */
    bool mailbox_closed;
    struct list held_back;
    struct event *admit;
    struct event *age;
    const struct gate_window *last; /* that somebody entered */
    int64_t others_until_us;        /* so long others count as being sent to */
};

/* The window of PASS's integration, made when there is none, with its limits found and configured. */
struct gate_window *gate_window_of(struct gate *g, const struct gate_pass *pass, int64_t now_us);
/* NULL: there is none. */
struct gate_window *gate_window_find(const struct gate *g, const struct uuid *integration);
/* Before each use: the place of its limits in shared memory may have become another integration's. */
void gate_window_find_limits(struct gate_window *w, int64_t now_us);
/* Nobody uses it: keep it for a while. It may be gone afterwards. */
void gate_window_rest(struct gate *g, struct gate_window *w);
void gate_window_free(struct gate *g, struct gate_window *w);
/* How many may run at a time when nothing is known of the integration. */
long gate_window_first(const struct gate *g);
/* Microseconds that requests take at present; 0: not known. */
double gate_window_service_us(const struct gate_window *w, int64_t now_us);
/* A request that took TOOK_US has ended: the window's size, and what people are to know. */
void gate_window_learn(struct gate *g, struct gate_window *w, const struct gate_end *end, int64_t took_us,
                       int64_t now_us);
/* Whether the destination is gone, or back. */
void gate_window_judge_gone(struct gate *g, struct gate_window *w, const struct gate_pass *pass,
                            const struct gate_end *end, int64_t now_us);

#endif
