#ifndef NOTIFY_CTL_CTL_AUDIT_H
#define NOTIFY_CTL_CTL_AUDIT_H

#include "api/ctl/ctl.h"

/* What an audit found, printed as it comes: lines, or members of the array "violations". */
struct audit {
    bool json;
    double grace;    /* seconds after which something counts as forgotten */
    double held_max; /* seconds for which a worker may hold a message that is not begun */
    long violations;
    long checks; /* that were made */
};

/* COUNT times something is WRONG, for EXAMPLE (NULL: none); ADVICE says what to do. */
void audit_found(struct audit *audit, const char *name, long count, const char *wrong, const char *example,
                 const char *advice);

/* The broker's half: does it hold a message for all that waits? CTL_DONE when it could be asked, whatever it found. */
enum ctl_exit audit_broker(struct audit *audit, struct db *db, const struct conf *conf);

#endif
