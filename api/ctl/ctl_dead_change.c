/*
 * ctl_dead_change - notifyctl dead replay and dead drop
 *
 * Changes rows, publishes nothing: what is `owed` a message gets it from the sweep in notifyd, so a replay is done when
 * its rows are committed, whatever becomes of the broker or of this program. In batches, each a transaction of its own
 * that skips rows which others hold and so never waits for a worker; what was skipped is tried again, then counted. Batches keep
 * the rate that was asked for, and Ctrl-C stops between two of them (ctl_bulk.h). What is changed is no longer dead, so the same
 * command, given again, goes on where it stopped.
 *
 * What becomes of a row stands in api/service/ledger_sql.h, for the API does the same. An event starts where a new one does:
 * open, and due now.
 *
 * There is no dropped event: its row is the memory that keeps a repeated message from being handled twice, and has
 * nothing to give up. So drop leaves dead events alone and says so.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/ctl/ctl_bulk.h"
#include "api/ctl/ctl_dead.h"
#include "api/ctl/ctl_output.h"
#include "api/service/ledger_sql.h"
#include "common/base/buf.h"

enum {
    RATE_DEFAULT = 50, /* of replays: what was down for long gets a load that it has seen before */
    RATE_MAX = 1000000,
    BATCH = 1000,      /* rows of one transaction: some tens of milliseconds */
    TRIES = 20,        /* for rows that others hold ... */
    PAUSE_US = 100000, /* ... with this between them */
    TIME_MAX = 64,
    TEXT_MAX = 1024,
};

static const double batch_timeout =
    60; /* seconds: the first batch may have to look through all that is dead */

/* $15: where to go on, the time of the last row of the batch before. Each answers how many, and that time. */
#define PICKED_DELIVERIES(which)                                                                             \
    "WITH picked AS MATERIALIZED (SELECT d.event_id, d.integration_id, d.updated_at AS at"                   \
    " FROM notify.deliveries d WHERE" DEAD_IS_DELIVERY which                                                 \
    " AND ($15::timestamptz IS NULL OR d.updated_at >= $15) ORDER BY d.updated_at LIMIT $7::int"             \
    " FOR NO KEY UPDATE OF d SKIP LOCKED)"
#define CHANGED(table, key)                                                                                  \
    " FROM picked p WHERE " key " RETURNING p.at) SELECT count(*), max(at)::text FROM changed"

/* What a worker would cancel at once, and nobody could begin again, stays dead: its integration is disabled, or gone. */
#define IS_WANTED                                                                                            \
    " AND EXISTS (SELECT FROM public.integrations i WHERE i.id = d.integration_id AND i.enabled)"

/* clang-format off */
static const char replay_deliveries[] =
    PICKED_DELIVERIES(IS_WANTED) ", numbers AS (SELECT a.event_id, a.integration_id, min(a.attempt) AS lowest,"
    " max(a.attempt) AS highest FROM picked JOIN notify.attempts a USING (event_id, integration_id) GROUP BY 1, 2)"
    ", earlier AS (UPDATE notify.attempts a SET attempt = " LEDGER_EARLIER_LIFE("a", "n")
    " FROM numbers n WHERE a.event_id = n.event_id AND a.integration_id = n.integration_id AND a.attempt > 0)"
    ", changed AS (UPDATE notify.deliveries d SET " LEDGER_REPLAYED
    CHANGED("deliveries", "d.event_id = p.event_id AND d.integration_id = p.integration_id");
/* clang-format on */

static const char replay_events[] =
    "WITH picked AS MATERIALIZED (SELECT e.id, e.finished_at AS at FROM notify.events e WHERE" DEAD_IS_EVENT
    " AND ($15::timestamptz IS NULL OR e.finished_at >= $15) ORDER BY e.finished_at LIMIT $7::int"
    " FOR NO KEY UPDATE OF e SKIP LOCKED)"
    ", changed AS (UPDATE notify.events e SET state = 'open', reason = NULL, finished_at = NULL,"
    " scheduled_for = now(), owed = true, swept_at = NULL" CHANGED("events", "e.id = p.id");

static const char drop_deliveries[] =
    PICKED_DELIVERIES("") ", changed AS (UPDATE notify.deliveries d SET " LEDGER_DROPPED CHANGED(
        "deliveries", "d.event_id = p.event_id AND d.integration_id = p.integration_id");

