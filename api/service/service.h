#ifndef NOTIFY_SERVICE_SERVICE_H
#define NOTIFY_SERVICE_SERVICE_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/service/service_statements.h"
#include "common/base/arena.h"
#include "common/base/fernet.h"
#include "common/destinations/dest.h"

/*
 * What can be done with integrations and tokens, whoever asks: notify-api for a request, notifyctl for a command.
 *
 * A call is made from what was asked, and is then a list of statements with their parameters. Whoever made it runs them in
 * one transaction, in order, without a look at what they answer; hands each answer to service_take; and when the transaction
 * is committed calls service_finish, after which the call says what is to be answered. All decisions that need the database
 * are made in its statements, so a call costs one round trip and holds no lock while somebody thinks.
 *
 *     struct service_call call;
 *     service_integration_get(&call, &caller, id);
 *     for (size_t i = 0; i < call.step_count; i++)     (zero when the answer needs no database)
 *         service_take(&call, i, <the rows of call.steps[i]>);
 *     service_finish(&call);
 *     ... call.status, call.body ...
 *     service_end(&call);
 *
 * A transaction of which nobody knows whether it took effect may be sent again: it creates no second row and no second token.
 * An update with If-Match may then be CHANGED by its own first try, a deletion NOT_FOUND: see service_is_doubtful.
 */
enum service_status {
    SERVICE_UNFINISHED,
    SERVICE_OK,
    SERVICE_CREATED,
    SERVICE_NO_CONTENT,
    SERVICE_UNREADABLE, /* what was sent is no JSON object */
    SERVICE_INVALID,    /* `errors` says why */
    SERVICE_NOT_FOUND,  /* there is none in this workspace */
    SERVICE_CONFLICT, /* the same Idempotency-Key came with another request before; or settings that cannot be used */
    SERVICE_CHANGED,   /* If-Match names another version than the present one */
    SERVICE_TOO_LARGE, /* the answer would be */
    SERVICE_NO_KEY,    /* there is no Fernet key to encrypt settings with */
};

struct service_error {
    const char *field; /* "name", "config.webhook_url", "limit" */
    const char *detail;
};

/* Statements of a call; errors that are told at once. */
enum { SERVICE_STEPS_MAX = 8, SERVICE_ERRORS_MAX = 32 };

struct service_step {
    enum api_statement statement;
    int count;
    const char *values[PG_PARAMS_MAX]; /* texts, or NULL, in the call's arena */
};

/* Who asks. Borrowed: everything in it must live until service_finish. */
struct service_caller {
    const char *workspace;          /* a UUID; NULL only for notifyctl's token list and token revoke */
    const char *actor;              /* the token's id, or "notifyctl" */
    const char *actor_name;         /* the token's name, or the account */
    const struct fernet_keys *keys; /* for calls that write settings */
};

/* Settings that are to be used, of an integration or of a request. In the call's arena, like all that config points to. */
struct service_settings {
    const char *id; /* of the integration; NULL: they are not saved */
    const struct dest *dest;
    const void *config; /* from dest->config_parse */
};

/* Findings that are to be sent with settings that are not saved, and what came of each; in the call's arena. */
struct service_exported;
struct service_private;

struct service_call {
    struct service_step steps[SERVICE_STEPS_MAX];
    size_t step_count;
    /* The answer; texts live until service_end. What does not belong to the status is NULL. */
    enum service_status status;
    const char *body; /* JSON */
    const char *etag; /* with its quotes, of one integration */
    const char *id;   /* of what was created */
    const char *next; /* of a list: the cursor of its next page; NULL: this was the last */
    const struct service_settings *settings;
    struct service_exported *exported;
    bool sends;         /* when it is done, what is exported is to be sent */
    const char *advice; /* settings are good, but somebody should look at this */
    bool repeated;      /* this was answered before, under the same Idempotency-Key */
    const char *detail; /* why it was not done, one sentence without a full stop */
    struct service_error errors[SERVICE_ERRORS_MAX];
    size_t error_count;
    struct arena arena;
    struct service_private *own;
};

/*
 * Integrations of the caller's workspace (docs/architecture.md, "The service layer"). BODY is the JSON of the request, SIZE
 * bytes; it need not outlive the call of the function. ID need not be a UUID: what is none is not found.
 */
enum { SERVICE_LIMIT_DEFAULT = 100, SERVICE_LIMIT_MAX = 500 };

/* LIMIT, CURSOR: as they came, NULL when they did not. By time of creation. */
void service_integration_list(struct service_call *call, const struct service_caller *caller,
                              const char *limit, const char *cursor);
void service_integration_get(struct service_call *call, const struct service_caller *caller, const char *id);
/* KEY: the Idempotency-Key, NULL for none. */
void service_integration_create(struct service_call *call, const struct service_caller *caller,
                                const char *body, size_t size, const char *key);
/* IF_MATCH: the header's value, NULL for none. */
void service_integration_update(struct service_call *call, const struct service_caller *caller,
                                const char *id, const char *body, size_t size, const char *if_match);
void service_integration_delete(struct service_call *call, const struct service_caller *caller,
                                const char *id, const char *if_match);

/*
 * Another integration with the same settings, which nobody decrypts for it, and the same filters; disabled, so that nothing is
 * told twice before somebody wants it. BODY, which may be empty, may say its `name`. KEY as for a creation.
 */
void service_integration_duplicate(struct service_call *call, const struct service_caller *caller,
                                   const char *id, const char *body, size_t size, const char *key);

/* The settings of an integration, in `settings`. CONFLICT when nothing can be sent with them. */
void service_integration_settings(struct service_call *call, const struct service_caller *caller,
                                  const char *id);
/* The settings of a request {kind, config, name?}, in `settings`. Needs no database. */
void service_settings_read(struct service_call *call, const struct service_caller *caller, const char *body,
                           size_t size);
