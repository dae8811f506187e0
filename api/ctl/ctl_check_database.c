/*
 * ctl_check_database - the database's part of notifyctl check
 *
 * Asks under the role that workers take on. Rights are those of schema/roles.sql, one question for each, so
 * that each missing one is named, in one line for each table; the catalog is asked by object id, which
 * works without any right on the objects.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/ctl/ctl_report.h"
#include "api/ctl/grants.h"
#include "api/ctl/migrations.h"
#include "api/ctl/triggers.h"
#include "common/base/buf.h"
#include "common/base/clock.h"

static const double clock_difference_max =
    5; /* seconds; signatures and retries tolerate less than a minute */

enum { LACKING_MAX = 16384 }; /* bytes of the rights on one object */

static void check_version(struct report *report, struct db *db)
{
    struct migrations known;
    switch (migrations_look(db, &known)) {
    case MIGRATIONS_CURRENT:
        report_ok(report, "schema", "version %d", known.version);
        break;
    case MIGRATIONS_MISSING:
        report_fail(report, "schema", "version %d, this program needs %d; run notifyctl migrate",
                    known.version, migrations_newest());
        break;
    case MIGRATIONS_NEWER:
        report_fail(report, "schema",
                    "version %d is newer than this program, which knows %d; update the program",
                    known.version, migrations_newest());
        break;
    case MIGRATIONS_CHANGED:
        report_fail(
            report, "schema",
            "migration %s was applied with other contents than this program has; use the program that "
            "the database was migrated with",
            known.changed);
        break;
    case MIGRATIONS_UNKNOWN:
        report_fail_db(report, "schema", db);
        break;
    }
}

/* One right of the current role: 'ok', 'missing', or what is absent; NULL when the question failed. */
static PGresult *ask_right(struct db *db, const struct grant *g)
{
    if (g->function[0]) {
        const char *values[] = {g->schema, g->function, g->privilege};
        return db_query(
            db,
            "SELECT CASE WHEN f.id IS NULL THEN 'absent' WHEN pg_catalog.has_function_privilege(f.id, $3)"
            " THEN 'ok' ELSE 'missing' END"
            " FROM (SELECT pg_catalog.to_regprocedure($1 || '.' || $2)::oid AS id) f",
            3, values);
    }
    if (!g->table[0]) {
        const char *values[] = {g->schema, g->privilege};
        return db_query(db,
                        "SELECT coalesce((SELECT CASE WHEN pg_catalog.has_schema_privilege(oid, $2) THEN 'ok'"
                        " ELSE 'missing' END FROM pg_catalog.pg_namespace WHERE nspname = $1), 'absent')",
                        2, values);
    }
    const char *values[] = {g->schema, g->table, g->privilege, g->column[0] ? g->column : NULL};
    return db_query(
        db,
        "SELECT coalesce((SELECT CASE"
        "  WHEN $4::text IS NULL THEN CASE WHEN pg_catalog.has_table_privilege(c.oid, $3) THEN 'ok'"
        "   ELSE 'missing' END"
        "  WHEN a.attnum IS NULL THEN 'absent'"
        "  WHEN pg_catalog.has_column_privilege(c.oid, a.attnum, $3) THEN 'ok' ELSE 'missing' END"
        " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = $4 AND a.attnum > 0"
        "  AND NOT a.attisdropped"
        " WHERE n.nspname = $1 AND c.relname = $2), 'absent')",
        4, values);
}

/* Rights on one object: "INSERT, SELECT (a, b)". */
struct rights {
    struct buf text;
    char columns_of[16]; /* the privilege whose columns stand at the end; "": none */
};

/* What is lacking on the object of LAST. */
struct lacking {
    struct rights missing; /* not given */
    struct rights absent;  /* on something that does not exist */
    struct grant last;
};

static void add_right(struct rights *rights, const struct grant *right)
{
    struct buf *text = &rights->text;
    const char *comma = text->len ? ", " : "";
    if (!right->column[0]) {
        buf_printf(text, "%s%s", comma, right->privilege);
    } else if (strcmp(rights->columns_of, right->privilege) != 0) {
        buf_printf(text, "%s%s (%s)", comma, right->privilege, right->column);
    } else {
        text->data[--text->len] = '\0'; /* the closing bracket */
        buf_printf(text, ", %s)", right->column);
    }
    snprintf(rights->columns_of, sizeof rights->columns_of, "%s", right->column[0] ? right->privilege : "");
}

