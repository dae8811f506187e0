/*
 * explain_now - what each filter of an integration says about an event, and what it compared
 *
 * The verdicts are those of common/model/match, the code that workers run; only the words are made here. All stages are
 * asked, not just the first that fails, so that whoever mends one filter sees the next. Settings are never read: no statement
 * has their column. Pure.
 */
#include "api/service/explain_now.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/destinations/dest.h"
#include "common/model/integration_read.h"

enum { ARENA_BLOCK = 65536, LISTED_MAX = 20 };

static const char *value_at(const PGresult *rows, int row, int column)
{
    return PQgetisnull(rows, row, column) ? NULL : PQgetvalue(rows, row, column);
}

static bool read_uuid(struct uuid *out, const PGresult *rows, int column)
{
    const char *text = value_at(rows, 0, column);
    return text && uuid_parse(out, text);
}

static void read_facts(struct explain_now *now, const PGresult *rows)
{
    struct facts *f = &now->facts;
    const char *severity = value_at(rows, 0, EXPLAIN_SEVERITY);
    struct uuid finding_scan;
    now->has_scan = read_uuid(&f->scan.id, rows, EXPLAIN_SCAN_ID) &&
                    read_uuid(&f->scan.workspace_id, rows, EXPLAIN_WORKSPACE) &&
                    read_uuid(&f->target.id, rows, EXPLAIN_TARGET);
    f->target.kind = arena_strdup(&now->arena, value_at(rows, 0, EXPLAIN_TARGET_KIND));
    f->has_finding =
        value_at(rows, 0, EXPLAIN_FINDING_ID) && read_uuid(&finding_scan, rows, EXPLAIN_FINDING_SCAN);
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

void explain_now_read(struct explain_now *now, enum event_type type, const PGresult *facts,
                      const PGresult *integrations)
{
    *now = (struct explain_now){.type = type};
    arena_init(&now->arena, ARENA_BLOCK);
    read_facts(now, facts);
    if (integrations)
        read_integrations(now, integrations);
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

bool explain_now_passes(const struct explain_now *now, const struct integration *i, enum match_verdict stage)
{
    return match_passes(i, stage, now->type, &now->facts);
}

void explain_now_say_why(struct buf *out, const struct explain_now *now, const struct integration *i,
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
