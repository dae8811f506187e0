#ifndef NOTIFY_SERVICE_EXPLAIN_NOW_H
#define NOTIFY_SERVICE_EXPLAIN_NOW_H

#include <libpq-fe.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/model/event.h"
#include "common/model/integration.h"
#include "common/model/match.h"

/*
 * What the filters look at, as it is in the database now: an event's scan, target and finding, and the integrations of its
 * workspace. All in one arena.
 */
struct explain_now {
    struct arena arena;
    enum event_type type;
    bool has_scan;   /* the scan and its target are there: facts are good */
    bool of_other;   /* the finding is there and belongs to another scan */
    bool no_finding; /* the event is about a finding, and it is not there */
    struct facts facts;
    struct integration *integrations; /* without settings, in the order of their rows */
    size_t count;
};

/* Columns of one row about SCAN and FINDING (either may be null, and so may all columns): */
enum explain_facts_column {
    EXPLAIN_WORKSPACE, /* of the scan */
    EXPLAIN_TARGET,
    EXPLAIN_TARGET_KIND,
    EXPLAIN_FINDING_SCAN,
    EXPLAIN_SEVERITY, /* of the finding */
    EXPLAIN_SCAN_ID,
    EXPLAIN_FINDING_ID,
};
/* And of the rows of integrations, without settings. */
#define EXPLAIN_INTEGRATION_COLUMNS(i)                                                                       \
    i ".id, " i ".workspace_id, " i ".kind, " i ".name, " i ".enabled, " i ".severity_filter, " i            \
      ".target_ids, " i ".events, " i ".target_kinds"

/* FACTS: one row. INTEGRATIONS: NULL when there is no scan to ask for. Copied. */
void explain_now_read(struct explain_now *now, enum event_type type, const PGresult *facts,
                      const PGresult *integrations);
/* NOW may be all zero. */
void explain_now_free(struct explain_now *now);
/* The filters can be asked: everything that they look at is there. */
bool explain_now_is_whole(const struct explain_now *now);
/* Why they cannot; static text. */
const char *explain_now_lacks(const struct explain_now *now);
/* The integration would fire now, and this version knows its kind. */
bool explain_now_fires(const struct explain_now *now, const struct integration *integration);

/* Stages are those from MATCH_FIRES + 1 on. What a stage compared, in words, and whether it lets the event pass. */
bool explain_now_passes(const struct explain_now *now, const struct integration *integration,
                        enum match_verdict stage);
void explain_now_say_why(struct buf *out, const struct explain_now *now,
                         const struct integration *integration, enum match_verdict stage);
enum { EXPLAIN_WHY_MAX = 65536 /* bytes of that */ };

#endif
