#ifndef NOTIFY_API_REST_AUTH_H
#define NOTIFY_API_REST_AUTH_H

#include <event2/event.h>

#include "api/service/token.h"
#include "common/base/conf.h"
#include "common/base/list.h"
#include "common/net/dial.h"

/*
 * Who asks: tokens, read from the database, remembered for a second, and how often each may ask.
 */
struct auth;

enum { AUTH_TIME = 32 }; /* a time as text, with its NUL */

enum auth_result {
    AUTH_GOOD,
    AUTH_UNKNOWN, /* there is none, or it is none, or it was revoked */
    AUTH_EXPIRED,
    AUTH_TOO_OFTEN, /* see wait_s */
    AUTH_AWAY,      /* the database did not answer in time */
};

/* Embedded in what waits for it; copies, so it may be used as long as one likes. */
struct auth_wait {
    enum auth_result result;
    double wait_s; /* until the next request is taken */
    char id[TOKEN_ID];
    char workspace[37];
    char expires[AUTH_TIME]; /* when it does, as RFC 3339 has it; "": it does not */
    char *name;              /* the waiter's to free */
    bool may_write;
    /* Called exactly once, within auth_check or later. */
    void (*done)(struct auth_wait *wait);

    /* Private. */
    struct list link;
    char text[TOKEN_TEXT];
    int64_t until_us;
};

struct auth *auth_new(struct event_base *base, struct dialer *dialer, const struct conf *conf);
/* Waiters are forgotten. */
void auth_free(struct auth *a);
/* HEADER: the value of Authorization; NULL: there is none. */
void auth_check(struct auth *a, const char *header, struct auth_wait *wait);

#endif
