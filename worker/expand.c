/*
 * expand - one event for a scan, and one for each of its findings
 *
 * A state machine per task: read some thousand findings ahead, publish a page of them, wait until the broker has all
 * of it, write how far it has come, and only then publish the next. Invariants:
 *   - the row says less than what the broker has, never more: whoever takes the task over from the row loses nothing,
 *     and publishes one page again at most (under the same ids, which makes that harmless);
 *   - the place is a finding, not a count: findings may be suppressed, or come and go, meanwhile;
 *   - what it holds does not grow with the scan: FINDINGS_AHEAD places and one page of messages, for AT_ONCE tasks.
 *
 * Owns the batch of its statements, and what it has read and published of each task. The task itself is the caller's;
 * so is the acknowledgement. Reading ahead is what makes a large scan cheap: to sort its findings costs the database
 * the same for one page as for twenty.
 */
#include "worker/expand.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "worker/shared.h"

enum {
    AT_ONCE = 4,    /* tasks of one worker; more would only take turns at the same broker and database */
    HELD_PARTS = 8, /* of the prefetch, one part may be tasks; more would hold up what stands behind them */
    FINDINGS_AHEAD = 10000,
    PAGE_BLOCK = 65536,               /* bytes of an arena's block */
    FINDING_TEXT = 1 + UUID_TEXT - 1, /* of a finding in the answer: its severity's digit and its id */
};

struct expansions {
    const struct conf *conf;
    struct publisher *publisher;
    struct pg_batch *batch;
    size_t admitted; /* in hand: at work or waiting */
    size_t at_work;
    struct list waiting;
};

/* A message of a page. */
struct expand_message {
    struct publish_message message;
    struct expansion *expansion;
};

static const char *const state_names[] = {"none", "admitted", "waiting", "asking", "publishing", "ended"};

static void move(struct expansion *x, enum expansion_state to, const char *why)
{
    LOG(LOG_DEBUG, "expansion", LOG_EVENT(x->task), LOG_TEXT("from", state_names[x->state]),
        LOG_TEXT("to", state_names[to]), LOG_TEXT("why", why), LOG_NUM("published", x->published));
    x->state = to;
}

static struct expansion *expansion_of(struct pg_batch_item *item)
{
    return list_entry(item, struct expansion, item);
}

static size_t read_at_once(const struct expansions *all)
{
    size_t page = (size_t)all->conf->expand_page;
    return page > FINDINGS_AHEAD ? page : FINDINGS_AHEAD;
}

static void forget_findings(struct expansion *x)
{
    free(x->findings);
    x->findings = NULL;
    x->count = x->next = 0;
    x->more = false;
}

static void ask(struct expansion *x, const char *why)
{
    move(x, EXPANSION_ASKING, why);
    x->item.urgent = true;
    pg_batch_add(x->all->batch, &x->item);
}

static void begin(struct expansion *x)
{
    x->all->at_work++;
    x->read = true;
    ask(x, "its row is there");
}

static void end(struct expansion *x, enum expansion_end how, const char *why)
{
    struct expansions *all = x->all;
    move(x, EXPANSION_ENDED, why);
    all->at_work--;
    x->ended(x, how); /* X may be gone */
    struct list *next = list_shift(&all->waiting);
    if (next)
        begin(list_entry(next, struct expansion, link));
}

/* ---- a page at the broker ---- */

static void page_confirmed(struct expansion *x, size_t findings)
{
    fault_here(FAULT_EXPAND, x->task->id);
    arena_free(&x->page);
    x->messages = NULL;
    bool first = x->published == 0;
    shared_count_more(COUNT_EXPANSION_EVENTS, findings + first);
    x->published += (int)(findings + first);
    x->next += findings;
    x->has_place = x->next > 0;
    if (x->has_place)
        x->place = x->findings[x->next - 1];
    x->write = true;
    x->last = x->next == x->count && !x->more;
    x->read = x->next == x->count && x->more;
    ask(x, "a page is confirmed");
}

static size_t page_size(const struct expansion *x)
{
    size_t left = x->count - x->next, most = (size_t)x->all->conf->expand_page;
    return left < most ? left : most;
}

static void on_confirmed(struct publish_message *m)
{
    struct expansion *x = list_entry(m, struct expand_message, message)->expansion;
    fault_here(FAULT_CONFIRM, x->task->id);
    if (--x->unconfirmed == 0)
        page_confirmed(x, page_size(x));
}

