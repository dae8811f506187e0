#ifndef NOTIFY_CTL_TRIGGERS_H
#define NOTIFY_CTL_TRIGGERS_H

#include <stdbool.h>

#include "common/db/db.h"

/* The triggers of schema/integration_triggers.sql, as the database has them. */
struct triggers_state {
    int present;    /* of TRIGGERS_COUNT: there, calling our functions, and enabled */
    bool allowed;   /* this role may create them */
    char owner[64]; /* of public.integrations; "" when there is no such table */
};

enum { TRIGGERS_COUNT = 4 };

/* False with db->failure. */
bool triggers_look(struct db *db, struct triggers_state *out);

#endif
