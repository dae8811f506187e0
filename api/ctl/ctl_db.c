/*
 * ctl_db - what the commands say and answer when the database does not do what they want
 */
#include <stdio.h>
#include <string.h>

#include "api/ctl/ctl.h"

static bool is_state(const struct db *db, const char *sqlstate)
{
    return strcmp(db->sqlstate, sqlstate) == 0;
}

static const char *advice_for_refusal(const struct db *db)
{
    if (is_state(db, "42P01") || is_state(db, "3F000"))
        return "run notifyctl migrate";
    if (is_state(db, "42501"))
        return "grant it; notifyctl check names every right that is missing";
    if (strncmp(db->sqlstate, "28", 2) == 0 || is_state(db, "3D000"))
        return "correct user, password or database in database.url";
    return "see the server's log";
}

enum ctl_exit ctl_fail_db(const struct db *db)
{
    const char *advice = "is the server up, and is database.url right?";
    enum ctl_exit code = CTL_AWAY;
    if (db->failure == DB_LOCKED) {
        advice = "try again";
    } else if (db->failure == DB_ROLE) {
        advice = "run schema/roles.sql, grant that role to the login role, or correct database.role";
        code = CTL_BAD_CONF;
    } else if (db->failure == DB_REFUSED) {
        advice = advice_for_refusal(db);
        code = strncmp(db->sqlstate, "28", 2) == 0 || is_state(db, "3D000") ? CTL_BAD_CONF : CTL_NO;
    }
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
