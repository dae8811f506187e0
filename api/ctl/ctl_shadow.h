#ifndef NOTIFY_CTL_CTL_SHADOW_H
#define NOTIFY_CTL_CTL_SHADOW_H

#include "api/ctl/ctl.h"

/* What the other worker sent, read from a file. */
struct shadow_sent {
    struct buf json; /* an array of objects {"integration_id", "event_type", "scan_id", "finding_id"} */
    size_t count;
    size_t older; /* deliveries that are left out, being older than asked for */
};

/*
 * Read FILE ("-": standard input), one JSON object a line; those whose `at` is more than SINCE seconds ago (-1: no limit) are
 * left out. False, and said on standard error with the line, when it cannot be read. To be freed with buf_free(&out->json).
 */
bool shadow_sent_read(const char *file, double since, struct shadow_sent *out);

#endif
