/*
 * presence_control - requests of Celery's remote control to replies
 *
 * Owns the table of commands. A request is answered to the exchange for replies and to no other, so that nobody can make
 * us publish where he may not; with no word at all when nobody waits. What this pool does not do is answered with an
 * error that says what to do instead. Requests have a rate: what comes beyond is dropped, and said once a while.
 *
 * Nothing is done here: what changes the pool is put into shared memory, where the supervisor and the workers find it.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "worker/presence_parts.h"
#include "worker/shared.h"

enum { WORDS_BYTES = 1024, POOL_MAX = 256 };

static void add_words(struct buf *out, const char *key, const char *words)
{
    buf_add_char(out, '{');
    buf_json_member(out, key, words);
    buf_add_char(out, '}');
}

void presence_ok(struct buf *out, const char *format, ...)
{
    char words[WORDS_BYTES];
    va_list values;
    va_start(values, format);
    vsnprintf(words, sizeof words, format, values);
    va_end(values);
    add_words(out, "ok", words);
}

void presence_error(struct buf *out, const char *format, ...)
{
    char words[WORDS_BYTES];
    va_list values;
    va_start(values, format);
    vsnprintf(words, sizeof words, format, values);
    va_end(values);
    add_words(out, "error", words);
}

static void answer_ping(struct presence *p, const struct presence_question *q, struct buf *out)
{
    (void)p;
    (void)q;
    presence_ok(out, "pong");
}

static void answer_empty_list(struct presence *p, const struct presence_question *q, struct buf *out)
{
    (void)p;
    (void)q;
    buf_add_text(out, "[]");
}

static void answer_clock(struct presence *p, const struct presence_question *q, struct buf *out)
{
    (void)q;
    buf_printf(out, "{\"clock\":%lld}", (long long)p->clock);
}

/* A worker that starts asks who is there. To ourselves we say nothing. */
static void answer_hello(struct presence *p, const struct presence_question *q, struct buf *out)
{
    const char *from = presence_argument_text(q->request, q->arena, "from_node", PRESENCE_TEXT - 1);
    if (from && strcmp(from, p->node) == 0)
        buf_add_text(out, "null");
    else
        buf_printf(out, "{\"revoked\":{},\"clock\":%lld}", (long long)presence_tick(p));
}

static void answer_enable_events(struct presence *p, const struct presence_question *q, struct buf *out)
{
    (void)q;
    bool were_on = shared_presence()->events_on;
    if (!were_on)
        presence_set_events(p, true);
    presence_ok(out, were_on ? "task events already enabled" : "task events enabled");
}

static void answer_disable_events(struct presence *p, const struct presence_question *q, struct buf *out)
{
    (void)q;
    bool were_on = shared_presence()->events_on;
    if (were_on)
        presence_set_events(p, false);
    presence_ok(out, were_on ? "task events disabled" : "task events already disabled");
}

static void answer_heartbeat(struct presence *p, const struct presence_question *q, struct buf *out)
{
    (void)q;
    presence_say_worker(p, "worker-heartbeat");
    buf_add_text(out, "null");
}

static void change_pool(const struct presence_question *q, int sign, struct buf *out)
{
    struct presence_shared *s = shared_presence();
    int n, wanted = s->workers_wanted + s->workers_change;
    if (!presence_argument_number(q->request, "n", 1, POOL_MAX, 1, &n)) {
        presence_error(out, "n must be a whole number of 1 to %d", POOL_MAX);
        return;
    }
    if (wanted + sign * n < 1 || wanted + sign * n > POOL_MAX) {
        presence_error(out, "the pool has %d workers, and can have 1 to %d", wanted, POOL_MAX);
        return;
    }
    atomic_fetch_add(&s->workers_change, sign * n);
    LOG(LOG_INFO, "pool_change_asked", LOG_NUM("change", sign * n));
    presence_ok(out, sign > 0 ? "pool will grow" : "pool will shrink");
}

static void answer_pool_grow(struct presence *p, const struct presence_question *q, struct buf *out)
{
    (void)p;
    change_pool(q, 1, out);
}

static void answer_pool_shrink(struct presence *p, const struct presence_question *q, struct buf *out)
{
    (void)p;
    change_pool(q, -1, out);
}

/* The queue that a request names; NULL, and the error said, when there is none that may be changed. */
static const char *queue_of(const struct presence *p, const struct presence_question *q, struct buf *out)
{
    const char *queue = presence_argument_text(q->request, q->arena, "queue", PRESENCE_QUEUE_BYTES - 1);
    if (!queue)
        presence_error(out, "queue must be a name of 1 to %d bytes", PRESENCE_QUEUE_BYTES - 1);
    else if (presence_is_own_queue(queue) || strncmp(queue, "amq.", 4) == 0)
        presence_error(out, "%s is a queue of the pool's own or of the broker's, and stays as it is", queue);
    else if (conf_is_shadow(p->conf) && strcmp(queue, p->conf->forward) == 0)
        presence_error(
            out,
            "not here: in shadow mode every message is forwarded to %s, for the worker that delivers; this "
            "pool would take them away from it",
            queue);
    else
        return queue;
    return NULL;
}

