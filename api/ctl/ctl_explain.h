#ifndef NOTIFY_CTL_CTL_EXPLAIN_H
#define NOTIFY_CTL_CTL_EXPLAIN_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/db/db.h"
#include "common/model/event.h"
#include "common/model/integration.h"

/*
 * What the filters of `notifyctl explain` look at, as it is in the database now: the event's scan, target and finding,
 * and the integrations of its workspace. All in one arena.
 */
struct explain_now {
    struct arena arena;
    enum event_type type;
    bool has_scan;   /* the scan and its target are there: facts are good */
    bool of_other;   /* the finding is there and belongs to another scan */
    bool no_finding; /* the event is about a finding, and it is not there */
    struct facts facts;
    struct integration *integrations; /* without settings, sorted by kind and name */
    size_t count;
};

/* Read it. SCAN and FINDING (may be NULL) are UUIDs. False: the database failed. explain_now_free in either case. */
bool explain_now_read(struct db *db, enum event_type type, const char *scan, const char *finding,
                      struct explain_now *out);
void explain_now_free(struct explain_now *now);
/* The filters can be asked: everything that they look at is there. */
bool explain_now_is_whole(const struct explain_now *now);
/* Why they cannot; static text. */
const char *explain_now_lacks(const struct explain_now *now);
/* The integration would fire now, and this version knows its kind. */
bool explain_now_fires(const struct explain_now *now, const struct integration *integration);

/* The verdict of each filter with what it compared: lines for people, or a member "filters" and "fires". */
void explain_filters_print(const struct explain_now *now, const struct integration *integration);
void explain_filters_add(struct buf *out, const struct explain_now *now,
                         const struct integration *integration);

#endif
