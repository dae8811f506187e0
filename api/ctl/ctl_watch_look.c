/*
 * ctl_watch_look - one look at the ledger and the queues, at a cost that does not grow with the ledger
 *
 * Owns the two connections, which stay between looks; one that failed is closed and made again by the next look. Counts stop at
 * WATCH_MOST rows, taken in the order of an index that holds only such rows, so a look reads some 50,000 entries of indexes at the
 * very most, besides what came since the last one; the state of integrations, a row each, is read whole. Where the database is
 * slower than that all the same, it gives up after STATEMENT_SECONDS. Nothing is locked or written.
 *
 * Rates are differences of the workspaces' sums over a window of at least two reports of the workers (gate.report), who add to notify.stats_hourly that
 * often; events are counted by their own rows, a second late, when rows of longer transactions are there too.
 */
#include <stdlib.h>
#include <string.h>

#include "api/ctl/ctl_output.h"
#include "api/ctl/ctl_watch.h"
#include "common/base/clock.h"
#include "common/base/iso8601.h"

#define STATEMENT_SECONDS "5"
#define MOST              "10001" /* WATCH_MOST and one */

/* clang-format off */
/* $1: events are counted from here, $2: the first hour of the last sums, $3: seconds after which what waits is overdue. */
static const char figures_sql[] =
    "WITH t AS (SELECT now() AS at, date_trunc('hour', now()) - interval '1 hour' AS hours),"
    " h AS (SELECT coalesce(sum(s.delivered) FILTER (WHERE s.hour >= $2::timestamptz), 0) AS was_delivered,"
    " coalesce(sum(s.failed) FILTER (WHERE s.hour >= $2), 0) AS was_failed,"
    " coalesce(sum(s.dead) FILTER (WHERE s.hour >= $2), 0) AS was_dead,"
    " coalesce(sum(s.delivered) FILTER (WHERE s.hour >= t.hours), 0) AS delivered,"
    " coalesce(sum(s.failed) FILTER (WHERE s.hour >= t.hours), 0) AS failed,"
    " coalesce(sum(s.dead) FILTER (WHERE s.hour >= t.hours), 0) AS dead"
    " FROM t JOIN notify.stats_hourly s ON s.hour >= least($2, t.hours) AND s.integration_id = s.workspace_id),"
    " o AS (SELECT count(*) FILTER (WHERE x.state = 'sending') AS sending,"
    " count(*) FILTER (WHERE x.state = 'waiting') AS waiting,"
    " count(*) FILTER (WHERE x.state = 'waiting' AND x.due_at < now() - $3::float8 * interval '1 second') AS overdue,"
    " coalesce(extract(epoch FROM now() - min(x.due_at) FILTER (WHERE x.state = 'waiting')), 0) AS late"
    " FROM (SELECT d.state, d.due_at FROM notify.deliveries d WHERE d.state IN ('sending', 'waiting')"
    " ORDER BY greatest(d.due_at, d.lease_until, d.swept_at) LIMIT " MOST ") x),"
    " m AS (SELECT count(*) AS deferred, coalesce(extract(epoch FROM now() - min(x.due_at)), 0) AS age"
    " FROM (SELECT d.due_at FROM notify.deliveries d WHERE d.state = 'deferred'"
    " ORDER BY d.integration_id, d.rank DESC, d.due_at LIMIT " MOST ") x)"
    " SELECT " OUTPUT_UTC("t.at") ", extract(epoch FROM t.at), (t.at - interval '1 second')::text, t.hours::text,"
    " (SELECT count(*) FROM (SELECT FROM notify.events e WHERE e.accepted_at > $1::timestamptz"
    " AND e.accepted_at <= now() - interval '1 second' LIMIT 1000000) x),"
    " h.was_delivered, h.was_failed, h.was_dead, h.delivered, h.failed, h.dead,"
    " o.sending, o.waiting, o.overdue, greatest(o.late, 0)::bigint, m.deferred, greatest(m.age, 0)::bigint"
    " FROM t, h, o, m";
enum column {
    AT, EPOCH, EVENTS_UNTIL, HOURS, EVENTS, WAS_DELIVERED, WAS_FAILED, WAS_DEAD, DELIVERED, FAILED, DEAD,
    SENDING, WAITING, OVERDUE, LATE, DEFERRED, DEFERRED_AGE,
};

