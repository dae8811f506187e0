/*
 * ctl_db - what the commands say and answer when the database does not do what they want
 */
#include <stdio.h>
#include <string.h>

#include "api/ctl/ctl.h"
#include "common/db/pg_advice.h"

static bool is_state(const struct db *db, const char *sqlstate)
{
    return strcmp(db->sqlstate, sqlstate) == 0;
}

const char *ctl_db_advice(const struct db *db, enum ctl_exit *code)
{
    const char *advice = "is the server up, and is database.url right?";
    *code = CTL_AWAY;
    if (db->failure == DB_UNTRUSTED) {
        advice = db->advice;
        *code = CTL_BAD_CONF;
    } else if (db->failure == DB_LOCKED) {
        advice = "try again";
    } else if (db->failure == DB_ROLE) {
        advice = "run schema/roles.sql, grant that role to the login role, or correct database.role";
        *code = CTL_BAD_CONF;
    } else if (db->failure == DB_REFUSED) {
        advice = pg_advice(db->sqlstate);
        if (!advice)
            advice = "see the server's log";
        *code = strncmp(db->sqlstate, "28", 2) == 0 || is_state(db, "3D000") ? CTL_BAD_CONF : CTL_NO;
    }
    return advice;
}

enum ctl_exit ctl_fail_db(const struct db *db)
{
    enum ctl_exit code;
    const char *advice = ctl_db_advice(db, &code);
    fprintf(stderr, "notifyctl: database: %s; %s\n", db->why, advice);
    return code;
}

bool ctl_open_db(const struct ctl *ctl, struct db *db, enum ctl_exit *code)
{
    if (db_open(db, ctl->conf, "notifyctl", DB_AS_CONFIGURED))
        return true;
    *code = ctl_fail_db(db);
    db_close(db);
    return false;
}
