/*
 * mailbox - empties the mailboxes of integrations
 *
 * A delivery that the gate holds back is a row (deferred) without a message of its own: however many wait, the broker
 * has nothing to do with them. When a mailbox is looked at next stands in notify.integration_state; the sweep publishes
 * a wake then, with a number, and one worker has it:
 *
 *   state     means                                               left by
 *   WAITING   this worker has enough from mailboxes in hand       room -> READING
 *   READING   rows are asked for                                  good -> SENDING; void -> acknowledged, gone
 *   SENDING   they are on their way like any other (trip)         all through -> LINGERING, WAITING or READING; none -> ENDING
 *   LINGERING more may come that can go together                  gate.linger is over -> WAITING or READING
 *   ENDING    when it is looked at next is written down           written -> acknowledged, gone
 *
 * Invariants:
 *   - what is taken out stays deferred until its attempt takes the row: should the worker die, it is there still, and the
 *     broker delivers the wake again;
 *   - a wake whose number is not the last one is void: two of one mailbox do not go on beside each other;
 *   - a mailbox has no time only when it was seen to be empty with its row locked, which those who fill it lock, too.
 *
 * Knows neither limits nor HTTP: how many are worth taking says the gate.
 */
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "worker/mailbox_parts.h"
#include "worker/shared.h"

enum { BATCH_MAX = 64, ARENA_BLOCK = 4096, REST_US = 1000000 };

static long least(long a, long b)
{
    return a < b ? a : b;
}

static void forget(struct wake *w)
{
    list_remove(&w->link);
    list_remove(&w->line);
    if (w->lingering)
        event_free(w->lingering);
    w->mailboxes->count--;
    arena_free(&w->arena);
    free(w);
}

static void finish(struct wake *w)
{
    intake_ack(w->mailboxes->intake, w->receipt);
    forget(w);
}

static void ask(struct wake *w, enum wake_state state)
{
    w->state = state;
    w->asked_us = clock_mono_us();
    pg_batch_add(w->mailboxes->batch, &w->item);
}

static void read_more(struct wake *w)
{
    struct mailboxes *m = w->mailboxes;
    long room = m->conf->gate_wake_rows - m->reserved;
    if (room <= 0) {
        w->state = WAKE_WAITING;
        list_append(&m->waiting, &w->line);
        return;
    }
    w->reserved = least(room, m->conf->gate_wake_batch);
    /* One at least: only what comes out meets the rules as they are now, and limits begin anew with other settings. */
    w->most = gate_room(m->gate, &w->integration, w->reserved);
    w->most = w->most > 0 ? w->most : 1;
    m->reserved += w->reserved;
    ask(w, WAKE_READING);
}

/* Of what is reserved for W, only LEFT is needed from now on. */
static void give_room(struct wake *w, long left)
{
    struct mailboxes *m = w->mailboxes;
    m->reserved += left - w->reserved;
    w->reserved = left;
    while (!m->stopped && m->reserved < m->conf->gate_wake_rows && !list_is_empty(&m->waiting))
        read_more(list_entry(list_shift(&m->waiting), struct wake, line));
}

/* Where many come one after the other, the next may be about to: another wake, on another host, would not know when the last
 * request was. */
static bool is_empty(const struct wake *w)
{
    return w->taken == 0 && (!w->goes_together || clock_mono_us() - w->sent_us > REST_US);
}

static bool is_over(const struct wake *w)
{
    const struct mailboxes *m = w->mailboxes;
    return is_empty(w) || w->stays || m->stopped || gate_is_shut(&w->integration) ||
           clock_mono_us() - w->begun_us > clock_us(m->conf->gate_wake_run);
}

/* What goes together, and was less than may go: the next that comes has company if it waits a little. */
static bool lingers(const struct wake *w)
{
    return w->goes_together && w->taken < (size_t)w->mailboxes->conf->gate_together;
}

static void on_lingered(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    read_more(arg);
}

static void linger(struct wake *w)
{
    struct mailboxes *m = w->mailboxes;
    struct timeval tv = clock_timeval(m->conf->gate_linger);
    w->state = WAKE_LINGERING;
    if (!w->lingering)
        w->lingering = event_new(m->base, -1, 0, on_lingered, w);
    event_add(w->lingering, &tv);
}

