/*
 * retention - deletes old events with their deliveries, a little at a time
 *
 * Once in retention.interval it walks over the events that were accepted longer than retention.deliveries_days ago,
 * oldest first, retention.batch at a time:
 *
 *   IDLE -> may it delete at all? -> a batch -> a pause of four times as long as that took -> a batch … -> IDLE
 *
 * so it has a fifth of one connection's time at most, and whoever waits for a lock of it waits for one batch.
 *
 * What stands at destinations for findings (references) goes with its integration; what stands for nothing, or for an event of
 * a scan, when it is as old. Of the API's: who changed what, and tokens that are over, after retention.changes_days; answers
 * that it keeps for repeated creations after a day; figures by the hour after retention.stats_days. All of them in the same walk, as many at a time; but in a request of its own,
 * and only when the role may delete them: one whose rights are of an earlier version still keeps the ledger small.
 *
 * Invariants:
 *   - a delivery goes when it is finished, owed nothing, and was not touched since then, and so are all others of its event;
 *   - an event goes when none of its deliveries is left. That is asked in a statement of its own, which sees what was
 *     replayed while the first one ran;
 *   - any number of agents may do this; what one finds locked or gone, another has.
 *
 * Rows of shadow mode go like events, when they are as old. In shadow mode nothing else does: the rest belongs to a pool that delivers.
 *
 * The place that a walk has come to is kept in memory only: what it passed over it sees again in the next.
 */
#include "worker/retention.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/db/pg_advice.h"
#include "common/db/retire_sql.h"
#include "worker/shared.h"
#include "worker/statements.h"

enum { PAUSE_FACTOR = 4, AT_SIZE = 64, ID_SIZE = 201 };

#define SQLSTATE_MISSING_RIGHT "42501"

static const double PAUSE_LEAST_S = 0.05;

struct retention {
    const struct conf *conf;
    struct pg_link *link;
    struct event *timer;
    struct pg_request request;
    int64_t sent_us;
    char at[AT_SIZE]; /* where the walk is: accepted_at and id of the last event that was looked at */
    char id[ID_SIZE];
    long long events, deliveries, refs, answers, changes, tokens, hours, shadows; /* deleted in this walk */
    int looked_at;                                                                /* events in this batch */
    bool full; /* as many of something else went in this batch as may, so there is more */
    bool walking;
    bool may, may_kept;           /* delete from the ledger; delete what the API keeps */
    bool may_shadow;              /* delete what shadow mode wrote */
    bool said_not, said_not_kept; /* that it may not */
};

static void set_timer(struct retention *r, double seconds)
{
    struct timeval tv = clock_timeval(seconds);
    event_add(r->timer, &tv);
}

static void rewind_walk(struct retention *r)
{
    snprintf(r->at, sizeof r->at, "-infinity");
    r->id[0] = 0;
    r->walking = false;
    r->events = r->deliveries = r->refs = r->answers = r->changes = r->tokens = r->hours = r->shadows = 0;
}

static void end_walk(struct retention *r)
{
    if (r->events || r->deliveries || r->refs || r->answers || r->changes || r->tokens || r->hours ||
        r->shadows)
        LOG(LOG_INFO, "old_rows_deleted", LOG_NUM("events", r->events), LOG_NUM("deliveries", r->deliveries),
            LOG_NUM("references", r->refs), LOG_NUM("answers", r->answers), LOG_NUM("changes", r->changes),
            LOG_NUM("tokens", r->tokens), LOG_NUM("hours", r->hours), LOG_NUM("shadows", r->shadows));
    rewind_walk(r);
    set_timer(r, r->conf->retention_interval);
}

static void on_rows(struct pg_request *request, int index, const PGresult *rows)
{
    struct retention *r = list_entry(request, struct retention, request);
    if (index > 1) {
        r->refs += strtoll(PQgetvalue(rows, 0, 0), NULL, 10);
        return;
    }
    if (index == 0) {
        long long deleted = strtoll(PQgetvalue(rows, 0, 0), NULL, 10);
        r->deliveries += deleted;
        shared_count_more(COUNT_DELIVERIES_DELETED, deleted);
        return;
    }
    long long deleted = strtoll(PQgetvalue(rows, 0, RETIRE_EVENTS), NULL, 10);
    r->events += deleted;
    shared_count_more(COUNT_EVENTS_DELETED, deleted);
    r->looked_at = atoi(PQgetvalue(rows, 0, RETIRE_LOOKED_AT));
    if (r->looked_at > 0) {
        snprintf(r->at, sizeof r->at, "%s", PQgetvalue(rows, 0, RETIRE_LAST_AT));
        snprintf(r->id, sizeof r->id, "%s", PQgetvalue(rows, 0, RETIRE_LAST_ID));
    }
}

