/*
 * ctl_explain - notifyctl explain: why did this event reach an integration, or not?
 *
 * Reads what an explanation is made of (api/service/explanation.h), under the workers' role and of any workspace, and prints
 * it. Asked by scan and type, it finds the events in the ledger; when there is none, it says what one would do. Changes nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/ctl/ctl.h"
#include "api/ctl/ctl_output.h"
#include "api/ctl/ctl_story.h"
#include "api/service/explanation.h"

enum { EVENTS_MAX = 20, ARENA_BLOCK = 65536 };

static const char find_sql[] =
    "SELECT id FROM notify.events WHERE scan_id = $1::uuid AND event_type = $2"
    " AND ($3::uuid IS NULL OR finding_id = $3) ORDER BY accepted_at DESC, id LIMIT 21";

/* As enum explain_facts_column. */
static const char facts_sql[] =
    "SELECT s.workspace_id, t.id, t.kind, f.scan_id, f.severity, x.scan, x.finding"
    " FROM (SELECT $1::uuid AS scan, $2::uuid AS finding) x"
    " LEFT JOIN public.scans s ON s.id = x.scan LEFT JOIN public.targets t ON t.id = s.target_id"
    " LEFT JOIN public.findings f ON f.id = x.finding";

static const char integrations_sql[] = "SELECT " EXPLAIN_INTEGRATION_COLUMNS(
    "i") " FROM public.integrations i WHERE i.workspace_id = $1::uuid ORDER BY i.kind, i.name, i.id";

struct explain {
    struct db db;
    bool json;
    bool known;     /* there was something to explain: an event, or a scan that one could be of */
    struct buf out; /* JSON */
};

/* ---- for people ---- */

static void print_title(const char *id, const char *kind, const char *name)
{
    printf("\nintegration %s, kind ", id);
    output_text(kind);
    fputs(", name ", stdout);
    output_text(name ? name : "(deleted)");
    putchar('\n');
}

static void print_filters(const struct explain_now *now, const struct integration *i)
{
    struct buf why;
    buf_init(&why, EXPLAIN_WHY_MAX);
    for (enum match_verdict stage = MATCH_FIRES + 1; stage < MATCH_COUNT; stage++) {
        buf_reset(&why);
        explain_now_say_why(&why, now, i, stage);
        printf("  %-5s %-12s ", explain_now_passes(now, i, stage) ? "pass" : "HELD",
               match_verdict_name(stage));
        output_text(buf_text(&why));
        putchar('\n');
    }
    if (!i->dest)
        puts("  HELD  kind         this version does not know this kind: a delivery would be dead "
             "(unknown_kind)");
    buf_free(&why);
}

static bool print_integrations(struct explain *x, const struct explanation *e)
{
    for (size_t i = 0; e->now && i < e->now->count; i++) {
        const struct integration *one = &e->now->integrations[i];
        char id[UUID_TEXT];
        int row = explanation_delivery(e, &one->id);
        uuid_format(&one->id, id);
        print_title(id, one->kind, one->name);
        if (explanation_has_now(e))
            print_filters(e->now, one);
        if (row >= 0 && !story_print_delivery(&x->db, e->deliveries, row))
            return false;
        if (row < 0 && e->events)
            puts("  no delivery");
    }
    return true;
}

/* Those to integrations that are gone, or that moved to another workspace. */
static bool print_others(struct explain *x, const struct explanation *e)
{
    for (size_t i = 0; i < e->deliveries_of.count; i++) {
        int row = e->deliveries_of.at[i].row;
        if (e->deliveries_of.at[i].is_here)
            continue;
        print_title(PQgetvalue(e->deliveries, row, EXPLAIN_INTEGRATION),
                    PQgetvalue(e->deliveries, row, EXPLAIN_KIND), NULL);
        if (!story_print_delivery(&x->db, e->deliveries, row))
            return false;
    }
    return true;
}

static bool print(struct explain *x, const struct explanation *e)
{
    struct buf text;
    if (e->events) {
        puts("event");
        output_record(e->events, e->event, 2);
    }
    if (!print_integrations(x, e) || !print_others(x, e))
        return false;
    buf_init(&text, EXPLANATION_CONCLUSION_MAX);
    explanation_conclude(&text, e);
    fputs("\nconclusion: ", stdout);
    output_text(buf_text(&text));
    putchar('\n');
    buf_free(&text);
    return true;
}

/* ---- reading ---- */

