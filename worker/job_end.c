/*
 * job_end - from the verdict of a delivery to its end
 *
 * Writes the outcome into its row, publishes what follows from it (the retry, the dead letter), and ends the job when
 * that is confirmed. When the broker takes nothing, the row carries it: a retry has its time there, a dead letter is
 * marked as owed; the sweep publishes either. What the database refuses ends as a dead letter alone.
 */
#include <string.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/base/utf8.h"
#include "worker/figure_table.h"
#include "worker/job_parts.h"
#include "worker/ladder.h"
#include "worker/own_message.h"
#include "worker/shared.h"

enum { DETAIL_MAX = 300 };

void job_start_write(struct job *j, enum ledger_write_kind kind, void (*written)(struct ledger_write *))
{
    struct ledger_write *w = &j->write;
    memset(w, 0, sizeof *w);
    w->kind = kind;
    w->event = j->exists ? NULL : j->event->ledger_event;
    w->event_id = j->event->event->id;
    w->about = j->event->event;
    w->integration = j->integration_id;
    w->workspace = j->event->facts->scan.workspace_id;
    w->attempt = j->attempt;
    w->due_s = -1;
    w->written = written;
}

static void add_release(struct job *j)
{
    const struct dest_reference *r = &j->talk.conversation.reference;
    bool done = j->item.verdict.kind == VERDICT_DELIVERED || j->item.verdict.kind == VERDICT_NOTHING_TO_DO;
    j->release = (struct ledger_release){
        .name = j->claim.name,
        .told = done && j->claim.has_finding && !j->claim.overtaken,
        .finding = j->claim.finding,
        .reference = r,
    };
    j->write.release = &j->release;
}

void job_released(struct ledger_write *w)
{
    job_finish(list_entry(w, struct job, write), STALE);
}

void job_release(struct job *j, const char *why, void (*released)(struct ledger_write *write))
{
    job_move(j, JOB_RELEASING, why);
    job_start_write(j, LEDGER_RELEASE, released);
    add_release(j);
    ledger_write(j->parts->ledger, &j->write);
}

static void on_confirmed(struct publish_message *m)
{
    struct job *j = list_entry(m, struct job, message);
    fault_here(FAULT_CONFIRM, j->event->event->id);
    job_finish(j, "confirmed");
}

static void on_owed(struct ledger_write *w)
{
    job_finish(list_entry(w, struct job, write), "the sweep will publish it");
}

/* The broker takes nothing. A retry's time stands in its row; a dead letter needs a mark. */
static void on_given_up(struct publish_message *m)
{
    struct job *j = list_entry(m, struct job, message);
    if (j->outcome.state != DELIVERY_DEAD) {
        job_finish(j, "the sweep will publish it");
        return;
    }
    job_move(j, JOB_OWING, "the broker does not take it");
    job_start_write(j, LEDGER_OWE, on_owed);
    j->write.has_row = true;
    ledger_write(j->parts->ledger, &j->write);
}

void job_publish_follow_up(struct job *j, double delay_s)
{
    struct job_event *e = j->event;
    job_event_misses_bundle(e);
    if (j->outcome.state == DELIVERY_DEAD) {
        struct own_dead dead = {
            .reason = j->outcome.reason,
            .detail = j->item.verdict.detail,
            .error = j->outcome.error,
            .attempt = j->attempt,
            .integration = &j->integration_id,
            .queue = e->queue,
        };
        own_message_dead_event(&j->message, &j->arena, e->event, &dead);
    } else {
        struct own_ticket ticket = {
            .attempt = j->attempt + 1,
            .integration = &j->integration_id,
            .origin_queue = e->queue,
        };
        own_message_event(&j->message, &j->arena, e->event, &ticket);
        ladder_put(&j->message, &j->arena, delay_s);
    }
    j->message.confirmed = on_confirmed;
    j->message.given_up = j->write.refused ? NULL : on_given_up; /* refused: there is no row to find it by */
    job_move(j, JOB_PUBLISHING, delivery_state_name(j->outcome.state));
    publisher_send(j->parts->publisher, &j->message);
    fault_here(FAULT_PUBLISH, e->event->id);
}

static void count_hour(const struct job *j, enum hours_what what)
{
    hours_count(j->parts->hours, &j->integration_id, &j->write.workspace, what);
}

static enum figure_kind kind_of(const struct job *j)
{
    return figure_kind(j->integration ? j->integration->row.dest : j->event->dest);
}

static void count_outcome(const struct job *j)
{
    enum figure_kind kind = kind_of(j);
    if (j->put_off)
        return; /* and counted */
    if (j->write.failed_attempt)
        count_hour(j, HOURS_FAILED);
    switch (j->outcome.state) {
    case DELIVERY_DELIVERED:
        shared_count_cell(COUNT_DELIVERED, kind);
        shared_note_us(COUNT_DELIVERED_TIME, kind, clock_wall_us() - j->event->due_us);
        count_hour(j, HOURS_DELIVERED);
        break;
    case DELIVERY_WAITING:
        shared_count_cell(COUNT_RETRIED, kind);
        break;
    case DELIVERY_DEFERRED:
        shared_count_cell(j->decided ? COUNT_DEFERRED : COUNT_RETRIED, kind);
        break;
    case DELIVERY_CANCELED:
        shared_count_cell(COUNT_CANCELED, kind);
        break;
    default:
        shared_count_cell(COUNT_DEAD, (size_t)kind * REASON_COUNT + j->outcome.reason);
        count_hour(j, HOURS_DEAD);
    }
}

