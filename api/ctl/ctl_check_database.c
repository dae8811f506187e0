/*
 * ctl_check_database - the database's part of notifyctl check
 *
 * Asks under the role that workers take on. Rights are those of schema/roles.sql, one question for each, so
 * that each missing one is named with the statement that gives it; the catalog is asked by object id, which
 * works without any right on the objects.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/ctl/ctl_report.h"
#include "api/ctl/grants.h"
#include "api/ctl/migrations.h"
#include "api/ctl/triggers.h"
#include "common/base/clock.h"

static const double clock_difference_max =
    5; /* seconds; signatures and retries tolerate less than a minute */

static void check_version(struct report *report, struct db *db)
{
    struct migrations known;
    switch (migrations_look(db, &known)) {
    case MIGRATIONS_CURRENT:
        report_ok("schema", "version %d", known.version);
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

static void check_rights(struct report *report, struct db *db, const char *role)
{
    struct grants_reader reader;
    struct grant right;
    int good = 0, bad = 0;
    grants_start(&reader, schema_file_text("roles.sql"));
    while (grants_next(&reader, &right)) {
        char text[256];
        grant_format(&right, text);
        PGresult *result = ask_right(db, &right);
        if (!result) {
            report_fail_db(report, "rights", db);
            return;
        }
        const char *answer = PQgetvalue(result, 0, 0);
        if (strcmp(answer, "ok") == 0) {
            good++;
        } else if (strcmp(answer, "absent") == 0) {
            bad++;
            report_fail(report, "rights", "%s: there is no such thing; run notifyctl migrate", text);
        } else {
            bad++;
            report_fail(report, "rights",
                        "%s is missing; run schema/roles.sql, or as its owner: GRANT %s TO %s;", text, text,
                        role);
        }
        PQclear(result);
    }
    if (reader.malformed)
        report_fail(report, "rights", "a line of the built-in roles.sql is not understood; report it");
    else if (!bad)
        report_ok("rights", "all %d that workers need", good);
}

static void check_triggers(struct report *report, struct db *db)
{
    struct triggers_state triggers;
    if (!triggers_look(db, &triggers))
        report_fail_db(report, "triggers", db);
    else if (triggers.present == TRIGGERS_COUNT)
        report_ok("triggers", "changes of integrations take effect at once");
    else
        report_note(
            "triggers",
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
        report_ok("clock", "%.3f s from the database's", fabs(difference));
}

void check_database(struct report *report, const struct conf *conf)
{
    struct db db;
    if (!db_open(&db, conf, "notifyctl check", DB_AS_CONFIGURED)) {
        report_fail_db(report, "database", &db);
        db_close(&db);
        return;
    }
    report_ok("database", "reachable, PostgreSQL %d%s%s", PQserverVersion(db.link) / 10000,
              conf->database_role[0] ? ", as " : "", conf->database_role);
    check_version(report, &db);
    check_rights(report, &db, conf->database_role[0] ? conf->database_role : PQuser(db.link));
    check_triggers(report, &db);
    check_clock(report, &db);
    check_settings(report, &db, conf);
    db_close(&db);
}
