/*
 * ctl_shadow - notifyctl shadow: what a pool in shadow mode would have sent, and what another worker did send
 *
 * Reads notify.shadow and changes nothing. Filters are parameters of each statement. A comparison counts: two deliveries of the
 * same integration, event type, scan and finding here and one there differ by one. It takes the deliveries that would be sent,
 * so a row that the filters or the settings stop is said in words where only the other worker sent it.
 */
#include "api/ctl/ctl_shadow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/ctl/ctl_output.h"

#define NIL "'00000000-0000-0000-0000-000000000000'"
#define CHOSEN                                                                                               \
    "($1::float8 IS NULL OR s.created_at >= now() - $1::float8 * interval '1 second')"                       \
    " AND ($2::uuid IS NULL OR s.scan_id = $2::uuid)"

/* clang-format off */
static const struct part {
    const char *name, *title, *sql;
} parts[] = {
    {"events", "Events, and messages that are none",
        "SELECT coalesce(s.event_type, '(not understood)') AS event_type, s.verdict, s.reason, count(*) AS count,"
        " count(*) FILTER (WHERE s.times > 1) AS came_again FROM notify.shadow s"
        " WHERE s.integration_id = " NIL " AND " CHOSEN " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"},
    {"filters", "Integrations that a filter held back",
        "SELECT s.event_type, sum(s.considered) AS considered, sum(s.matched) AS matched, sum(s.filtered_disabled) AS disabled,"
        " sum(s.filtered_target) AS target, sum(s.filtered_event) AS event, sum(s.filtered_target_kind) AS target_kind,"
        " sum(s.filtered_severity) AS severity FROM notify.shadow s"
        " WHERE s.integration_id = " NIL " AND s.considered IS NOT NULL AND " CHOSEN " GROUP BY 1 ORDER BY 1"},
    {"deliveries", "What would be sent",
        "SELECT s.integration_id, s.kind, s.integration_name AS name, s.event_type, s.verdict, s.reason, count(*) AS count,"
        " min(s.detail) AS detail FROM notify.shadow s WHERE s.integration_id <> " NIL " AND " CHOSEN
        " GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 3, 1, 4, 5, 6"},
};

/* By both, only there, only here: how many of each delivery. */
#define COMPARED                                                                                             \
    "WITH theirs AS (SELECT x.integration_id, x.event_type, x.scan_id, coalesce(x.finding_id, " NIL ") AS finding_id," \
    " count(*) AS n FROM json_to_recordset($3::json) AS x(integration_id uuid, event_type text, scan_id uuid, finding_id uuid)" \
    " WHERE ($2::uuid IS NULL OR x.scan_id = $2::uuid) GROUP BY 1, 2, 3, 4)," \
    " ours AS (SELECT s.integration_id, s.event_type, s.scan_id, coalesce(s.finding_id, " NIL ") AS finding_id, count(*) AS n" \
    " FROM notify.shadow s WHERE s.verdict = 'would_send' AND " CHOSEN " GROUP BY 1, 2, 3, 4)," \
    " compared AS (SELECT integration_id, event_type, scan_id, nullif(finding_id, " NIL ") AS finding_id," \
    " least(coalesce(theirs.n, 0), coalesce(ours.n, 0)) AS agreed, greatest(coalesce(theirs.n, 0) - coalesce(ours.n, 0), 0)" \
    " AS only_there, greatest(coalesce(ours.n, 0) - coalesce(theirs.n, 0), 0) AS only_here" \
    " FROM theirs FULL JOIN ours USING (integration_id, event_type, scan_id, finding_id))"

static const char sums_sql[] = COMPARED
    " SELECT coalesce(sum(agreed), 0), coalesce(sum(only_there), 0), coalesce(sum(only_here), 0) FROM compared";

