/*
 * ctl_migrate - notifyctl migrate: bring the database to this program's version
 *
 * Runs beside the live product and beside other copies of itself. One advisory lock lets one migrate work at
 * a time. Each migration is one transaction together with its row in notify.schema_migrations, so it is there
 * or it is not. Locks on tables are waited for 2 s at a time, because whoever wants the table meanwhile
 * queues up behind us; then it is tried again, until --wait is over.
 *
 * An index on a table that may be big is a migration of its own, made without a transaction (CONCURRENTLY): nobody
 * queues up behind that, so old transactions, which it must see the end of, are waited for until --wait is
 * over. What a broken-off one has left is of no use to anybody and is dropped before the next; the row is written
 * when the index is whole.
 *
 * Works as the login role of database.url, not as database.role: the workers' role must not own anything.
 * Where that role may not put triggers on public.integrations, everything else is done and the SQL for the
 * table's owner is printed. Likewise the views of the API, which schema/roles.sql makes then.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/ctl/ctl.h"
#include "api/ctl/migrations.h"
#include "api/ctl/triggers.h"
#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/base/clock.h"

/* Any number, the same in every version: with it, migrates of one database take turns. */
#define MIGRATE_LOCK "7310593858020254331"

enum {
    OLDEST_SERVER = 140000, /* 14: CREATE OR REPLACE TRIGGER */
    SCRIPT_MAX = 1048576,
    LOCK_LEAST_MS = 2000, /* --wait 0 has one try, too */
};

static const double statement_timeout = 600;          /* seconds */
static const double index_timeout = 14400;            /* seconds: it takes its time and holds up nobody */
static const useconds_t lock_pause_us = 200000;       /* between two looks at the advisory lock */
static const useconds_t table_lock_pause_us = 500000; /* lets those through who queued up behind us */

struct migrate {
    struct db db;
    int64_t deadline_us; /* for locks that others hold */
};

static bool time_is_up(const struct migrate *m)
{
    return clock_mono_us() >= m->deadline_us;
}

/* As ctl_fail_db. What this program may not do here the owner of the product's tables may. */
static enum ctl_exit fail(struct migrate *m)
{
    struct triggers_state triggers;
    char why[sizeof m->db.why];
    if (m->db.failure != DB_REFUSED || strcmp(m->db.sqlstate, "42501") != 0)
        return ctl_fail_db(&m->db);
    snprintf(why, sizeof why, "%s", m->db.why);
    bool known = db_run(&m->db, "ROLLBACK") && triggers_look(&m->db, &triggers) && triggers.owner[0];
    fprintf(stderr,
            "notifyctl: database: %s; run it as the owner of the product's tables%s%s: "
            "DATABASE_URL=postgresql://OWNER@HOST/DB notifyctl migrate\n",
            why, known ? ", role " : "", known ? triggers.owner : "");
    return CTL_NO;
}

/* Wait for our turn among migrates. */
static bool take_turn(struct migrate *m, enum ctl_exit *code)
{
    for (;;) {
        PGresult *result =
            db_query(&m->db, "SELECT pg_catalog.pg_try_advisory_lock(" MIGRATE_LOCK ")", 0, NULL);
        if (!result) {
            *code = fail(m);
            return false;
        }
        bool ours = PQgetvalue(result, 0, 0)[0] == 't';
        PQclear(result);
        if (ours)
            return true;
        if (time_is_up(m)) {
            fputs("notifyctl: another migrate works on this database; wait for it and run this again\n",
                  stderr);
            *code = CTL_AWAY;
            return false;
        }
        usleep(lock_pause_us);
    }
}

/* Always false. */
static bool say_not_applied(struct migrate *m, const char *name, enum ctl_exit *code)
{
    fprintf(stderr, "notifyctl: %s was not applied\n", name);
    if (m->db.failure == DB_LOCKED)
        fputs("notifyctl: a transaction that does not end holds a lock on a table (look for old ones in "
              "pg_stat_activity); run this again when it is gone, or with a longer --wait\n",
              stderr);
    *code = fail(m);
    if (m->db.link)
        db_run(&m->db, "ROLLBACK");
    return false;
}

