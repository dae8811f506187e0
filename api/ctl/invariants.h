#ifndef NOTIFY_CTL_INVARIANTS_H
#define NOTIFY_CTL_INVARIANTS_H

#include <stdbool.h>

#include "common/base/buf.h"

/*
 * The queries of schema/invariants.sql, one by one. In the file each begins with comment lines of this form, and ends
 * in a semicolon at the end of a line:
 *
 *     -- name: what is wrong; what to do about it, over as
 *     -- many lines as it takes
 */
struct invariant {
    char name[64];
    struct buf wrong;  /* one line */
    struct buf advice; /* one line */
    struct buf sql;    /* without the semicolon */
};

struct invariants_reader {
    const char *at; /* what is left of the file */
    struct invariant current;
};

void invariants_start(struct invariants_reader *reader, const char *text);
/* The next one, until the call after this; NULL at the end. A file of another form ends the program. */
const struct invariant *invariants_next(struct invariants_reader *reader);
void invariants_end(struct invariants_reader *reader);

#endif