static const char differences_sql[] = COMPARED
    " SELECT c.integration_id, i.name, c.event_type, c.scan_id, c.finding_id, c.only_there, c.only_here,"
    " CASE WHEN c.only_here > 0 THEN NULL ELSE coalesce("
    "(SELECT s.verdict || coalesce(': ' || s.reason, '') FROM notify.shadow s WHERE s.scan_id = c.scan_id"
    " AND s.integration_id = c.integration_id AND s.event_type = c.event_type"
    " AND s.finding_id IS NOT DISTINCT FROM c.finding_id ORDER BY s.created_at DESC LIMIT 1),"
    " (SELECT CASE WHEN s.considered IS NULL THEN s.verdict || coalesce(': ' || s.reason, '') ELSE 'held back by a filter' END"
    " FROM notify.shadow s WHERE s.scan_id = c.scan_id AND s.integration_id = " NIL " AND s.event_type = c.event_type"
    " AND s.finding_id IS NOT DISTINCT FROM c.finding_id ORDER BY s.created_at DESC LIMIT 1), 'the event did not come here')"
    " END AS here FROM compared c LEFT JOIN public.integrations i ON i.id = c.integration_id"
    " WHERE c.only_there > 0 OR c.only_here > 0 ORDER BY i.name, c.integration_id, c.event_type, c.scan_id, c.finding_id";
/* clang-format on */

struct shadow {
    struct db db;
    bool json;
    const char *values[3]; /* since, scan, what was sent */
};

/* One statement, as a table for people or behind NAME as JSON. */
static bool show(struct shadow *s, const char *name, const char *title, const char *sql, int count)
{
    if (!s->json && title)
        printf("%s\n", title);
    if (s->json)
        printf("\"%s\":", name);
    PGresult *rows = db_query(&s->db, sql, count, s->values);
    if (!rows)
        return false;
    if (s->json)
        output_json(rows);
    else
        output_table(rows, true);
    if (!s->json)
        putchar('\n');
    PQclear(rows);
    return true;
}

static bool show_parts(struct shadow *s)
{
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (i && s->json)
            putchar(',');
        if (!show(s, parts[i].name, parts[i].title, parts[i].sql, 2))
            return false;
    }
    return true;
}

/* False: the database failed. *DIFFERS: the other worker sent something else. */
static bool compare(struct shadow *s, const struct shadow_sent *sent, bool *differs)
{
    PGresult *rows = db_query(&s->db, sums_sql, 3, s->values);
    if (!rows)
        return false;
    const char *both = PQgetvalue(rows, 0, 0), *there = PQgetvalue(rows, 0, 1),
               *here = PQgetvalue(rows, 0, 2);
    *differs = strcmp(there, "0") != 0 || strcmp(here, "0") != 0;
    if (s->json)
        printf(",\"compare\":{\"both\":%s,\"only_there\":%s,\"only_here\":%s,\"older\":%zu,", both, there,
               here, sent->older);
    else
        printf(
            "By both %s, only by the other worker %s, only here %s; %zu of its deliveries are older and left "
            "out\n",
            both, there, here, sent->older);
    PQclear(rows);
    bool good = true;
    if (s->json || *differs)
        good = show(s, "differences", NULL, differences_sql, 3);
    if (s->json)
        putchar('}');
    return good;
}

static enum ctl_exit report(struct shadow *s, const struct shadow_sent *sent)
{
    bool differs = false;
    if (s->json)
        putchar('{');
    if (!show_parts(s) || (sent && !compare(s, sent, &differs)))
        return ctl_fail_db(&s->db);
    if (s->json)
        puts("}");
    return differs ? CTL_NO : CTL_DONE;
}

enum ctl_exit ctl_shadow(const struct ctl *ctl)
{
    const char *file = ctl_value(ctl, "--compare");
    struct shadow s = {.json = ctl_value(ctl, "--json") != NULL};
    struct shadow_sent sent = {.count = 0};
    char since_text[32];
    double since;
    enum ctl_exit code = CTL_WRONG_USE;
    s.values[1] = ctl_value(ctl, "--scan");
    if (!ctl_age(ctl, "--younger-than", &since) || !ctl_is_uuid("--scan", s.values[1]))
        return CTL_WRONG_USE;
    snprintf(since_text, sizeof since_text, "%.3f", since);
    s.values[0] = since < 0 ? NULL : since_text;
    if (!file || shadow_sent_read(file, since, &sent)) {
        s.values[2] = file ? buf_text(&sent.json) : NULL;
        if (ctl_open_db(ctl, &s.db, &code)) {
            code = report(&s, file ? &sent : NULL);
            db_close(&s.db);
        }
    }
    buf_free(&sent.json);
    return code;
}