/* What the filters look at now; false: the database failed. NOW is all zero when there is nothing to ask. */
static bool read_now(struct explain *x, struct explain_now *now, const char *type, const char *scan,
                     const char *finding)
{
    const char *values[] = {scan, finding};
    int known = event_type_parse(type);
    PGresult *integrations = NULL;
    *now = (struct explain_now){.count = 0};
    if (known < 0 || !scan)
        return true;
    PGresult *facts = db_query(&x->db, facts_sql, 2, values);
    bool good = facts != NULL;
    if (good && !PQgetisnull(facts, 0, EXPLAIN_WORKSPACE)) {
        const char *workspace = PQgetvalue(facts, 0, EXPLAIN_WORKSPACE);
        integrations = db_query(&x->db, integrations_sql, 1, &workspace);
        good = integrations != NULL;
    }
    if (good)
        explain_now_read(now, (enum event_type)known, facts, integrations);
    PQclear(facts);
    PQclear(integrations);
    return good;
}

/* E has its rows, if any. */
static bool explain(struct explain *x, struct explanation *e, const char *type, const char *scan,
                    const char *finding)
{
    struct explain_now now;
    struct arena arena;
    bool asks = !explanation_is_task(e) && scan && event_type_parse(type) >= 0;
    if (!read_now(x, &now, asks ? type : "", scan, finding))
        return false;
    arena_init(&arena, ARENA_BLOCK);
    e->now = asks ? &now : NULL;
    explanation_prepare(e, &arena);
    x->known |= e->events || explanation_has_now(e);
    bool good = true;
    if (x->json) {
        buf_add_text(&x->out, x->out.len > 1 ? ",\n " : "");
        explanation_add(&x->out, e);
    } else {
        good = print(x, e);
    }
    arena_free(&arena);
    explain_now_free(&now);
    return good;
}

/* Explain the event ID, which may not be there. */
static bool explain_event(struct explain *x, const char *id)
{
    PGresult *event = story_event(&x->db, id);
    PGresult *deliveries = event ? story_deliveries(&x->db, id, NULL) : NULL;
    PGresult *attempts = deliveries && x->json ? story_attempts(&x->db, id, NULL) : NULL;
    struct explanation e = {.events = event, .deliveries = deliveries, .attempts = attempts};
    bool good = deliveries && (attempts || !x->json);
    if (good && PQntuples(event))
        good = explain(x, &e, explanation_value(&e, "event_type"), explanation_value(&e, "scan_id"),
                       explanation_value(&e, "finding_id"));
    PQclear(event);
    PQclear(deliveries);
    PQclear(attempts);
    return good;
}

static bool explain_scan(struct explain *x, const char *scan, const char *type, const char *finding)
{
    const char *values[] = {scan, type, finding};
    PGresult *ids = db_query(&x->db, find_sql, 3, values);
    bool good = ids != NULL;
    struct explanation none = {.events = NULL};
    if (good && !PQntuples(ids))
        good = explain(x, &none, type, scan, finding);
    for (int i = 0; good && i < PQntuples(ids) && i < EVENTS_MAX; i++) {
        if (i && !x->json)
            puts("");
        good = explain_event(x, PQgetvalue(ids, i, 0));
    }
    if (good && PQntuples(ids) > EVENTS_MAX)
        fprintf(stderr, "notifyctl: only the latest %d events; name one with --event or --finding\n",
                EVENTS_MAX);
    PQclear(ids);
    return good;
}

static bool line_is_good(const struct ctl *ctl)
{
    const char *event = ctl_value(ctl, "--event"), *scan = ctl_value(ctl, "--scan");
    const char *type = ctl_value(ctl, "--type"), *finding = ctl_value(ctl, "--finding");
    if (!ctl_is_uuid("--scan", scan) || !ctl_is_uuid("--finding", finding) ||
        !ctl_is_listed("--type", type, "events"))
        return false;
    if (event ? !scan && !type && !finding : scan && type)
        return true;
    fputs("notifyctl: explain needs either --event ID, or --scan UUID and --type TYPE\n", stderr);
    return false;
}

enum ctl_exit ctl_explain(const struct ctl *ctl)
{
    struct explain x = {.json = ctl_value(ctl, "--json") != NULL};
    const char *event = ctl_value(ctl, "--event");
    enum ctl_exit code = CTL_DONE;
    if (!line_is_good(ctl))
        return CTL_WRONG_USE;
    if (!ctl_open_db(ctl, &x.db, &code))
        return code;
    buf_init(&x.out, OUTPUT_JSON_MAX);
    buf_add_char(&x.out, '[');
    bool good = event ? explain_event(&x, event)
                      : explain_scan(&x, ctl_value(ctl, "--scan"), ctl_value(ctl, "--type"),
                                     ctl_value(ctl, "--finding"));
    if (!good)
        code = ctl_fail_db(&x.db);
    else if (!x.known)
        code = CTL_NO;
    if (good && x.json)
        printf("%s]\n", buf_text(&x.out));
    if (good && !x.known && event)
        fputs("notifyctl: the ledger has no event with this id: it was never received, or its row was "
              "deleted, or it "
              "was no event at all (see notifyctl dead list --unread)\n",
              stderr);
    buf_free(&x.out);
    db_close(&x.db);
    return code;
}
