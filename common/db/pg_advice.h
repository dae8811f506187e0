#ifndef NOTIFY_DB_PG_ADVICE_H
#define NOTIFY_DB_PG_ADVICE_H

/*
 * What an operator can do about an error of PostgreSQL that waiting does not cure, by its SQLSTATE (PostgreSQL's
 * appendix of error codes), as words that follow a semicolon; NULL when there is no such advice. Pure.
 */
const char *pg_advice(const char *sqlstate);

#endif
