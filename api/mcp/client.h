#ifndef NOTIFY_API_MCP_CLIENT_H
#define NOTIFY_API_MCP_CLIENT_H

#include <event2/event.h>
#include <stdbool.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/conf.h"
#include "common/base/json.h"
#include "common/egress/transfer.h"

/* Requests to the REST API, with our token. */
struct client;

struct client_settings {
    const char *url; /* checked by client_url_fault */
    const char *token;
    const char *ca_file; /* "" for the system's */
    bool allow_http;     /* also to other hosts than this one */
    double timeout_s;    /* for one request, with all times that it is asked again */
    size_t answer_max;   /* bytes of an answer's body */
};

/* What came back. All of it is borrowed for the call. */
struct client_answer {
    long status;              /* HTTP; 0: none came that could be read, and `fault` says why and what to do */
    struct json_object *body; /* NULL: there is none */
    const char *next;         /* the cursor of the next page; NULL: this is the last */
    const char *fault;
    bool maybe_done; /* no word came on whether it was carried out, and it is no request to be made twice */
};

/* One request, embedded in what makes it. */
struct client_ask {
    /* Filled by the caller; valid until `done`. */
    const char *method, *path;
    const char *key;     /* its Idempotency-Key: sent again, it is carried out once; NULL: none */
    const char *body;    /* JSON; NULL: none */
    bool repeats;        /* carried out twice it is as if once: made again whatever became of it */
    struct arena *arena; /* for what the request is made of; lives until `done` */
    /* Called once, from the loop, unless it is broken off. */
    void (*done)(struct client_ask *ask, const struct client_answer *answer);

    /* Private. */
    struct client *client;
    struct transfer transfer;
    struct event *timer;
    int64_t deadline_us;
    int tries;
    bool under_way, maybe_done;
};

/* Why URL or TOKEN cannot be used, as the rest of a sentence; NULL: it can. */
const char *client_url_fault(const char *url, bool allow_http);
const char *client_token_fault(const char *token);

/* The texts of SETTINGS must live as long as the client. curl_global_init has been called. */
struct client *client_new(struct event_base *base, const struct client_settings *settings);
/* Whatever is asked must have been answered or broken off. */
void client_free(struct client *c);
void client_start(struct client *c, struct client_ask *ask);
/* Break off; `done` is not called. Harmless when nothing is under way. */
void client_cancel(struct client_ask *ask);

#endif
