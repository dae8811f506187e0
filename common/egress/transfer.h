#ifndef NOTIFY_EGRESS_TRANSFER_H
#define NOTIFY_EGRESS_TRANSFER_H

#include <event2/event.h>
#include <stdbool.h>

#include "common/base/buf.h"
#include "common/destinations/dest.h"
#include "common/egress/address.h"

/*
 * HTTP requests on the loop: curl multi with caps, one deadline and the address policy. No policy of retries.
 */
struct transfers;

struct transfer_settings {
    double timeout_s;         /* the whole request, name look-up to last byte */
    double connect_timeout_s; /* name look-up, connection, TLS */
    size_t max_response;      /* bytes of the body that are kept; more is cut off */
    size_t max_headers;       /* bytes of all headers */
    long idle_connections;
    bool allow_http;
    const char *ca_file; /* "" for the system's */
    const char *proxy;   /* "" for none */
    struct address_policy policy;
};

/* One request, embedded in what makes it. */
struct transfer {
    struct dest_request request; /* filled by the caller, valid until `done` */
    struct dest_response response;
    int duration_ms;
    /* Called once, from the loop. `response` and what it points to are valid during the call. */
    void (*done)(struct transfer *transfer);

    struct transfer_state *state; /* private */
};

/* SETTINGS is copied; its texts and networks must outlive the result. curl_global_init has been called after
 * the fork. */
struct transfers *transfers_new(struct event_base *base, const struct transfer_settings *settings);
/* Breaks off what is under way without calling back. */
void transfers_free(struct transfers *t);
/* Start; `done` is called later, also for a request that cannot be made. */
void transfers_start(struct transfers *t, struct transfer *transfer);
/* Break off; `done` is not called. */
void transfers_cancel(struct transfers *t, struct transfer *transfer);
size_t transfers_active(const struct transfers *t);

#endif