static struct publish_message *add_message(struct expansion *x)
{
    struct expand_message *m = &x->messages[x->unconfirmed++];
    m->expansion = x;
    m->message.confirmed = on_confirmed;
    return &m->message;
}

static void publish_page(struct expansion *x)
{
    bool first = x->published == 0;
    size_t findings = page_size(x), count = findings + first;
    move(x, EXPANSION_PUBLISHING, first ? "the first page" : "the next page");
    x->messages = arena_alloc(&x->page, count * sizeof *x->messages);
    memset(x->messages, 0, count * sizeof *x->messages);
    if (first)
        expand_page_scan_done(add_message(x), &x->page, x->task, x->queue);
    for (size_t i = 0; i < findings; i++)
        expand_page_finding(add_message(x), &x->page, x->task, x->queue, &x->findings[x->next + i]);
    for (size_t i = 0; i < count; i++)
        publisher_send(x->all->publisher, &x->messages[i].message);
    fault_here(FAULT_PUBLISH, x->task->id);
}

/* ---- its questions to the database ---- */

static int by_task(const void *a, const void *b)
{
    const struct expansion *x = expansion_of(*(struct pg_batch_item *const *)a);
    const struct expansion *y = expansion_of(*(struct pg_batch_item *const *)b);
    return strcmp(x->task->id, y->task->id);
}

/* The rows whose place is about to be written (see statements.c). */
static void lock_rows(struct expansions *all, struct pg_batch_item **items, size_t count)
{
    struct pg_array *columns = pg_batch_columns(all->batch, STATEMENT_EXPAND_LOCK);
    for (size_t i = 0; i < count; i++)
        if (expansion_of(items[i])->write)
            pg_array_add_text(columns, expansion_of(items[i])->task->id);
    if (columns->count)
        pg_batch_execute(all->batch);
}

static void write_places(struct expansions *all, struct pg_batch_item **items, size_t count)
{
    struct pg_array *columns = pg_batch_columns(all->batch, STATEMENT_EXPAND_PLACE);
    for (size_t i = 0; i < count; i++) {
        struct expansion *x = expansion_of(items[i]);
        struct pg_array *c = columns;
        x->placed = false;
        if (!x->write)
            continue;
        pg_array_add_int4(c++, (int32_t)i);
        pg_array_add_text(c++, x->task->id);
        pg_array_add_text(c++, event_state_name(x->last ? EVENT_STATE_EXPANDED : EVENT_STATE_OPEN));
        pg_array_add_int4(c++, x->published);
        if (x->has_place)
            pg_array_add_int4(c++, (int32_t)x->place.severity);
        else
            pg_array_add_null(c++);
        pg_array_add_uuid(c++, x->has_place ? &x->place.id : NULL);
    }
    if (columns->count)
        pg_batch_execute(all->batch);
}

static void read_findings(struct expansions *all, struct pg_batch_item **items, size_t count)
{
    struct pg_array *columns = pg_batch_columns(all->batch, STATEMENT_EXPAND_READ);
    for (size_t i = 0; i < count; i++) {
        struct expansion *x = expansion_of(items[i]);
        if (!x->read)
            continue;
        x->in_row = false;
        forget_findings(x);
        pg_array_add_int4(&columns[0], (int32_t)i);
        pg_array_add_text(&columns[1], x->task->id);
        pg_array_add_int4(&columns[2], (int32_t)read_at_once(all));
    }
    if (columns->count)
        pg_batch_execute(all->batch);
}

static void send_questions(void *owner, struct pg_batch_item **items, size_t count)
{
    qsort(items, count, sizeof(struct pg_batch_item *), by_task);
    lock_rows(owner, items, count);
    write_places(owner, items, count);
    read_findings(owner, items, count);
}

static bool take_finding(const char *text, struct expand_finding *out)
{
    char id[UUID_TEXT];
    memcpy(id, text + 1, UUID_TEXT - 1);
    id[UUID_TEXT - 1] = 0;
    int severity = *text - '0';
    out->severity = (enum severity)severity;
    return severity >= 0 && severity < SEVERITY_COUNT && uuid_parse(&out->id, id);
}

