#ifndef NOTIFY_SEND_TRIAL_H
#define NOTIFY_SEND_TRIAL_H

#include <event2/event.h>

#include "common/base/conf.h"
#include "common/base/list.h"
#include "common/egress/converse.h"

/*
 * Tests of settings: a real conversation with the destination, through what a delivery goes through, within api.test_timeout.
 * For notify-api, many at a time, and for notifyctl, one. Or what is sent with settings that are not saved: about events.
 */
struct trials;

/* NULL is never returned. curl_global_init has been called. CONF must outlive it. */
struct trials *trials_new(struct event_base *base, const struct conf *conf);
/* What is under way is broken off, and hears of it. */
void trials_free(struct trials *t);

enum trial_begun {
    TRIAL_BEGUN,
    TRIAL_OF_THE_SAME, /* one of this integration is under way */
    TRIAL_TOO_MANY,    /* of this workspace, or of all; see api.tests_at_once */
    TRIAL_TOO_OFTEN,   /* of this workspace; see api.tests_burst, and wait_s */
};

/* Embedded in whoever wants one, and all zero but for what he fills in. */
struct trial {
    const struct dest *dest;
    const void *config;            /* from dest->config_parse */
    const char *integration;       /* its id; NULL: the settings are not saved */
    const char *workspace;         /* its id */
    struct conversation_job *jobs; /* what is told, with its events; NULL: that it is a test */
    size_t job_count;
    double timeout_s; /* seconds for all of it; 0: api.test_timeout */
    bool is_counted;  /* trials_count was called for it */
    /* Called exactly once if the trial was begun, within trial_begin or later. Then trial_end is to be called. */
    void (*done)(struct trial *trial);

    double wait_s; /* of one that comes TOO_OFTEN: until the next may begin */
    bool ok;
    /*
     * A JSON object, until trial_end: "ok"; "status", of the last answer, or null; "response", the beginning of what it said, in
     * UTF-8 without secrets, 1,024 bytes at most; "detail", what a person should know; "error", a word of the ledger or null;
     * "duration_ms". Where the test leaves something that has a name, as "issue" or "alert": {"key", "made", "deleted"}.
     */
    const char *body;
    size_t body_size;

    /* What came of it, to be read; the rest is private. */
    struct conversation_job job; /* its verdict */
    struct converse converse;    /* its result, and how many requests it made */

    struct list link;
    struct trials *trials;
    struct arena arena;
    struct dest_body_cache cache;
    struct conversation conversation;
    struct event *deadline;
    int64_t begun_us;
};

/* Count one more of WORKSPACE: 0, or the seconds until it may have one, and it is not counted. */
double trials_count(struct trials *t, const char *workspace);
enum trial_begun trial_begin(struct trials *t, struct trial *trial);
/* Overwrites and frees what belongs to it. */
void trial_end(struct trial *trial);

#endif