/*
 * What would be sent of an event that is an example, for a request {kind, event_type, severity?, config?}; secrets are stars.
 * MAX_REQUEST: bytes. Needs no database, and sends nothing.
 */
void service_preview(struct service_call *call, const struct service_caller *caller, const char *body,
                     size_t size, size_t max_request);

/*
 * The ledger of the caller's workspace. Texts as they came; NULL: not given. Pages: latest change first; what is filtered may
 * make a page shorter than its limit, also empty, and another one follow.
 */
struct service_delivery_filter {
    const char *limit, *cursor, *state, *reason, *event_type, *integration, *event, *scan, *finding, *export;
    bool
        is_there; /* the integration must be there, else NOT_FOUND; without it, what went to one that is gone is shown */
};
void service_delivery_list(struct service_call *call, const struct service_caller *caller,
                           const struct service_delivery_filter *filter);
/* With its failed attempts. */
void service_delivery_get(struct service_call *call, const struct service_caller *caller, const char *event,
                          const char *integration);
/* What is dead begins again. CONFLICT: it is not dead, or somebody has it in hand. */
void service_delivery_replay(struct service_call *call, const struct service_caller *caller,
                             const char *event, const char *integration);
/* {"deliveries": [{"event_id", "integration_id"}, ...]}: those of them that are dead begin again, or are given up; the answer
 * says what became of each. */
enum { SERVICE_CHANGES_MAX = 500 /* deliveries in one request: what fits into api.body_bytes as shipped */ };
void service_delivery_replay_list(struct service_call *call, const struct service_caller *caller,
                                  const char *body, size_t size);
void service_delivery_drop_list(struct service_call *call, const struct service_caller *caller,
                                const char *body, size_t size);
/* Why did this event reach an integration, or not? Of an event, or of a scan, a type and (of findings) a finding; for one
 * INTEGRATION, or NULL: for all. A list with an explanation of each such event, the latest first; of none, one of what it would
 * do. */
struct service_question {
    const char *event, *scan, *event_type, *finding, *integration;
};
enum {
    SERVICE_EXPLAINED_MAX =
        5 /* events, fewer where there is much to say; each is explained for every integration */
};
void service_explain(struct service_call *call, const struct service_caller *caller,
                     const struct service_question *question);

/*
 * Findings sent to an integration by somebody's own decision, past its filters: of a scan, or named, at or above a severity. BODY
 * says which. What is saved goes into the ledger, as deliveries in the mailbox of that integration, which workers empty; a dry
 * run makes nothing, and shows the first request of each conversation. KEY: the Idempotency-Key, NULL for none.
 * CONFLICT: the integration is disabled, or its settings cannot be used.
 */
struct service_export_limits {
    long most;                /* findings of one export */
    const char *most_setting; /* which says so */
    long together;            /* of one request or message, where its kind can: gate.together */
    long digest_above;        /* gate.digest_above */
    size_t max_request;       /* bytes of a body */
};
void service_export(struct service_call *call, const struct service_caller *caller, const char *id,
                    const char *body, size_t size, const char *key,
                    const struct service_export_limits *limits);
/*
 * The same with settings that are not saved, {kind, config, ...}: nothing of it is kept but a line in the log of changes. Of a dry
 * run the answer; else `settings` and `exported`, to be sent, and when that is done service_export_sent for the answer.
 */
void service_export_unsaved(struct service_call *call, const struct service_caller *caller, const char *body,
                            size_t size, const struct service_export_limits *limits);
void service_export_sent(struct service_call *call);
/* Cancels what of the export EXPORT nobody has begun, and says how many. */
void service_export_cancel(struct service_call *call, const struct service_caller *caller,
                           const char *export);
/* Its events, latest first; texts and pages as of deliveries. */
struct service_event_filter {
    const char *limit, *cursor, *state, *reason, *event_type, *scan, *finding;
};
void service_event_list(struct service_call *call, const struct service_caller *caller,
                        const struct service_event_filter *filter);

/* By name. */
void service_target_list(struct service_call *call, const struct service_caller *caller, const char *limit,
                         const char *cursor);
/* How much there is of everything, and with INTEGRATIONS how each of them fares. */
void service_stats(struct service_call *call, const struct service_caller *caller, bool integrations);

/* Integrations by time of creation, and how each fares and did in the last 24 hours. Q: a part of the name, in any case. */
struct service_overview_filter {
    const char *limit, *cursor, *q, *kind, *health;
};
void service_overview(struct service_call *call, const struct service_caller *caller,
                      const struct service_overview_filter *filter);

/* The answer's body has the token in it, for the only time. SCOPE: "read" or "write". EXPIRES: seconds; below 0: never. */
void service_token_create(struct service_call *call, const struct service_caller *caller, const char *scope,
                          const char *name, double expires);
/* Of all workspaces when the caller has none. */
void service_token_list(struct service_call *call, const struct service_caller *caller);
/* GIVEN: its id, or the whole token, as somebody has it who found it in the wrong place. */
void service_token_revoke(struct service_call *call, const struct service_caller *caller, const char *given);

/* The rows of STEP. They are copied. May come again, from the first step on, when the transaction is sent again. */
void service_take(struct service_call *call, size_t step, const PGresult *rows);
/* Every step was taken and the transaction is committed. Sets status and what belongs to it. */
void service_finish(struct service_call *call);
/*
 * Whether a finished call says that something was not done where a first try of its own may have done it. Then, when it was sent
 * before and not answered, nobody knows whether it took effect.
 */
bool service_is_doubtful(const struct service_call *call);
/* Overwrites and frees what belongs to the call. Once for each call that was made, finished or not. */
void service_end(struct service_call *call);

#endif
