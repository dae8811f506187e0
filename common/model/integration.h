#ifndef NOTIFY_MODEL_INTEGRATION_H
#define NOTIFY_MODEL_INTEGRATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/uuid.h"
#include "common/model/words.h"

struct dest;

/*
 * One row of the table `integrations`, as the filters need it. Borrowed from the arena of the workspace's
 * rules (worker/rules). The settings stay encrypted until the first match.
 */
struct integration {
    struct uuid id;
    struct uuid workspace_id;
    const char *name;
    const char *kind;
    const struct dest *dest; /* NULL: a kind this version does not know */
    bool enabled;
    enum severity severity_filter; /* unknown text counts as high */
    const struct uuid *target_ids; /* NULL: every target */
    size_t target_count;
    bool all_events;     /* events is null or empty */
    uint32_t event_mask; /* bit per enum event_type; words we do not know set none */
    bool all_target_kinds;
    const char *const *target_kinds; /* may be empty: then no kind passes */
    size_t target_kind_count;
    const unsigned char *config_encrypted; /* a Fernet token; NULL: none stored */
    size_t config_size;
};

#endif
