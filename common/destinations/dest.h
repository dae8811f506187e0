#ifndef NOTIFY_DESTINATIONS_DEST_H
#define NOTIFY_DESTINATIONS_DEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/destinations/dest_setting.h"
#include "common/model/event.h"
#include "common/model/integration.h"

struct json_object;

/*
 * The contract of a destination: a conversation that is pure. It is asked for the next request, is given the
 * answer, and ends with one verdict per job. No input or output, no clock, no memory of its own between
 * calls: what it must remember within a conversation is `step` and what it stores in `scratch`.
 *
 * Two shapes that this must carry, besides webhook's single request:
 *
 *   Jira, one job, a finding that is open, stored reference "SEC-12" of an issue that was told as closed:
 *     step 0           POST /issue/SEC-12/transitions, reference.unsure = true,     step = REOPENED
 *     step REOPENED    204 -> reference.open = true, unsure = false; POST /issue/SEC-12/comment, step = COMMENTED
 *                      429, 5xx -> verdict RETRY; at the next attempt the finding and the reference decide anew
 *     step COMMENTED   201 -> DELIVERED     404, and the project is there -> reference.known = false, verdict AGAIN
 *   The caller has committed that something may be changed before the first request, and commits the reference with the
 *   verdicts. So a step that fails, or a death, is followed by a conversation that begins with what is known then, and
 *   steps stand in an order in which a repeat is harmless.
 *
 *   Splunk, many jobs in one request:
 *     step 0     body = one event object per job, request POST /services/collector/event, step = SENT
 *     step SENT  {"code":0} -> all DELIVERED; {"code":6,"invalid-event-number":3} -> jobs 0..2 DELIVERED,
 *                job 3 REJECTED, and a second request with jobs 4.. (step = SENT, scratch keeps "4");
 *                {"code":9} -> all RETRY
 */

enum verdict_kind {
    VERDICT_NONE,
    VERDICT_DELIVERED,
    VERDICT_RETRY,
    VERDICT_REJECTED,
    VERDICT_NOTHING_TO_DO,
    VERDICT_AGAIN, /* the reference was wrong and is corrected, or it was not its turn: another attempt at once, which is no
                      failure */
};

/* What became of one job. For a test, `detail` of a success says what it has proven. */
struct verdict {
    enum verdict_kind kind;
    enum reason reason;    /* for REJECTED */
    enum error_word error; /* the word stored in the ledger */
    double not_before;     /* for RETRY: seconds that the destination asked to wait; 0: none */
    const char *detail;    /* what a person should know, static or in the conversation's arena; may be NULL */
};

/* A setting of an integration, as checked by its destination's parse function. Texts live in the arena. */
struct dest_config_error {
    enum reason reason;
    const char *detail; /* names the key and says what to do; never holds a value */
    const char *advice; /* the settings are good, but somebody should look at this; NULL: nothing */
};

struct dest_header {
    const char *name;
    const char *value; /* no CR, LF or other control bytes: transfer refuses them */
};

enum { DEST_HEADERS_MAX = 24 };

/* One HTTP request. All texts are borrowed from the conversation's arena, its config or its body cache. */
struct dest_request {
    const char *method;
    const char *url;
    struct dest_header headers[DEST_HEADERS_MAX];
    size_t header_count;
    const char *body;
    size_t body_size;
    bool
        once; /* must not be repeated: it goes over a connection of its own, where nobody repeats it unasked */
    size_t answer_max; /* bytes of the answer that have to be read; 0: delivery.max_response is enough */
    double after_s;    /* of a test: so many seconds later, since the vendor needs them; 0: at once */
    const char
        *body_secret; /* the credential, where the vendor wants it in the body; NULL: it is not there */
};

/* Bytes of an answer's body that the ledger keeps, cut anywhere. */
enum { DEST_ANSWER_KEPT = 1024 };

/* Fields of an answer's header in which some vendor says how long to wait, or what is wrong; or our own API where the next page is. */
#define DEST_ANSWER_FIELDS(X)                                                                                \
    X(RETRY_AFTER, "retry-after")                                                                            \
    X(LOCATION, "location")                                                                                  \
    X(LINK, "link")                                                                                          \
    X(RATE_REMAINING, "x-ratelimit-remaining")                                                               \
    X(RATE_RESET, "x-ratelimit-reset")                                                                       \
    X(RATE_RESET_AFTER, "x-ratelimit-reset-after")                                                           \
    X(RATE_PERIOD, "x-ratelimit-period-in-sec")                                                              \
    X(RATE_STATE, "x-ratelimit-state")                                                                       \
    X(RATE_REASON, "ratelimit-reason")                                                                       \
    X(DENIED_REASON, "x-authentication-denied-reason")                                                       \
    X(LOGIN_REASON, "x-seraph-loginreason")

