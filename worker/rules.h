#ifndef NOTIFY_WORKER_RULES_H
#define NOTIFY_WORKER_RULES_H

#include <event2/event.h>
#include <stdbool.h>

#include "common/base/arena.h"
#include "common/base/conf.h"
#include "common/base/fernet.h"
#include "common/base/list.h"
#include "common/db/pg_link.h"
#include "common/destinations/dest.h"
#include "common/model/integration.h"
#include "worker/gone.h"
#include "worker/matches.h"

/*
 * The integrations of workspaces, cached. An entry is used only while the generation of its workspace is the
 * one read before its SELECT; while the link that carries changes is unproven, only for a second.
 */
struct rules;
struct rules_entry;

/* An integration with its settings, which are decrypted and checked at the first match. */
struct rules_integration {
    struct integration row;
    uint64_t row_hash;     /* changes with anything in the row */
    bool in_ledger;        /* the ledger says that it is gone, or was as another row */
    struct gone_news gone; /* what the ledger said of this row */
    bool opened;
    uint64_t settings_hash; /* changes with them; set when they are opened */
    const void *config;     /* the destination's; NULL: see reason */
    enum reason reason;     /* why there is no config */
    const char *detail;     /* never holds a value of the settings */
};

/*
 * How the ledger writes a row_hash. The number before it is to be another one when the hash of an unchanged row becomes
 * another: what an older version wrote then says nothing.
 */
enum { RULES_ROW_TEXT = 20 };
void rules_row_text(uint64_t row_hash, char out[RULES_ROW_TEXT]);

/* A request for the integrations of a workspace, embedded in what asks. */
struct rules_wait {
    struct list link; /* private */
    struct uuid workspace;
    bool asked; /* private: its workspace's load was sent after the question */
    /* ENTRY is held for the callee, who gives it back with rules_release. */
    void (*ready)(struct rules_wait *wait, struct rules_entry *entry);
};

struct rules *rules_new(struct event_base *base, struct pg_link *link, const struct conf *conf,
                        const struct fernet_keys *keys);
void rules_free(struct rules *r);
/* `ready` is called once, within this call when the entry is cached and valid, else later. */
void rules_get(struct rules *r, struct rules_wait *wait);
/* Forget a request that is still waiting; false when it was answered. */
bool rules_withdraw(struct rules *r, struct rules_wait *wait);
void rules_release(struct rules *r, struct rules_entry *entry);
/* The link has come up. */
void rules_resume(struct rules *r);

size_t rules_count(const struct rules_entry *entry);
struct rules_integration *rules_at(struct rules_entry *entry, size_t index);
/* NULL when the workspace has no such integration. */
struct rules_integration *rules_find(struct rules_entry *entry, const struct uuid *id);
/* Those that an event of TYPE fires; good until the next such question about ENTRY. */
const struct matches_found *rules_match(struct rules *r, struct rules_entry *entry, enum event_type type,
                                        const struct facts *facts);
/* Decrypt and check the settings, once. INTEGRATION->config or ->reason tells the result. */
void rules_open_settings(struct rules *r, struct rules_entry *entry, struct rules_integration *integration);

#endif
