/*
 * sweep - finds what was forgotten, and publishes it again
 *
 * The queues are only the clock of a retry; the ledger is the truth. So once in sweep.interval this asks the ledger for
 * rows whose time is past by the grace, and for rows that are owed a message at once (replayed; or dead, and the
 * broker did not take the letter), and makes their messages anew. One round at a time:
 *
 *   IDLE -> READING rows are marked and read -> PUBLISHING until all are confirmed or given up -> CLEARING the marks of what was
 *   owed -> IDLE, or the next round at once when this one was full
 *
 * Invariants:
 *   - a row is marked (swept_at) in the transaction that reads it, so no other sweeper publishes it within the grace;
 *   - `owed` falls only when the broker has confirmed the message;
 *   - a wake for each mailbox whose time has come (mailbox.c) goes out with a number of its own, so an older one is void;
 *   - an extra copy is harmless, since an attempt starts by taking its row, and the first one of an event that the
 *     ledger knows already by making it (job.c). A lost one is found again.
 *
 * Owns a publisher of its own. Its database link is the agent's for work on the ledger; it carries retention, too.
 */
#include "worker/sweep.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "worker/ladder.h"
#include "worker/own_message.h"
#include "worker/pg_columns.h"
#include "worker/publish.h"
#include "worker/shared.h"
#include "worker/topology.h"

enum { ARENA_BLOCK = 16384 };

enum sweep_state { SWEEP_IDLE, SWEEP_READING, SWEEP_PUBLISHING, SWEEP_CLEARING };

/* A row that is published again. Lives in the round's arena. */
struct sweep_row {
    struct list link;
    struct sweep *sweep;
    struct publish_message message;
    struct event event;
    bool owed;        /* and the broker has confirmed it, once all are settled */
    int64_t swept_us; /* the database's clock */
    enum swept found;
    bool wake; /* no row of these, but the mailbox of `integration` */
    bool has_integration;
    struct uuid integration;
};

struct sweep {
    const struct conf *conf;
    enum sweep_state state;
    struct pg_link *link;
    struct publisher *publisher;
    struct event *tick;
    struct pg_request request;
    struct pg_columns columns;
    struct arena arena;
    struct list rows;
    size_t count;
    size_t owed;
    size_t wakes;
    size_t unconfirmed;
    bool full; /* there may be more */
};

static void read_rows(struct sweep *s);

static void end_round(struct sweep *s)
{
    arena_free(&s->arena);
    list_init(&s->rows);
    bool again = s->full && s->count > 0;
    s->count = s->owed = s->wakes = s->unconfirmed = 0;
    s->full = false;
    s->state = SWEEP_IDLE;
    if (again)
        read_rows(s);
}

/* Without an answer the marks stay, and what they stand for is published once more after the grace. */
static void on_cleared(struct pg_request *request)
{
    end_round(list_entry(request, struct sweep, request));
}

static void clear_owed(struct sweep *s)
{
    struct list *at;
    if (!s->owed || !pg_link_is_up(s->link)) {
        end_round(s);
        return;
    }
    s->state = SWEEP_CLEARING;
    struct pg_array *c = pg_columns_start(&s->columns, STATEMENT_SWEPT);
    list_for_each (at, &s->rows) {
        const struct sweep_row *row = list_entry(at, struct sweep_row, link);
        if (!row->owed)
            continue;
        if (row->has_integration) {
            pg_array_add_text(&c[2], row->event.id);
            pg_array_add_uuid(&c[3], &row->integration);
            pg_array_add_time(&c[4], row->swept_us);
        } else {
            pg_array_add_text(&c[0], row->event.id);
            pg_array_add_time(&c[1], row->swept_us);
        }
    }
    s->request = (struct pg_request){.done = on_cleared};
    pg_link_begin(s->link, &s->request);
    pg_columns_execute(&s->columns, s->link, &s->request);
    pg_link_end(s->link, &s->request);
}

