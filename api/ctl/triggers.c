/*
 * triggers - looks for the triggers on public.integrations
 *
 * Reads catalogs only, which needs no right on the table.
 */
#include "api/ctl/triggers.h"

#include <stdio.h>
#include <stdlib.h>

bool triggers_look(struct db *db, struct triggers_state *out)
{
    /* tgenabled: O fires in ordinary sessions, A always. */
    PGresult *result = db_query(
        db,
        "SELECT (SELECT count(*) FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid"
        "  JOIN pg_catalog.pg_namespace f ON f.oid = p.pronamespace"
        "  WHERE t.tgrelid = c.oid AND f.nspname = 'notify' AND t.tgenabled IN ('O', 'A')"
        "  AND (t.tgname, p.proname) IN (('notify_integrations_insert', 'integrations_inserted'),"
        "  ('notify_integrations_update', 'integrations_updated'),"
        "  ('notify_integrations_delete', 'integrations_deleted'),"
        "  ('notify_integrations_truncate', 'integrations_truncated'))),"
        " pg_catalog.has_table_privilege(c.oid, 'TRIGGER'), pg_catalog.pg_get_userbyid(c.relowner)"
        " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = 'public' AND c.relname = 'integrations'",
        0, NULL);
    if (!result)
        return false;
    *out = (struct triggers_state){.present = 0};
    if (PQntuples(result) == 1) {
        out->present = atoi(PQgetvalue(result, 0, 0));
        out->allowed = PQgetvalue(result, 0, 1)[0] == 't';
        snprintf(out->owner, sizeof out->owner, "%s", PQgetvalue(result, 0, 2));
    }
    PQclear(result);
    return true;
}