static const char reasons_sql[] =
    "SELECT x.reason, count(*) AS count, " OUTPUT_UTC("max(x.at)") " AS last FROM ("
    "(SELECT d.reason, d.updated_at AS at FROM notify.deliveries d WHERE d.state = 'dead'"
    " ORDER BY d.updated_at DESC LIMIT " MOST ") UNION ALL "
    "(SELECT e.reason, e.finished_at FROM notify.events e WHERE e.state = 'dead'"
    " ORDER BY e.finished_at DESC LIMIT " MOST ")) x GROUP BY 1 ORDER BY 2 DESC, 1";

static const char failing_sql[] =
    "SELECT s.integration_id, s.kind, s.name, s.health, s.last_error, s.failing_for_s, d.mailbox, d.mailbox_age_s"
    " FROM (SELECT s.integration_id, coalesce(i.kind, '(deleted)') AS kind, left(i.name, 24) AS name,"
    " CASE WHEN b.since IS NOT NULL THEN 'broken' WHEN s.circuit_until > now() THEN 'circuit_open'"
    " WHEN s.failing_since IS NOT NULL THEN 'failing' ELSE 'healthy' END AS health, s.last_error,"
    " extract(epoch FROM now() - coalesce(b.since, s.failing_since))::bigint AS failing_for_s"
    " FROM notify.integration_state s LEFT JOIN public.integrations i ON i.id = s.integration_id"
    " CROSS JOIN LATERAL (SELECT CASE WHEN s.broken_row <> '' AND i.id IS NOT NULL THEN s.broken_since END AS since) b"
    " WHERE s.wake_at IS NOT NULL OR s.failing_since IS NOT NULL OR b.since IS NOT NULL"
    " ORDER BY coalesce(b.since, s.failing_since) NULLS LAST, s.wake_at, s.integration_id LIMIT 20) s"
    " CROSS JOIN LATERAL (SELECT count(*) AS mailbox, extract(epoch FROM now() - min(x.due_at))::bigint AS mailbox_age_s"
    " FROM (SELECT d.due_at FROM notify.deliveries d WHERE d.integration_id = s.integration_id AND d.state = 'deferred'"
    " ORDER BY d.rank DESC, d.due_at LIMIT 1000) x) d";
/* clang-format on */

void watch_begin(struct watch *w, const struct conf *conf)
{
    memset(w, 0, sizeof *w);
    w->conf = conf;
}

static void close_database(struct watch *w)
{
    db_close(&w->db);
    w->db_open = false;
    w->sample_count = 0; /* what happened meanwhile would be counted as one burst */
    w->events_until[0] = w->hours_since[0] = '\0';
}

static void close_broker(struct watch *w)
{
    broker_close(&w->broker);
    w->broker_open = false;
}

void watch_end(struct watch *w)
{
    close_database(w);
    close_broker(w);
}

static double number_at(const PGresult *row, enum column column)
{
    return strtod(PQgetvalue(row, 0, column), NULL);
}

static long count_at(const PGresult *row, enum column column)
{
    return strtol(PQgetvalue(row, 0, column), NULL, 10);
}

/* What grew since the sums of the last turn; a figure that somebody deleted is no rate. */
static double grown(double now, double before)
{
    return now > before ? now - before : 0;
}

/* Add what happened since the last turn to the samples. */
static void take_sample(struct watch *w, const PGresult *row)
{
    struct watch_sample next = {.at = number_at(row, EPOCH)};
    if (w->sample_count) {
        const struct watch_sample *last = &w->samples[w->sample_count - 1];
        next.events = last->events + number_at(row, EVENTS);
        next.deliveries = last->deliveries + grown(number_at(row, WAS_DELIVERED), w->last.deliveries);
        next.failures = last->failures + grown(number_at(row, WAS_FAILED), w->last.failures);
        next.dead = last->dead + grown(number_at(row, WAS_DEAD), w->last.dead);
    }
    if (w->sample_count == WATCH_SAMPLES)
        memmove(w->samples, w->samples + 1, --w->sample_count * sizeof w->samples[0]);
    w->samples[w->sample_count++] = next;
    w->last = (struct watch_sample){.deliveries = number_at(row, DELIVERED),
                                    .failures = number_at(row, FAILED),
                                    .dead = number_at(row, DEAD)};
    snprintf(w->events_until, sizeof w->events_until, "%s", PQgetvalue(row, 0, EVENTS_UNTIL));
    snprintf(w->hours_since, sizeof w->hours_since, "%s", PQgetvalue(row, 0, HOURS));
}

