#ifndef NOTIFY_CTL_CTL_OUTPUT_H
#define NOTIFY_CTL_CTL_OUTPUT_H

#include <libpq-fe.h>
#include <stdbool.h>

/*
 * Print a result as a table for people: column names, then rows, columns as wide as they must be; "(none)"
 * when there is no row. Texts from outside cannot drive the terminal: control characters and invalid bytes are
 * shown as '?'. With CUT_LAST the last column is cut where the terminal ends, or at 60 characters on anything
 * else.
 */
void output_table(const PGresult *rows, bool cut_last);

#endif
