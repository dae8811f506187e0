/*
 * pg_columns - many rows as the parameters of one of the worker's statements
 *
 * Owns the arrays. How many there are and of which types is what statements.c says of the statement, so that it
 * stands there only. Knows nothing of what is in them.
 */
#include "worker/pg_columns.h"

void pg_columns_init(struct pg_columns *c)
{
    for (int i = 0; i < PG_PARAMS_MAX; i++)
        pg_array_init(&c->at[i]);
}

void pg_columns_free(struct pg_columns *c)
{
    for (int i = 0; i < PG_PARAMS_MAX; i++)
        pg_array_free(&c->at[i]);
}

struct pg_array *pg_columns_start(struct pg_columns *c, enum statement statement)
{
    const struct pg_statement *s = &worker_statements[statement];
    c->statement = statement;
    for (int i = 0; i < s->params; i++)
        pg_array_start(&c->at[i], s->types[i]);
    return c->at;
}

void pg_columns_execute(struct pg_columns *c, struct pg_link *link, struct pg_request *request)
{
    const char *values[PG_PARAMS_MAX];
    int lengths[PG_PARAMS_MAX], formats[PG_PARAMS_MAX];
    int count = worker_statements[c->statement].params;
    for (int i = 0; i < count; i++) {
        values[i] = pg_array_finish(&c->at[i], &lengths[i]);
        formats[i] = 1;
    }
    pg_link_execute(link, request, (int)c->statement, count, values, lengths, formats);
}
