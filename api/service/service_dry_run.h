#ifndef NOTIFY_SERVICE_SERVICE_DRY_RUN_H
#define NOTIFY_SERVICE_SERVICE_DRY_RUN_H

#include "api/service/service_parts.h"

/* What came of one finding that was sent with settings that are not saved. */
struct service_sent {
    bool ok;
    long status;                   /* HTTP; 0: no answer came */
    const char *detail, *response; /* in the arena of the call; NULL: nothing to say */
};

/* What the integration was told before of a finding. */
struct service_told {
    struct dest_reference reference;
    bool overtaken; /* a later row of the same weakness was told, and decides */
};

/* What an export is about, in the arena of the call. */
struct service_exported {
    size_t count;
    struct service_sent *sent; /* NULL: of a dry run, or what is saved */
    struct event *events;
    struct facts *facts;
    struct service_told *told; /* each of the facts of the same number */
    struct conversation_job *jobs;
};

/*
 * Read FACTS, a JSON list as the database has made it (NULL: none is meant), and make an event of each: those of the export
 * EXPORT, to the integration INTEGRATION. False: the list is not as it should be.
 */
bool service_exported_read(struct service_call *call, const char *facts, const char *export,
                           const struct uuid *integration, struct service_exported *out);

/*
 * Append to the call's list the first request of each conversation that tells of them, as workers divide them: with stars for
 * what of it is a secret of the settings CONFIG, of which PARSED is the destination's own struct. No more than DRY_RUN_REQUESTS or
 * DRY_RUN_BYTES, since nobody else is served meanwhile. MEANT: how many findings there are in all.
 */
enum { DRY_RUN_REQUESTS = 50, DRY_RUN_BYTES = 1024 * 1024 };
void service_dry_run(struct service_call *call, const struct dest *dest, const char *config,
                     const void *parsed, struct service_exported *of, size_t meant,
                     const struct service_export_limits *limits);

/*
 * The jobs of the conversation that begins with job number FIRST of OF: they are brought forward to stand there, and counted.
 * As mailbox_gather divides deliveries of one integration that wait together.
 */
size_t service_exported_together(struct service_exported *of, size_t first, const struct dest *dest,
                                 const struct service_export_limits *limits);

#endif
