/*
 * ctl_explain - notifyctl explain: why did this event reach an integration, or not?
 *
 * Two sources, kept apart: what the ledger wrote down when it happened (the event's row with its counts per filter, the
 * deliveries with their attempts), and what the filters say now, asked by the code that workers run. Both are needed: an
 * integration that was changed since then explains the difference. Asked by scan and type, it finds the events in the
 * ledger; when there is none, it says what one would do. Ends with a conclusion in plain words. Reads only.
 */
#include "api/ctl/ctl_explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/ctl/ctl.h"
#include "api/ctl/ctl_output.h"
#include "api/ctl/ctl_story.h"
#include "common/model/match.h"

enum { CONCLUSION_MAX = 8192, EVENTS_MAX = 20 };

/* What the ledger calls the task that stands for a scan's findings: no event that filters could be asked for. */
#define TASK_TYPE "notify_scan_findings"

static const char find_sql[] =
    "SELECT id FROM notify.events WHERE scan_id = $1::uuid AND event_type = $2"
    " AND ($3::uuid IS NULL OR finding_id = $3) ORDER BY accepted_at DESC, id LIMIT 21";

/* One explanation. */
struct explain {
    struct db db;
    bool json;
    struct buf out;       /* JSON */
    PGresult *event;      /* the ledger's row; NULL: a dry run */
    PGresult *deliveries; /* NULL in a dry run */
    struct explain_now now;
    bool has_now; /* the filters can be asked */
    bool known;   /* there was something to explain: an event, or a scan that one could be of */
};

/* The event's column NAME; NULL when it is null. */
static const char *event_value(const struct explain *x, const char *name)
{
    int column = PQfnumber(x->event, name);
    return column < 0 || PQgetisnull(x->event, 0, column) ? NULL : PQgetvalue(x->event, 0, column);
}

static long event_number(const struct explain *x, const char *name)
{
    const char *text = event_value(x, name);
    return text ? strtol(text, NULL, 10) : 0;
}

/* The delivery's row for an integration; -1: it has none. */
static int find_delivery(const struct explain *x, const struct uuid *integration)
{
    struct uuid id;
    for (int i = 0; x->deliveries && i < PQntuples(x->deliveries); i++)
        if (uuid_parse(&id, PQgetvalue(x->deliveries, i, STORY_INTEGRATION)) && uuid_equal(&id, integration))
            return i;
    return -1;
}

static const struct integration *find_integration(const struct explain *x, const char *id)
{
    struct uuid wanted;
    for (size_t i = 0; uuid_parse(&wanted, id) && i < x->now.count; i++)
        if (uuid_equal(&x->now.integrations[i].id, &wanted))
            return &x->now.integrations[i];
    return NULL;
}

/* ---- the conclusion ---- */

/* "delivered 2, waiting 1" over all deliveries. */
static void add_states(struct buf *out, const struct explain *x)
{
    const char *comma = "";
    for (int state = 0; state < DELIVERY_STATE_COUNT; state++) {
        long count = 0;
        for (int i = 0; i < PQntuples(x->deliveries); i++)
            count += strcmp(PQgetvalue(x->deliveries, i, STORY_STATE),
                            delivery_state_name((enum delivery_state)state)) == 0;
        if (count)
            buf_printf(out, "%s%s %ld", comma, delivery_state_name((enum delivery_state)state), count);
        if (count)
            comma = ", ";
    }
}

/* "disabled 2, severity 1": how many each filter held back when the event was matched. */
static void add_held_back(struct buf *out, const struct explain *x)
{
    const char *comma = "";
    for (enum match_verdict stage = MATCH_FIRES + 1; stage < MATCH_COUNT; stage++) {
        char column[64];
        snprintf(column, sizeof column, "filtered_%s", match_verdict_name(stage));
        long count = event_number(x, column);
        if (count)
            buf_printf(out, "%s%s %ld", comma, match_verdict_name(stage), count);
        if (count)
            comma = ", ";
    }
}

static void conclude_done(struct buf *out, const struct explain *x)
{
    long considered = event_number(x, "considered"), matched = event_number(x, "matched");
    if (!considered)
        buf_add_text(out, "its workspace had no integration when it was matched");
    else if (!matched)
        buf_printf(out, "none of the %ld integrations of its workspace wanted it", considered);
    else
        buf_printf(out, "%ld of %ld integrations wanted it: ", matched, considered);
    if (matched)
        add_states(out, x);
    if (considered > matched) {
        buf_add_text(out, "; held back by their filters then: ");
        add_held_back(out, x);
    }
}

