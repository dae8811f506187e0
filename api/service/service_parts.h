#ifndef NOTIFY_SERVICE_SERVICE_PARTS_H
#define NOTIFY_SERVICE_SERVICE_PARTS_H

#include "api/service/service.h"
#include "api/service/service_fields.h"
#include "common/base/buf.h"
#include "common/base/hash.h"

/* For the files of the service layer. */

enum {
    SERVICE_COLUMNS_MAX = 8,
    SERVICE_BODY_MAX = 16 * 1024 * 1024 /* bytes of an answer; ours: some tens of milliseconds to make */
};

struct service_private {
    /* What becomes of the rows of the last step (of a call that keeps all: of every step), and of the call when all have come. */
    void (*take)(struct service_call *call, const PGresult *rows);
    void (*finish)(struct service_call *call);
    bool keeps_all;
    PGresult *kept[SERVICE_STEPS_MAX];        /* of a call that keeps all */
    int rows;                                 /* of the last step */
    const char *columns[SERVICE_COLUMNS_MAX]; /* of its first row; NULL: SQL NULL */
    struct buf list;                          /* the body of a list */
    const char *id;
    const char *config;             /* of an update: its new settings */
    const char *kind;               /* of an update: the kind that was sent */
    char body_hash[SHA256_HEX];     /* of a creation with an Idempotency-Key */
    long limit;                     /* of a list */
    long looked;                    /* rows that it looks at */
    const char *scan, *event_type;  /* of an explanation */
    bool is_drop, is_one;           /* of a change of what is dead */
    bool undone;                    /* what it wants is not done by it, maybe because it was before */
    const char *token;              /* that was made */
    const struct fernet_keys *keys; /* of a call that reads settings */
    /* Of an export: */
    const char *integration;
    const struct service_export_limits *limits; /* borrowed, until service_finish */
    size_t answer;                              /* the step that answers */
    bool is_dry_run;
};

/* Begin a call: its arena, and the step that says which workspace it is about. */
void service_begin(struct service_call *call, const struct service_caller *caller,
                   void (*finish)(struct service_call *call));
/* Add a step; its parameters are set by the caller. */
struct service_step *service_add(struct service_call *call, enum api_statement statement);
/* An error more; the status becomes INVALID. FIELD and DETAIL live as long as the call. */
void service_wrong(struct service_call *call, const char *field, const char *detail);
/* No error more would be told, so looking for others costs time for nothing. */
bool service_is_full(const struct service_call *call);
/* There is no such integration in this workspace. */
void service_not_found(struct service_call *call);
/* Whether ID may be one, which is then the call's; else the call is over. */
bool service_take_id(struct service_call *call, const char *id);
/* The call makes an integration under this Idempotency-Key, NULL for none: false, and over, when it cannot be one. */
bool service_key_check(struct service_call *call, const char *key);
/* The step of such a call before the one that makes it. REQUEST: what tells it from other requests. TARGETS and
 * ORIGINAL: what must be there; NULL: nothing. */
void service_add_key(struct service_call *call, const struct service_caller *caller, const char *key,
                     const char *request, size_t size, const char *targets, const char *original);
/* Give the call that makes an integration a new id. */
void service_draw_id(struct service_call *call);
/* What the row of a creation means (enum api_create_column) but for targets; false: it means none of these. */
bool service_created(struct service_call *call);
/* Overwrite every text in VALUE, which may be NULL: settings may be among them. */
void service_wipe(struct json_object *value);
/* It is decided without the database. */
void service_refuse(struct service_call *call, enum service_status status, const char *detail);
/* TEXT, which came from outside, as it can be said in an error: its beginning. */
const char *service_word(struct service_call *call, const char *text);
/* Append R to the call's list as it is shown to people: with stars for what of it is a secret of the settings CONFIG, a JSON
 * object. */
void service_add_request(struct service_call *call, const char *config, const struct dest_request *r);
/* The settings SEALED (hexadecimal) in clear, in the arena, which is overwritten; NULL when they are not to be read, and why. */
const char *service_open_settings(struct service_call *call, const char *sealed, size_t *size,
                                  const char **why);
/* These are the call's settings, and all is well. ID: of the integration, NULL for none. */
void service_keep_settings(struct service_call *call, const char *id, const struct dest *dest,
                           const void *config);
/* There is a key to read settings with; else the call is over. */
bool service_has_keys(struct service_call *call);
/* Nothing can be sent with stored settings, and the call is over. */
void service_unusable(struct service_call *call, const char *why);
/* 200 with what is in the call's list; or, when that became too large, a refusal. */
void service_answer_list(struct service_call *call);
/* As the columns of the call: the first row. */
void service_take_row(struct service_call *call, const PGresult *rows);
/* TEXT, of the parameter or field NAME, copied; NULL, and an error of the call, when it is neither NULL nor ... a UUID; one of
 * the words of LIST (words.h); what the id of an event may be. */
const char *service_check_uuid(struct service_call *call, const char *name, const char *text);
const char *service_check_word(struct service_call *call, const char *name, const char *text,
                               const char *list);
const char *service_check_event(struct service_call *call, const char *name, const char *text);
/* Column COLUMN of the row that was taken is a true. */
bool service_is_true(const struct service_call *call, int column);

#endif
