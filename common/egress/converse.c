/*
 * converse - a conversation with a destination on the wire
 *
 * Asks the destination (pure) for its next request, lets transfer send it, gives it the answer, and so on until every
 * job has a verdict. Invariants:
 *   - a conversation ends: by its verdicts, or after STEPS_MAX requests as rejected;
 *   - a request that is too large is not sent, and none that the caller does not let go;
 *   - whoever wants to know of which event the lines are that render a request is told (conversation.rendering): of several,
 *     of the one that is rendered just then, where it can be told.
 *
 * The same for a delivery of the worker and for a test of the API, so that a test proves what a delivery does. Knows neither
 * rows nor messages, and no limits but those that it is given.
 */
#include "common/egress/converse.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/list.h"

enum { STEPS_MAX = 16 };

static void conclude(struct converse *c)
{
    for (size_t i = 0; i < c->conversation->job_count; i++)
        check(c->conversation->jobs[i].verdict.kind != VERDICT_NONE);
    c->calls->concluded(c);
}

static void conclude_with(struct converse *c, const struct verdict *verdict)
{
    for (size_t i = 0; i < c->conversation->job_count; i++)
        if (c->conversation->jobs[i].verdict.kind == VERDICT_NONE)
            c->conversation->jobs[i].verdict = *verdict;
    conclude(c);
}

static void go_on(struct converse *c, const struct dest_response *last);

/* Most answers are empty or of no interest, and a job is held for each message: so only as much as there is. */
static void keep_snippet(struct converse *c)
{
    char text[SNIPPET_MAX];
    struct converse_result *r = &c->result;
    r->snippet_size = snippet_take(text, &c->transfer.request, &c->transfer.response);
    r->snippet = r->snippet_size ? arena_text(c->arena, text, r->snippet_size) : NULL;
}

static void on_answered(struct transfer *transfer)
{
    struct converse *c = list_entry(transfer, struct converse, transfer);
    if (c->calls->answered)
        c->calls->answered(c);
    c->result.status = transfer->response.status;
    c->result.duration_ms += transfer->duration_ms;
    keep_snippet(c);
    struct dest_response answer = transfer->response; /* the transfer is used again for the next request */
    answer.error_text = arena_strdup(c->arena, answer.error_text); /* the verdict may keep it */
    go_on(c, &answer);
}

static void tell_rendering(const struct conversation *c, const struct conversation_job *job)
{
    if (c->rendering)
        c->rendering(c, job);
}

static enum dest_next next_request(struct converse *c, const struct dest_response *last)
{
    struct conversation *conversation = c->conversation;
    memset(&c->transfer, 0, sizeof c->transfer);
    conversation->now_us = clock_wall_us();
    if (conversation->job_count == 1)
        tell_rendering(conversation, &conversation->jobs[0]);
    enum dest_next next = c->dest->next(conversation, last, &c->transfer.request);
    tell_rendering(conversation, NULL);
    return next;
}

static void end_pause(struct converse *c)
{
    if (c->pause)
        event_free(c->pause);
    c->pause = NULL;
}

static void send_now(struct converse *c)
{
    c->transfer.done = on_answered;
    transfers_start(c->transfers, &c->transfer);
}

static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
    struct converse *c = arg;
    (void)fd;
    (void)what;
    end_pause(c);
    send_now(c);
}

static void send_later(struct converse *c)
{
    struct timeval tv = clock_timeval(c->transfer.request.after_s);
    c->pause = event_new(c->base, -1, 0, on_pause_over, c);
    mem_check(c->pause && event_add(c->pause, &tv) == 0);
}

static void go_on(struct converse *c, const struct dest_response *last)
{
    struct verdict instead = {.kind = VERDICT_REJECTED, .reason = REASON_TOO_LONG};
    if (next_request(c, last) == DEST_FINISHED) {
        conclude(c);
        return;
    }
    bool ends = ++c->steps <= STEPS_MAX;
    if (!ends || c->transfer.request.body_size > c->max_request) {
        instead.detail = ends ? "see delivery.max_request" : "the conversation does not end";
        conclude_with(c, &instead);
        return;
    }
    if (c->calls->may_send && !c->calls->may_send(c, &instead)) {
        conclude_with(c, &instead);
        return;
    }
    if (c->base && c->transfer.request.after_s > 0)
        send_later(c);
    else
        send_now(c);
}

void converse_begin(struct converse *c)
{
    c->conversation->arena = c->arena;
    go_on(c, NULL);
}

void converse_cancel(struct converse *c)
{
    end_pause(c);
    transfers_cancel(c->transfers, &c->transfer);
}
