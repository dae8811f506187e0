#ifndef NOTIFY_CTL_CTL_STORY_H
#define NOTIFY_CTL_CTL_STORY_H

#include "api/ctl/ctl_output.h"
#include "api/service/explanation.h"
#include "common/db/db.h"

/*
 * What the ledger knows of an event: its row, its deliveries, their failed attempts. Columns have the names of the
 * tables'. Results are the caller's to PQclear; NULL or false: the question failed, see db->failure.
 */

/* One row, or none. */
PGresult *story_event(struct db *db, const char *event);
/* By kind and name of the integration; INTEGRATION NULL: all. Columns as in enum explain_delivery_column, and more. */
PGresult *story_deliveries(struct db *db, const char *event, const char *integration);
/* The failed attempts of EVENT's delivery to INTEGRATION (NULL: of all), by time. Columns as in enum explain_attempt_column, and more. */
PGresult *story_attempts(struct db *db, const char *event, const char *integration);

/* One delivery and its attempts, for people. */
bool story_print_delivery(struct db *db, const PGresult *deliveries, int row);
/* The same as an object, with the member "attempts". */
bool story_add_delivery(struct db *db, struct buf *out, const PGresult *deliveries, int row);

#endif
