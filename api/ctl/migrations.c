/*
 * migrations - which migrations there are, and which of them the database has
 *
 * The truth about the database is notify.schema_migrations. Pure but for the one question to it; changes
 * nothing.
 */
#include "api/ctl/migrations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"

int migration_version(const struct embedded_file *file)
{
    if (strspn(file->name, "0123456789") != 4 || file->name[4] != '_')
        return 0;
    int version = atoi(file->name);
    check(version >= 1 && version <= MIGRATIONS_MAX);
    return version;
}

int migrations_newest(void)
{
    int newest = 0;
    for (const struct embedded_file *f = schema_files; f->name; f++)
        if (migration_version(f) > newest)
            newest = migration_version(f);
    return newest;
}

bool migration_index(const struct embedded_file *file, char out[MIGRATION_INDEX_SIZE])
{
    static const char mark[] = "-- without a transaction: index ";
    if (strncmp(file->text, mark, sizeof mark - 1) != 0)
        return false;
    const char *name = file->text + sizeof mark - 1;
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz_");
    check(length > 0 && length < MIGRATION_INDEX_SIZE && name[length] == '\n');
    memcpy(out, name, length);
    out[length] = '\0';
    return true;
}

void migration_checksum(const struct embedded_file *file, char out[SHA256_HEX])
{
    unsigned char digest[SHA256_SIZE];
    hash_sha256(file->text, strlen(file->text), digest);
    hash_hex(digest, sizeof digest, out);
}

const char *schema_file_text(const char *name)
{
    for (const struct embedded_file *f = schema_files; f->name; f++)
        if (strcmp(f->name, name) == 0)
            return f->text;
    const bool built_in = false;
    check(built_in);
    return NULL;
}

/* Whether the table is there, in *OUT; false when the question failed. */
static bool has_table(struct db *db, bool *out)
{
    PGresult *result =
        db_query(db,
                 "SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                 " WHERE n.nspname = 'notify' AND c.relname = 'schema_migrations'",
                 0, NULL);
    *out = result && PQntuples(result) == 1;
    PQclear(result);
    return result != NULL;
}

/* Compare one applied migration with the built-in one. */
static void compare(struct migrations *m, int version, const char *name, const char *checksum)
{
    if (version > m->version)
        m->version = version;
    for (const struct embedded_file *f = schema_files; f->name; f++) {
        char ours[SHA256_HEX];
        if (migration_version(f) != version)
            continue;
        m->applied[version] = true;
        migration_checksum(f, ours);
        if (strcmp(ours, checksum) != 0) {
            snprintf(m->changed, sizeof m->changed, "%s", name);
            m->state = MIGRATIONS_CHANGED;
        }
    }
}

enum migrations_state migrations_look(struct db *db, struct migrations *out)
{
    *out = (struct migrations){.state = MIGRATIONS_UNKNOWN};
    if (!has_table(db, &out->has_table))
        return MIGRATIONS_UNKNOWN;
    out->state = MIGRATIONS_CURRENT;
    if (out->has_table) {
        PGresult *rows = db_query(
            db, "SELECT version, name, checksum FROM notify.schema_migrations ORDER BY version", 0, NULL);
        if (!rows)
            return out->state = MIGRATIONS_UNKNOWN;
        for (int i = 0; i < PQntuples(rows); i++)
            compare(out, atoi(PQgetvalue(rows, i, 0)), PQgetvalue(rows, i, 1), PQgetvalue(rows, i, 2));
        PQclear(rows);
    }
    if (out->version > migrations_newest())
        return out->state = MIGRATIONS_NEWER;
    for (const struct embedded_file *f = schema_files; f->name && out->state == MIGRATIONS_CURRENT; f++)
        if (migration_version(f) && !out->applied[migration_version(f)])
            out->state = MIGRATIONS_MISSING;
    return out->state;
}
