/*
 * ctl_prune - notifyctl prune: what is old goes now
 *
 * Does what the agent does in retention.interval (worker/retention.c), by the same statements, retention.batch rows at a time, but
 * without its long pauses: it rests only as long as a batch took, so that others have half of the database's time. Every batch
 * is committed by itself, so it may be broken off at any time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/ctl/ctl.h"
#include "common/base/clock.h"
#include "common/db/pg_link.h"
#include "common/db/retire_sql.h"

enum { AT_SIZE = 64, ID_SIZE = 201 };

/* Events are what a message that comes again is known by; ours. */
static const double LEAST_DAYS = 1;

/* In this order, whose place is that of what it counts. */
enum prune_what {
    DELIVERIES,
    EVENTS,
    LEFT_REFS,
    PASSING_REFS,
    ANSWERS,
    CHANGES,
    TOKENS,
    HOURS,
    SHADOWS,
    PRUNE_COUNT
};

static const struct pg_statement statements[PRUNE_COUNT] = {
    [DELIVERIES] = RETIRE_DELIVERIES_STATEMENT, [EVENTS] = RETIRE_EVENTS_STATEMENT,
    [LEFT_REFS] = RETIRE_REFS_STATEMENT,        [PASSING_REFS] = RETIRE_PASSING_REFS_STATEMENT,
    [ANSWERS] = RETIRE_ANSWERS_STATEMENT,       [CHANGES] = RETIRE_CHANGES_STATEMENT,
    [TOKENS] = RETIRE_TOKENS_STATEMENT,         [HOURS] = RETIRE_HOURS_STATEMENT,
    [SHADOWS] = RETIRE_SHADOW_STATEMENT,
};

struct prune {
    struct db db;
    char days[32], changes_days[32], stats_days[32], most[16];
    char at[AT_SIZE], id[ID_SIZE]; /* where the walk over events is */
    long counts[PRUNE_COUNT];
};

/* Run it once; how many rows went, or of EVENTS were looked at; -1: it failed. */
static long run(struct prune *p, enum prune_what what)
{
    const char *of_events[] = {p->days, p->at, p->id, p->most}, *passing[] = {p->days, p->most};
    const char *changes[] = {p->changes_days, p->most}, *hours[] = {p->stats_days, p->most};
    const char *const *values[PRUNE_COUNT] = {of_events, of_events, &of_events[3], passing, &passing[1],
                                              changes,   changes,   hours,         passing};
    PGresult *rows = db_query_typed(&p->db, statements[what].sql, statements[what].params,
                                    statements[what].types, values[what]);
    if (!rows)
        return -1;
    long gone = strtol(PQgetvalue(rows, 0, what == EVENTS ? RETIRE_EVENTS : 0), NULL, 10), seen = gone;
    if (what == EVENTS)
        seen = strtol(PQgetvalue(rows, 0, RETIRE_LOOKED_AT), NULL, 10);
    if (what == EVENTS && seen > 0) {
        snprintf(p->at, sizeof p->at, "%s", PQgetvalue(rows, 0, RETIRE_LAST_AT));
        snprintf(p->id, sizeof p->id, "%s", PQgetvalue(rows, 0, RETIRE_LAST_ID));
    }
    PQclear(rows);
    p->counts[what] += gone;
    return seen;
}

static void rest(int64_t us)
{
    struct timespec pause = {us / 1000000, us % 1000000 * 1000};
    nanosleep(&pause, NULL);
}

/* Until there is no more of anything; false: the database failed. */
static bool prune_all(struct prune *p, long batch)
{
    bool more;
    do {
        int64_t began = clock_mono_us();
        more = false;
        for (enum prune_what what = 0; what < PRUNE_COUNT; what++) {
            long seen = run(p, what);
            if (seen < 0)
                return false;
            /* Deliveries go with their events, which are looked at behind them; references of one integration at a time. */
            more |= what == DELIVERIES ? false : what == LEFT_REFS ? seen > 0 : seen >= batch;
        }
        if (more)
            rest(clock_mono_us() - began);
    } while (more);
    return true;
}

static void tell(const struct ctl *ctl, const struct prune *p)
{
    static const char *const names[PRUNE_COUNT] = {"deliveries", "events", "references", NULL,     "answers",
                                                   "changes",    "tokens", "hours",      "shadows"};
    bool json = ctl_value(ctl, "--json") != NULL;
    const char *between = json ? "{" : "deleted ";
    for (enum prune_what what = 0; what < PRUNE_COUNT; what++) {
        long count = p->counts[what] + (what == LEFT_REFS ? p->counts[PASSING_REFS] : 0);
        if (!names[what])
            continue;
        printf(json ? "%s\"%s\":%ld" : "%s%s %ld", between, names[what], count);
        between = json ? "," : ", ";
    }
    puts(json ? "}" : "");
}

enum ctl_exit ctl_prune(const struct ctl *ctl)
{
    const struct conf *conf = ctl->conf;
    struct prune p = {.at = "-infinity"};
    double age, days = conf->retention_deliveries_days;
    enum ctl_exit code;
    if (!ctl_age(ctl, "--older-than", &age))
        return CTL_WRONG_USE;
    if (age >= 0 && age < LEAST_DAYS * 86400) {
        fputs("notifyctl: --older-than must be at least 1d: the ledger knows by its events which messages "
              "came before\n",
              stderr);
        return CTL_WRONG_USE;
    }
    snprintf(p.days, sizeof p.days, "%.6f", age < 0 ? days : age / 86400);
    snprintf(p.changes_days, sizeof p.changes_days, "%.6f", conf->retention_changes_days);
    snprintf(p.stats_days, sizeof p.stats_days, "%.6f", conf->retention_stats_days);
    snprintf(p.most, sizeof p.most, "%ld", (long)conf->retention_batch);
    if (!ctl_open_db(ctl, &p.db, &code))
        return code;
    bool good = prune_all(&p, conf->retention_batch);
    code = good ? CTL_DONE : ctl_fail_db(&p.db);
    tell(ctl, &p);
    db_close(&p.db);
    return code;
}