static void say_kept(const char *reason, const char *sqlstate)
{
    LOG(LOG_WARN, "old_rows_kept", LOG_TEXT("reason", reason), LOG_TEXT("advice", pg_advice(sqlstate)));
}

static void pause_or_end(struct retention *r)
{
    if (r->looked_at < r->conf->retention_batch && !r->full) {
        end_walk(r);
        return;
    }
    double took = (double)(clock_mono_us() - r->sent_us) / 1e6, pause = PAUSE_FACTOR * took;
    set_timer(r, pause > PAUSE_LEAST_S ? pause : PAUSE_LEAST_S);
}

static void on_shadow_rows(struct pg_request *request, int index, const PGresult *rows)
{
    struct retention *r = list_entry(request, struct retention, request);
    long long deleted = strtoll(PQgetvalue(rows, 0, 0), NULL, 10);
    (void)index;
    r->shadows += deleted;
    r->full |= deleted >= r->conf->retention_batch;
}

static void on_shadow_done(struct pg_request *request)
{
    struct retention *r = list_entry(request, struct retention, request);
    if (request->outcome == PG_LINK_LOST) {
        end_walk(r);
        return;
    }
    if (request->outcome != PG_DONE) {
        say_kept(request->words, request->sqlstate);
        r->may_shadow = r->full = false;
    }
    pause_or_end(r);
}

static void delete_shadows(struct retention *r)
{
    char days[32], most[16];
    const char *values[] = {days, most};
    snprintf(days, sizeof days, "%.6f", r->conf->retention_deliveries_days);
    snprintf(most, sizeof most, "%ld", (long)r->conf->retention_batch);
    r->request = (struct pg_request){.result = on_shadow_rows, .done = on_shadow_done};
    pg_link_begin(r->link, &r->request);
    pg_link_execute(r->link, &r->request, STATEMENT_RETIRE_SHADOW, 2, values, NULL, NULL);
    pg_link_end(r->link, &r->request);
}

static void delete_shadows_or_end(struct retention *r)
{
    if (r->may_shadow)
        delete_shadows(r);
    else
        pause_or_end(r);
}

static void on_kept_rows(struct pg_request *request, int index, const PGresult *rows)
{
    struct retention *r = list_entry(request, struct retention, request);
    long long *const sums[] = {&r->answers, &r->changes, &r->tokens, &r->hours}; /* as delete_kept asks */
    long long deleted = strtoll(PQgetvalue(rows, 0, 0), NULL, 10);
    *sums[index] += deleted;
    r->full |= deleted >= r->conf->retention_batch;
}

/* Whatever came of it, the ledger's walk goes on; this part does so in the next walk. */
static void on_kept_done(struct pg_request *request)
{
    struct retention *r = list_entry(request, struct retention, request);
    if (request->outcome == PG_LINK_LOST) {
        end_walk(r);
        return;
    }
    if (request->outcome != PG_DONE) {
        say_kept(request->words, request->sqlstate);
        r->may_kept = r->full = false;
    }
    delete_shadows_or_end(r);
}

static void delete_kept(struct retention *r)
{
    char changes_days[32], stats_days[32], most[16];
    const char *values[] = {changes_days, most}, *figures[] = {stats_days, most};
    snprintf(changes_days, sizeof changes_days, "%.6f", r->conf->retention_changes_days);
    snprintf(stats_days, sizeof stats_days, "%.6f", r->conf->retention_stats_days);
    snprintf(most, sizeof most, "%ld", (long)r->conf->retention_batch);
    r->request = (struct pg_request){.result = on_kept_rows, .done = on_kept_done};
    pg_link_begin(r->link, &r->request);
    pg_link_execute(r->link, &r->request, STATEMENT_RETIRE_ANSWERS, 1, &values[1], NULL, NULL);
    pg_link_execute(r->link, &r->request, STATEMENT_RETIRE_CHANGES, 2, values, NULL, NULL);
    pg_link_execute(r->link, &r->request, STATEMENT_RETIRE_TOKENS, 2, values, NULL, NULL);
    pg_link_execute(r->link, &r->request, STATEMENT_RETIRE_HOURS, 2, figures, NULL, NULL);
    pg_link_end(r->link, &r->request);
}

static void on_done(struct pg_request *request)
{
    struct retention *r = list_entry(request, struct retention, request);
    if (request->outcome != PG_DONE) {
        if (request->outcome != PG_LINK_LOST)
            say_kept(request->words, request->sqlstate);
        end_walk(r);
    } else if (r->may_kept) {
        delete_kept(r);
    } else {
        delete_shadows_or_end(r);
    }
}

