/*
 * ctl_check_api - the API's part of notifyctl check
 *
 * Workers need none of it, so what is not there is worth a note; only a role that is configured and cannot be taken is wrong. The
 * catalog is asked, which needs no right on what it tells of.
 */
#include <stdlib.h>

#include "api/ctl/ctl_report.h"

enum { VIEWS = 5 };

/* Columns: views of the product's tables; is there the role of roles.sql; may the login role take on api.role. */
static PGresult *look(struct db *db, const char *role)
{
    const char *values[] = {role};
    return db_query(db,
                    "SELECT (SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON "
                    "n.oid = c.relnamespace"
                    "  WHERE n.nspname = 'notify' AND c.relkind = 'v' AND c.relname IN ('api_findings', "
                    "'api_integrations', 'api_scans', 'api_targets', 'api_workspaces')),"
                    " EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'notify_api'),"
                    " $1::text = '' OR EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = $1"
                    "  AND pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER'))",
                    1, values);
}

void check_api(struct report *report, struct db *db, const struct conf *conf)
{
    PGresult *found = look(db, conf->api_role);
    if (!found) {
        report_fail_db(report, "api", db);
        return;
    }
    bool has_views = atoi(PQgetvalue(found, 0, 0)) == VIEWS, has_role = *PQgetvalue(found, 0, 1) == 't',
         may_take = *PQgetvalue(found, 0, 2) == 't';
    PQclear(found);
    if (!may_take)
        report_fail(report, "api",
                    "api.role is %s, which is not there or not granted; run schema/roles.sql, and then GRANT "
                    "%s TO %s",
                    conf->api_role, conf->api_role, PQuser(db->link));
    else if (!has_views || !has_role)
        report_note(report, "api",
                    "%s not there; notify-api, notifyctl integration and notifyctl token need it: run "
                    "schema/roles.sql",
                    has_views ? "the role notify_api is" : "its views of the product's tables are");
    else
        report_ok(report, "api", "its role and its views are there");
}
