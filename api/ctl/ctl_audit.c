/*
 * ctl_audit - notifyctl audit: do the books balance?
 *
 * Two halves. The ledger by itself: the queries of schema/invariants.sql, in one read-only snapshot. The ledger against
 * the broker: ctl_audit_broker.c. Both hold at every moment of a running system, so what is found is wrong and not just
 * in motion. Changes nothing. A half that could not be looked at is said to be missing, and is exit 75 unless the other
 * one found something.
 */
#include "api/ctl/ctl_audit.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/ctl/ctl_output.h"
#include "api/ctl/invariants.h"
#include "api/ctl/migrations.h"
#include "common/base/buf.h"

enum { SQL_MAX = 32768, LINE_MAX = 65536 };

static const double query_timeout = 600; /* seconds: some read the whole ledger */
/* Seconds beyond twice sweep.grace: the sweep's own round, and a worker that has just been given the message. */
static const double grace_more = 10;

static void print_json(const struct audit *a, const char *name, long count, const char *wrong,
                       const char *example, const char *advice)
{
    struct buf line;
    buf_init(&line, LINE_MAX);
    buf_add_text(&line, a->violations ? ",\n {" : "\n {");
    buf_json_key(&line, "name");
    buf_json_text(&line, name);
    buf_json_key(&line, "count");
    buf_add_int(&line, count);
    buf_json_key(&line, "wrong");
    buf_json_text(&line, wrong);
    buf_json_key(&line, "example");
    buf_json_text(&line, example);
    buf_json_key(&line, "advice");
    buf_json_text(&line, advice);
    buf_add_char(&line, '}');
    fputs(buf_text(&line), stdout);
    buf_free(&line);
}

void audit_found(struct audit *a, const char *name, long count, const char *wrong, const char *example,
                 const char *advice)
{
    if (a->json) {
        print_json(a, name, count, wrong, example, advice);
    } else {
        printf("FAIL %s: %ld: %s", name, count, wrong);
        if (example)
            fputs("; for example ", stdout);
        if (example)
            output_text(example);
        printf("; %s\n", advice);
    }
    a->violations++;
}

/* Ask one invariant; false when the database failed. */
static bool ask(struct audit *a, struct db *db, const struct invariant *invariant)
{
    struct buf sql;
    buf_init(&sql, SQL_MAX);
    buf_printf(&sql, "SELECT count(*), min(example) FROM (%s) x(example)", buf_text(&invariant->sql));
    PGresult *result = db_query(db, buf_text(&sql), 0, NULL);
    buf_free(&sql);
    if (!result)
        return false;
    long count = strtol(PQgetvalue(result, 0, 0), NULL, 10);
    if (count)
        audit_found(a, invariant->name, count, buf_text(&invariant->wrong), PQgetvalue(result, 0, 1),
                    buf_text(&invariant->advice));
    a->checks++;
    PQclear(result);
    return true;
}

static bool audit_ledger(struct audit *a, struct db *db)
{
    struct invariants_reader reader;
    const struct invariant *invariant;
    char begin[256];
    snprintf(begin, sizeof begin,
             "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL notify.grace = %.15g;"
             " SET LOCAL notify.begun = %.15g",
             a->grace, a->grace + a->held_max);
    bool good = db_run(db, begin);
    invariants_start(&reader, schema_file_text("invariants.sql"));
    while (good && (invariant = invariants_next(&reader)) != NULL)
        good = ask(a, db, invariant);
    invariants_end(&reader);
    return good && db_run(db, "COMMIT");
}

/* LEDGER, BROKER: that half was looked at to its end. */
static void print_end(const struct audit *a, bool ledger, bool broker)
{
    const char *answer = a->violations ? "false" : ledger && broker ? "true" : "null";
    if (a->json)
        printf("%s],\"balanced\":%s,\"ledger\":%s,\"broker\":%s,\"checks\":%ld}\n", a->violations ? "\n" : "",
               answer, ledger ? "true" : "false", broker ? "true" : "false", a->checks);
    else if (a->violations)
        printf("not balanced: %ld of %ld checks failed", a->violations, a->checks);
    else if (ledger)
        printf("balanced%s: %ld checks", broker ? "" : " as far as it was audited", a->checks);
    else
        printf("not audited");
    if (!a->json)
        puts(ledger && broker ? " (the ledger and the broker)"
             : ledger         ? " (the ledger; the broker was not audited)"
                              : " (the ledger could not be read to the end)");
}

enum ctl_exit ctl_audit(const struct ctl *ctl)
{
    struct audit audit = {.json = ctl_value(ctl, "--json") != NULL,
                          .grace = 2 * ctl->conf->sweep_grace + grace_more,
                          .held_max = ctl->conf->held_max};
    struct db db;
    enum ctl_exit code = CTL_DONE;
    bool ledger = false, broker = false;
    if (!ctl_open_db(ctl, &db, &code))
        return code;
    db.timeout = query_timeout;
    if (audit.json)
        fputs("{\"violations\":[", stdout);
    ledger = audit_ledger(&audit, &db);
    code = ledger ? audit_broker(&audit, &db, ctl->conf) : ctl_fail_db(&db);
    broker = ledger && code == CTL_DONE;
    print_end(&audit, ledger, broker);
    db_close(&db);
    return audit.violations ? CTL_NO : code;
}
