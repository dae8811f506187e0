/*
 * talk - a conversation with a destination
 *
 * Asks the destination (pure) for its next request, lets transfer send it, gives it the answer, and so on until every
 * job has a verdict. Holds its place at the gate from the first request to the last answer. Invariants:
 *   - a conversation ends: by its verdicts, or after STEPS_MAX requests as rejected;
 *   - a request that is too large is not sent, and none when the lease may end before its answer;
 *   - while a destination renders, shared memory names the event, so that one that kills workers is found; of several, the
 *     one that is rendered just then, where it can be told: of a digest's own lines nobody is named.
 *
 * Knows neither rows nor messages: what a verdict means is job's.
 */
#include "worker/talk.h"

#include <math.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/hash.h"
#include "worker/shared.h"

enum { STEPS_MAX = 16 };

/* What is said about the address, not about what answers there. */
static bool is_no_request(enum error_word error)
{
    return error == ERROR_URL || error == ERROR_ADDRESS_REFUSED;
}

/*
 * What the conversation says about the destination: that it works (whatever it thinks of us), that it does not, or that
 * it wants less. A verdict to try again is the one that tells: some kinds say so in a status of success.
 */
static void judge_destination(const struct talk *t, struct gate_end *end)
{
    const struct verdict *again = NULL;
    *end = (struct gate_end){.outcome = t->steps ? LIMITS_SUCCESS : LIMITS_NOTHING};
    for (size_t i = 0; i < t->conversation.job_count; i++) {
        const struct verdict *v = &t->conversation.jobs[i].verdict;
        if (is_no_request(v->error))
            end->outcome = LIMITS_NOTHING;
        if (v->kind == VERDICT_RETRY)
            again = v;
        end->gone |= v->reason == REASON_GONE;
    }
    if (!again || end->outcome == LIMITS_NOTHING)
        return;
    end->error = again->error;
    end->outcome = LIMITS_FAILURE;
    /* 408 and 425 are about one request, and no sign of too many. */
    if (t->status >= 400 && t->status < 500 && t->status != 408 && t->status != 425) {
        end->outcome = LIMITS_THROTTLED;
        end->hold_s = fmin(again->not_before, t->parts->conf->retry_max_retry_after);
    }
}

static void conclude(struct talk *t)
{
    struct gate_end end;
    for (size_t i = 0; i < t->conversation.job_count; i++)
        check(t->conversation.jobs[i].verdict.kind != VERDICT_NONE);
    judge_destination(t, &end);
    gate_leave(t->parts->gate, &t->pass, &end);
    t->concluded(t);
}

static void reject_all(struct talk *t, const char *detail)
{
    for (size_t i = 0; i < t->conversation.job_count; i++)
        if (t->conversation.jobs[i].verdict.kind == VERDICT_NONE)
            t->conversation.jobs[i].verdict =
                (struct verdict){.kind = VERDICT_REJECTED, .reason = REASON_TOO_LONG, .detail = detail};
}

/* Somebody else may have the right to go on by the time that an answer comes. */
static void try_again_all(struct talk *t)
{
    for (size_t i = 0; i < t->conversation.job_count; i++)
        if (t->conversation.jobs[i].verdict.kind == VERDICT_NONE)
            t->conversation.jobs[i].verdict = (struct verdict){
                .kind = VERDICT_RETRY,
                .error = ERROR_TIMEOUT,
                .detail = "its requests took longer than an attempt may; see delivery.timeout"};
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

uint64_t talk_poison_hash(const char *event_id)
{
    uint64_t hash = hash_more(hash_text(event_id), "render", 6);
    return hash ? hash : 1;
}

static void on_rendering(const struct conversation *c, const struct conversation_job *job)
{
    (void)c;
    if (!job) {
        shared_handled();
        return;
    }
    shared_handling(talk_poison_hash(job->event->id));
    fault_here(FAULT_RENDER, job->event->id);
}

static enum dest_next next_request(struct talk *t, const struct dest_response *last)
{
    struct conversation *c = &t->conversation;
    memset(&t->transfer, 0, sizeof t->transfer);
    c->now_us = clock_wall_us();
    if (c->job_count == 1)
        on_rendering(c, &c->jobs[0]);
    enum dest_next next = t->dest->next(c, last, &t->transfer.request);
    shared_handled();
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
    if ((t->steps > 1 || t->is_claimed) && clock_mono_us() > t->until_us) {
        try_again_all(t);
        conclude(t);
        return;
    }
    t->transfer.done = on_answered;
    shared_count(COUNT_ATTEMPTS);
    transfers_start(t->parts->transfers, &t->transfer);
}

double talk_lease(const struct conf *conf)
{
    return 2 * conf->delivery_timeout + conf->delivery_lease_slack;
}

static void on_admitted(struct gate_pass *pass)
{
    struct talk *t = list_entry(pass, struct talk, pass);
    const struct conf *conf = t->parts->conf;
    t->until_us = clock_mono_us() + clock_us(talk_lease(conf) - conf->delivery_timeout);
    t->admitted(t);
}

static void on_held_back(struct gate_pass *pass)
{
    struct talk *t = list_entry(pass, struct talk, pass);
    t->held_back(t);
}

void talk_enter(struct talk *t)
{
    t->conversation.arena = t->arena;
    t->conversation.rendering = on_rendering;
    t->pass = (struct gate_pass){
        .integration = t->integration,
        .workspace = t->workspace,
        .dest = t->dest,
        .settings = t->settings,
        .row = t->row,
        .in_ledger = t->in_ledger,
        .rank = t->rank,
        .from_mailbox = t->from_mailbox,
        .admitted = on_admitted,
        .held_back = on_held_back,
    };
    gate_enter(t->parts->gate, &t->pass);
}

void talk_begin(struct talk *t)
{
    gate_begin(&t->pass);
    go_on(t, NULL);
}

void talk_leave(struct talk *t)
{
    gate_leave(t->parts->gate, &t->pass, &(struct gate_end){.outcome = LIMITS_NOTHING});
}
