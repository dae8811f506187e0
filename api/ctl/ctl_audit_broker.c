/*
 * ctl_audit_broker - notifyctl audit, the broker's half: does it hold a message for all that waits?
 *
 * What waits in the ledger for a time to come has its message on the retry ladder; what an expanded scan has published is
 * a row, or still a message. So neither may be more than the messages there are. To be right while workers run:
 *   - only rows are counted that have waited for some seconds already and will for some more (SETTLED), so that no message
 *     is on its way between row and ladder;
 *   - the ladder is read from its highest level down, as messages travel: one that moves meanwhile is counted twice, never
 *     missed; queues are read before rows, so that a message that becomes a row meanwhile is counted twice too;
 *   - of scans, only those whose events have stopped coming in for the grace;
 *   - what falls short is asked for again after a pause, and the better answer counts.
 * A queue that does not exist holds nothing. Queues are asked passively.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/ctl/ctl_audit.h"
#include "api/ctl/ctl_broker.h"
#include "worker/topology.h"

#define SETTLED "interval '5 s'"

enum { PAUSE_S = 2, WRONG_MAX = 256 };

/* $1: the grace. How many wait, one of them; how many events of scans are missing, of one of them. */
static const char rows_sql[] =
    "WITH waits AS (SELECT event_id || ' ' || integration_id AS example FROM notify.deliveries"
    " WHERE state = 'waiting' AND NOT owed AND updated_at < now() - " SETTLED " AND due_at > now() + " SETTLED
    " UNION ALL SELECT id FROM notify.events WHERE state IN ('open', 'scheduled') AND NOT owed"
    " AND accepted_at < now() - " SETTLED " AND scheduled_for > now() + " SETTLED ")"
    ", scans AS (SELECT t.id, t.published - count(c.id) AS missing FROM notify.events t"
    " LEFT JOIN notify.events c ON c.scan_id = t.scan_id AND c.event_type <> 'notify_scan_findings'"
    " AND c.id = CASE WHEN octet_length(t.id) > 160"
    " THEN left(encode(sha256(convert_to(t.id, 'UTF8')), 'hex'), 32) ELSE t.id END"
    " || '.' || coalesce(c.finding_id::text, 'scan_done')"
    " WHERE t.event_type = 'notify_scan_findings' AND t.state = 'expanded' GROUP BY t.id"
    " HAVING t.published > count(c.id)"
    " AND greatest(t.accepted_at, t.finished_at, max(c.accepted_at)) < now() - $1::float8 * interval '1 s')"
    " SELECT (SELECT count(*) FROM waits), (SELECT min(example) FROM waits),"
    " (SELECT coalesce(sum(missing), 0) FROM scans), (SELECT min(id) FROM scans)";

/* One look at both sides. */
struct look {
    long waits, ladder;   /* rows, messages */
    long missing, queued; /* events of scans: rows, messages */
    PGresult *rows;       /* for the examples */
};

static bool count_queue(struct broker *broker, const char *queue, long *sum)
{
    struct broker_queue found;
    if (!broker_look(broker, queue, &found))
        return false;
    *sum += found.messages;
    return true;
}

static bool count_messages(struct broker *broker, struct look *look)
{
    look->ladder = look->queued = 0;
    bool good = count_queue(broker, TOPOLOGY_URGENT, &look->queued) &&
                count_queue(broker, TOPOLOGY_BULK, &look->queued);
    for (int level = TOPOLOGY_LEVELS - 1; good && level >= 0; level--) {
        char name[sizeof TOPOLOGY_DELAY + 16];
        snprintf(name, sizeof name, TOPOLOGY_DELAY ".%d", level);
        good = count_queue(broker, name, &look->ladder);
    }
    return good && count_queue(broker, TOPOLOGY_DUE, &look->ladder);
}

static bool count_rows(const struct audit *a, struct db *db, struct look *look)
{
    char grace[32];
    const char *values[] = {grace};
    snprintf(grace, sizeof grace, "%.15g", a->grace);
    PQclear(look->rows);
    look->rows = db_query(db, rows_sql, 1, values);
    if (!look->rows)
        return false;
    look->waits = strtol(PQgetvalue(look->rows, 0, 0), NULL, 10);
    look->missing = strtol(PQgetvalue(look->rows, 0, 2), NULL, 10);
    return true;
}

static long beyond(long rows, long messages)
{
    return rows > messages ? rows - messages : 0;
}

/* Look once, and again if it does not add up; *LADDER and *SCANS: by how much, at the better look. */
static enum ctl_exit look_twice(const struct audit *a, struct broker *broker, struct db *db,
                                struct look *look, long *ladder, long *scans)
{
    *ladder = *scans = -1;
    for (int i = 0; i < 2; i++) {
        if (i)
            sleep(PAUSE_S);
        if (!count_messages(broker, look))
            return broker_fail(broker);
        if (!count_rows(a, db, look))
            return ctl_fail_db(db);
        long now = beyond(look->waits, look->ladder);
        *ladder = *ladder < 0 || now < *ladder ? now : *ladder;
        now = beyond(look->missing, look->queued);
        *scans = *scans < 0 || now < *scans ? now : *scans;
        if (!*ladder && !*scans)
            break;
    }
    return CTL_DONE;
}

static void report(struct audit *a, const struct look *look, long ladder, long scans)
{
    char wrong[WRONG_MAX];
    a->checks += 2;
    if (ladder) {
        snprintf(wrong, sizeof wrong,
                 "more wait in the ledger (%ld) than there are messages on the retry ladder (%ld)",
                 look->waits, look->ladder);
        audit_found(a, "ladder", ladder, wrong, PQgetvalue(look->rows, 0, 1),
                    "the sweep publishes each again when it is overdue by sweep.grace, so nothing is lost; "
                    "find out who "
                    "purged or deleted a queue " TOPOLOGY_DELAY ".N or " TOPOLOGY_DUE);
    }
    if (scans) {
        snprintf(wrong, sizeof wrong,
                 "events of expanded scans (%ld) have no row, and " TOPOLOGY_URGENT " and " TOPOLOGY_BULK
                 " have only %ld messages",
                 look->missing, look->queued);
        audit_found(a, "scan_events", scans, wrong, PQgetvalue(look->rows, 0, 3),
                    "find out who deleted rows or purged a queue; to expand the scan again, which repeats no "
                    "event that "
                    "has a row: UPDATE notify.events SET state = 'open', finished_at = NULL, owed = true, "
                    "published = 0, "
                    "published_rank = NULL, published_id = NULL WHERE id = ...");
    }
}

enum ctl_exit audit_broker(struct audit *a, struct db *db, const struct conf *conf)
{
    struct broker broker;
    struct look look = {.rows = NULL};
    long ladder, scans;
    enum ctl_exit code = broker_open(&broker, conf) ? CTL_DONE : broker_fail(&broker);
    if (code == CTL_DONE)
        code = look_twice(a, &broker, db, &look, &ladder, &scans);
    if (code == CTL_DONE)
        report(a, &look, ladder, scans);
    PQclear(look.rows);
    broker_close(&broker);
    return code;
}
