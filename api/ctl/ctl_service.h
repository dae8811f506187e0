#ifndef NOTIFY_CTL_CTL_SERVICE_H
#define NOTIFY_CTL_CTL_SERVICE_H

#include "api/ctl/ctl.h"
#include "api/service/service.h"

/* The service layer for the commands integration and token. */

/* Who runs the command, for the workspace of --workspace (NULL: not given). */
struct ctl_asker {
    struct service_caller caller;
    char account[64];
};

/* Fill it; false, and said on standard error, when the workspace is no UUID, or is NEEDED and not given. */
bool ctl_asker_fill(const struct ctl *ctl, bool needed, struct ctl_asker *out);

/* Open the database as the API does (api.role); false when it could not be, with the exit code. */
bool ctl_service_open(const struct ctl *ctl, struct db *db, enum ctl_exit *code);
/*
 * Run the call in a transaction and finish it. The exit code: CTL_DONE when it did what was asked; else it is said on standard
 * error why not. The caller ends the call in either case.
 */
enum ctl_exit ctl_service_run(struct db *db, struct service_call *call);
/* Open, run, close. */
enum ctl_exit ctl_service_run_once(const struct ctl *ctl, struct service_call *call);

/* A column of a table: its name, and the member of the JSON objects that it shows. */
struct ctl_column {
    const char *name;
    const char *member;
};
enum { CTL_TABLE_COLUMNS_MAX = 12 };

/*
 * Print BODY, a JSON array of objects that the service layer made, as a table for people; the last of COUNT columns is cut
 * where the terminal ends. Lists are shown with commas, what is null as nothing.
 */
void ctl_service_table(const char *body, const struct ctl_column *columns, int count);

#endif
