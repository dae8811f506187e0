/*
 * explanation - why an event reached an integration, or did not
 *
 * Of rows that somebody else has read. Ends with a conclusion in plain words; an integration that was changed since it
 * happened explains why the ledger and the filters of now may say different things. Pure.
 */
#include "api/service/explanation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/service/rows_json.h"

/* What the ledger calls the task that stands for a scan's findings. */
#define TASK_TYPE "notify_scan_findings"

const char *explanation_value(const struct explanation *x, const char *name)
{
    int column = PQfnumber(x->events, name);
    return column < 0 || PQgetisnull(x->events, x->event, column) ? NULL
                                                                  : PQgetvalue(x->events, x->event, column);
}

static long event_number(const struct explanation *x, const char *name)
{
    const char *text = explanation_value(x, name);
    return text ? strtol(text, NULL, 10) : 0;
}

bool explanation_is_task(const struct explanation *x)
{
    return x->events && strcmp(explanation_value(x, "event_type"), TASK_TYPE) == 0;
}

/* Somebody sent it to one integration; nobody else was asked, and no filter. */
static bool is_export(const struct explanation *x)
{
    return x->events && explanation_value(x, "export_id");
}

bool explanation_has_now(const struct explanation *x)
{
    return x->now && explain_now_is_whole(x->now);
}

static const char *lacks(const struct explanation *x)
{
    return x->now ? explain_now_lacks(x->now) : "the event names no scan, or is of a type of another version";
}

/* ---- the rows of one event ---- */

static int compare(const void *a, const void *b)
{
    const struct explanation_row *one = a, *two = b;
    int order = memcmp(&one->integration, &two->integration, sizeof one->integration);
    return order ? order : (one->row > two->row) - (one->row < two->row);
}

/* Of deliveries or attempts: both begin with the event and the integration. */
static void gather(const struct explanation *x, struct arena *arena, const PGresult *rows,
                   struct explanation_rows *out)
{
    const char *id = explanation_value(x, "id");
    out->at = arena_alloc(arena, ((size_t)PQntuples(rows) + 1) * sizeof *out->at);
    for (int i = 0; i < PQntuples(rows); i++) {
        struct explanation_row *row = &out->at[out->count];
        row->row = i;
        out->count += strcmp(PQgetvalue(rows, i, EXPLAIN_EVENT), id) == 0 &&
                      uuid_parse(&row->integration, PQgetvalue(rows, i, EXPLAIN_INTEGRATION));
    }
    qsort(out->at, out->count, sizeof *out->at, compare);
}