static const char count_deliveries[] =
    "SELECT count(*), NULL FROM notify.deliveries d WHERE" DEAD_IS_DELIVERY " AND ($7::int IS NULL OR true)";
static const char count_wanted[] =
    "SELECT count(*), NULL FROM notify.deliveries d WHERE" DEAD_IS_DELIVERY IS_WANTED
    " AND ($7::int IS NULL OR true)";
static const char count_events[] =
    "SELECT count(*), NULL FROM notify.events e WHERE" DEAD_IS_EVENT " AND ($7::int IS NULL OR true)";

/* What a change would do, in groups; BECOMES is of those that it changes. */
#define PREVIEW(parts)                                                                                       \
    "SELECT x.becomes, x.reason, coalesce(i.kind, CASE WHEN x.integration_id IS NOT NULL THEN '(deleted)' "  \
    "END) AS kind, coalesce(x.integration_id::text, '(the whole event)') AS integration_id,"                 \
    " left(i.name, 30) AS name, count(*) AS count FROM (" parts ") x"                                        \
    " LEFT JOIN public.integrations i ON i.id = x.integration_id"                                            \
    " GROUP BY 1, 2, 3, 4, 5 ORDER BY x.becomes DESC, count(*) DESC, 2, 4"
#define PREVIEW_DELIVERIES(becomes, which, limit)                                                            \
    "(SELECT d.integration_id, d.reason, '" becomes "' AS becomes FROM notify.deliveries d"                  \
    " WHERE" DEAD_IS_DELIVERY which " ORDER BY d.updated_at LIMIT " limit ")"
#define PREVIEW_EVENTS(becomes, limit)                                                                       \
    "(SELECT NULL::uuid, e.reason, '" becomes "' FROM notify.events e WHERE" DEAD_IS_EVENT                   \
    " ORDER BY e.finished_at LIMIT " limit ")"

static const char preview_replay[] =
    PREVIEW(PREVIEW_DELIVERIES("replayed", IS_WANTED, "$7::int") " UNION ALL " PREVIEW_DELIVERIES(
        "kept", " AND NOT (true" IS_WANTED ")", "NULL") " UNION ALL " PREVIEW_EVENTS("replayed", "$7::int"));
static const char preview_drop[] =
    PREVIEW(PREVIEW_DELIVERIES("dropped", "", "$7::int") " UNION ALL " PREVIEW_EVENTS("kept", "NULL"));

struct change {
    struct db db;
    const struct dead_filter *filter;
    struct bulk bulk;
    char since[TIME_MAX]; /* what died later is left alone */
};

/* What became of the rows of one kind. */
struct tally {
    long changed;
    long busy; /* match, and others hold them */
};

/* Run SQL, whose first column is a count; AT, which may be NULL, takes the second. -1: it failed. */
static long run_batch(struct change *c, const char *sql, long limit, char *at)
{
    struct dead_values v;
    const char *values[DEAD_VALUES + 1];
    dead_values_fill(&v, c->filter, limit);
    memcpy(values, v.values, sizeof v.values);
    values[DEAD_SINCE] = c->since;
    values[DEAD_VALUES] = at && at[0] ? at : NULL;
    PGresult *result = db_query(&c->db, sql, at ? DEAD_VALUES + 1 : DEAD_VALUES, values);
    if (!result)
        return -1;
    long count = strtol(PQgetvalue(result, 0, 0), NULL, 10);
    if (at && !PQgetisnull(result, 0, 1))
        snprintf(at, TIME_MAX, "%s", PQgetvalue(result, 0, 1));
    PQclear(result);
    return count;
}

/* Once through all that matches; false when the database failed. */
static bool change_once(struct change *c, const char *sql, struct tally *t)
{
    char at[TIME_MAX] = "";
    long limit, count;
    do {
        long left = c->filter->limit ? c->filter->limit - t->changed : BATCH;
        limit = bulk_batch(&c->bulk, left < BATCH ? left : BATCH);
        count = limit > 0 && bulk_wait(&c->bulk) ? run_batch(c, sql, limit, at) : 0;
        t->changed += count > 0 ? count : 0;
        bulk_advance(&c->bulk, count > 0 ? count : 0);
    } while (limit > 0 && count == limit);
    return count >= 0;
}

