#ifndef NOTIFY_MODEL_INTEGRATION_READ_H
#define NOTIFY_MODEL_INTEGRATION_READ_H

#include "common/base/arena.h"
#include "common/model/integration.h"

/* The columns of one row of `integrations`, in PostgreSQL's text output; NULL for SQL NULL. */
struct integration_columns {
    const char *id;               /* uuid */
    const char *workspace_id;     /* uuid */
    const char *name;             /* varchar */
    const char *kind;             /* varchar */
    const char *enabled;          /* bool: "t" */
    const char *severity_filter;  /* varchar */
    const char *target_ids;       /* uuid[], as in {a,b} */
    const char *events;           /* varchar[] */
    const char *target_kinds;     /* jsonb */
    const char *config_encrypted; /* bytea: \x and hexadecimal digits, or bytea_output = escape */
};

/*
 * Fill OUT from COLUMNS; everything OUT refers to is copied into ARENA, so the columns may go. `dest` stays
 * NULL: the caller, who knows the destinations, sets it (dest_set). False when id or workspace_id is no
 * UUID; OUT is then of no use. Any other column that does not read closes its filter instead of opening it: a
 * list that is malformed, nested or full of NULLs lets nothing pass, an unknown severity counts as high.
 */
bool integration_read(struct arena *arena, struct integration *out,
                      const struct integration_columns *columns);

#endif
