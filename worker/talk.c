/*
 * talk - a conversation with a destination
 *
 * Asks the destination (pure) for its next request, lets transfer send it, gives it the answer, and so on until every
 * job has a verdict. Holds its place at the gate from the first request to the last answer. Invariants:
 *   - a conversation ends: by its verdicts, or after STEPS_MAX requests as rejected;
 *   - a request that is too large is not sent;
 *   - while a destination renders, shared memory names the message, so that one that kills workers is found.
 *
 * Knows neither rows nor messages: what a verdict means is job's.
 */
#include "worker/talk.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "worker/shared.h"

enum { STEPS_MAX = 16 };

static void conclude(struct talk *t)
{
    talk_leave(t);
    for (size_t i = 0; i < t->conversation.job_count; i++)
        check(t->conversation.jobs[i].verdict.kind != VERDICT_NONE);
    t->concluded(t);
}

static void reject_all(struct talk *t, const char *detail)
{
    for (size_t i = 0; i < t->conversation.job_count; i++)
        if (t->conversation.jobs[i].verdict.kind == VERDICT_NONE)
            t->conversation.jobs[i].verdict =
                (struct verdict){.kind = VERDICT_REJECTED, .reason = REASON_TOO_LONG, .detail = detail};
}

static void go_on(struct talk *t, const struct dest_response *last);

/* Most answers are empty or of no interest, and a job is held for each message: so only as much as there is. */
static void keep_snippet(struct talk *t)
{
    char text[SNIPPET_MAX];
    t->snippet_size = snippet_take(text, &t->transfer.request, &t->transfer.response);
    t->snippet = t->snippet_size ? arena_text(t->arena, text, t->snippet_size) : NULL;
}

static void on_answered(struct transfer *transfer)
{
    struct talk *t = list_entry(transfer, struct talk, transfer);
    fault_here(FAULT_RESPONSE, t->event_id);
    t->status = transfer->response.status;
    t->duration_ms += transfer->duration_ms;
    keep_snippet(t);
    struct dest_response answer = transfer->response; /* the transfer is used again for the next request */
    answer.error_text = arena_strdup(t->arena, answer.error_text); /* the verdict may keep it */
    go_on(t, &answer);
}

static enum dest_next next_request(struct talk *t, const struct dest_response *last)
{
    struct conversation *c = &t->conversation;
    memset(&t->transfer, 0, sizeof t->transfer);
    c->now_us = clock_wall_us();
    shared_handling(t->poison_hash);
    fault_here(FAULT_RENDER, t->event_id);
    enum dest_next next = t->dest->next(c, last, &t->transfer.request);
    shared_handled();
    /* A step that must not be repeated is to be committed before it is sent; nothing here does that yet. */
    check(next != DEST_SEND || !t->transfer.request.commit_first);
    return next;
}

static void go_on(struct talk *t, const struct dest_response *last)
{
    if (next_request(t, last) == DEST_FINISHED) {
        conclude(t);
        return;
    }
    bool ends = ++t->steps <= STEPS_MAX;
    if (!ends || t->transfer.request.body_size > (size_t)t->parts->conf->delivery_max_request) {
        reject_all(t, ends ? "see delivery.max_request" : "the conversation does not end");
        conclude(t);
        return;
    }
    t->transfer.done = on_answered;
    shared_count(COUNT_ATTEMPTS);
    transfers_start(t->parts->transfers, &t->transfer);
}

static void on_admitted(struct gate_pass *pass)
{
    struct talk *t = list_entry(pass, struct talk, pass);
    t->admitted(t);
}

void talk_enter(struct talk *t)
{
    t->conversation.arena = t->arena;
    t->pass.admitted = on_admitted;
    gate_enter(t->parts->gate, &t->pass, &t->integration);
}

void talk_begin(struct talk *t)
{
    go_on(t, NULL);
}

void talk_leave(struct talk *t)
{
    gate_leave(t->parts->gate, &t->pass);
}
