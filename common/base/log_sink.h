#ifndef NOTIFY_BASE_LOG_SINK_H
#define NOTIFY_BASE_LOG_SINK_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Write a line to standard error. Waits for its reader for at most a tenth of a second, and not at all while
 * lines are being lost. False: the line is lost, or its end is.
 */
bool log_sink_write(const char *line, size_t size);

/* Lines of this process that were lost since one got through. */
unsigned long log_sink_lost(void);

#endif