static bool change_all(struct change *c, const char *sql, const char *count_sql, struct tally *t)
{
    for (int i = 0; i < TRIES; i++) {
        if (!change_once(c, sql, t))
            return false;
        if (bulk_is_stopped() || (c->filter->limit && t->changed >= c->filter->limit))
            return true;
        t->busy = run_batch(c, count_sql, 0, NULL);
        if (t->busy <= 0)
            return t->busy == 0;
        usleep(PAUSE_US);
    }
    return true;
}

/* Open the database and note its time. */
static bool start(const struct ctl *ctl, struct change *c, enum ctl_exit *code)
{
    if (!ctl_open_db(ctl, &c->db, code))
        return false;
    c->db.timeout = batch_timeout;
    PGresult *now = db_query(&c->db, "SELECT clock_timestamp()::text", 0, NULL);
    if (now)
        snprintf(c->since, sizeof c->since, "%s", PQgetvalue(now, 0, 0));
    else
        *code = ctl_fail_db(&c->db);
    PQclear(now);
    if (*code != CTL_DONE)
        db_close(&c->db);
    return *code == CTL_DONE;
}

static const char *plural(long count)
{
    return count == 1 ? "" : "s";
}

/* The last words, after what was changed was said. Rows that others held all the time may be free a moment later. */
static enum ctl_exit end(const struct change *c, long changed, long busy)
{
    if (bulk_is_stopped()) {
        fputs("notifyctl: stopped; the same command goes on with what is still dead\n", stderr);
        return CTL_NO;
    }
    if (busy)
        fprintf(stderr, "notifyctl: %ld more are being changed by others; run this again\n", busy);
    if (busy)
        return CTL_AWAY;
    if (!changed && c->filter->event) {
        fputs("notifyctl: the ledger has nothing dead by that name; see notifyctl dead show\n", stderr);
        return CTL_NO;
    }
    return CTL_DONE;
}

/* The database failed; what is committed stays so. */
static enum ctl_exit break_off(struct change *c)
{
    bulk_end(&c->bulk);
    if (c->bulk.done)
        fprintf(stderr, "notifyctl: %s %ld before this; the same command goes on with the rest\n",
                c->bulk.verb, c->bulk.done);
    return ctl_fail_db(&c->db);
}

static const char *stopped_member(void)
{
    return bulk_is_stopped() ? ",\"stopped\":true" : "";
}

static enum ctl_exit replay(struct change *c)
{
    struct tally deliveries = {.changed = 0}, events = {.changed = 0};
    if (!change_all(c, replay_deliveries, count_wanted, &deliveries) ||
        (!bulk_is_stopped() && !change_all(c, replay_events, count_events, &events)))
        return break_off(c);
    bool partly = bulk_is_stopped() || (c->filter->limit && deliveries.changed >= c->filter->limit);
    long busy = deliveries.busy + events.busy;
    long dead = partly ? deliveries.busy : run_batch(c, count_deliveries, 0, NULL);
    if (dead < 0)
        return break_off(c);
    long kept = dead - deliveries.busy;
    bulk_end(&c->bulk);
    if (c->filter->json)
        printf("{\"deliveries\":%ld,\"events\":%ld,\"kept\":%ld,\"busy\":%ld%s}\n", deliveries.changed,
               events.changed, kept, busy, stopped_member());
    else
        printf("replayed %ld deliver%s and %ld event%s; a running notifyd sends them\n", deliveries.changed,
               deliveries.changed == 1 ? "y" : "ies", events.changed, plural(events.changed));
    if (kept > 0)
        fprintf(stderr,
                "notifyctl: %ld stay%s dead, because the integration is disabled or was deleted; enable it "
                "first, or drop them\n",
                kept, kept == 1 ? "s" : "");
    if (kept > 0 && c->filter->event && !deliveries.changed && !busy)
        return CTL_NO;
    return end(c, deliveries.changed + events.changed, busy);
}