/* Run SCRIPT as one transaction, again and again while others hold the locks that it needs. */
static bool run_script(struct migrate *m, const char *name, const char *script, enum ctl_exit *code)
{
    struct buf text;
    buf_init(&text, SCRIPT_MAX);
    buf_printf(&text, "BEGIN;\nSET LOCAL lock_timeout = '2s';\n%s\nCOMMIT;", script);
    check(!text.overflow);
    bool good = db_run(&m->db, buf_text(&text));
    while (!good && m->db.failure == DB_LOCKED && !time_is_up(m)) {
        if (!db_run(&m->db, "ROLLBACK"))
            break;
        usleep(table_lock_pause_us);
        good = db_run(&m->db, buf_text(&text));
    }
    buf_free(&text);
    return good || say_not_applied(m, name, code);
}

/* False when the question failed. */
static bool drop_broken_index(struct migrate *m, const char *index)
{
    const char *values[] = {index};
    PGresult *broken =
        db_query(&m->db,
                 "SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
                 " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                 " WHERE n.nspname = 'notify' AND c.relname = $1 AND NOT i.indisvalid",
                 1, values);
    bool good = broken != NULL;
    if (good && PQntuples(broken) > 0) {
        char sql[64 + MIGRATION_INDEX_SIZE];
        snprintf(sql, sizeof sql, "DROP INDEX CONCURRENTLY IF EXISTS notify.%s", index);
        good = db_run(&m->db, sql);
    }
    PQclear(broken);
    return good;
}

static bool try_index(struct migrate *m, const struct embedded_file *file, const char *index)
{
    char sql[96];
    int64_t left_ms = (m->deadline_us - clock_mono_us()) / 1000;
    snprintf(sql, sizeof sql, "SET lock_timeout = %lld; SET statement_timeout = 0",
             (long long)(left_ms > LOCK_LEAST_MS ? left_ms : LOCK_LEAST_MS));
    return db_run(&m->db, sql) && drop_broken_index(m, index) && db_run(&m->db, file->text);
}

/* Make the index of FILE, which is there already when a migrate was killed before it could write that down. */
static bool make_index(struct migrate *m, const struct embedded_file *file, const char *index,
                       enum ctl_exit *code)
{
    m->db.timeout = index_timeout;
    bool good = try_index(m, file, index);
    while (!good && m->db.failure == DB_LOCKED && !time_is_up(m)) {
        usleep(table_lock_pause_us);
        good = try_index(m, file, index);
    }
    m->db.timeout = statement_timeout;
    good = good && db_run(&m->db, "RESET lock_timeout; RESET statement_timeout");
    return good || say_not_applied(m, file->name, code);
}

static bool apply(struct migrate *m, const struct embedded_file *file, enum ctl_exit *code)
{
    char checksum[SHA256_HEX], index[MIGRATION_INDEX_SIZE];
    bool alone = migration_index(file, index);
    if (alone && !make_index(m, file, index, code))
        return false;
    migration_checksum(file, checksum);
    struct buf script;
    buf_init(&script, SCRIPT_MAX);
    buf_printf(&script,
               "%s\nINSERT INTO notify.schema_migrations (version, name, checksum) VALUES (%d, '%s', '%s');",
               alone ? "" : file->text, migration_version(file), file->name, checksum);
    bool good = run_script(m, file->name, buf_text(&script), code);
    buf_free(&script);
    if (good)
        printf("applied %s\n", file->name);
    return good;
}

/* Whether the database has any table of those that 0001_product_tables.sql makes, in *ANY. False when the
 * question failed. */
static bool look_for_product(struct migrate *m, bool *any)
{
    PGresult *result =
        db_query(&m->db,
                 "SELECT count(*) > 0 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n"
                 " ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relname IN"
                 " ('orgs', 'workspaces', 'targets', 'scans', 'findings', 'integrations')",
                 0, NULL);
    *any = result && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return result != NULL;
}