static void take_findings(struct expansion *x, const char *text, size_t n)
{
    check(n % FINDING_TEXT == 0);
    x->count = n / FINDING_TEXT;
    x->more = x->count >= read_at_once(x->all);
    x->findings = mem_alloc((x->count + 1) * sizeof *x->findings);
    for (size_t i = 0; i < x->count; i++)
        check(take_finding(text + i * FINDING_TEXT, &x->findings[i])); /* our own statement made it */
}

static void on_result(void *owner, enum statement statement, const PGresult *r, struct pg_batch_item **items,
                      size_t count)
{
    (void)owner;
    if (statement == STATEMENT_EXPAND_LOCK)
        return;
    for (int row = 0; row < PQntuples(r); row++) {
        long n = strtol(PQgetvalue(r, row, 0), NULL, 10);
        check(n >= 0 && (size_t)n < count);
        struct expansion *x = expansion_of(items[n]);
        if (statement == STATEMENT_EXPAND_PLACE) {
            x->placed = true;
            continue;
        }
        x->in_row = true;
        x->published = (int)strtol(PQgetvalue(r, row, 1), NULL, 10);
        take_findings(x, PQgetvalue(r, row, 2), (size_t)PQgetlength(r, row, 2));
    }
}

static void go_on(struct expansion *x)
{
    bool wrote = x->write;
    x->write = x->read = false;
    if (wrote)
        fault_here(FAULT_COMMIT, x->task->id);
    if (wrote && !x->placed) {
        end(x, EXPANSION_OVERTAKEN, "its place is not the furthest");
    } else if (wrote && x->last) {
        shared_count(COUNT_EXPANDED);
        end(x, EXPANSION_COMPLETE, "everything is published");
    } else if (!x->in_row) {
        end(x, EXPANSION_OVERTAKEN, "its row is not open");
    } else if (x->published == 0 || x->next < x->count) {
        publish_page(x);
    } else {
        x->write = x->last = true;
        ask(x, "nothing is left to publish");
    }
}

static void on_done(void *owner, struct pg_batch_item **items, size_t count)
{
    (void)owner;
    for (size_t i = 0; i < count; i++)
        go_on(expansion_of(items[i]));
}

static void on_refused(void *owner, struct pg_batch_item *item, const struct pg_request *why)
{
    struct expansion *x = expansion_of(item);
    (void)owner;
    LOG(LOG_ERROR, "expansion_refused", LOG_EVENT(x->task), LOG_TEXT("sqlstate", why->sqlstate),
        LOG_TEXT("words", why->words));
    end(x, EXPANSION_REFUSED, "the database refuses it");
}

/* ---- its life ---- */

struct expansions *expansions_new(struct event_base *base, struct pg_link *link, const struct conf *conf,
                                  struct publisher *publisher)
{
    static const struct pg_batch_calls calls = {send_questions, on_result, on_done, on_refused};
    struct pg_batch_settings settings = {
        .batch = BATCH_EXPAND,
        .most = AT_ONCE,
    };
    struct expansions *all = mem_zalloc(sizeof *all);
    all->conf = conf;
    list_init(&all->waiting);
    all->publisher = publisher;
    all->batch = pg_batch_new(base, link, &settings, &calls, all);
    return all;
}

void expansions_free(struct expansions *all)
{
    if (!all)
        return;
    pg_batch_free(all->batch);
    free(all);
}

void expansions_resume(struct expansions *all)
{
    pg_batch_resume(all->batch);
}

bool expansion_admit(struct expansions *all, struct expansion *x)
{
    check(x->state == EXPANSION_NONE);
    size_t most = (size_t)all->conf->broker_prefetch / HELD_PARTS;
    if (all->admitted >= (most > AT_ONCE ? most : AT_ONCE))
        return false;
    all->admitted++;
    x->all = all;
    x->state = EXPANSION_ADMITTED;
    arena_init(&x->page, PAGE_BLOCK);
    return true;
}

void expansion_run(struct expansion *x)
{
    check(x->state == EXPANSION_ADMITTED);
    if (x->all->at_work < AT_ONCE) {
        begin(x);
        return;
    }
    move(x, EXPANSION_WAITING, "others are at work");
    list_append(&x->all->waiting, &x->link);
}

void expansion_drop(struct expansion *x)
{
    if (!x->all)
        return;
    if (x->state == EXPANSION_WAITING)
        list_remove(&x->link);
    x->all->admitted--;
    x->all = NULL;
    forget_findings(x);
    arena_free(&x->page);
}