static void delete_from_ledger(struct retention *r)
{
    char days[32], most[16];
    const char *values[] = {days, r->at, r->id, most}, *passing[] = {days, most};
    snprintf(days, sizeof days, "%.6f", r->conf->retention_deliveries_days);
    snprintf(most, sizeof most, "%ld", (long)r->conf->retention_batch);
    r->request = (struct pg_request){.result = on_rows, .done = on_done};
    pg_link_begin(r->link, &r->request);
    pg_link_execute(r->link, &r->request, STATEMENT_RETIRE_DELIVERIES, 4, values, NULL, NULL);
    pg_link_execute(r->link, &r->request, STATEMENT_RETIRE_EVENTS, 4, values, NULL, NULL);
    pg_link_execute(r->link, &r->request, STATEMENT_RETIRE_REFS, 1, &values[3], NULL, NULL);
    pg_link_execute(r->link, &r->request, STATEMENT_RETIRE_PASSING_REFS, 2, passing, NULL, NULL);
    pg_link_end(r->link, &r->request);
}

static void walk(struct retention *r)
{
    r->sent_us = clock_mono_us();
    r->looked_at = 0;
    r->full = false;
    r->walking = true;
    if (conf_is_shadow(r->conf))
        delete_shadows_or_end(r);
    else
        delete_from_ledger(r);
}

static void on_allowed(struct pg_request *request, int index, const PGresult *rows)
{
    struct retention *r = list_entry(request, struct retention, request);
    bool *const answers[] = {&r->may, &r->may_kept, &r->may_shadow}; /* as ask asks */
    *answers[index] = *PQgetvalue(rows, 0, 0) == 't';
}

/* Once, until it is mended: *SAID. */
static void say_not_allowed(bool may, bool *said, const char *reason)
{
    if (!may && !*said)
        say_kept(reason, SQLSTATE_MISSING_RIGHT);
    *said = !may;
}

static void on_answer(struct pg_request *request)
{
    struct retention *r = list_entry(request, struct retention, request);
    if (request->outcome != PG_DONE) {
        end_walk(r);
        return;
    }
    if (conf_is_shadow(r->conf)) {
        say_not_allowed(r->may_shadow, &r->said_not, "the right to delete from notify.shadow is missing");
        walk(r);
        return;
    }
    say_not_allowed(r->may, &r->said_not, "the right to delete from the ledger is missing");
    if (!r->may) {
        end_walk(r);
        return;
    }
    say_not_allowed(r->may_kept, &r->said_not_kept, "the right to delete what the API keeps is missing");
    walk(r);
}

static void ask(struct retention *r)
{
    const char *tables[] = {"{notify.events,notify.deliveries,notify.external_refs}"};
    /* As the statements read them: a role may have the rights of an earlier schema/roles.sql. */
    const char *kept[] = {
        "{notify.kept_answers,notify.kept_answers,notify.changes,notify.changes,notify.tokens,"
        "notify.tokens,notify.tokens,notify.stats_hourly,notify.stats_hourly}",
        "{ctid,created_at,id,at,id,revoked_at,expires_at,ctid,hour}"};
    const char *shadow[] = {"notify.shadow"};
    r->may = r->may_kept = r->may_shadow = false;
    r->request = (struct pg_request){.result = on_allowed, .done = on_answer};
    pg_link_begin(r->link, &r->request);
    pg_link_execute(r->link, &r->request, STATEMENT_RETIRE_MAY, 1, tables, NULL, NULL);
    pg_link_execute(r->link, &r->request, STATEMENT_RETIRE_MAY_KEPT, 2, kept, NULL, NULL);
    pg_link_execute(r->link, &r->request, STATEMENT_RETIRE_MAY_SHADOW, 1, shadow, NULL, NULL);
    pg_link_end(r->link, &r->request);
}

static void on_time(evutil_socket_t fd, short what, void *arg)
{
    struct retention *r = arg;
    (void)fd;
    (void)what;
    if (!pg_link_is_up(r->link))
        end_walk(r);
    else if (r->walking)
        walk(r);
    else
        ask(r);
}

struct retention *retention_new(struct event_base *base, struct pg_link *link, const struct conf *conf)
{
    struct retention *r = mem_zalloc(sizeof *r);
    r->conf = conf;
    r->link = link;
    r->timer = event_new(base, -1, 0, on_time, r);
    rewind_walk(r);
    return r;
}

void retention_start(struct retention *r)
{
    set_timer(r, r->conf->retention_interval);
}

void retention_free(struct retention *r)
{
    if (!r)
        return;
    event_free(r->timer);
    free(r);
}