/* The first of INTEGRATION; NULL: there is none. */
static struct explanation_row *find(const struct explanation_rows *rows, const struct uuid *integration)
{
    size_t low = 0, high = rows->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (memcmp(&rows->at[middle].integration, integration, sizeof *integration) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < rows->count && uuid_equal(&rows->at[low].integration, integration) ? &rows->at[low] : NULL;
}

void explanation_prepare(struct explanation *x, struct arena *arena)
{
    if (x->deliveries)
        gather(x, arena, x->deliveries, &x->deliveries_of);
    if (x->attempts)
        gather(x, arena, x->attempts, &x->attempts_of);
    for (size_t i = 0; x->now && i < x->now->count; i++) {
        struct explanation_row *row = find(&x->deliveries_of, &x->now->integrations[i].id);
        if (row)
            row->is_here = true;
    }
}

int explanation_delivery(const struct explanation *x, const struct uuid *integration)
{
    const struct explanation_row *row = find(&x->deliveries_of, integration);
    return row ? row->row : -1;
}

/* ---- the conclusion ---- */

/* "delivered 2, waiting 1" over all deliveries. */
static void add_states(struct buf *out, const struct explanation *x)
{
    const char *comma = "";
    for (int state = 0; state < DELIVERY_STATE_COUNT; state++) {
        long count = 0;
        for (size_t i = 0; i < x->deliveries_of.count; i++)
            count += strcmp(PQgetvalue(x->deliveries, x->deliveries_of.at[i].row, EXPLAIN_STATE),
                            delivery_state_name((enum delivery_state)state)) == 0;
        if (count)
            buf_printf(out, "%s%s %ld", comma, delivery_state_name((enum delivery_state)state), count);
        if (count)
            comma = ", ";
    }
}

/* "disabled 2, severity 1": how many each filter held back when the event was matched. */
static void add_held_back(struct buf *out, const struct explanation *x)
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

static void conclude_done(struct buf *out, const struct explanation *x)
{
    long considered = event_number(x, "considered"), matched = event_number(x, "matched");
    if (is_export(x)) {
        buf_add_text(out, "it was exported to one integration, past all filters: ");
        add_states(out, x);
        return;
    }
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

static void conclude_event(struct buf *out, const struct explanation *x)
{
    const char *word = explanation_value(x, "state"), *reason = explanation_value(x, "reason");
    const char *help = reason ? word_list_help(word_list_find("reasons"), reason) : NULL;
    int state = word ? event_state_parse(word) : -1;
    switch (state) {
    case EVENT_STATE_DONE:
        conclude_done(out, x);
        break;
    case EVENT_STATE_OPEN:
        buf_printf(out, "it is being handled: %zu deliveries so far", x->deliveries_of.count);
        break;
    case EVENT_STATE_SCHEDULED:
        buf_printf(out, "it waits for its time, %s; no integration was asked yet",
                   explanation_value(x, "scheduled_for") ? explanation_value(x, "scheduled_for")
                                                         : "which is not known");
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

static void add_now(struct buf *out, const struct explanation *x, const char *verb)
{
    size_t fires = 0;
    for (size_t i = 0; explanation_has_now(x) && i < x->now->count; i++)
        fires += explain_now_fires(x->now, &x->now->integrations[i]);
    if (explanation_has_now(x))
        buf_printf(out, "%s %zu of %zu integrations", verb, fires, x->now->count);
    else
        buf_printf(out, "the filters cannot be asked now: %s", lacks(x));
}

void explanation_conclude(struct buf *out, const struct explanation *x)
{
    if (!x->events) {
        buf_add_text(out, "no event of that kind was ever received; ");
        add_now(out, x, "it would go to");
        return;
    }
    conclude_event(out, x);
    if (!explanation_is_task(x) && !is_export(x)) {
        buf_add_text(out, "; ");
        add_now(out, x, "as they are now, it would go to");
    }
}

/* ---- as JSON ---- */

static void add_attempts(struct buf *out, const struct explanation *x, int row)
{
    struct uuid id;
    const struct explanation_row *first = NULL, *at, *end = x->attempts_of.at + x->attempts_of.count;
    if (uuid_parse(&id, PQgetvalue(x->deliveries, row, EXPLAIN_INTEGRATION)))
        first = find(&x->attempts_of, &id);
    buf_json_key(out, "attempts");
    buf_add_char(out, '[');
    for (at = first; at && at < end && uuid_equal(&at->integration, &id); at++) {
        if (at != first)
            buf_add_char(out, ',');
        rows_json_object(out, x->attempts, at->row, EXPLAIN_ATTEMPT_SHOWN);
    }
    buf_add_char(out, ']');
}

static void add_delivery(struct buf *out, const struct explanation *x, int row)
{
    buf_json_key(out, "delivery");
    if (row < 0) {
        buf_add_text(out, "null");
        return;
    }
    buf_add_char(out, '{');
    rows_json_members(out, x->deliveries, row, 0);
    add_attempts(out, x, row);
    buf_add_char(out, '}');
}

static void add_title(struct buf *out, const char *id, const char *kind, const char *name)
{
    buf_json_key(out, "integration_id");
    buf_json_text(out, id);
    buf_json_key(out, "kind");
    buf_json_text(out, kind);
    buf_json_key(out, "name");
    buf_json_text(out, name);
}

static void add_filters(struct buf *out, const struct explain_now *now, const struct integration *i)
{
    struct buf why;
    buf_init(&why, EXPLAIN_WHY_MAX);
    buf_json_key(out, "filters");
    for (enum match_verdict stage = MATCH_FIRES + 1; stage < MATCH_COUNT; stage++) {
        buf_reset(&why);
        explain_now_say_why(&why, now, i, stage);
        buf_add_text(out, stage == MATCH_FIRES + 1 ? "[{" : ",{");
        buf_json_key(out, "filter");
        buf_json_text(out, match_verdict_name(stage));
        buf_json_key(out, "passes");
        buf_add_text(out, explain_now_passes(now, i, stage) ? "true" : "false");
        buf_json_key(out, "why");
        buf_json_text(out, buf_text(&why));
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
    buf_json_key(out, "fires");
    buf_add_text(out, explain_now_fires(now, i) ? "true" : "false");
    buf_free(&why);
}

static void add_integrations(struct buf *out, const struct explanation *x)
{
    const char *comma = "";
    buf_json_key(out, "integrations");
    buf_add_char(out, '[');
    for (size_t i = 0; x->now && i < x->now->count; i++, comma = ",\n  ") {
        const struct integration *one = &x->now->integrations[i];
        char id[UUID_TEXT];
        uuid_format(&one->id, id);
        buf_printf(out, "%s{", comma);
        add_title(out, id, one->kind, one->name);
        if (explanation_has_now(x))
            add_filters(out, x->now, one);
        add_delivery(out, x, explanation_delivery(x, &one->id));
        buf_add_char(out, '}');
    }
    for (size_t i = 0; i < x->deliveries_of.count; i++) {
        int row = x->deliveries_of.at[i].row;
        if (x->deliveries_of.at[i].is_here)
            continue;
        buf_printf(out, "%s{", comma);
        add_title(out, PQgetvalue(x->deliveries, row, EXPLAIN_INTEGRATION),
                  PQgetvalue(x->deliveries, row, EXPLAIN_KIND), NULL);
        add_delivery(out, x, row);
        buf_add_char(out, '}');
        comma = ",\n  ";
    }
    buf_add_char(out, ']');
}

void explanation_add(struct buf *out, const struct explanation *x)
{
    struct buf text;
    buf_add_char(out, '{');
    buf_json_key(out, "event");
    if (x->events)
        rows_json_object(out, x->events, x->event, 0);
    else
        buf_add_text(out, "null");
    add_integrations(out, x);
    buf_init(&text, EXPLANATION_CONCLUSION_MAX);
    explanation_conclude(&text, x);
    buf_json_key(out, "conclusion");
    buf_json_text(out, buf_text(&text));
    buf_add_char(out, '}');
    buf_free(&text);
}
