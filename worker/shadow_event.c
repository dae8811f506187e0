/*
 * shadow_event - what would become of an event
 *
 *   look up -> rules -> match -> the first request of each delivery -> rows
 *
 * As judge.c, but for the ledger's memory: what another pool has delivered meanwhile is judged here all the same, for the report
 * is about what this one would do. Nothing of it is work for anybody: only notify.shadow is written. An eta is not waited for,
 * and neither is a scan that still runs: what counts is what the database says when the message comes.
 */
#include <string.h>

#include "common/base/check.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "worker/shadow_parts.h"
#include "worker/shared.h"
#include "worker/talk.h"

enum { DESTINATIONS_MAX = 16 };

static const char *const state_names[] = {"new", "asking", "waiting for rules", "writing", "judged"};

static void move(struct shadow_event *e, enum shadow_event_state to)
{
    LOG(LOG_DEBUG, "shadow_event", LOG_TEXT("id", e->id), LOG_TEXT("from", state_names[e->state]),
        LOG_TEXT("to", state_names[to]));
    e->state = to;
}

static void on_written(struct shadow_row *row)
{
    struct shadow_event *e = row->owner;
    e->refused |= row->refused;
    if (--e->unwritten > 0)
        return;
    move(e, SHADOW_EVENT_JUDGED);
    if (!e->again && !e->refused)
        shared_count(COUNT_SHADOWED);
    e->judged(e);
}

static void fill(struct shadow_event *e, struct shadow_row *row)
{
    row->event_id = e->id;
    row->event = e->event;
    row->queue = e->queue;
    row->workspace = e->lookup.has_workspace ? &e->lookup.facts.scan.workspace_id : NULL;
    row->again = e->again;
    row->owner = e;
    row->written = on_written;
    e->unwritten++;
}

static struct shadow_row *own_row(struct shadow_event *e, enum shadow_verdict verdict)
{
    struct shadow_row *row = arena_alloc(e->arena, sizeof *row);
    fill(e, row);
    row->verdict = verdict;
    return row;
}

void shadow_event_end(struct shadow_event *e, enum shadow_verdict verdict, enum reason reason,
                      const char *detail)
{
    struct shadow_row *row = own_row(e, verdict);
    row->reason = reason;
    row->detail = detail;
    move(e, SHADOW_EVENT_WRITING);
    shadow_rows_write(e->all->rows, row);
}

/* ---- deliveries ---- */

static struct dest_body_cache *cache_of(struct dest_body_cache *caches, const struct dest *dest)
{
    size_t i = 0;
    while (dest_all[i] != dest)
        i++;
    check(i < DESTINATIONS_MAX);
    return &caches[i];
}

static void render(struct shadow_event *e, struct rules_entry *entry, struct rules_integration *i,
                   struct dest_body_cache *caches, struct shadow_row *row)
{
    const struct shadow_render how = {.conf = e->all->parts->conf,
                                      .keys = e->all->keys,
                                      .transfer = e->all->transfer,
                                      .arena = e->arena,
                                      .event = e->event,
                                      .facts = &e->lookup.facts};
    rules_open_settings(e->all->parts->rules, entry, i);
    fill(e, row);
    row->integration = i->row.id;
    row->name = arena_strdup(e->arena, i->row.name);
    row->kind = arena_strdup(e->arena, i->row.kind);
    shared_handling(talk_poison_hash(e->id));
    fault_here(FAULT_RENDER, e->id);
    shadow_request(&how, i, i->row.dest ? cache_of(caches, i->row.dest) : NULL, row);
    shared_handled();
    if (row->verdict == SHADOW_WOULD_SEND)
        shared_count(COUNT_SHADOW_SENT);
}

