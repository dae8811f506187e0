/*
 * ctl_explain_filters - what each filter of an integration says about an event, and what it compared
 *
 * The verdicts are those of common/model/match, the code that workers run; only the words are made here. All stages are
 * asked, not just the first that fails, so that whoever mends one filter sees the next. Settings are never read: the
 * statement leaves their column out.
 */
#include <stdio.h>
#include <string.h>

#include "api/ctl/ctl_explain.h"
#include "api/ctl/ctl_output.h"
#include "common/destinations/dest.h"
#include "common/model/integration_read.h"
#include "common/model/match.h"

enum { ARENA_BLOCK = 65536, WHY_MAX = 65536, LISTED_MAX = 20 };

static const char facts_sql[] =
    "SELECT s.workspace_id, t.id, t.kind, f.scan_id, f.severity FROM (SELECT $1::uuid AS scan, $2::uuid AS "
    "finding) x"
    " LEFT JOIN public.scans s ON s.id = x.scan LEFT JOIN public.targets t ON t.id = s.target_id"
    " LEFT JOIN public.findings f ON f.id = x.finding";

static const char integrations_sql[] =
    "SELECT id, workspace_id, kind, name, enabled, severity_filter, target_ids, events, target_kinds"
    " FROM public.integrations WHERE workspace_id = $1::uuid ORDER BY kind, name, id";

static const char *value_at(const PGresult *rows, int row, int column)
{
    return PQgetisnull(rows, row, column) ? NULL : PQgetvalue(rows, row, column);
}

static void read_facts(struct explain_now *now, const PGresult *rows, const char *scan, const char *finding)
{
    struct facts *f = &now->facts;
    const char *severity = value_at(rows, 0, 4);
    struct uuid finding_scan;
    now->has_scan = value_at(rows, 0, 0) && value_at(rows, 0, 1) && uuid_parse(&f->scan.id, scan) &&
                    uuid_parse(&f->scan.workspace_id, value_at(rows, 0, 0)) &&
                    uuid_parse(&f->target.id, value_at(rows, 0, 1));
    f->target.kind = arena_strdup(&now->arena, value_at(rows, 0, 2));
    f->has_finding = finding && value_at(rows, 0, 3) && uuid_parse(&finding_scan, value_at(rows, 0, 3));
    now->no_finding = event_is_about_finding(now->type) && !f->has_finding;
    now->of_other = f->has_finding && now->has_scan && !uuid_equal(&finding_scan, &f->scan.id);
    f->finding.severity_text = arena_strdup(&now->arena, severity);
    int known = severity ? severity_parse(severity) : -1;
    f->finding.severity = known < 0 ? SEVERITY_INFO : (enum severity)known;
}

static void read_integrations(struct explain_now *now, const PGresult *rows)
{
    now->integrations = arena_alloc(&now->arena, ((size_t)PQntuples(rows) + 1) * sizeof *now->integrations);
    for (int i = 0; i < PQntuples(rows); i++) {
        struct integration_columns columns = {
            .id = value_at(rows, i, 0),
            .workspace_id = value_at(rows, i, 1),
            .kind = value_at(rows, i, 2),
            .name = value_at(rows, i, 3),
            .enabled = value_at(rows, i, 4),
            .severity_filter = value_at(rows, i, 5),
            .target_ids = value_at(rows, i, 6),
            .events = value_at(rows, i, 7),
            .target_kinds = value_at(rows, i, 8),
        };
        struct integration *out = &now->integrations[now->count];
        if (!integration_read(&now->arena, out, &columns))
            continue;
        dest_set(out);
        now->count++;
    }
}

bool explain_now_read(struct db *db, enum event_type type, const char *scan, const char *finding,
                      struct explain_now *now)
{
    const char *values[] = {scan, finding};
    *now = (struct explain_now){.type = type};
    arena_init(&now->arena, ARENA_BLOCK);
    PGresult *rows = db_query(db, facts_sql, 2, values);
    if (!rows)
        return false;
    read_facts(now, rows, scan, finding);
    const char *workspace = arena_strdup(&now->arena, value_at(rows, 0, 0));
    PQclear(rows);
    if (!workspace)
        return true;
    rows = db_query(db, integrations_sql, 1, &workspace);
    if (rows)
        read_integrations(now, rows);
    PQclear(rows);
    return rows != NULL;
}

void explain_now_free(struct explain_now *now)
{
    arena_free(&now->arena);
}

bool explain_now_is_whole(const struct explain_now *now)
{
    return now->has_scan && !now->no_finding && !now->of_other;
}

const char *explain_now_lacks(const struct explain_now *now)
{
    if (!now->has_scan)
        return "its scan, or the scan's target, is not in the database now";
    return now->no_finding ? "its finding is not in the database now" : "its finding belongs to another scan";
}