static void conclude_event(struct buf *out, const struct explain *x)
{
    const char *word = event_value(x, "state"), *reason = event_value(x, "reason");
    const char *help = reason ? word_list_help(word_list_find("reasons"), reason) : NULL;
    int state = word ? event_state_parse(word) : -1;
    switch (state) {
    case EVENT_STATE_DONE:
        conclude_done(out, x);
        break;
    case EVENT_STATE_OPEN:
        buf_printf(out, "it is being handled: %d deliveries so far", PQntuples(x->deliveries));
        break;
    case EVENT_STATE_SCHEDULED:
        buf_printf(out, "it waits for its time, %s; no integration was asked yet",
                   event_value(x, "scheduled_for") ? event_value(x, "scheduled_for") : "which is not known");
        break;
    case EVENT_STATE_EXPANDED:
        buf_printf(out,
                   "it is a task that became %ld events of their own; explain those with --scan and --type",
                   event_number(x, "published"));
        break;
    case EVENT_STATE_DEAD:
        buf_printf(
            out, "it died before it reached any integration: %s (%s); notifyctl dead replay starts it again",
            reason ? reason : "no reason", help ? help : "a word of another version");
        break;
    case EVENT_STATE_EXPIRED:
        buf_add_text(out, "its expiry time had passed before the first attempt, so nobody got it");
        break;
    default:
        buf_printf(out, "its state, %s, is one of another version", word ? word : "");
    }
}

static void add_now(struct buf *out, const struct explain *x, const char *verb)
{
    size_t fires = 0;
    for (size_t i = 0; i < x->now.count; i++)
        fires += explain_now_fires(&x->now, &x->now.integrations[i]);
    if (x->has_now)
        buf_printf(out, "%s %zu of %zu integrations", verb, fires, x->now.count);
    else
        buf_printf(out, "the filters cannot be asked now: %s", explain_now_lacks(&x->now));
}

static bool is_task(const struct explain *x)
{
    return x->event && strcmp(event_value(x, "event_type"), TASK_TYPE) == 0;
}

static void conclude(struct buf *out, const struct explain *x)
{
    if (!x->event) {
        buf_add_text(out, "no event of that kind was ever received; ");
        add_now(out, x, "it would go to");
        return;
    }
    conclude_event(out, x);
    if (!is_task(x)) {
        buf_add_text(out, "; ");
        add_now(out, x, "as they are now, it would go to");
    }
}

/* ---- for people ---- */

static void print_title(const char *id, const char *kind, const char *name)
{
    printf("\nintegration %s, kind ", id);
    output_text(kind);
    fputs(", name ", stdout);
    output_text(name ? name : "(deleted)");
    putchar('\n');
}

static bool print_integrations(struct explain *x)
{
    for (size_t i = 0; i < x->now.count; i++) {
        const struct integration *one = &x->now.integrations[i];
        char id[UUID_TEXT];
        int row = find_delivery(x, &one->id);
        uuid_format(&one->id, id);
        print_title(id, one->kind, one->name);
        if (x->has_now)
            explain_filters_print(&x->now, one);
        if (row >= 0 && !story_print_delivery(&x->db, x->deliveries, row))
            return false;
        if (row < 0 && x->event)
            puts("  no delivery");
    }
    return true;
}

/* Those to integrations that are gone, or that moved to another workspace. */
static bool print_others(struct explain *x)
{
    for (int row = 0; x->deliveries && row < PQntuples(x->deliveries); row++) {
        const char *id = PQgetvalue(x->deliveries, row, STORY_INTEGRATION);
        if (find_integration(x, id))
            continue;
        print_title(id, PQgetvalue(x->deliveries, row, STORY_KIND), NULL);
        if (!story_print_delivery(&x->db, x->deliveries, row))
            return false;
    }
    return true;
}

static bool print(struct explain *x)
{
    if (x->event) {
        puts("event");
        output_record(x->event, 0, 2);
    }
    if (!print_integrations(x) || !print_others(x))
        return false;
    struct buf text;
    buf_init(&text, CONCLUSION_MAX);
    conclude(&text, x);
    fputs("\nconclusion: ", stdout);
    output_text(buf_text(&text));
    putchar('\n');
    buf_free(&text);
    return true;
}

