/*
 * rest_send - routes that send for real, and those beside them
 *
 * A test is answered when it is over, at the latest after api.test_timeout; meanwhile the loop serves others. A client that goes
 * away ends nothing: what the test makes at the destination is still deleted, and the answer is for nobody.
 */
#include "api/rest/rest_send.h"

#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/log.h"

enum { BUSY_RETRY_S = 5 };

/* Apart from the request, since few want one. */
struct tried {
    struct trial trial;
    struct asked *asked;
};

static void forget(struct tried *t)
{
    trial_end(&t->trial);
    free(t);
}

static void on_tried(struct trial *trial)
{
    struct tried *t = list_entry(trial, struct tried, trial);
    LOG(LOG_INFO, "integration_tested", LOG_ASKED(t->asked), LOG_TEXT("kind", trial->dest->kind),
        LOG_TEXT("integration", trial->integration ? trial->integration : "unsaved"),
        LOG_TEXT("ok", trial->ok ? "true" : "false"),
        LOG_TEXT("error", error_word_name(trial->job.verdict.error)),
        LOG_NUM("status", trial->converse.result.status), LOG_NUM("requests", trial->converse.steps));
    rest_answer(t->asked, 200, NULL, trial->body);
    forget(t);
}

void rest_refuse_trial(struct asked *a, enum trial_begun begun, double wait_s)
{
    if (begun == TRIAL_OF_THE_SAME)
        rest_refuse_for(a, 409, BUSY_RETRY_S,
                        "a test of this integration is under way; wait for its answer, and then ask again");
    else if (begun == TRIAL_TOO_OFTEN)
        rest_refuse_for(
            a, 429, wait_s,
            "this workspace tests too often; wait as long as Retry-After says; api.tests_burst and "
            "api.tests_pause say how often it may");
    else
        rest_refuse_for(a, 429, BUSY_RETRY_S,
                        "too many tests are under way; wait for their answers, and then ask again; "
                        "api.tests_at_once says how many there may be");
}

/* The settings are there. */
static void try_settings(struct asked *a)
{
    const struct service_settings *s = a->running.call.settings;
    struct tried *t = mem_zalloc(sizeof *t);
    t->asked = a;
    t->trial = (struct trial){
        .dest = s->dest,
        .config = s->config,
        .integration = s->id,
        .workspace = a->caller.workspace,
        .done = on_tried,
    };
    enum trial_begun begun = trial_begin(a->rest->trials, &t->trial);
    if (begun == TRIAL_BEGUN)
        return; /* and both may be gone */
    double wait_s = t->trial.wait_s;
    forget(t);
    rest_refuse_trial(a, begun, wait_s);
}

void rest_test_integration(struct asked *a)
{
    a->then = try_settings;
    service_integration_settings(&a->running.call, &a->caller, a->words.words[0]);
    rest_run_call(a);
}

void rest_test_settings(struct asked *a)
{
    a->then = try_settings;
    service_settings_read(&a->running.call, &a->caller, a->x->body, a->x->body_size);
    rest_run_call(a);
}

void rest_preview(struct asked *a, struct service_call *c)
{
    service_preview(c, &a->caller, a->x->body, a->x->body_size, (size_t)a->rest->conf->delivery_max_request);
}

void rest_duplicate_integration(struct asked *a, struct service_call *c)
{
    service_integration_duplicate(c, &a->caller, a->words.words[0], a->x->body, a->x->body_size,
                                  http_header(a->x, "Idempotency-Key"));
}
