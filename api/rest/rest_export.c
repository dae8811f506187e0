/*
 * rest_export - routes that send findings to one integration
 *
 * To one that is saved, by rows that workers find. With settings that are not saved we send ourselves, one conversation after the
 * other, within api.test_timeout for all of them, each counted as a test; meanwhile the loop serves others. A client that goes away ends nothing.
 */
#include "api/rest/rest_export.h"

#include <stdlib.h>

#include "api/rest/rest_send.h"
#include "api/service/service_dry_run.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/utf8.h"

void rest_export(struct asked *a, struct service_call *c)
{
    service_export(c, &a->caller, a->words.words[0], a->x->body, a->x->body_size,
                   http_header(a->x, "Idempotency-Key"), &a->rest->export_limits);
}

void rest_cancel_export(struct asked *a, struct service_call *c)
{
    service_export_cancel(c, &a->caller, a->words.words[0]);
}

/* ---- with settings that are not saved ---- */

struct sending {
    struct trial trial; /* the conversation under way */
    struct asked *asked;
    size_t at, count; /* of the findings: those that it tells of */
    int64_t until_us;
    bool is_counted;
};

static void send_next(struct sending *s);

static void finish(struct sending *s)
{
    struct asked *a = s->asked;
    struct service_call *call = &a->running.call;
    size_t sent = 0;
    for (size_t i = 0; i < call->exported->count; i++)
        sent += call->exported->sent[i].ok;
    LOG(LOG_INFO, "findings_exported", LOG_ASKED(a), LOG_TEXT("kind", call->settings->dest->kind),
        LOG_TEXT("integration", "unsaved"), LOG_NUM("count", call->exported->count), LOG_NUM("sent", sent));
    free(s);
    service_export_sent(call);
    rest_answer_call(a);
}

/* The conversation is over: what it says of its findings is kept by the call. */
static void keep(struct sending *s)
{
    struct service_call *call = &s->asked->running.call;
    const struct converse_result *r = &s->trial.converse.result;
    const char *response =
        r->snippet ? utf8_storable_copy(&call->arena, r->snippet, r->snippet_size, SNIPPET_MAX) : NULL;
    for (size_t i = 0; i < s->count; i++) {
        const struct verdict *v = &s->trial.jobs[i].verdict;
        struct service_sent *sent = &call->exported->sent[s->at + i];
        sent->ok = v->kind == VERDICT_DELIVERED;
        sent->status = r->status;
        sent->response = response;
        sent->detail = v->detail ? arena_strdup(&call->arena, v->detail) : NULL;
        if (!sent->detail && !sent->ok)
            sent->detail = v->error != ERROR_NONE
                               ? word_list_help(word_list_find("errors"), error_word_name(v->error))
                               : word_list_help(word_list_find("reasons"), reason_name(v->reason));
    }
}

static void give_up(struct sending *s, const char *why)
{
    struct service_exported *of = s->asked->running.call.exported;
    for (; s->at < of->count; s->at++)
        of->sent[s->at].detail = why;
    finish(s);
}

static void on_sent(struct trial *trial)
{
    struct sending *s = list_entry(trial, struct sending, trial);
    bool too_many = trial->converse.result.status == 429 || trial->jobs[0].verdict.not_before > 0;
    keep(s);
    trial_end(trial);
    s->at += s->count;
    s->is_counted = false;
    if (too_many && s->at < s->asked->running.call.exported->count)
        give_up(s, "it was not sent: the destination has asked for a pause; send it later");
    else
        send_next(s);
}

/* The rest of what is to be sent; what was sent is told in any case. */
static void send_next(struct sending *s)
{
    struct asked *a = s->asked;
    const struct service_call *call = &a->running.call;
    struct service_exported *of = call->exported;
    int64_t left_us = s->until_us - clock_mono_us();
    if (s->at == of->count) {
        finish(s);
        return;
    }
    if (left_us <= 0) {
        give_up(s, "it was not sent: the time of the request was over (api.test_timeout)");
        return;
    }
    s->count = service_exported_together(of, s->at, call->settings->dest, &a->rest->unsaved_limits);
    s->trial = (struct trial){
        .dest = call->settings->dest,
        .config = call->settings->config,
        .workspace = a->caller.workspace,
        .jobs = &of->jobs[s->at],
        .job_count = s->count,
        .timeout_s = (double)left_us / 1e6,
        .is_counted = s->is_counted,
        .done = on_sent,
    };
    enum trial_begun begun = trial_begin(a->rest->trials, &s->trial);
    if (begun == TRIAL_BEGUN)
        return; /* and all may be over */
    double wait_s = s->trial.wait_s;
    trial_end(&s->trial);
    if (s->at > 0) {
        give_up(s, begun == TRIAL_TOO_OFTEN
                       ? "it was not sent: this workspace sends too much with settings that are not saved "
                         "(api.tests_burst, api.tests_pause); save the integration, or send it later"
                       : "it was not sent: too much is being sent at once (api.tests_at_once)");
        return;
    }
    free(s);
    rest_refuse_trial(a, begun, wait_s);
}

static void begin_sending(struct asked *a)
{
    if (!a->running.call.exported) {
        rest_answer_call(a); /* of a dry run */
        return;
    }
    struct sending *s = mem_zalloc(sizeof *s);
    s->asked = a;
    s->is_counted = true;
    s->until_us = clock_mono_us() + (int64_t)(a->rest->conf->api_test_timeout * 1e6);
    send_next(s);
}

void rest_export_unsaved(struct asked *a)
{
    struct service_call *call = &a->running.call;
    a->then = begin_sending;
    service_export_unsaved(call, &a->caller, a->x->body, a->x->body_size, &a->rest->unsaved_limits);
    double wait_s = call->sends ? trials_count(a->rest->trials, a->caller.workspace) : 0;
    if (wait_s <= 0) {
        rest_run_call(a);
        return;
    }
    a->has_call = true;
    rest_refuse_trial(a, TRIAL_TOO_OFTEN, wait_s);
}
