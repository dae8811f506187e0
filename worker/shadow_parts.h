#ifndef NOTIFY_WORKER_SHADOW_PARTS_H
#define NOTIFY_WORKER_SHADOW_PARTS_H

#include "common/base/list.h"
#include "worker/lookup.h"
#include "worker/parts.h"
#include "worker/shadow_request.h"
#include "worker/shadow_rows.h"

enum { SHADOW_KNOWN = 16 };

/*
 * Shadow mode's own, shared by the files that move a message through it and by nobody else: shadow.c begins and settles
 * it (with shadow_hold.c and shadow_after.c), shadow_event.c judges an event, shadow_scan.c the events of a scan's findings.
 */
struct shadows {
    struct parts *parts;
    struct event_base *base;
    const struct fernet_keys *keys;
    const struct transfer_settings *transfer;
    struct shadow_rows *rows;
    struct list all;
    size_t unsettled;
    size_t scans_at_work;
    struct list scans_waiting;
    bool draining;
    size_t afterward;   /* messages that are judged further though they are settled (shadow_after.c) */
    size_t held;        /* shadow_hold.c; so are the next */
    size_t large_bytes; /* of bodies beyond limits.message_bytes in hand */
    uint64_t known[SHADOW_KNOWN]; /* what the broker has refused, by its bytes; 0: none */
    size_t known_next;
};

/* Tell the intake how much memory is left. */
void shadow_hold_room(struct shadows *all);

/*
 *   state     means                                       left by
 *   NEW       made                                        -> ASKING; WRITING
 *   ASKING    the database is asked what it knows         answered -> RULES; WRITING
 *   RULES     the integrations of its workspace are read  read -> WRITING
 *   WRITING   its rows are on their way                   written, or refused -> JUDGED
 *   JUDGED    all of it is written down
 */
enum shadow_event_state {
    SHADOW_EVENT_NEW,
    SHADOW_EVENT_ASKING,
    SHADOW_EVENT_RULES,
    SHADOW_EVENT_WRITING,
    SHADOW_EVENT_JUDGED
};

/* An event that is judged. Zero but for what its holder fills in. */
struct shadow_event {
    struct shadows *all;
    struct arena *arena; /* lives until it is judged; so do the next */
    const char *id;
    const struct event *event; /* NULL: the message was not understood */
    const char *queue;
    bool again; /* not for the first time of this message */
    void (*judged)(struct shadow_event *e);

    bool found;      /* result: scan, target and finding are there, and belong together */
    bool is_missing; /* result: one of them is not there */

    /* Private. */
    enum shadow_event_state state;
    struct lookup lookup;
    struct rules_wait rules_wait;
    struct shadow_counts counts;
    size_t unwritten;
    bool refused; /* the database has not taken all of its rows */
};

/* Look up, match, render, write down; `judged` is called later. */
void shadow_event_begin(struct shadow_event *e);
/* Write down that it came to nothing; `judged` is called later. */
void shadow_event_end(struct shadow_event *e, enum shadow_verdict verdict, enum reason reason,
                      const char *detail);
/* Forget what it waits for; false when it is begun, or the answer is on its way. */
bool shadow_event_withdraw(struct shadow_event *e);

/* A task notify_scan_findings, judged finding by finding; zero but for the first part. */
struct shadow_scan {
    struct shadows *all;
    const struct event *task; /* lives until `ended`; so does the next */
    const char *queue;
    bool again;
    void (*ended)(struct shadow_scan *scan);

    /* Private. */
    struct list link;
    struct shadow_findings findings;
    size_t next; /* the first event that is not begun: 0 for the scan itself */
    size_t begun;
    struct list events;
};

/* `ended` is called later. */
void shadow_scan_begin(struct shadow_scan *scan);
/* Give up its memory; nothing of it may be under way but when the worker ends. Harmless when it was never begun. */
void shadow_scan_drop(struct shadow_scan *scan);

#endif