static void on_confirmed(struct publish_message *m)
{
    const struct sweep_row *row = list_entry(m, struct sweep_row, message);
    struct sweep *s = row->sweep;
    if (!row->wake)
        shared_count_cell(COUNT_SWEPT, row->found);
    if (--s->unconfirmed == 0)
        clear_owed(s);
}

/* The queue of dead letters is full, say. The row keeps its mark, and what the others are owed goes out meanwhile. */
static void on_given_up(struct publish_message *m)
{
    struct sweep_row *row = list_entry(m, struct sweep_row, message);
    struct sweep *s = row->sweep;
    s->owed -= row->owed;
    row->owed = false;
    if (--s->unconfirmed == 0)
        clear_owed(s);
}

static void publish_rows(struct sweep *s)
{
    struct list *at;
    if (s->count == 0) {
        end_round(s);
        return;
    }
    if (s->count > s->wakes)
        LOG(LOG_WARN, "swept", LOG_NUM("rows", s->count - s->wakes), LOG_NUM("owed", s->owed),
            LOG_TEXT("why", "overdue, replayed, or a dead letter that the broker did not take before"));
    s->state = SWEEP_PUBLISHING;
    s->unconfirmed = s->count;
    list_for_each (at, &s->rows)
        publisher_send(s->publisher, &list_entry(at, struct sweep_row, link)->message);
}

static const char *text_at(struct sweep *s, const PGresult *r, int row, int column)
{
    if (PQgetisnull(r, row, column))
        return NULL;
    return arena_text(&s->arena, PQgetvalue(r, row, column), (size_t)PQgetlength(r, row, column));
}

/* A word of one of the lists, 0 when it is of none. */
static int word_at(const PGresult *r, int row, int column, int (*parse)(const char *))
{
    int value = PQgetisnull(r, row, column) ? -1 : parse(PQgetvalue(r, row, column));
    return value < 0 ? 0 : value;
}

/* False when there is no such event any more, or it is none that we wrote. */
static bool read_event(struct sweep *s, const PGresult *r, int row, struct event *e)
{
    e->id = text_at(s, r, row, SWEEP_EVENT_ID);
    if (!PQgetisnull(r, row, SWEEP_TRACE))
        trace_row_parse(&e->trace, &s->arena, PQgetvalue(r, row, SWEEP_TRACE),
                        (size_t)PQgetlength(r, row, SWEEP_TRACE));
    /* No NULLs but of an event that is gone. */
    if (!event_ledger_word_parse(e, PQgetvalue(r, row, SWEEP_EVENT_TYPE)) ||
        !uuid_parse(&e->scan_id, PQgetvalue(r, row, SWEEP_SCAN_ID)))
        return false;
    e->has_finding = !PQgetisnull(r, row, SWEEP_FINDING_ID) &&
                     uuid_parse(&e->finding_id, PQgetvalue(r, row, SWEEP_FINDING_ID));
    e->change_summary = text_at(s, r, row, SWEEP_CHANGE_SUMMARY);
    e->error = text_at(s, r, row, SWEEP_ERROR);
    e->first_seen_us = strtoll(PQgetvalue(r, row, SWEEP_FIRST_SEEN_US), NULL, 10);
    return true;
}

static void make_dead_letter(struct sweep *s, const PGresult *r, int row, struct sweep_row *out)
{
    struct own_dead dead = {
        .reason = (enum reason)word_at(r, row, SWEEP_REASON, reason_parse),
        .queue = text_at(s, r, row, SWEEP_QUEUE),
    };
    if (out->has_integration) {
        dead.integration = &out->integration;
        dead.attempt = atoi(PQgetvalue(r, row, SWEEP_ATTEMPT));
        dead.error = (enum error_word)word_at(r, row, SWEEP_LAST_ERROR, error_word_parse);
        dead.detail = text_at(s, r, row, SWEEP_DETAIL);
    }
    own_message_dead_event(&out->message, &s->arena, &out->event, &dead);
}