static void on_through(struct trip_waker *waker, bool stays)
{
    struct wake *w = list_entry(waker, struct wake, waker);
    w->stays |= stays;
    if (--w->unsent > 0)
        return;
    give_room(w, 0);
    if (is_over(w))
        ask(w, WAKE_ENDING);
    else if (lingers(w))
        linger(w);
    else
        read_more(w);
}

static struct mailbox_row *row_at(struct list *at)
{
    return list_entry(at, struct mailbox_row, link);
}

/* B may be told together with A, and with all others of which that is so. */
static bool belongs(const struct wake *w, const struct mailbox_row *a, const struct mailbox_row *b)
{
    if (!w->dest->digests)
        return true;
    return a->event.type == EVENT_FINDING_NEW && b->event.type == EVENT_FINDING_NEW &&
           uuid_equal(&a->event.scan_id, &b->event.scan_id);
}

static bool goes_together(const struct wake *w)
{
    return w->dest && w->dest->together_max > 1 && w->mailboxes->conf->gate_together > 1;
}

static size_t only(struct mailbox_row *row, struct list *out)
{
    list_init(out);
    list_append(out, &row->link);
    return 1;
}

/* FIRST, and with it what belongs to it of the rows that wait, if that is enough to be told together. */
static size_t gather(struct wake *w, struct mailbox_row *first, struct list *out)
{
    struct list *at, *next;
    size_t n = only(first, out), least = 2;
    if (!w->goes_together)
        return n;
    if (w->dest->digests)
        least = (size_t)w->mailboxes->conf->gate_digest_above + 1;
    list_for_each (at, &w->rows)
        n += belongs(w, first, row_at(at));
    if (n < least)
        return 1;
    n = 1;
    list_for_each_safe (at, next, &w->rows)
        if (n < (size_t)w->mailboxes->conf->gate_together && belongs(w, first, row_at(at))) {
            list_remove(at);
            list_append(out, at);
            n++;
        }
    return n;
}

/* COUNT rows, in one conversation if they are several. */
static void send_together(struct wake *w, struct list *rows, size_t count)
{
    struct mailboxes *m = w->mailboxes;
    struct bundle *bundle = count > 1 ? bundle_new(m->parts, count) : NULL;
    struct list *at;
    while ((at = list_shift(rows))) {
        struct mailbox_row *row = row_at(at);
        const struct trip_woken woken = {.event = &row->event,
                                         .queue = row->queue,
                                         .integration = &w->integration,
                                         .attempt = row->attempt + 1,
                                         .bundle = bundle};
        w->taken++;
        w->unsent++;
        shared_count(COUNT_WOKEN);
        trips_begin_woken(m->trips, &woken, &w->waker);
    }
}

/* As many conversations as may start soon, and what is only to end; what was read beyond them is in the mailbox still. */
static void send_rows(struct wake *w)
{
    struct list together, *at;
    w->goes_together = goes_together(w);
    long most = w->goes_together ? w->most : w->reserved;
    w->state = WAKE_SENDING;
    w->unsent = 1;
    w->taken = 0;
    for (long n = 0; (at = list_shift(&w->rows));) {
        bool ends = row_at(at)->too_old;
        if (n >= most && !ends)
            continue;
        size_t count = ends ? only(row_at(at), &together) : gather(w, row_at(at), &together);
        send_together(w, &together, count);
        n += !ends;
    }
    list_init(&w->rows);
    arena_free(&w->arena);
    if (w->taken > 0) {
        w->sent_us = clock_mono_us();
        gate_note_mailbox(&w->integration, true);
    }
    give_room(w, (long)w->taken);
    on_through(&w->waker, false);
}

/* Whoever gets it next goes on at once. */
static void hand_back(struct wake *w)
{
    give_room(w, 0);
    intake_requeue(w->mailboxes->intake, w->receipt);
    forget(w);
}

static void on_read(struct wake *w)
{
    if (w->good && w->mailboxes->stopped) {
        hand_back(w);
        return;
    }
    if (w->good) {
        send_rows(w);
        return;
    }
    give_room(w, 0);
    finish(w); /* another wake has taken its place */
}

static void on_done(void *owner, struct pg_batch_item **items, size_t count)
{
    (void)owner;
    for (size_t i = 0; i < count; i++) {
        struct wake *w = wake_of(items[i]);
        if (w->state == WAKE_READING)
            on_read(w);
        else
            finish(w);
    }
}