enum dest_answer_field {
#define DEST_FIELD_ENUM(symbol, name) ANSWER_##symbol,
    DEST_ANSWER_FIELDS(DEST_FIELD_ENUM) ANSWER_FIELD_COUNT
};

/* What came back; on a transport error status is 0 and error says why. */
struct dest_response {
    long status;
    const char *body; /* at most delivery.max_response bytes, NUL-terminated, any bytes */
    size_t body_size;
    bool truncated;
    const char *fields
        [ANSWER_FIELD_COUNT]; /* of the first header of that name; NULL: none, or longer than ANSWER_VALUE_MAX (egress/answer.h) */
    enum error_word error; /* ERROR_NONE when a status arrived */
    bool sent; /* of a transport error: a part of the request went out, and may have been carried out */
    double retry_after;     /* seconds, from Retry-After in either form; 0: none */
    int64_t received_us;    /* wall clock */
    const char *error_text; /* curl's words, without the URL; may be NULL */
};

/*
 * What was told before of what an event is about: an alert, an issue or a message that stands for it. In: as it was
 * committed last. Out: as it is now. A key may be any text (it comes from the database): whoever sends it escapes it.
 */
struct dest_reference {
    const char *key; /* issue key, number, message id, alias; NULL: not known */
    bool known;      /* something stands for it; `open`, `severity` and `title` are what was told last */
    bool open;
    bool unsure; /* a request that makes or changes it went out, and nobody knows what became of it */
    int64_t unsure_since_us; /* wall clock, of the first of those; 0: it is sure */
    enum severity severity;
    const char *title; /* may be NULL */
};

/* Findings in one digest: as many as are worth holding at once; ours. */
enum { DEST_DIGEST_MAX = 500 };

/* Of which events a kind keeps references. */
enum dest_refers { DEST_REFERS_NEVER, DEST_REFERS_FINDINGS, DEST_REFERS_ALWAYS };

/*
 * What a test has made at the destination, for whoever wants to look for it. KIND is NULL when there is nothing that has a name,
 * else static: "issue", "alert". It stays when the test ends badly behind it, or is broken off.
 */
enum dest_is { DEST_IS_UNKNOWN, DEST_IS_SO, DEST_IS_NOT };

struct dest_made {
    const char *kind;
    const char *key;      /* its name there, in the arena; NULL: nobody said */
    enum dest_is made;    /* UNKNOWN: it was asked for, and may be there */
    enum dest_is deleted; /* UNKNOWN: that is not what becomes of it */
};

struct conversation_job {
    const struct event *event; /* NULL, and no facts, when the conversation is a test */
    const struct facts *facts;
    const char *webhook_id; /* stable id of (event, integration): 32 hex digits */
    struct verdict verdict; /* result */
};

/*
 * The rendered bodies that integrations of a kind share, kept with the event so that each is built once. A
 * kind whose settings choose between layouts has one body per layout and counts them from 0; a body depends
 * on nothing else of the settings. The caller owns the cache and hands the same one to every conversation of
 * the event.
 */
enum { DEST_LAYOUTS_MAX = 4 };

struct dest_body_cache {
    struct {
        struct buf body;
        bool built;
    } layouts[DEST_LAYOUTS_MAX];
};

/* MAX: bytes of one body. No memory is taken before a body is built. */
void dest_body_cache_init(struct dest_body_cache *cache, size_t max);
void dest_body_cache_free(struct dest_body_cache *cache);

/*
 * A test sends no event but says that it is one, to prove that the settings work; it has one job, and a cache of its
 * own. What it leaves at the destination is a message that says so, or nothing.
 */
struct conversation {
    const void *config; /* from dest->config_parse */
    bool is_test;
    struct conversation_job *jobs;
    size_t job_count;
    struct dest_reference reference; /* of kinds that keep one */
    struct dest_made made;           /* of a test */
    bool was_unsure;                 /* private to life.c */
    int step;                        /* 0 at the start */
    int attempt;                     /* 1 for the first */
    int64_t now_us;                  /* wall clock of this call, for signatures */
    struct dest_body_cache *cache;   /* of the event, for this kind; with several jobs, of the conversation */
    struct arena *arena;             /* lives as long as the conversation */
    void *scratch;                   /* the destination's, from the arena */
    /* Hears of which job the next lines are, should they end the process: with one job of that one, else as the kind says by
     * dest_rendering. NULL: nobody wants to know. */
    void (*rendering)(const struct conversation *c, const struct conversation_job *job);
};

enum dest_next { DEST_SEND, DEST_FINISHED };