/* ---- for scripts ---- */

static bool add_delivery(struct explain *x, int row)
{
    buf_json_key(&x->out, "delivery");
    if (row >= 0)
        return story_add_delivery(&x->db, &x->out, x->deliveries, row);
    buf_add_text(&x->out, "null");
    return true;
}

static void add_title(struct buf *out, const char *comma, const char *id, const char *kind, const char *name)
{
    buf_printf(out, "%s{", comma);
    buf_json_key(out, "integration_id");
    buf_json_text(out, id);
    buf_json_key(out, "kind");
    buf_json_text(out, kind);
    buf_json_key(out, "name");
    buf_json_text(out, name);
}

static bool add_integrations(struct explain *x)
{
    const char *comma = "";
    bool good = true;
    buf_json_key(&x->out, "integrations");
    buf_add_char(&x->out, '[');
    for (size_t i = 0; good && i < x->now.count; i++, comma = ",\n  ") {
        const struct integration *one = &x->now.integrations[i];
        char id[UUID_TEXT];
        uuid_format(&one->id, id);
        add_title(&x->out, comma, id, one->kind, one->name);
        if (x->has_now)
            explain_filters_add(&x->out, &x->now, one);
        good = add_delivery(x, find_delivery(x, &one->id));
        buf_add_char(&x->out, '}');
    }
    for (int row = 0; good && x->deliveries && row < PQntuples(x->deliveries); row++) {
        const char *id = PQgetvalue(x->deliveries, row, STORY_INTEGRATION);
        if (find_integration(x, id))
            continue;
        add_title(&x->out, comma, id, PQgetvalue(x->deliveries, row, STORY_KIND), NULL);
        good = add_delivery(x, row);
        buf_add_char(&x->out, '}');
        comma = ",\n  ";
    }
    buf_add_char(&x->out, ']');
    return good;
}

static bool add(struct explain *x)
{
    struct buf text;
    buf_add_text(&x->out, x->out.len > 1 ? ",\n {" : "{");
    buf_json_key(&x->out, "event");
    buf_add_text(&x->out, x->event ? "{" : "null");
    if (x->event) {
        output_json_members(&x->out, x->event, 0);
        buf_add_char(&x->out, '}');
    }
    bool good = add_integrations(x);
    buf_init(&text, CONCLUSION_MAX);
    conclude(&text, x);
    buf_json_key(&x->out, "conclusion");
    buf_json_text(&x->out, buf_text(&text));
    buf_add_char(&x->out, '}');
    buf_free(&text);
    return good;
}

/* ---- */

/* Explain an event of TYPE, SCAN and FINDING, with x->event and x->deliveries or without. */
static bool explain(struct explain *x, const char *type, const char *scan, const char *finding)
{
    int known = event_type_parse(type);
    x->now = (struct explain_now){.count = 0};
    bool good = known < 0 || strcmp(type, TASK_TYPE) == 0 || !scan ||
                explain_now_read(&x->db, (enum event_type)known, scan, finding, &x->now);
    x->has_now = good && explain_now_is_whole(&x->now);
    good = good && (x->json ? add(x) : print(x));
    explain_now_free(&x->now);
    return good;
}

/* Explain the event ID, which may not be there. */
static bool explain_event(struct explain *x, const char *id)
{
    x->event = story_event(&x->db, id);
    x->deliveries = x->event ? story_deliveries(&x->db, id, NULL) : NULL;
    bool good = x->deliveries != NULL;
    if (good && PQntuples(x->event)) {
        x->known = true;
        good =
            explain(x, event_value(x, "event_type"), event_value(x, "scan_id"), event_value(x, "finding_id"));
    }
    PQclear(x->event);
    PQclear(x->deliveries);
    x->event = x->deliveries = NULL;
    return good;
}

static bool explain_scan(struct explain *x, const char *scan, const char *type, const char *finding)
{
    const char *values[] = {scan, type, finding};
    PGresult *ids = db_query(&x->db, find_sql, 3, values);
    bool good = ids != NULL;
    if (good && !PQntuples(ids)) {
        good = explain(x, type, scan, finding);
        x->known = x->has_now;
    }
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