/* Nothing in it but numbers and ids of our own: it is tried again, and the wake is held. */
static void on_refused(void *owner, struct pg_batch_item *item, const struct pg_request *why)
{
    struct mailboxes *m = owner;
    char integration[UUID_TEXT];
    uuid_format(&wake_of(item)->integration, integration);
    LOG(LOG_ERROR, "mailbox_refused", LOG_TEXT("integration", integration),
        LOG_TEXT("sqlstate", why->sqlstate), LOG_TEXT("words", why->words));
    pg_batch_put_aside(m->batch, item);
}

struct mailboxes *mailboxes_new(struct event_base *base, struct pg_link *link, struct parts *parts,
                                struct trips *trips)
{
    static const struct pg_batch_calls calls = {mailbox_rows_ask, mailbox_rows_take, on_done, on_refused};
    static const struct pg_batch_settings settings = {
        .batch = BATCH_MAILBOX,
        .most = BATCH_MAX,
    };
    struct mailboxes *m = mem_zalloc(sizeof *m);
    m->base = base;
    m->conf = parts->conf;
    m->gate = parts->gate;
    m->intake = parts->intake;
    m->parts = parts;
    m->trips = trips;
    list_init(&m->all);
    list_init(&m->waiting);
    m->batch = pg_batch_new(base, link, &settings, &calls, m);
    return m;
}

void mailboxes_free(struct mailboxes *m)
{
    struct list *at;
    if (!m)
        return;
    while ((at = list_shift(&m->all))) {
        struct wake *w = list_entry(at, struct wake, link);
        intake_drop(m->intake, w->receipt);
        forget(w);
    }
    pg_batch_free(m->batch);
    free(m);
}

/* A wake of INTEGRATION that will ask again. */
static struct wake *find_going_on(struct mailboxes *m, const struct uuid *integration)
{
    struct list *at;
    list_for_each (at, &m->all) {
        struct wake *w = list_entry(at, struct wake, link);
        if (uuid_equal(&w->integration, integration) &&
            (w->state == WAKE_WAITING || w->state == WAKE_SENDING || w->state == WAKE_LINGERING))
            return w;
    }
    return NULL;
}

/*
 * Its mailbox is in hand here: what it sends takes longer than a wake is good for, or the broker's link was lost. It goes on
 * under the later number; beside it, the other would take out the same rows, and each would join its copy.
 */
static void renew(struct wake *w, int number, struct intake_receipt *receipt)
{
    intake_ack(w->mailboxes->intake, w->receipt);
    w->receipt = receipt;
    w->number = number > w->number ? number : w->number;
}

void mailboxes_wake(struct mailboxes *m, const struct uuid *integration, int number,
                    struct intake_receipt *receipt)
{
    struct wake *w = find_going_on(m, integration);
    if (w) {
        renew(w, number, receipt);
        return;
    }
    w = mem_zalloc(sizeof *w);
    w->mailboxes = m;
    w->receipt = receipt;
    w->integration = *integration;
    w->number = number;
    w->begun_us = clock_mono_us();
    w->waker.through = on_through;
    list_init(&w->line);
    list_init(&w->rows);
    arena_init(&w->arena, ARENA_BLOCK);
    list_init(&w->link);
    list_append(&m->all, &w->link);
    m->count++;
    shared_count(COUNT_WAKES);
    read_more(w);
}

void mailboxes_resume(struct mailboxes *m)
{
    pg_batch_resume(m->batch);
}

void mailboxes_stop(struct mailboxes *m)
{
    struct list *at, *next;
    m->stopped = true;
    while ((at = list_shift(&m->waiting)))
        hand_back(list_entry(at, struct wake, line));
    list_for_each_safe (at, next, &m->all) {
        struct wake *w = list_entry(at, struct wake, link);
        if (w->state == WAKE_LINGERING)
            hand_back(w);
    }
    gate_close_mailbox(m->gate);
}

void mailboxes_hand_back(struct mailboxes *m, int64_t max_us)
{
    struct list *at, *next;
    int64_t now = clock_mono_us();
    list_for_each_safe (at, next, &m->all) {
        struct wake *w = list_entry(at, struct wake, link);
        bool asks = w->state == WAKE_READING || w->state == WAKE_ENDING;
        if (!asks || now - w->asked_us < max_us || !pg_batch_withdraw(m->batch, &w->item))
            continue;
        hand_back(w);
    }
}

size_t mailboxes_count(const struct mailboxes *m)
{
    return m->count;
}