/* Also to what it is already: then the workers try again what was refused. */
static void change_queue(struct buf *out, const char *queue, enum presence_queue_state state,
                         const char *words)
{
    if (!presence_shared_set_queue(queue, state)) {
        presence_error(out, "%d queues were added or cancelled already; set broker.queues and restart",
                       PRESENCE_QUEUES);
        return;
    }
    LOG(LOG_INFO, "queue_change_asked", LOG_TEXT("queue", queue),
        LOG_TEXT("change", state == PRESENCE_QUEUE_CANCELLED ? "cancel" : "add"));
    presence_ok(out, "%s %s", words, queue);
}

/* What add_consumer says of a queue beyond its name, we do not do. */
static bool asks_for_more(const struct presence_question *q, const char *queue)
{
    static const char *const keys[] = {"exchange", "routing_key"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *value = presence_argument_text(q->request, q->arena, keys[i], PRESENCE_TEXT);
        if (value && strcmp(value, queue) != 0)
            return true;
    }
    const char *type = presence_argument_text(q->request, q->arena, "exchange_type", PRESENCE_TEXT);
    return type && strcmp(type, "direct") != 0;
}

static void answer_add_consumer(struct presence *p, const struct presence_question *q, struct buf *out)
{
    const char *queue = queue_of(p, q, out);
    if (!queue)
        return;
    if (asks_for_more(q, queue)) {
        presence_error(out, "a queue is bound to the direct exchange of its own name here; bind it otherwise "
                            "yourself, and add it by its name alone");
        return;
    }
    change_queue(out, queue,
                 presence_is_configured(p, queue) ? PRESENCE_QUEUE_AS_CONFIGURED : PRESENCE_QUEUE_ADDED,
                 "add consumer");
}

static void answer_cancel_consumer(struct presence *p, const struct presence_question *q, struct buf *out)
{
    const char *queue = queue_of(p, q, out);
    if (!queue)
        return;
    if (!presence_is_configured(p, queue) && presence_shared_queue_state(queue) != PRESENCE_QUEUE_ADDED)
        presence_ok(out, "no longer consuming from %s",
                    queue); /* it never was, and takes no place in the table */
    else
        change_queue(out, queue, PRESENCE_QUEUE_CANCELLED, "no longer consuming from");
}

static void answer_shutdown(struct presence *p, const struct presence_question *q, struct buf *out)
{
    (void)q;
    (void)out;
    /* Once: a second signal would mean at once. */
    if (p->shutdown_asked || shared_presence()->ending || getppid() != p->supervisor)
        return;
    LOG(LOG_INFO, "shutdown_asked", LOG_TEXT("node", p->node));
    p->shutdown_asked = true;
    kill(p->supervisor, SIGTERM);
}

static void answer_autoscale(struct presence *p, const struct presence_question *q, struct buf *out)
{
    (void)p;
    (void)q;
    presence_error(out, "ValueError('Autoscale not enabled'): use pool_grow and pool_shrink");
}

static void answer_pool_restart(struct presence *p, const struct presence_question *q, struct buf *out)
{
    (void)p;
    (void)q;
    presence_error(out, "ValueError('Pool restarts not enabled'): send HUP to notifyd, which replaces its "
                        "workers and loses nothing");
}

static void answer_rate_limit(struct presence *p, const struct presence_question *q, struct buf *out)
{
    (void)p;
    (void)q;
    presence_error(out, "tasks have no rate here, integrations have: set gate.rate_<kind>");
}

static void answer_time_limit(struct presence *p, const struct presence_question *q, struct buf *out)
{
    (void)p;
    (void)q;
    presence_error(out, "tasks have no time limit here, requests have: set delivery.timeout");
}

/* A message is begun some milliseconds after it came; what waits for longer waits in the ledger, under its own commands. */
static void answer_revoke(struct presence *p, const struct presence_question *q, struct buf *out)
{
    (void)p;
    (void)q;
    presence_error(out,
                   "not revoked: what waits here waits in the ledger. Disable or delete the integration, "
                   "which cancels its deliveries, or publish with expires");
}

