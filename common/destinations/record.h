#ifndef NOTIFY_DESTINATIONS_RECORD_H
#define NOTIFY_DESTINATIONS_RECORD_H

#include "common/base/buf.h"
#include "common/base/uuid.h"

/* What kinds have in common that send an event as data, for programs to read: members of the same names. */

/* `{` and the members that say what this is, of an event or a test of that NAME; the caller adds the rest and closes it. */
void record_open(struct buf *b, const char *name);
/* The whole record of a test. */
void record_add_test(struct buf *b);
void record_add_id(struct buf *b, const char *key, const struct uuid *id);

#endif
