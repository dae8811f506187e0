#ifndef NOTIFY_CTL_MIGRATIONS_H
#define NOTIFY_CTL_MIGRATIONS_H

#include <stddef.h>

#include "api/embedded.h"
#include "common/base/hash.h"
#include "common/db/db.h"

enum { MIGRATION_INDEX_SIZE = 64 };

/* The number of a migration's file name, 2 for "0002_ledger.sql"; 0 for a file that is no migration. */
int migration_version(const struct embedded_file *file);
/* The greatest number among the built-in migrations. */
int migrations_newest(void);
/*
 * The index that a migration makes without a transaction, in OUT: its first line names it, as
 *     -- without a transaction: index NAME
 * and it is nothing but one CREATE INDEX CONCURRENTLY IF NOT EXISTS. False for all other migrations.
 */
bool migration_index(const struct embedded_file *file, char out[MIGRATION_INDEX_SIZE]);
/* SHA-256 of the file in hexadecimal. */
void migration_checksum(const struct embedded_file *file, char out[SHA256_HEX]);
/* A built-in file by name; it must exist. */
const char *schema_file_text(const char *name);

/* What the database says of itself, compared with what is built in. */
enum migrations_state {
    MIGRATIONS_CURRENT, /* all applied, unchanged */
    MIGRATIONS_MISSING, /* some, or all, not applied yet */
    MIGRATIONS_NEWER,   /* the database has one that we do not know */
    MIGRATIONS_CHANGED, /* an applied one differs from ours */
    MIGRATIONS_UNKNOWN, /* the question failed: db->failure */
};

enum { MIGRATIONS_MAX = 64 }; /* built-in migrations; a number above it is a mistake in a file's name */

struct migrations {
    enum migrations_state state;
    bool applied[MIGRATIONS_MAX + 1]; /* by version */
    bool has_table;                   /* notify.schema_migrations exists */
    int version;                      /* the greatest applied; 0: none */
    char changed[128];                /* the name of the changed one */
};

enum migrations_state migrations_look(struct db *db, struct migrations *out);

#endif
