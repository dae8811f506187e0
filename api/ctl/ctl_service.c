/*
 * ctl_service - runs calls of the service layer over a connection that waits, and prints what they answer
 *
 * One transaction per call: BEGIN, its statements in order, COMMIT. What a call refuses is said as the service says it, one
 * line for each error.
 */
#include "api/ctl/ctl_service.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/ctl/ctl_output.h"
#include "common/base/check.h"
#include "common/base/json.h"
#include "common/base/utf8.h"

/* ---- who asks ---- */

bool ctl_asker_fill(const struct ctl *ctl, bool needed, struct ctl_asker *out)
{
    const char *workspace = ctl_value(ctl, "--workspace");
    memset(out, 0, sizeof *out);
    if (!workspace && needed) {
        fprintf(stderr, "notifyctl: %s needs --workspace UUID\n", ctl->command->name);
        return false;
    }
    if (!ctl_is_uuid("--workspace", workspace))
        return false;
    /* For the log of changes only; the process ends before a second thread could ask. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    const struct passwd *account = getpwuid(geteuid());
    if (account && utf8_is_storable(account->pw_name, strlen(account->pw_name)))
        snprintf(out->account, sizeof out->account, "%s", account->pw_name);
    else
        snprintf(out->account, sizeof out->account, "uid %lu", (unsigned long)geteuid());
    out->caller =
        (struct service_caller){.workspace = workspace, .actor = "notifyctl", .actor_name = out->account};
    return true;
}

/* ---- calls ---- */

bool ctl_service_open(const struct ctl *ctl, struct db *db, enum ctl_exit *code)
{
    if (db_open(db, ctl->conf, "notifyctl", DB_AS_API))
        return true;
    *code = ctl_fail_db(db);
    db_close(db);
    return false;
}

static bool run_steps(struct db *db, struct service_call *call)
{
    if (!db_run(db, "BEGIN"))
        return false;
    for (size_t i = 0; i < call->step_count; i++) {
        const struct service_step *step = &call->steps[i];
        const struct pg_statement *statement = &api_statements[step->statement];
        PGresult *rows = db_query_typed(db, statement->sql, step->count, statement->types, step->values);
        if (!rows)
            return false;
        service_take(call, i, rows);
        PQclear(rows);
    }
    return db_run(db, "COMMIT");
}

/* Said on standard error. */
static enum ctl_exit say_status(const struct service_call *call)
{
    switch (call->status) {
    case SERVICE_OK:
    case SERVICE_CREATED:
    case SERVICE_NO_CONTENT:
        if (call->advice)
            fprintf(stderr, "notifyctl: note: %s\n", call->advice);
        return CTL_DONE;
    case SERVICE_INVALID:
        for (size_t i = 0; i < call->error_count; i++)
            fprintf(stderr, "notifyctl: %s\n", call->errors[i].detail);
        return CTL_NO;
    case SERVICE_NO_KEY:
        fprintf(stderr, "notifyctl: %s\n", call->detail);
        return CTL_BAD_CONF;
    case SERVICE_UNREADABLE:
    case SERVICE_NOT_FOUND:
    case SERVICE_CONFLICT:
    case SERVICE_CHANGED:
    case SERVICE_TOO_LARGE:
    case SERVICE_UNFINISHED:
        break;
    }
    fprintf(stderr, "notifyctl: %s\n", call->detail);
    return CTL_NO;
}

enum ctl_exit ctl_service_run(struct db *db, struct service_call *call)
{
    if (call->step_count && !run_steps(db, call))
        return ctl_fail_db(db);
    service_finish(call);
    return say_status(call);
}

enum ctl_exit ctl_service_run_once(const struct ctl *ctl, struct service_call *call)
{
    struct db db;
    enum ctl_exit code = CTL_DONE;
    if (!call->step_count) {
        service_finish(call);
        return say_status(call);
    }
    if (!ctl_service_open(ctl, &db, &code))
        return code;
    code = ctl_service_run(&db, call);
    db_close(&db);
    return code;
}

/* ---- tables ---- */

/* VALUE in a cell, in OUT. */
static void put_value(struct buf *out, struct json_object *value)
{
    buf_reset(out);
    if (!json_object_is_type(value, json_type_array)) {
        if (value)
            buf_add_text(out, json_object_get_string(value));
        return;
    }
    for (size_t i = 0; i < json_object_array_length(value); i++)
        buf_printf(out, "%s%s", i ? "," : "", json_object_get_string(json_object_array_get_idx(value, i)));
}

static void fill_row(PGresult *rows, int row, struct json_object *object, const struct ctl_column *columns,
                     int count)
{
    struct buf cell;
    buf_init(&cell, OUTPUT_JSON_MAX);
    for (int c = 0; c < count; c++) {
        put_value(&cell, json_get(object, columns[c].member));
        mem_check(PQsetvalue(rows, row, c, (char *)buf_text(&cell), (int)cell.len));
    }
    buf_free(&cell);
}

void ctl_service_table(const char *body, const struct ctl_column *columns, int count)
{
    const char *why;
    PGresAttDesc names[CTL_TABLE_COLUMNS_MAX];
    check(count <= CTL_TABLE_COLUMNS_MAX);
    struct json_object *list = json_parse(body, strlen(body), &why);
    PGresult *rows = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    mem_check(rows != NULL);
    check(json_object_is_type(list, json_type_array));
    memset(names, 0, sizeof names);
    for (int c = 0; c < count; c++)
        names[c].name = (char *)columns[c].name;
    mem_check(PQsetResultAttrs(rows, count, names));
    for (size_t i = 0; i < json_object_array_length(list); i++)
        fill_row(rows, (int)i, json_object_array_get_idx(list, i), columns, count);
    output_table(rows, true);
    PQclear(rows);
    json_object_put(list);
}
