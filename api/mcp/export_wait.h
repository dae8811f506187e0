#ifndef NOTIFY_API_MCP_EXPORT_WAIT_H
#define NOTIFY_API_MCP_EXPORT_WAIT_H

#include "api/mcp/call.h"

/* How far the findings of an export are, as the ledger has them. */
struct export_wait {
    const char *id;            /* of the export */
    int64_t count;             /* findings in it */
    struct json_object *rows;  /* their deliveries by event; lives as long as the call */
    int64_t delivered, failed; /* so far */
    const char *fault;         /* it could not be seen whether there is more; NULL: it could */

    /* Private. */
    void (*done)(struct call *call, struct export_wait *wait);
    double pause;
    int64_t until_us, told;
    int pages;
};

/*
 * Look until all of WAIT->count are over, or until the call is mcp.wait seconds old, or the client leaves; then DONE, once. Says
 * progress meanwhile. When the client cancels, what has not begun is canceled, and the call is dropped.
 */
void export_wait_begin(struct call *call, struct export_wait *wait,
                       void (*done)(struct call *call, struct export_wait *wait));
/* Cancel what has not begun of an export that nobody waits for, then drop the call. */
void export_wait_cancel(struct call *call, const char *export_id);

#endif
