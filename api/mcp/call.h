#ifndef NOTIFY_API_MCP_CALL_H
#define NOTIFY_API_MCP_CALL_H

#include "api/mcp/client.h"
#include "api/mcp/rpc.h"
#include "api/mcp/tools.h"
#include "common/base/list.h"

struct calls;
struct pick;

/* A call of a tool, from its arguments to its result: requests to the API, one after the other. */
struct call {
    const struct tool *tool;
    struct json_object *arguments; /* checked; NULL: none */
    struct arena *arena;           /* lives as long as the call */
    const struct conf *conf;
    bool canceled; /* nobody waits for a result; only a tool with `on_cancel` sees this */
    /* Set by a tool that has more to do than to be broken off. NULL: it is broken off, it goes on. */
    void (*on_cancel)(struct call *call); /* the client does not want it any more */
    void (*on_end)(struct call *call);    /* the client is leaving: what is known is the result */
    void *own;                            /* the tool's, in the arena */
    /* What call_finish and call_refuse say, set by a tool that has better words. NULL: the usual ones. In the arena, or static. */
    const char *unsure;    /* what to do when it is not known whether it was carried out */
    const char *cut;       /* what to do about what is cut off a result */
    const char *too_large; /* what came of it, when that is too large to be shown */
    const char *page;      /* the list of a result whose next page `next` leads to */
    int64_t begun_us;      /* on the clock of clock_mono_us */

    /* Private. */
    struct list link;
    struct calls *owner;
    struct json_object *id, *progress_token;
    void *batch;
    struct arena memory;
    struct client_ask ask;
    struct event *timer;
    struct json_object *kept;
    struct pick *pick; /* of pick.c */
    void (*then)(struct call *call, const struct client_answer *answer);
    void (*later)(struct call *call);
};

typedef void call_then_fn(struct call *call, const struct client_answer *answer);

/* ---- for tools ---- */

/* An argument; NULL: it was not given. Borrowed from the call. */
struct json_object *call_argument(const struct call *call, const char *name);
const char *call_text(const struct call *call, const char *name);
bool call_flag(const struct call *call, const char *name, bool otherwise);

/* PATH with one more parameter; as it is when VALUE is NULL. */
const char *call_query(struct call *call, const char *path, const char *name, const char *value);
/* An Idempotency-Key: of its own, or the one of the same request before, when it is not known what became of that. */
const char *call_key(struct call *call, const char *what);
/* What became of the request WHAT is known now, or is not. */
void call_key_done(struct call *call, const char *what, bool known);
/* The client has closed its end: nothing is to be waited for any more. */
bool call_is_hurried(const struct call *call);

/* Ask the API, once at a time. BODY, KEY: may be NULL. THEN is called later; what it is given is borrowed. */
void call_ask(struct call *call, const char *method, const char *path, const char *body, const char *key,
              call_then_fn *then);
/* Likewise a POST that can be made any number of times: nothing more comes of it than of one. */
void call_ask_again(struct call *call, const char *path, const char *body, call_then_fn *then);
/* Call THEN after so many seconds, unless the call ends before. */
void call_later(struct call *call, double seconds, void (*then)(struct call *call));
/* Break off what call_ask and call_later have begun. */
void call_stop(struct call *call);
/* VALUE, which is given away, lives as long as the call. */
struct json_object *call_keep(struct call *call, struct json_object *value);

/* Say how far it is, where the client wants to hear it. Each time with a greater PROGRESS. */
void call_tell(struct call *call, int64_t progress, int64_t total, const char *message);

/* The end of a call; it is gone after the turn of the loop. RESULT, an object, is given away. */
void call_finish(struct call *call, struct json_object *result, bool failed);
/* TEXT says what to do. */
void call_fail(struct call *call, const char *text);
/* The API refused it, or did not answer. */
void call_refuse(struct call *call, const struct client_answer *answer);
/* What call_refuse would say. In the arena. */
const char *call_refusal(struct call *call, const struct client_answer *answer);
/* Without a word: it was canceled. */
void call_drop(struct call *call);

#endif
