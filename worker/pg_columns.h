#ifndef NOTIFY_WORKER_PG_COLUMNS_H
#define NOTIFY_WORKER_PG_COLUMNS_H

#include "common/db/pg_array.h"
#include "common/db/pg_link.h"
#include "worker/statements.h"

/* The parameters of a statement as columns, an array each; used again for the next statement. */
struct pg_columns {
    enum statement statement;
    struct pg_array at[PG_PARAMS_MAX];
};

void pg_columns_init(struct pg_columns *c);
void pg_columns_free(struct pg_columns *c);
/* Empty columns of the types that STATEMENT takes. Returns the first. */
struct pg_array *pg_columns_start(struct pg_columns *c, enum statement statement);
/* Send them as part of REQUEST, between pg_link_begin and pg_link_end. */
void pg_columns_execute(struct pg_columns *c, struct pg_link *link, struct pg_request *request);

#endif