static bool apply_missing(struct migrate *m, enum ctl_exit *code)
{
    struct migrations known;
    switch (migrations_look(&m->db, &known)) {
    case MIGRATIONS_CURRENT:
        printf("the database is at version %d already\n", known.version);
        return true;
    case MIGRATIONS_MISSING:
        break;
    case MIGRATIONS_NEWER:
        fprintf(
            stderr,
            "notifyctl: the database is at version %d, this program knows versions up to %d; use the newer "
            "program\n",
            known.version, migrations_newest());
        *code = CTL_NO;
        return false;
    case MIGRATIONS_CHANGED:
        fprintf(stderr,
                "notifyctl: migration %s was applied with other contents than this program has; nothing was "
                "changed; use the program that the database was migrated with\n",
                known.changed);
        *code = CTL_NO;
        return false;
    case MIGRATIONS_UNKNOWN:
        *code = fail(m);
        return false;
    }
    bool product;
    if (!look_for_product(m, &product)) {
        *code = fail(m);
        return false;
    }
    if (!known.has_table && !run_script(m, "versions.sql", schema_file_text("versions.sql"), code))
        return false;
    for (const struct embedded_file *f = schema_files; f->name; f++)
        if (migration_version(f) && !known.applied[migration_version(f)] && !apply(m, f, code))
            return false;
    if (!product && !known.applied[1])
        puts("note: no Pencheff tables here; made a minimal set: is this the right database?");
    printf("the database is at version %d\n", migrations_newest());
    return true;
}

/* The owner must be able to name our trigger functions: nothing else is in reach of USAGE alone. */
static bool let_owner_name_functions(struct migrate *m, const char *owner, enum ctl_exit *code)
{
    char sql[256];
    char *quoted = PQescapeIdentifier(m->db.link, owner, strlen(owner));
    snprintf(sql, sizeof sql, "GRANT USAGE ON SCHEMA notify TO %s;", quoted ? quoted : "\"\"");
    PQfreemem(quoted);
    return run_script(m, "the owner's right on schema notify", sql, code);
}

/* The views of the API need rights on the product's tables, which this role may lack. */
static bool apply_views(struct migrate *m, enum ctl_exit *code)
{
    if (!run_script(m, "the views of the API", "SELECT notify.make_api_views();", code))
        return false;
    PGresult *result = db_query(&m->db, "SELECT notify.make_api_views()", 0, NULL); /* there, or barred */
    if (!result) {
        *code = fail(m);
        return false;
    }
    if (strcmp(PQgetvalue(result, 0, 0), "barred") == 0)
        puts("note: the views of the API are not there yet, or are of an earlier version; schema/roles.sql "
             "makes "
             "them, with the rights on them");
    PQclear(result);
    return true;
}

static bool apply_triggers(struct migrate *m, enum ctl_exit *code)
{
    struct triggers_state triggers;
    const char *script = schema_file_text("integration_triggers.sql");
    if (!triggers_look(&m->db, &triggers)) {
        *code = fail(m);
        return false;
    }
    if (triggers.present == TRIGGERS_COUNT)
        return true;
    if (triggers.allowed) {
        if (!run_script(m, "integration_triggers.sql", script, code))
            return false;
        puts("applied integration_triggers.sql");
        return true;
    }
    if (!let_owner_name_functions(m, triggers.owner, code))
        return false;
    printf("pending for the owner: the triggers on public.integrations. Everything works without them; "
           "changes of\n"
           "integrations then take effect within 1 s instead of at once. For the role %s to run:\n\n%s",
           triggers.owner, script);
    return true;
}

static bool migrate(struct migrate *m, enum ctl_exit *code)
{
    int server = PQserverVersion(m->db.link);
    if (server < OLDEST_SERVER) {
        fprintf(stderr, "notifyctl: PostgreSQL %d is too old; 14 is the oldest that works\n", server / 10000);
        *code = CTL_NO;
        return false;
    }
    if (!db_run(&m->db, "SET search_path = pg_catalog; SET client_min_messages = warning")) {
        *code = fail(m);
        return false;
    }
    return take_turn(m, code) && apply_missing(m, code) && apply_views(m, code) && apply_triggers(m, code);
}

enum ctl_exit ctl_migrate(const struct ctl *ctl)
{
    struct migrate m = {.deadline_us = 0};
    enum ctl_exit code = CTL_DONE;
    long wait_s;
    if (!ctl_number(ctl, "--wait", 0, 86400, 60, &wait_s))
        return CTL_WRONG_USE;
    m.deadline_us = clock_mono_us() + clock_us((double)wait_s);
    if (!db_open(&m.db, ctl->conf, "notifyctl migrate", DB_AS_LOGIN)) {
        code = ctl_fail_db(&m.db);
    } else {
        m.db.timeout = statement_timeout;
        migrate(&m, &code);
    }
    db_close(&m.db);
    return code;
}
