#ifndef NOTIFY_WORKER_KEPT_SETTINGS_H
#define NOTIFY_WORKER_KEPT_SETTINGS_H

#include "common/base/buf.h"

/*
 * What was set, or found out, while the pool ran, and stands in the shared memory. It stays there when a build takes the
 * memory over as it is; where that has another layout, what has a row here is told by name (handover.h). A row is two
 * functions: one appends the value as a line of text (nothing: there is none), the other takes such a text from another build and
 * leaves out what it does not understand.
 */
void kept_settings_write(struct buf *to);
void kept_settings_take(const char *name, const char *value);

#endif
