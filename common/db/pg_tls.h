#ifndef NOTIFY_DB_PG_TLS_H
#define NOTIFY_DB_PG_TLS_H

#include <libpq-fe.h>
#include <stdbool.h>

/* TLS to the database, which is libpq's own (sslmode, sslrootcert, sslcert in database.url): what it leaves to us. */

/*
 * PQconsumeInput, until TLS holds nothing back: it reads whole records, and bytes of one that did not fit libpq's buffer
 * are seen by no poll of the socket. False: the connection is broken.
 */
bool pg_tls_consume(PGconn *conn);

/* What to do about WORDS, in which libpq or the server says that no connection came up, as words that follow a semicolon;
 * NULL when it is not a matter of TLS. Pure. */
const char *pg_tls_advice(const char *words);

#endif
