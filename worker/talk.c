/*
 * talk - a conversation of a worker with a destination
 *
 * What a delivery adds to a conversation (egress/converse): its place at the gate, which it holds from the first request to the
 * last answer, its lease, and what is counted. Invariants:
 *   - no request is sent when the lease may end before its answer;
 *   - while a destination renders, shared memory names the event, so that one that kills workers is found; of several, the
 *     one that is rendered just then, where it can be told: of a digest's own lines nobody is named.
 *
 * Knows neither rows nor messages: what a verdict means is job's.
 */
#include "worker/talk.h"

#include <math.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/hash.h"
#include "worker/figure_table.h"
#include "worker/shared.h"

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
    *end = (struct gate_end){.outcome = t->converse.steps ? LIMITS_SUCCESS : LIMITS_NOTHING};
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
    long status = t->converse.result.status;
    if (status >= 400 && status < 500 && status != 408 && status != 425) {
        end->outcome = LIMITS_THROTTLED;
        end->hold_s = fmin(again->not_before, t->parts->conf->retry_max_retry_after);
    }
}

static void on_concluded(struct converse *c)
{
    struct talk *t = list_entry(c, struct talk, converse);
    struct gate_end end;
    judge_destination(t, &end);
    gate_leave(t->parts->gate, &t->pass, &end);
    t->concluded(t);
}

static void on_answered(struct converse *c)
{
    const struct talk *t = list_entry(c, struct talk, converse);
    shared_note_us(COUNT_REQUEST_TIME, figure_kind(t->dest), clock_mono_us() - t->sent_us);
    fault_here(FAULT_RESPONSE, t->event_id);
}

/* Somebody else may have the right to go on by the time that an answer comes. */
static bool may_send(struct converse *c, struct verdict *instead)
{
    struct talk *t = list_entry(c, struct talk, converse);
    int64_t now = clock_mono_us();
    if ((c->steps > 1 || t->is_claimed) && now > t->until_us) {
        *instead =
            (struct verdict){.kind = VERDICT_RETRY,
                             .error = ERROR_TIMEOUT,
                             .detail = "its requests took longer than an attempt may; see delivery.timeout"};
        return false;
    }
    t->sent_us = now;
    shared_count_cell(COUNT_ATTEMPTS, figure_kind(t->dest));
    return true;
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
    static const struct converse_calls calls = {may_send, on_answered, on_concluded};
    t->converse = (struct converse){
        .dest = t->dest,
        .transfers = t->parts->transfers,
        .max_request = (size_t)t->parts->conf->delivery_max_request,
        .arena = t->arena,
        .conversation = &t->conversation,
        .calls = &calls,
    };
    gate_begin(&t->pass);
    converse_begin(&t->converse);
}

void talk_leave(struct talk *t)
{
    gate_leave(t->parts->gate, &t->pass, &(struct gate_end){.outcome = LIMITS_NOTHING});
}
