/*
 * health - how each integration fares, for people and other hosts
 *
 * Takes what the gate has to report once in gate.report and writes it in one statement; of integrations that broke or work
 * again the other hosts are told in it. Nothing depends on it: while the database is away the gate keeps its reports, and
 * what a worker that dies had to say is said by its next failure.
 */
#include "worker/health.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "worker/pg_batch.h"
#include "worker/rules.h"

enum { BATCH_MAX = 500 };

struct health_note {
    struct pg_batch_item item;
    struct list link;
    struct gate_report report;
};

struct health {
    struct gate *gate;
    struct pg_batch *batch;
    struct event *tick;
    struct list open; /* notes that are not written yet */
    size_t count;
};

static struct health_note *note_of(struct pg_batch_item *item)
{
    return list_entry(item, struct health_note, item);
}

static int compare(const void *a, const void *b)
{
    const struct health_note *x = note_of(*(struct pg_batch_item *const *)a);
    const struct health_note *y = note_of(*(struct pg_batch_item *const *)b);
    return memcmp(x->report.integration.bytes, y->report.integration.bytes,
                  sizeof x->report.integration.bytes);
}

static void add_age(struct pg_array *c, int64_t at_us, int64_t now_us)
{
    if (at_us)
        pg_array_add_float8(c, (double)(now_us - at_us) / 1e6);
    else
        pg_array_add_null(c);
}

/* No text: nothing is new. An empty one: it works. */
static void add_gone(struct pg_array *c, const struct gate_report *r, int64_t now_us)
{
    char row[RULES_ROW_TEXT];
    bool is_news = r->gone.at_us != GONE_NO_NEWS;
    rules_row_text(r->row, row);
    pg_array_add_text(c++, !is_news ? NULL : r->gone.until_us ? row : "");
    add_age(c++, is_news ? r->gone.at_us : 0, now_us);
    if (is_news && r->gone.until_us)
        pg_array_add_float8(c, (double)(r->gone.until_us - now_us) / 1e6);
    else
        pg_array_add_null(c);
}

static void add_note(struct pg_array *c, const struct gate_report *r, int64_t now)
{
    bool fails = r->failure_us > r->success_us;
    pg_array_add_uuid(c++, &r->integration);
    pg_array_add_uuid(c++, &r->workspace);
    add_age(c++, r->success_us, now);
    add_age(c++, r->failure_us, now);
    add_age(c++, fails ? r->failure_us : 0, now);
    pg_array_add_text(c++, r->error == ERROR_NONE ? NULL : error_word_name(r->error));
    if (r->open_until_us > now)
        pg_array_add_float8(c++, (double)(r->open_until_us - now) / 1e6);
    else
        pg_array_add_null(c++);
    if (r->lowered_rate > 0)
        pg_array_add_float8(c++, r->lowered_rate);
    else
        pg_array_add_null(c++);
    add_gone(c, r, now);
}

static void send_notes(void *owner, struct pg_batch_item **items, size_t count)
{
    struct health *h = owner;
    int64_t now = clock_mono_us();
    qsort(items, count, sizeof(struct pg_batch_item *), compare);
    struct pg_array *columns = pg_batch_columns(h->batch, STATEMENT_HEALTH);
    for (size_t i = 0; i < count; i++)
        add_note(columns, &note_of(items[i])->report, now);
    pg_batch_execute(h->batch);
}

static void drop(struct health *h, struct pg_batch_item *item)
{
    h->count--;
    list_remove(&note_of(item)->link);
    free(note_of(item));
}

static void on_done(void *owner, struct pg_batch_item **items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        drop(owner, items[i]);
}

static void on_refused(void *owner, struct pg_batch_item *item, const struct pg_request *why)
{
    LOG(LOG_ERROR, "health_refused", LOG_TEXT("sqlstate", why->sqlstate), LOG_TEXT("words", why->words));
    drop(owner, item);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct health *h = arg;
    struct gate_report report;
    (void)fd;
    (void)what;
    while (h->count < BATCH_MAX && gate_take_report(h->gate, &report)) {
        struct health_note *note = mem_zalloc(sizeof *note);
        note->report = report;
        list_init(&note->link);
        list_append(&h->open, &note->link);
        h->count++;
        pg_batch_add(h->batch, &note->item);
    }
}

struct health *health_new(struct event_base *base, struct pg_link *link, const struct conf *conf,
                          struct gate *gate)
{
    static const struct pg_batch_calls calls = {send_notes, NULL, on_done, on_refused};
    static const struct pg_batch_settings settings = {
        .batch = BATCH_HEALTH,
        .most = BATCH_MAX,
    };
    struct health *h = mem_zalloc(sizeof *h);
    struct timeval every = clock_timeval(conf->gate_report);
    h->gate = gate;
    list_init(&h->open);
    h->batch = pg_batch_new(base, link, &settings, &calls, h);
    h->tick = event_new(base, -1, EV_PERSIST, on_tick, h);
    event_add(h->tick, &every);
    return h;
}

void health_free(struct health *h)
{
    struct list *at;
    if (!h)
        return;
    event_free(h->tick);
    pg_batch_free(h->batch);
    while ((at = list_shift(&h->open)))
        free(list_entry(at, struct health_note, link));
    free(h);
}

void health_resume(struct health *h)
{
    pg_batch_resume(h->batch);
}