static void log_outcome(const struct job *j)
{
    char integration[UUID_TEXT];
    enum delivery_state state = j->outcome.state;
    bool held_back = state == DELIVERY_DEFERRED && j->decided;
    bool quiet = state == DELIVERY_DELIVERED || held_back || j->put_off;
    enum log_level level = quiet ? LOG_DEBUG : LOG_WARN;
    if (!log_is_on(level))
        return;
    uuid_format(&j->integration_id, integration);
    LOG(level, "delivery", LOG_EVENT(j->event->event), LOG_TEXT("integration", integration),
        LOG_TEXT("kind", j->integration ? j->integration->row.kind : NULL),
        LOG_TEXT("state", delivery_state_name(j->outcome.state)), LOG_NUM("attempt", j->attempt),
        LOG_TEXT("reason", reason_name(j->outcome.reason)),
        LOG_TEXT("error", error_word_name(j->outcome.error)),
        LOG_NUM("status", j->talk.converse.result.status), LOG_NUM("ms", j->talk.converse.result.duration_ms),
        LOG_NUM("retry_in_s", j->outcome.delay_s), LOG_TEXT("detail", j->item.verdict.detail));
}

void job_end_refused(struct job *j)
{
    j->decided = true;
    j->outcome =
        (struct outcome){.state = DELIVERY_DEAD, .reason = REASON_ROW_REFUSED, .error = j->outcome.error};
    j->item.verdict.detail = NULL;
    job_write_outcome(j);
}

void job_end_without_row(struct job *j)
{
    j->outcome =
        (struct outcome){.state = DELIVERY_DEAD, .reason = REASON_ROW_REFUSED, .error = j->outcome.error};
    count_outcome(j);
    log_outcome(j);
    job_publish_follow_up(j, 0);
}

static void on_written(struct ledger_write *w)
{
    struct job *j = list_entry(w, struct job, write);
    fault_here(FAULT_COMMIT, j->event->event->id);
    if (w->refused && w->kind == LEDGER_OUTCOME) {
        job_end_refused(j);
        return;
    }
    if (w->refused) {
        job_end_without_row(j);
        return;
    }
    if ((w->kind == LEDGER_OUTCOME || w->kind == LEDGER_END) && !w->applied) {
        shared_count(COUNT_STALE);
        job_finish(j, "the row belongs to another attempt now");
        return;
    }
    j->exists = true;
    j->holds = false;
    count_outcome(j);
    log_outcome(j);
    if (j->outcome.state == DELIVERY_WAITING || j->outcome.state == DELIVERY_DEAD)
        job_publish_follow_up(j, j->outcome.delay_s);
    else
        job_finish(j, delivery_state_name(j->outcome.state));
}

static enum ledger_write_kind kind_of_write(const struct job *j)
{
    if (!j->exists)
        return LEDGER_ROW;
    return j->decided ? LEDGER_END : LEDGER_OUTCOME;
}

/* When it may leave the mailbox: at once, but for an attempt that failed. */
static void add_deferral(struct job *j)
{
    struct ledger_write *w = &j->write;
    double pause = gate_pause(&j->integration_id);
    w->due_s = j->decided ? 0 : j->outcome.delay_s;
    w->rank = j->talk.rank;
    w->wake_s = pause > w->due_s ? pause : w->due_s;
    w->together = job_together_max(j);
}

void job_write_outcome(struct job *j)
{
    struct ledger_write *w = &j->write;
    bool again =
        j->outcome.state == DELIVERY_WAITING || (j->outcome.state == DELIVERY_DEFERRED && !j->decided);
    bool failed = again || j->outcome.state == DELIVERY_DEAD;
    job_move(j, JOB_WRITING, delivery_state_name(j->outcome.state));
    job_start_write(j, kind_of_write(j), on_written);
    w->state = j->outcome.state;
    w->reason = j->outcome.reason;
    w->error = j->outcome.error;
    /* Of a delivery that went well, what it lacks: labels that the token may not set, say. */
    if ((failed || j->outcome.state == DELIVERY_DELIVERED) && j->item.verdict.detail)
        w->detail =
            utf8_storable_copy(&j->arena, j->item.verdict.detail, strlen(j->item.verdict.detail), DETAIL_MAX);
    w->status = j->talk.converse.result.status;
    w->response = failed && j->talk.converse.result.snippet_size ? j->talk.converse.result.snippet : NULL;
    w->response_size = j->talk.converse.result.snippet_size;
    w->duration_ms = j->talk.converse.result.duration_ms;
    if (j->outcome.state == DELIVERY_WAITING)
        w->due_s = ladder_round(j->outcome.delay_s);
    if (j->outcome.state == DELIVERY_DEFERRED)
        add_deferral(j);
    w->batch = j->decided ? NULL : bundle_id(&j->member);
    w->failed_attempt = failed && !j->decided && j->item.verdict.kind != VERDICT_AGAIN;
    if (j->holds)
        add_release(j);
    ledger_write(j->parts->ledger, w);
}
