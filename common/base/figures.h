#ifndef NOTIFY_BASE_FIGURES_H
#define NOTIFY_BASE_FIGURES_H

#include <stdint.h>

#include "common/base/buf.h"

/* What an answer with them is. */
#define FIGURES_TYPE "text/plain; version=0.0.4"

/* Before the values of NAME. TYPE: counter, gauge, histogram. */
void figures_begin(struct buf *b, const char *name, const char *type, const char *help);
/* One that has a single value. */
void figures_add(struct buf *b, const char *name, const char *type, const char *help, uint64_t value);

#endif
