/*
 * trial - settings tried out
 *
 * Owns the transfers and the trials under way, and their number: api.tests_at_once in all, a quarter of them for one workspace,
 * one for each integration, and how often a workspace may have one (api.tests_burst), so that the API is no hammer. A trial ends by its verdict or when its time is over, whatever the
 * destination does meanwhile; that whoever asked is gone ends nothing, for what is made at a destination is to be deleted again.
 *
 * What is answered holds nothing of the settings: the destination's words with stars over secrets (egress/snippet), its status,
 * and words of our own. Knows neither rows nor requests of the API.
 */
#include "api/send/trial.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/send/pace.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/list.h"
#include "common/base/utf8.h"
#include "common/egress/transfer_settings.h"

enum { ARENA_BLOCK = 4096, BODY_MAX = 65536, SHARE_OF_ONE = 4 };

struct trials {
    const struct conf *conf;
    struct event_base *base;
    struct transfer_settings settings;
    struct transfers *transfers;
    struct list running;
    size_t count;
    struct pace *pace; /* by workspace */
};

/* ---- what is answered ---- */

static void add_is(struct buf *b, const char *key, enum dest_is is)
{
    if (is == DEST_IS_UNKNOWN)
        buf_json_member(b, key, NULL);
    else
        buf_json_bool(b, key, is == DEST_IS_SO);
}

static void add_made(struct buf *b, const struct dest_made *m)
{
    if (!m->kind)
        return;
    buf_json_open_object(b, m->kind);
    buf_json_member(b, "key", m->key);
    add_is(b, "made", m->made);
    if (m->deleted != DEST_IS_UNKNOWN)
        add_is(b, "deleted", m->deleted);
    buf_add_char(b, '}');
}

/* What is left to do at the destination, behind what went wrong; "" for nothing. */
static const char *left_over(struct trial *t)
{
    const struct dest_made *m = &t->conversation.made;
    if (t->ok || !m->kind || m->made == DEST_IS_NOT || m->deleted == DEST_IS_SO)
        return "";
    if (m->made == DEST_IS_UNKNOWN)
        return arena_printf(&t->arena, "; the %s of this test may have been made all the same: look for it",
                            m->kind);
    return arena_printf(&t->arena, "; the %s of this test may still be there: look for it", m->kind);
}

static const char *detail_of(struct trial *t)
{
    const struct verdict *v = &t->jobs[0].verdict;
    const char *detail = v->detail;
    if (!detail && t->ok)
        detail = arena_printf(&t->arena, "%s took the test", t->dest->title);
    if (!detail)
        detail = v->error != ERROR_NONE ? word_list_help(word_list_find("errors"), error_word_name(v->error))
                                        : word_list_help(word_list_find("reasons"), reason_name(v->reason));
    return arena_printf(&t->arena, "%s%s", detail ? detail : "it was not taken", left_over(t));
}

static const char *response_of(struct trial *t)
{
    const struct converse_result *r = &t->converse.result;
    return r->snippet ? utf8_storable_copy(&t->arena, r->snippet, r->snippet_size, SNIPPET_MAX) : "";
}

static void write_body(struct trial *t, int64_t took_us)
{
    const struct verdict *v = &t->jobs[0].verdict;
    struct buf b;
    buf_init(&b, BODY_MAX);
    buf_add_char(&b, '{');
    buf_json_bool(&b, "ok", t->ok);
    buf_json_key(&b, "status");
    if (t->converse.result.status)
        buf_add_int(&b, t->converse.result.status);
    else
        buf_add_text(&b, "null");
    buf_json_member(&b, "response", response_of(t));
    buf_json_member(&b, "detail", detail_of(t));
    buf_json_member(&b, "error", v->error == ERROR_NONE ? NULL : error_word_name(v->error));
    buf_json_key(&b, "duration_ms");
    buf_add_int(&b, took_us / 1000);
    add_made(&b, &t->conversation.made);
    buf_add_char(&b, '}');
    check(!b.overflow);
    t->body = arena_text(&t->arena, buf_text(&b), b.len);
    t->body_size = b.len;
    buf_free(&b);
}

/* ---- its end ---- */

static void finish(struct trial *t)
{
    int64_t took_us = clock_mono_us() - t->begun_us;
    t->ok = t->jobs[0].verdict.kind == VERDICT_DELIVERED;
    write_body(t, took_us);
    list_remove(&t->link);
    t->trials->count--;
    event_free(t->deadline);
    t->deadline = NULL;
    t->done(t);
}

