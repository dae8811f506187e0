#ifndef NOTIFY_SERVICE_ROWS_JSON_H
#define NOTIFY_SERVICE_ROWS_JSON_H

#include <libpq-fe.h>

#include "common/base/buf.h"

/*
 * Rows as JSON, by the columns' names and types; bytes (bytea) as the text that they are, or in PostgreSQL's escape format
 * (\ooo) when they are none.
 */

/* The members of a row from column FROM on, `"NAME":VALUE`, with a comma before where OUT needs one. */
void rows_json_members(struct buf *out, const PGresult *rows, int row, int from);
/* The same as an object. */
void rows_json_object(struct buf *out, const PGresult *rows, int row, int from);
/* The same with a member NAME behind, an array of all rows of PARTS, of each from column FROM on. */
void rows_json_with(struct buf *out, const PGresult *rows, int row, const char *name, const PGresult *parts,
                    int from);
/* All rows as an array of objects. */
void rows_json_array(struct buf *out, const PGresult *rows);

#endif
