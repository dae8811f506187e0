#ifndef NOTIFY_CTL_CTL_OUTPUT_H
#define NOTIFY_CTL_CTL_OUTPUT_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "api/service/ledger_sql.h"
#include "common/base/buf.h"

/*
 * Print a result as a table for people: column names, then rows, columns as wide as they must be; "(none)"
 * when there is no row. Texts from outside cannot drive the terminal: control characters and invalid bytes are
 * shown as '?'. With CUT_LAST the last column is cut where the terminal ends, or at 60 characters on anything
 * else.
 */
void output_table(const PGresult *rows, bool cut_last);
/* The same, elsewhere. */
void output_table_to(FILE *out, const PGresult *rows, bool cut_last);
/*
 * Print one row as lines "NAME  VALUE", INDENT spaces before each; NULLs are left out. Bytes (bytea) are shown as
 * output_bytes does. The columns state, reason and error are followed by what notifyctl --list says of their words.
 */
void output_record(const PGresult *rows, int row, int indent);
/* Print TEXT safely, as in a table. */
void output_text(const char *text);
/* Print N bytes safely and without loss: what is no printable text stands as \xNN, a backslash twice, a line break
 * as \n and a break, INDENT spaces behind it. */
void output_bytes(const char *bytes, size_t n, int indent);

/* Print all rows as a JSON array of objects (rows_json_array). */
void output_json(const PGresult *rows);
enum { OUTPUT_JSON_MAX = 1024 * 1024 * 1024 }; /* bytes: a hundred thousand rows of some thousands */

/* An expression for a time as JSON and people read it. */
#define OUTPUT_UTC LEDGER_UTC

#endif