bool explain_now_fires(const struct explain_now *now, const struct integration *i)
{
    return i->dest && match_integration(i, now->type, &now->facts) == MATCH_FIRES;
}

/* ---- what a stage compared, in words ---- */

static void add_target(struct buf *out, const struct explain_now *now, const struct integration *i)
{
    char id[UUID_TEXT];
    uuid_format(&now->facts.target.id, id);
    if (!i->target_ids) {
        buf_add_text(out, "every target");
        return;
    }
    buf_printf(out, "the scan's target is %s, its target_ids are", id);
    for (size_t n = 0; n < i->target_count && n < LISTED_MAX; n++) {
        uuid_format(&i->target_ids[n], id);
        buf_printf(out, " %s", id);
    }
    if (i->target_count > LISTED_MAX)
        buf_printf(out, " and %zu more", i->target_count - LISTED_MAX);
    if (!i->target_count)
        buf_add_text(out, " none that can be read");
}

static void add_events(struct buf *out, const struct explain_now *now, const struct integration *i)
{
    if (i->all_events) {
        buf_add_text(out, "every event");
        return;
    }
    buf_printf(out, "the event is %s, its events are", event_type_name(now->type));
    for (int type = 0; type < EVENT_TYPE_COUNT; type++)
        if (i->event_mask & 1u << type)
            buf_printf(out, " %s", event_type_name((enum event_type)type));
    if (!i->event_mask)
        buf_add_text(out, " none that we know");
}

static void add_kinds(struct buf *out, const struct explain_now *now, const struct integration *i)
{
    const char *kind = now->facts.target.kind;
    if (i->all_target_kinds) {
        buf_add_text(out, "every kind of target");
        return;
    }
    buf_printf(out, "the target's kind is %s, its target_kinds are", kind ? kind : "not set");
    for (size_t n = 0; n < i->target_kind_count && n < LISTED_MAX; n++)
        buf_printf(out, " %s", i->target_kinds[n]);
    if (!i->target_kind_count)
        buf_add_text(out, " none");
}

static void add_severity(struct buf *out, const struct explain_now *now, const struct integration *i)
{
    const char *text = now->facts.finding.severity_text;
    const char *taken = severity_name(now->facts.finding.severity);
    if (!event_is_about_finding(now->type)) {
        buf_add_text(out, "only asked for findings");
        return;
    }
    buf_printf(out, "the finding is %s", text ? text : "without a severity");
    if (!text || strcasecmp(text, taken) != 0)
        buf_printf(out, ", which counts as %s", taken);
    buf_printf(out, ", its severity_filter is %s", severity_name(i->severity_filter));
}

static void add_why(struct buf *out, const struct explain_now *now, const struct integration *i,
                    enum match_verdict stage)
{
    switch (stage) {
    case MATCH_DISABLED:
        buf_add_text(out, i->enabled ? "enabled" : "disabled");
        break;
    case MATCH_TARGET:
        add_target(out, now, i);
        break;
    case MATCH_EVENT:
        add_events(out, now, i);
        break;
    case MATCH_TARGET_KIND:
        add_kinds(out, now, i);
        break;
    case MATCH_SEVERITY:
        add_severity(out, now, i);
        break;
    case MATCH_FIRES:
    case MATCH_COUNT:
        break;
    }
}

void explain_filters_print(const struct explain_now *now, const struct integration *i)
{
    struct buf why;
    buf_init(&why, WHY_MAX);
    for (enum match_verdict stage = MATCH_FIRES + 1; stage < MATCH_COUNT; stage++) {
        buf_reset(&why);
        add_why(&why, now, i, stage);
        printf("  %-5s %-12s ", match_passes(i, stage, now->type, &now->facts) ? "pass" : "HELD",
               match_verdict_name(stage));
        output_text(buf_text(&why));
        putchar('\n');
    }
    if (!i->dest)
        puts("  HELD  kind         this version does not know this kind: a delivery would be dead "
             "(unknown_kind)");
    buf_free(&why);
}

void explain_filters_add(struct buf *out, const struct explain_now *now, const struct integration *i)
{
    struct buf why;
    buf_init(&why, WHY_MAX);
    buf_json_key(out, "filters");
    for (enum match_verdict stage = MATCH_FIRES + 1; stage < MATCH_COUNT; stage++) {
        buf_reset(&why);
        add_why(&why, now, i, stage);
        buf_add_text(out, stage == MATCH_FIRES + 1 ? "[{" : ",{");
        buf_json_key(out, "filter");
        buf_json_text(out, match_verdict_name(stage));
        buf_json_key(out, "passes");
        buf_add_text(out, match_passes(i, stage, now->type, &now->facts) ? "true" : "false");
        buf_json_key(out, "why");
        buf_json_text(out, buf_text(&why));
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
    buf_json_key(out, "fires");
    buf_add_text(out, explain_now_fires(now, i) ? "true" : "false");
    buf_free(&why);
}
