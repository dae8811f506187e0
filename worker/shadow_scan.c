/*
 * shadow_scan - what would become of a scan's findings
 *
 * A task notify_scan_findings is an event for its scan and one for each finding, under the ids that they would have (expand).
 * They are judged EVENTS_AT_ONCE at a time, for SCANS_AT_ONCE tasks: what is held does not grow with the scan but by sixteen
 * bytes a finding. Owns the events under way, each with its arena.
 */
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/log.h"
#include "worker/expand_page.h"
#include "worker/shadow_parts.h"

enum { EVENTS_AT_ONCE = 64, SCANS_AT_ONCE = 4, ARENA_BLOCK = 8192 };

struct shadow_scan_event {
    struct shadow_event shadow;
    struct list link;
    struct shadow_scan *scan;
    struct arena arena;
    struct event event;
};

/* It is out of its list. */
static void free_event(struct shadow_scan_event *e)
{
    arena_free(&e->arena);
    free(e);
}

static void go_on(struct shadow_scan *scan);

static void on_judged(struct shadow_event *shadow)
{
    struct shadow_scan_event *e = list_entry(shadow, struct shadow_scan_event, shadow);
    struct shadow_scan *scan = e->scan;
    list_remove(&e->link);
    free_event(e);
    scan->begun--;
    go_on(scan);
}

/* The event of the scan itself, or of the finding before NUMBER. */
static void fill_event(struct shadow_scan_event *e, const struct event *task, size_t number)
{
    char which[UUID_TEXT];
    e->event = (struct event){.scan_id = task->scan_id, .first_seen_us = task->first_seen_us};
    if (number == 0) {
        e->event.type = EVENT_SCAN_DONE;
        e->event.id = expand_page_id(&e->arena, task->id, event_type_name(EVENT_SCAN_DONE));
        return;
    }
    e->event.type = EVENT_FINDING_NEW;
    e->event.has_finding = true;
    e->event.finding_id = e->scan->findings.ids[number - 1];
    uuid_format(&e->event.finding_id, which);
    e->event.id = expand_page_id(&e->arena, task->id, which);
}

static void begin_event(struct shadow_scan *scan)
{
    struct shadow_scan_event *e = mem_zalloc(sizeof *e);
    arena_init(&e->arena, ARENA_BLOCK);
    list_init(&e->link);
    list_append(&scan->events, &e->link);
    e->scan = scan;
    fill_event(e, scan->task, scan->next++);
    e->shadow = (struct shadow_event){.all = scan->all,
                                      .arena = &e->arena,
                                      .id = e->event.id,
                                      .event = &e->event,
                                      .queue = scan->queue,
                                      .again = scan->again,
                                      .judged = on_judged};
    scan->begun++;
    shadow_event_begin(&e->shadow);
}

static void ask(struct shadow_scan *scan)
{
    scan->all->scans_at_work++;
    shadow_rows_ask(scan->all->rows, &scan->findings);
}

static void end(struct shadow_scan *scan)
{
    struct shadows *all = scan->all;
    all->scans_at_work--;
    shadow_scan_drop(scan);
    scan->ended(scan); /* SCAN may be gone */
    struct list *next = list_shift(&all->scans_waiting);
    if (next)
        ask(list_entry(next, struct shadow_scan, link));
}

static void go_on(struct shadow_scan *scan)
{
    while (scan->begun < EVENTS_AT_ONCE && scan->next <= scan->findings.count)
        begin_event(scan);
    if (scan->begun == 0)
        end(scan);
}

static void on_findings(struct shadow_findings *findings)
{
    struct shadow_scan *scan = list_entry(findings, struct shadow_scan, findings);
    if (findings->count >= SHADOW_FINDINGS_MAX)
        LOG(LOG_WARN, "shadow_findings_cut", LOG_TEXT("id", scan->task->id),
            LOG_NUM("findings", findings->count),
            LOG_TEXT("why", "more findings of a scan are not judged in shadow mode"));
    go_on(scan);
}

void shadow_scan_begin(struct shadow_scan *scan)
{
    list_init(&scan->events);
    list_init(&scan->link);
    scan->findings.scan = scan->task->scan_id;
    scan->findings.answered = on_findings;
    if (scan->all->scans_at_work < SCANS_AT_ONCE)
        ask(scan);
    else
        list_append(&scan->all->scans_waiting, &scan->link);
}

void shadow_scan_drop(struct shadow_scan *scan)
{
    struct list *at;
    if (!scan->events.next)
        return;
    while ((at = list_shift(&scan->events)))
        free_event(list_entry(at, struct shadow_scan_event, link));
    free(scan->findings.ids);
    scan->findings.ids = NULL;
    scan->findings.count = 0;
}