/* All rows are made before the first is written, since the last that is written may end it. */
static void write_all(struct shadow_event *e, struct rules_entry *entry, const struct matches_found *found)
{
    struct dest_body_cache caches[DESTINATIONS_MAX];
    size_t n = found->count;
    struct shadow_row *rows = arena_alloc(e->arena, (n + 1) * sizeof *rows);
    struct shadow_row *own = own_row(e, n ? SHADOW_MATCHED : SHADOW_FILTERED);
    own->counts = &e->counts;
    for (size_t i = 0; i < DESTINATIONS_MAX; i++)
        dest_body_cache_init(&caches[i], (size_t)e->all->parts->conf->delivery_max_request);
    for (size_t i = 0; i < n; i++)
        render(e, entry, found->fires[i], caches, &rows[i]);
    for (size_t i = 0; i < DESTINATIONS_MAX; i++)
        dest_body_cache_free(&caches[i]);
    for (size_t i = 0; i < n; i++)
        shadow_rows_write(e->all->rows, &rows[i]);
    shadow_rows_write(e->all->rows, own);
}

static void on_rules(struct rules_wait *wait, struct rules_entry *entry)
{
    struct shadow_event *e = list_entry(wait, struct shadow_event, rules_wait);
    struct rules *rules = e->all->parts->rules;
    shared_handling(talk_poison_hash(e->id));
    const struct matches_found *found = rules_match(rules, entry, e->event->type, &e->lookup.facts);
    shared_handled();
    e->counts.considered = (int)rules_count(entry);
    e->counts.matched = (int)found->count;
    memcpy(e->counts.filtered, found->held_back, sizeof e->counts.filtered);
    e->found = true;
    move(e, SHADOW_EVENT_WRITING);
    write_all(e, entry, found); /* asynchronous: E lives on */
    rules_release(rules, entry);
}

/* What kills whoever judges it is passed on unjudged, as all that cannot be judged: that comes first here. */
static bool is_poison(const struct shadow_event *e)
{
    return shared_is_poison(talk_poison_hash(e->id));
}

static void end_poisonous(struct shadow_event *e)
{
    shadow_event_end(e, SHADOW_REJECTED, REASON_KILLED_WORKER, "judging it ended three worker processes");
}

static void on_looked_up(struct lookup *q)
{
    struct shadow_event *e = list_entry(q, struct shadow_event, lookup);
    e->is_missing = !q->found;
    if (is_poison(e)) {
        end_poisonous(e);
    } else if (!q->found) {
        shadow_event_end(e, SHADOW_NOT_FOUND, REASON_NONE, NULL);
    } else if (e->event->expand) {
        e->found = true;
        shadow_event_end(e, SHADOW_EXPANDED, REASON_NONE, NULL);
    } else if (q->finding_of_other_scan) {
        shadow_event_end(e, SHADOW_REJECTED, REASON_FINDING_OF_OTHER_SCAN,
                         "the finding belongs to another scan than scan_id");
    } else {
        move(e, SHADOW_EVENT_RULES);
        e->rules_wait.workspace = q->facts.scan.workspace_id;
        e->rules_wait.ready = on_rules;
        rules_get(e->all->parts->rules, &e->rules_wait);
    }
}

void shadow_event_begin(struct shadow_event *e)
{
    const struct event *event = e->event;
    memset(&e->lookup, 0, sizeof e->lookup);
    memset(&e->rules_wait, 0, sizeof e->rules_wait);
    e->found = e->is_missing = e->refused = false;
    if (is_poison(e)) {
        end_poisonous(e);
        return;
    }
    e->lookup.arena = e->arena;
    e->lookup.event_id = e->id;
    e->lookup.about = event;
    e->lookup.poison_hash = talk_poison_hash(e->id);
    e->lookup.scan_id = event->scan_id;
    e->lookup.has_finding = event->has_finding;
    e->lookup.finding_id = event->finding_id;
    e->lookup.answered = on_looked_up;
    move(e, SHADOW_EVENT_ASKING);
    lookups_ask(e->all->parts->lookups, &e->lookup);
}

bool shadow_event_withdraw(struct shadow_event *e)
{
    if (e->state == SHADOW_EVENT_ASKING)
        return lookups_withdraw(e->all->parts->lookups, &e->lookup);
    if (e->state == SHADOW_EVENT_RULES)
        return rules_withdraw(e->all->parts->rules, &e->rules_wait);
    return false;
}