/* The rates over the shortest run of turns that is long enough, or over all of them. */
static void make_rates(const struct watch *w, struct watch_look *look)
{
    const struct watch_sample *now = &w->samples[w->sample_count - 1];
    size_t from = w->sample_count - 1;
    while (from && now->at - w->samples[from].at < 2 * w->conf->gate_report)
        from--;
    const struct watch_sample *then = &w->samples[from];
    look->window = now->at - then->at;
    look->rates_known = look->window > 0;
    if (!look->rates_known)
        return;
    look->rates.events = (now->events - then->events) / look->window;
    look->rates.deliveries = (now->deliveries - then->deliveries) / look->window;
    look->rates.failures = (now->failures - then->failures) / look->window;
    look->rates.dead = (now->dead - then->dead) / look->window;
}

static void take_counts(const PGresult *row, struct watch_look *look)
{
    snprintf(look->at, sizeof look->at, "%s", PQgetvalue(row, 0, AT));
    look->sending = count_at(row, SENDING);
    look->waiting = count_at(row, WAITING);
    look->overdue = count_at(row, OVERDUE);
    look->overdue_s = look->overdue ? count_at(row, LATE) : 0;
    look->deferred = count_at(row, DEFERRED);
    look->deferred_s = count_at(row, DEFERRED_AGE);
    look->more_open = look->sending + look->waiting > WATCH_MOST;
    look->more_deferred = look->deferred > WATCH_MOST;
}

static void sum_dead(struct watch_look *look)
{
    for (int i = 0; i < PQntuples(look->reasons); i++)
        look->dead += strtol(PQgetvalue(look->reasons, i, 1), NULL, 10);
    look->more_dead = look->dead > WATCH_MOST;
}

/* False: the database failed, as db->why says. */
static bool look_at_ledger(struct watch *w, struct watch_look *look)
{
    char grace[32];
    if (!w->db_open &&
        (!db_open(&w->db, w->conf, "notifyctl", DB_AS_CONFIGURED) ||
         !db_run(&w->db,
                 "SET default_transaction_read_only = on; SET statement_timeout = '" STATEMENT_SECONDS "s'")))
        return false;
    w->db_open = true;
    snprintf(grace, sizeof grace, "%.15g", w->conf->sweep_grace);
    const char *values[] = {w->events_until[0] ? w->events_until : NULL,
                            w->hours_since[0] ? w->hours_since : NULL, grace};
    PGresult *row = db_query(&w->db, figures_sql, 3, values);
    if (row) {
        take_sample(w, row);
        make_rates(w, look);
        take_counts(row, look);
        look->reasons = db_query(&w->db, reasons_sql, 0, NULL);
        look->failing = look->reasons ? db_query(&w->db, failing_sql, 0, NULL) : NULL;
    }
    PQclear(row);
    if (look->failing)
        sum_dead(look);
    return look->failing != NULL;
}

static bool look_at_queues(struct watch *w, struct watch_look *look)
{
    const char *name;
    if (!w->broker_open && !broker_open(&w->broker, w->conf))
        return false;
    w->broker_open = true;
    for (size_t i = 0; i < WATCH_QUEUES && (name = broker_queue_name(w->conf, i)); i++) {
        if (!broker_look(&w->broker, name, &look->queues[i]))
            return false;
        look->queue_names[i] = name;
        look->queue_count = i + 1;
    }
    return true;
}

void watch_look(struct watch *w, struct watch_look *look)
{
    enum ctl_exit code;
    memset(look, 0, sizeof *look);
    iso8601_format(clock_wall_us(), look->at);
    look->ledger_known = look_at_ledger(w, look);
    if (!look->ledger_known) {
        const char *advice = ctl_db_advice(&w->db, &code);
        snprintf(look->database_why, sizeof look->database_why, "%s; %s", w->db.why, advice);
        look->rates_known = false;
        close_database(w);
    }
    look->queues_known = look_at_queues(w, look);
    if (!look->queues_known) {
        snprintf(look->broker_why, sizeof look->broker_why, "%s; %s", w->broker.why,
                 broker_advice(&w->broker));
        close_broker(w);
    }
}

void watch_look_free(struct watch_look *look)
{
    PQclear(look->reasons);
    PQclear(look->failing);
    look->reasons = look->failing = NULL;
}