static void make_ladder_message(struct sweep *s, const PGresult *r, int row, struct sweep_row *out)
{
    struct own_ticket ticket = {.attempt = 1, .origin_queue = text_at(s, r, row, SWEEP_QUEUE)};
    if (out->has_integration) {
        ticket.integration = &out->integration;
        ticket.attempt = atoi(PQgetvalue(r, row, SWEEP_ATTEMPT)) + 1;
    }
    own_message_event(&out->message, &s->arena, &out->event, &ticket);
    ladder_put(&out->message, &s->arena, 0);
}

static void say_unreadable(const PGresult *r, int row, const struct event *e)
{
    if (PQgetisnull(r, row, SWEEP_EVENT_TYPE))
        LOG(LOG_ERROR, "sweep_without_event", LOG_EVENT(e),
            LOG_TEXT("advice", "its row in notify.events is gone; see notifyctl audit"));
    else
        LOG(LOG_ERROR, "sweep_event_unknown", LOG_EVENT(e),
            LOG_TEXT("type", PQgetvalue(r, row, SWEEP_EVENT_TYPE)),
            LOG_TEXT("scan_id", PQgetvalue(r, row, SWEEP_SCAN_ID)));
}

/* A message cannot hold another number: whoever got it would dead-letter it, and again after each grace. */
static bool has_next_attempt(const PGresult *r, int row, const struct event *e)
{
    int attempt = atoi(PQgetvalue(r, row, SWEEP_ATTEMPT));
    if (attempt >= 0 && attempt < OWN_ATTEMPT_MAX)
        return true;
    LOG(LOG_ERROR, "sweep_attempt_impossible", LOG_EVENT(e),
        LOG_TEXT("integration", PQgetvalue(r, row, SWEEP_INTEGRATION)), LOG_NUM("attempt", attempt));
    return false;
}

static enum swept what_was_found(const struct sweep_row *row, const char *state, bool dead)
{
    if (dead)
        return SWEPT_LETTER;
    if (row->owed)
        return SWEPT_REPLAYED;
    if (!row->has_integration)
        return SWEPT_EVENT;
    return strcmp(state, delivery_state_name(DELIVERY_SENDING)) == 0 ? SWEPT_LEASE : SWEPT_RETRY;
}

static void take_row(struct sweep *s, const PGresult *r, int row, bool has_integration)
{
    struct sweep_row *out = arena_alloc(&s->arena, sizeof *out);
    /* The same word for an event. */
    bool dead = strcmp(PQgetvalue(r, row, SWEEP_STATE), delivery_state_name(DELIVERY_DEAD)) == 0;
    out->sweep = s;
    out->has_integration = has_integration;
    if (!read_event(s, r, row, &out->event)) {
        say_unreadable(r, row, &out->event);
        return;
    }
    if (has_integration && !uuid_parse(&out->integration, PQgetvalue(r, row, SWEEP_INTEGRATION)))
        return;
    if (has_integration && !dead && !has_next_attempt(r, row, &out->event))
        return;
    out->owed = *PQgetvalue(r, row, SWEEP_OWED) == 't';
    out->found = what_was_found(out, PQgetvalue(r, row, SWEEP_STATE), dead);
    out->swept_us = strtoll(PQgetvalue(r, row, SWEEP_SWEPT_AT_US), NULL, 10);
    if (dead)
        make_dead_letter(s, r, row, out);
    else
        make_ladder_message(s, r, row, out);
    out->message.confirmed = on_confirmed;
    out->message.given_up = on_given_up;
    list_init(&out->link);
    list_append(&s->rows, &out->link);
    s->count++;
    s->owed += out->owed;
}