struct dest {
    const char *kind;
    const char *title;
    const char
        *placeholder;  /* settings of the right form that belong to nobody, to show what would be sent */
    bool repeat_hurts; /* a repeated request shows twice: take the row before the first attempt too */
    enum dest_refers refers;
    double
        look_after_s; /* after a request that may have made something: so long until a search surely shows it; 0: it
                            cannot be searched for */
    size_t together_max; /* jobs in one conversation; 0: one */
    bool digests; /* then they are new findings of one scan, told in one message; else each for itself */
    bool scans_by_name; /* a subscription to everything means findings and scans that failed */
    const struct dest_setting *settings; /* that there are */
    /*
     * Check the settings (a JSON object as text) and make the destination's own struct of them in the arena.
     * NULL on error, with *ERROR filled. Called when settings are saved and when they are loaded.
     */
    const void *(*config_parse)(struct arena *arena, const char *json, size_t size,
                                struct dest_config_error *error);
    /*
     * LAST is NULL on the first call, else the answer to the request of the call before. DEST_SEND: *OUT is
     * filled. DEST_FINISHED: every job has a verdict other than VERDICT_NONE.
     */
    enum dest_next (*next)(struct conversation *c, const struct dest_response *last,
                           struct dest_request *out);
};

/* The destination of a kind; NULL when unknown. */
const struct dest *dest_find(const char *kind);
/* Set the destination of ROW by its kind, and by the destination what a subscription to every event means. */
void dest_set(struct integration *row);
/* All of them; ends with NULL. */
extern const struct dest *const dest_all[];

/* What is done next to render a request concerns JOB alone; NULL: nobody in particular. For kinds with several jobs. */
void dest_rendering(const struct conversation *c, const struct conversation_job *job);

/*
 * The verdict that a status alone gives (architecture section 6): 2xx DELIVERED; transport errors, 408, 425,
 * 429 and 5xx RETRY, after Retry-After where given; 410 REJECTED as gone; everything else, 3xx included,
 * REJECTED. Destinations whose answers say more judge first and fall back to this.
 */
struct verdict verdict_from_status(const struct dest_response *response);

/* 2xx. */
bool dest_answer_is_success(const struct dest_response *answer);
/* The answer's body as one JSON document, to be freed with json_object_put; NULL when no answer arrived, when more of it
 * came than was read, and when it is something else. */
struct json_object *dest_answer_json(const struct dest_response *answer);

/* The id of a delivery towards receivers: first 32 lower-case hex digits of SHA-256 over event id and
 * integration id (contract section 5), unchanged by retry and replay. OUT has room for 33. */
void dest_webhook_id(const char *event_id, const struct uuid *integration, char out[33]);

/*
 * Fill OUT with a request whose BODY is SIZE bytes of JSON that live until it was answered, or NULL for none, with the
 * headers that say so and who we are (User-Agent). METHOD is static.
 */
void dest_request_json(struct dest_request *out, const char *method, const char *url, const char *body,
                       size_t size);
void dest_request_post_json(struct dest_request *out, const char *url, const struct buf *body);
/* TEXT for one segment of a path or one value of a query: all but letters, digits and -._~ percent-encoded (RFC 3986
 * section 2.3). */
const char *dest_url_escape(struct arena *arena, const char *text);
/* The verdict on a body that did not fit into its buffer: rejected, too long. */
struct verdict verdict_too_long(void);

/* Appends the body of LAYOUT to OUT; EVENT and FACTS are NULL for a test. */
typedef void dest_body_builder(const struct event *event, const struct facts *facts, int layout,
                               struct buf *out);
typedef struct verdict dest_judge(const struct dest_response *answer);

/* The body of LAYOUT, made by BUILD for the first integration of the event that asks for it. Lives in the cache. */
const struct buf *dest_cached_body(const struct conversation *c, int layout, dest_body_builder *build);

/*
 * The whole conversation of a destination that makes one request: a POST to URL of the body that BUILD makes of
 * the event, once for all integrations with this layout, and JUDGE says what the answer means. Of several jobs it is
 * their digest that is built, and the verdict is everybody's. The caller may add
 * headers to OUT before it returns DEST_SEND.
 */
enum dest_next dest_one_request(struct conversation *c, const struct dest_response *last,
                                struct dest_request *out, const char *url, int layout,
                                dest_body_builder *build, dest_judge *judge);

/* Add a header; false when the list is full or the value holds a control byte (it is then not added). */
bool dest_request_add_header(struct dest_request *request, const char *name, const char *value);
/* The same, but in place of the header of this name that is there, if any; letters of NAME in the same case. */
bool dest_request_set_header(struct dest_request *request, const char *name, const char *value);

#endif
