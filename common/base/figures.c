/*
 * figures - counters and gauges as Prometheus reads them
 *
 * Text format 0.0.4: for each figure its HELP and TYPE, then its values. Names, helps and labels come from tables of ours, so
 * nothing is escaped here.
 */
#include "common/base/figures.h"

#include <inttypes.h>

void figures_begin(struct buf *b, const char *name, const char *type, const char *help)
{
    buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void figures_add(struct buf *b, const char *name, const char *type, const char *help, uint64_t value)
{
    figures_begin(b, name, type, help);
    buf_printf(b, "%s %" PRIu64 "\n", name, value);
}
