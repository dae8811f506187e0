#ifndef NOTIFY_CTL_CTL_OUTPUT_H
#define NOTIFY_CTL_CTL_OUTPUT_H

#include <libpq-fe.h>

/*
 * Print a result as a table for people: column names, then rows, columns as wide as they must be. Texts from
 * outside cannot drive the terminal: control characters and invalid bytes are shown as '?'.
 */
void output_table(const PGresult *rows);

#endif