/* Of a test, what it has said so far was not its end. Of several findings, what is known of some of them is. */
static void break_off(struct trial *t, const char *why)
{
    converse_cancel(&t->converse);
    for (size_t i = 0; i < t->job_count; i++)
        if (t->conversation.is_test || t->jobs[i].verdict.kind == VERDICT_NONE)
            t->jobs[i].verdict =
                (struct verdict){.kind = VERDICT_RETRY, .error = ERROR_TIMEOUT, .detail = why};
    finish(t);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    struct trial *t = arg;
    (void)fd;
    (void)what;
    break_off(t, arena_printf(&t->arena,
                              "the test was broken off after %g seconds (api.test_timeout): what answers at "
                              "the destination is too slow, or takes connections and never answers",
                              t->timeout_s));
}

static void on_concluded(struct converse *c)
{
    finish(list_entry(c, struct trial, converse));
}

/* ---- its beginning ---- */

double trials_count(struct trials *all, const char *workspace)
{
    return pace_take(all->pace, workspace, clock_mono_us());
}

static enum trial_begun may_begin(struct trials *all, struct trial *t)
{
    size_t max = (size_t)all->conf->api_tests_at_once, of_workspace = 0;
    struct list *at;
    list_for_each (at, &all->running) {
        const struct trial *other = list_entry(at, struct trial, link);
        if (t->integration && other->integration && strcasecmp(t->integration, other->integration) == 0)
            return TRIAL_OF_THE_SAME;
        of_workspace += strcmp(t->workspace, other->workspace) == 0;
    }
    bool full = all->count >= max || of_workspace >= (max + SHARE_OF_ONE - 1) / SHARE_OF_ONE;
    if (full)
        return TRIAL_TOO_MANY;
    t->wait_s = t->is_counted ? 0 : trials_count(all, t->workspace);
    return t->wait_s > 0 ? TRIAL_TOO_OFTEN : TRIAL_BEGUN;
}

static void prepare(struct trials *all, struct trial *t)
{
    static const struct converse_calls calls = {.concluded = on_concluded};
    size_t max_request = (size_t)all->conf->delivery_max_request;
    if (!t->jobs) {
        t->jobs = &t->job;
        t->job_count = 1;
    }
    t->timeout_s = t->timeout_s > 0 ? t->timeout_s : all->conf->api_test_timeout;
    t->trials = all;
    arena_init(&t->arena, ARENA_BLOCK);
    dest_body_cache_init(&t->cache, max_request);
    t->conversation = (struct conversation){
        .config = t->config,
        .is_test = t->jobs == &t->job,
        .jobs = t->jobs,
        .job_count = t->job_count,
        .attempt = 1,
        .cache = &t->cache,
        .arena = &t->arena,
    };
    t->converse = (struct converse){
        .dest = t->dest,
        .transfers = all->transfers,
        .max_request = max_request,
        .arena = &t->arena,
        .conversation = &t->conversation,
        .calls = &calls,
        .base = all->base,
    };
}

enum trial_begun trial_begin(struct trials *all, struct trial *t)
{
    enum trial_begun begun = may_begin(all, t);
    if (begun != TRIAL_BEGUN)
        return begun;
    struct uuid nobody;
    char *webhook_id;
    prepare(all, t);
    struct timeval tv = clock_timeval(t->timeout_s);
    webhook_id = arena_alloc(&t->arena, 33);
    uuid_random(&nobody); /* each test is one of its own for whoever looks at ids */
    dest_webhook_id("test", &nobody, webhook_id);
    t->job.webhook_id = webhook_id;
    t->begun_us = clock_mono_us();
    list_init(&t->link);
    list_append(&all->running, &t->link);
    all->count++;
    t->deadline = evtimer_new(all->base, on_deadline, t);
    mem_check(t->deadline && event_add(t->deadline, &tv) == 0);
    converse_begin(&t->converse);
    return TRIAL_BEGUN;
}

void trial_end(struct trial *t)
{
    if (!t->trials)
        return;
    dest_body_cache_free(&t->cache);
    arena_wipe(&t->arena);
    t->trials = NULL;
}

/* ---- ---- */

struct trials *trials_new(struct event_base *base, const struct conf *conf)
{
    struct trials *t = mem_zalloc(sizeof *t);
    t->conf = conf;
    t->base = base;
    list_init(&t->running);
    t->pace = pace_new((int)conf->api_tests_burst, conf->api_tests_pause);
    transfer_settings_fill(&t->settings, conf);
    t->settings.idle_connections = conf->api_tests_at_once;
    t->transfers = transfers_new(base, &t->settings);
    return t;
}

void trials_free(struct trials *t)
{
    if (!t)
        return;
    while (!list_is_empty(&t->running))
        break_off(list_entry(t->running.next, struct trial, link),
                  "the test was broken off because the program that made it ends");
    transfers_free(t->transfers);
    transfer_settings_free(&t->settings);
    pace_free(t->pace);
    free(t);
}