/* Say it if there are any, and forget them. The number of lines. */
static int report_rights(struct report *report, struct rights *rights, const char *object, const char *why)
{
    int lines = rights->text.len > 0;
    if (lines)
        report_fail(report, "rights", "%s ON %s %s", buf_text(&rights->text), object, why);
    buf_reset(&rights->text);
    rights->columns_of[0] = '\0';
    return lines;
}

static int report_lacking(struct report *report, struct lacking *l)
{
    char object[256];
    grant_format_object(&l->last, object);
    return report_rights(report, &l->absent, object, "is on what does not exist; run notifyctl migrate") +
           report_rights(report, &l->missing, object, "is missing");
}

/* Ask for every right in the order of roles.sql, where those on one object stand together. False when the
 * database stopped answering. */
static bool ask_rights(struct report *report, struct db *db, struct grants_reader *reader,
                       struct lacking *lacking, int *good, int *lines)
{
    struct grant right;
    while (grants_next(reader, &right)) {
        if (strcmp(right.role, "notify_worker") != 0)
            continue;
        PGresult *result = ask_right(db, &right);
        if (!result)
            return false;
        if (strcmp(right.schema, lacking->last.schema) != 0 || strcmp(right.table, lacking->last.table) != 0)
            *lines += report_lacking(report, lacking);
        const char *answer = PQgetvalue(result, 0, 0);
        if (strcmp(answer, "ok") == 0)
            ++*good;
        else
            add_right(strcmp(answer, "absent") == 0 ? &lacking->absent : &lacking->missing, &right);
        lacking->last = right;
        PQclear(result);
    }
    *lines += report_lacking(report, lacking);
    return true;
}

static void check_rights(struct report *report, struct db *db, const char *role)
{
    struct grants_reader reader;
    struct lacking lacking = {.last = {.schema = ""}};
    int good = 0, lines = 0;
    buf_init(&lacking.missing.text, LACKING_MAX);
    buf_init(&lacking.absent.text, LACKING_MAX);
    grants_start(&reader, schema_file_text("roles.sql"));
    bool answered = ask_rights(report, db, &reader, &lacking, &good, &lines);
    buf_free(&lacking.missing.text);
    buf_free(&lacking.absent.text);
    if (!answered)
        report_fail_db(report, "rights", db);
    else if (reader.malformed)
        report_fail(report, "rights", "a line of the built-in roles.sql is not understood; report it");
    else if (lines)
        report_note(report, "rights",
                    "run schema/roles.sql, which gives them all; or as owner of each: GRANT ... TO %s;",
                    role);
    else
        report_ok(report, "rights", "all %d that workers need", good);
}

static void check_triggers(struct report *report, struct db *db)
{
    struct triggers_state triggers;
    if (!triggers_look(db, &triggers))
        report_fail_db(report, "triggers", db);
    else if (triggers.present == TRIGGERS_COUNT)
        report_ok(report, "triggers", "changes of integrations take effect at once");
    else
        report_note(
            report, "triggers",
            "%d of %d on public.integrations; changes take effect within 1 s by polling. For at once, "
            "run notifyctl migrate, which makes them or prints the SQL for the owner",
            triggers.present, TRIGGERS_COUNT);
}

static void check_clock(struct report *report, struct db *db)
{
    int64_t before_us = clock_wall_us();
    PGresult *result = db_query(db, "SELECT extract(epoch FROM pg_catalog.clock_timestamp())", 0, NULL);
    if (!result) {
        report_fail_db(report, "clock", db);
        return;
    }
    double here = (double)(before_us + clock_wall_us()) / 2 / 1e6;
    double difference = strtod(PQgetvalue(result, 0, 0), NULL) - here;
    PQclear(result);
    if (fabs(difference) > clock_difference_max)
        report_fail(report, "clock", "the database's is %.1f s %s ours; set both by NTP", fabs(difference),
                    difference > 0 ? "ahead of" : "behind");
    else
        report_ok(report, "clock", "%.3f s from the database's", fabs(difference));
}

void check_database(struct report *report, const struct conf *conf)
{
    struct db db;
    if (!db_open(&db, conf, "notifyctl check", DB_AS_CONFIGURED)) {
        report_fail_db(report, "database", &db);
        db_close(&db);
        return;
    }
    report_ok(report, "database", "reachable, PostgreSQL %d%s%s", PQserverVersion(db.link) / 10000,
              conf->database_role[0] ? ", as " : "", conf->database_role);
    check_database_tls(report, &db);
    check_version(report, &db);
    check_rights(report, &db, conf->database_role[0] ? conf->database_role : PQuser(db.link));
    check_triggers(report, &db);
    check_clock(report, &db);
    check_settings(report, &db, conf);
    check_api(report, &db, conf);
    db_close(&db);
}