static enum ctl_exit drop(struct change *c)
{
    struct tally deliveries = {.changed = 0};
    long kept = -1;
    if (change_all(c, drop_deliveries, count_deliveries, &deliveries))
        kept = bulk_is_stopped() ? 0 : run_batch(c, count_events, 0, NULL);
    if (kept < 0)
        return break_off(c);
    bulk_end(&c->bulk);
    if (c->filter->json)
        printf("{\"deliveries\":%ld,\"events_kept\":%ld,\"busy\":%ld%s}\n", deliveries.changed, kept,
               deliveries.busy, stopped_member());
    else
        printf("dropped %ld deliver%s\n", deliveries.changed, deliveries.changed == 1 ? "y" : "ies");
    if (kept)
        fprintf(stderr,
                "notifyctl: %ld dead event%s stay%s: they reached no integration, so there is nothing to "
                "drop; replay "
                "them, or leave the rows, which keep a repeated message from being handled twice\n",
                kept, plural(kept), kept == 1 ? "s" : "");
    return kept && c->filter->event && !deliveries.changed ? CTL_NO
                                                           : end(c, deliveries.changed, deliveries.busy);
}

/* A verb of this file: its words, statements and default. */
struct verb {
    const char *name, *done;
    long rate;
    const char *preview;
    const char *counts[2]; /* of what it changes; the second may be NULL */
    enum ctl_exit (*run)(struct change *);
};

static enum ctl_exit show_preview(struct change *c, const struct verb *verb)
{
    struct dead_values v;
    dead_values_fill(&v, c->filter, c->filter->limit);
    v.values[DEAD_SINCE] = c->since;
    PGresult *rows = db_query(&c->db, verb->preview, DEAD_VALUES, v.values);
    if (!rows)
        return ctl_fail_db(&c->db);
    if (c->filter->json)
        output_json(rows);
    else
        output_table(rows, true);
    PQclear(rows);
    return CTL_DONE;
}

/* Count what it is about, and have a person say yes to more than a few; false: not, with the exit code. */
static bool is_wanted(const struct ctl *ctl, struct change *c, const struct verb *verb, enum ctl_exit *code)
{
    long limit = c->filter->limit;
    char question[TEXT_MAX], pace[64] = "";
    for (int i = 0; i < 2 && verb->counts[i]; i++) {
        long count = run_batch(c, verb->counts[i], 0, NULL);
        if (count < 0) {
            *code = ctl_fail_db(&c->db);
            return false;
        }
        c->bulk.total += limit && count > limit ? limit : count;
    }
    if (c->bulk.total <= BULK_ASK_ABOVE || ctl_value(ctl, "--yes"))
        return true;
    if (c->bulk.rate)
        snprintf(pace, sizeof pace, " at %ld a second, which takes %ld s", c->bulk.rate,
                 c->bulk.total / c->bulk.rate);
    snprintf(question, sizeof question, "%s %ld%s", verb->name, c->bulk.total, pace);
    if (bulk_confirm(question))
        return true;
    fputs("notifyctl: nothing was changed\n", stderr);
    *code = CTL_NO;
    return false;
}

static enum ctl_exit change(const struct ctl *ctl, const struct dead_filter *filter, const struct verb *verb)
{
    struct change c = {.filter = filter};
    enum ctl_exit code = CTL_DONE;
    long rate;
    if (!ctl_number(ctl, "--rate", 0, RATE_MAX, verb->rate, &rate))
        return CTL_WRONG_USE;
    if (!start(ctl, &c, &code))
        return code;
    c.bulk.rate = rate; /* for the question */
    if (ctl_value(ctl, "--dry-run")) {
        code = show_preview(&c, verb);
    } else if (is_wanted(ctl, &c, verb, &code)) {
        long total = c.bulk.total;
        bulk_begin(&c.bulk, verb->done, rate);
        c.bulk.total = total;
        code = verb->run(&c);
    }
    db_close(&c.db);
    return code;
}

enum ctl_exit ctl_dead_replay(const struct ctl *ctl)
{
    static const struct verb verb = {
        "replay", "replayed", RATE_DEFAULT, preview_replay, {count_wanted, count_events}, replay};
    struct dead_filter filter;
    if (!dead_filter_read(ctl, 0, &filter) || !dead_filter_is_meant(ctl, &filter, "replay"))
        return CTL_WRONG_USE;
    return change(ctl, &filter, &verb);
}

enum ctl_exit ctl_dead_drop(const struct ctl *ctl)
{
    static const struct verb verb = {"drop", "dropped", 0, preview_drop, {count_deliveries, NULL}, drop};
    struct dead_filter filter;
    if (!dead_filter_read(ctl, 0, &filter) || !dead_filter_is_meant(ctl, &filter, "drop"))
        return CTL_WRONG_USE;
    return ctl_value(ctl, "--unread") ? dead_unread_drop(ctl, &filter) : change(ctl, &filter, &verb);
}