static void take_wake(struct sweep *s, const PGresult *r, int row)
{
    struct sweep_row *out = arena_alloc(&s->arena, sizeof *out);
    out->sweep = s;
    out->wake = true;
    if (!uuid_parse(&out->integration, PQgetvalue(r, row, 0)))
        return;
    own_message_wake(&out->message, &s->arena, &out->integration, atoi(PQgetvalue(r, row, 1)));
    out->message.confirmed = on_confirmed;
    out->message.given_up = on_given_up;
    list_init(&out->link);
    list_append(&s->rows, &out->link);
    s->count++;
    s->wakes++;
}

static void on_rows(struct pg_request *request, int index, const PGresult *r)
{
    struct sweep *s = list_entry(request, struct sweep, request);
    int rows = PQntuples(r);
    for (int row = 0; row < rows; row++) {
        if (index == 2)
            take_wake(s, r, row);
        else
            take_row(s, r, row, index == 0);
    }
    s->full |= rows >= s->conf->sweep_batch;
}

static void on_read(struct pg_request *request)
{
    struct sweep *s = list_entry(request, struct sweep, request);
    if (request->outcome == PG_DONE) {
        publish_rows(s);
        return;
    }
    s->count = 0; /* nothing was marked, or nobody knows: the next look finds it */
    end_round(s);
}

static double grace(const struct sweep *s)
{
    double behind = 2 * shared_due_lateness();
    return behind > s->conf->sweep_grace ? behind : s->conf->sweep_grace;
}

/* Its message may be held for so long, by somebody who waits for the database. */
static double begun_for(const struct sweep *s)
{
    return s->conf->held_max + grace(s);
}

static void execute(struct sweep *s, enum statement statement)
{
    char most[16], owed[32], late[32], begun[32];
    const char *rows[] = {most, owed, late, begun}, *wakes[] = {most, late};
    const char *const *values = statement == STATEMENT_SWEEP_WAKES ? wakes : rows;
    snprintf(most, sizeof most, "%ld", (long)s->conf->sweep_batch);
    snprintf(owed, sizeof owed, "%.3f", s->conf->sweep_grace);
    snprintf(late, sizeof late, "%.3f", grace(s));
    snprintf(begun, sizeof begun, "%.3f", begun_for(s));
    pg_link_execute(s->link, &s->request, (int)statement, worker_statements[statement].params, values, NULL,
                    NULL);
}

static void read_rows(struct sweep *s)
{
    if (!pg_link_is_up(s->link) || !publisher_is_taking(s->publisher)) /* what is marked is to go out now */
        return;
    s->state = SWEEP_READING;
    arena_init(&s->arena, ARENA_BLOCK);
    s->request = (struct pg_request){.result = on_rows, .done = on_read};
    pg_link_begin(s->link, &s->request);
    execute(s, STATEMENT_SWEEP_DELIVERIES);
    execute(s, STATEMENT_SWEEP_EVENTS);
    execute(s, STATEMENT_SWEEP_WAKES);
    pg_link_end(s->link, &s->request);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct sweep *s = arg;
    (void)fd;
    (void)what;
    if (s->state == SWEEP_IDLE)
        read_rows(s);
}

struct sweep *sweep_new(struct event_base *base, struct dialer *dialer, struct pg_link *link,
                        const struct conf *conf)
{
    struct sweep *s = mem_zalloc(sizeof *s);
    s->conf = conf;
    list_init(&s->rows);
    pg_columns_init(&s->columns);
    s->link = link;
    s->publisher = publisher_new(base, dialer, conf);
    s->tick = event_new(base, -1, EV_PERSIST, on_tick, s);
    return s;
}

void sweep_start(struct sweep *s)
{
    struct timeval tv = clock_timeval(s->conf->sweep_interval);
    publisher_start(s->publisher);
    event_add(s->tick, &tv);
}

void sweep_free(struct sweep *s)
{
    if (!s)
        return;
    publisher_free(s->publisher);
    event_free(s->tick);
    pg_columns_free(&s->columns);
    arena_free(&s->arena);
    free(s);
}