static const struct command {
    const char *name, *alias;
    presence_answer *answer;
    bool silent;  /* by Celery's rule */
    bool changes; /* the pool: only with celery.steer */
} commands[] = {
    {.name = "ping", .answer = answer_ping},
    {.name = "stats", .answer = presence_stats},
    {.name = "active", .alias = "dump_active", .answer = presence_active},
    {.name = "reserved", .alias = "dump_reserved", .answer = presence_reserved},
    {.name = "scheduled",
     .alias = "dump_schedule",
     .answer = answer_empty_list}, /* an eta is waited for in the broker */
    {.name = "revoked", .alias = "dump_revoked", .answer = answer_empty_list},
    {.name = "registered", .alias = "dump_tasks", .answer = presence_registered},
    {.name = "active_queues", .answer = presence_active_queues},
    {.name = "query_task", .answer = presence_query_task},
    {.name = "conf", .alias = "dump_conf", .answer = presence_conf},
    {.name = "report", .answer = presence_report},
    {.name = "clock", .answer = answer_clock},
    {.name = "hello", .answer = answer_hello},
    {.name = "enable_events", .answer = answer_enable_events},
    {.name = "disable_events", .answer = answer_disable_events},
    {.name = "heartbeat", .answer = answer_heartbeat},
    {.name = "pool_grow", .answer = answer_pool_grow, .changes = true},
    {.name = "pool_shrink", .answer = answer_pool_shrink, .changes = true},
    {.name = "add_consumer", .answer = answer_add_consumer, .changes = true},
    {.name = "cancel_consumer", .answer = answer_cancel_consumer, .changes = true},
    {.name = "shutdown", .answer = answer_shutdown, .silent = true, .changes = true},
    {.name = "autoscale", .answer = answer_autoscale},
    {.name = "pool_restart", .answer = answer_pool_restart},
    {.name = "rate_limit", .answer = answer_rate_limit},
    {.name = "time_limit", .answer = answer_time_limit},
    {.name = "revoke", .alias = "terminate", .answer = answer_revoke},
    {.name = "revoke_by_stamped_headers", .alias = "terminate_by_stamped_headers", .answer = answer_revoke},
};

static const struct command *find(const char *method)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i].name, method) == 0 ||
            (commands[i].alias && strcmp(commands[i].alias, method) == 0))
            return &commands[i];
    return NULL;
}

static void reply(struct presence *p, const struct presence_request *r, const struct buf *body)
{
    amqp_table_entry_t entries[2] = {
        {amqp_cstring_bytes("clock"), {AMQP_FIELD_KIND_I64, {.i64 = presence_tick(p)}}},
        {amqp_cstring_bytes("ticket"),
         {AMQP_FIELD_KIND_UTF8, {.bytes = amqp_cstring_bytes(r->ticket ? r->ticket : "")}}},
    };
    if (!amqp_link_is_up(p->link) || !amqp_link_has_room(p->link, PRESENCE_TEXT))
        return;
    presence_declare_reply(p);
    presence_publish(p, p->reply, r->reply_key, (amqp_table_t){r->ticket ? 2 : 1, entries}, body);
}

static void answer(struct presence *p, const struct presence_request *r, struct arena *arena,
                   const char *unmatchable)
{
    const struct command *command = find(r->method);
    struct presence_question question = {r, arena};
    struct buf out;
    /* Any other exchange than that for replies is not for us to publish to. */
    bool waits = r->reply_exchange && strcmp(r->reply_exchange, p->reply) == 0;
    if (r->reply_exchange && !waits)
        return;
    LOG(LOG_DEBUG, "remote_control", LOG_TEXT("method", r->method));
    buf_init(&out, PRESENCE_REPLY_BYTES);
    buf_add_char(&out, '{');
    buf_json_key(&out, p->node);
    if (unmatchable)
        presence_error(&out, "%s", unmatchable);
    else if (!command)
        presence_error(&out, "KeyError('%s')", r->method);
    else if (command->changes && !p->conf->celery_steer)
        presence_error(&out, "not allowed: celery.steer is false");
    else
        command->answer(p, &question, &out);
    buf_add_char(&out, '}');
    if (waits && !(command && command->silent))
        reply(p, r, &out);
    buf_free(&out);
}

/* A bucket that holds two seconds' requests: a monitor asks ten things at once. */
static bool is_allowed(struct presence *p)
{
    int64_t now = clock_mono_us();
    double most = p->conf->celery_requests * 2;
    p->tokens += (double)(now - p->tokens_us) / 1e6 * p->conf->celery_requests;
    p->tokens_us = now;
    if (p->tokens > most)
        p->tokens = most;
    if (p->tokens >= 1) {
        p->tokens--;
        p->dropped = 0;
        return true;
    }
    if (p->dropped++ == 0)
        LOG(LOG_WARN, "remote_control_flood",
            LOG_TEXT("advice", "more requests than celery.requests a second: further ones are dropped"));
    return false;
}

void presence_take_request(struct presence *p, const struct raw_message *raw)
{
    struct presence_request request;
    struct arena arena;
    const char *why = "";
    if (!is_allowed(p))
        return;
    arena_init(&arena, WORDS_BYTES);
    enum presence_request_result result = presence_request_read(raw, &arena, p->node, &request, &why);
    if (request.clock > p->clock)
        p->clock = request.clock;
    presence_tick(p);
    if (result == PRESENCE_REQUEST_UNREADABLE)
        LOG(LOG_DEBUG, "remote_control_unreadable", LOG_TEXT("why", why));
    if (result == PRESENCE_REQUEST_OURS || result == PRESENCE_REQUEST_UNMATCHABLE)
        answer(p, &request, &arena, result == PRESENCE_REQUEST_UNMATCHABLE ? why : NULL);
    presence_request_free(&request);
    arena_free(&arena);
}
