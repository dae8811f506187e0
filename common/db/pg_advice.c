/*
 * pg_advice - what to do about an error of the database
 *
 * Pure. One table for the worker's log and for notifyctl, so that both say the same.
 */
#include "common/db/pg_advice.h"

#include <stddef.h>
#include <string.h>

const char *pg_advice(const char *sqlstate)
{
    static const struct {
        const char *state; /* or its first two letters, the class */
        const char *advice;
    } table[] = {
        {"42P01", "run notifyctl migrate"},
        {"42883", "run notifyctl migrate, and schema/roles.sql"},
        {"3F000", "run notifyctl migrate"},
        {"42703", "run notifyctl migrate"},
        {"42501", "run schema/roles.sql; notifyctl check names every right that is missing"},
        {"28", "correct user, password or role in database.url and database.role"},
        {"3D000", "correct the database's name in database.url"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strncmp(sqlstate, table[i].state, strlen(table[i].state)) == 0)
            return table[i].advice;
    return NULL;
}
