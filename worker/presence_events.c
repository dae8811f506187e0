/*
 * presence_events - events of the worker and of its tasks, as Celery's monitors read them
 *
 * Writes JSON and hands it to presence_publish; decides nothing. No `utcoffset`: monitors would shift our time stamps, which
 * are seconds since the epoch, by the difference of two zones. Events of tasks go as lists under task.multi, as
 * Celery's own workers send them.
 *
 * What a task's arguments are is made of what was understood of the message, so it has a bound, and holds no text that a
 * producer wrote but the id and the names.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/uuid.h"
#include "common/model/words.h"
#include "worker/presence_parts.h"
#include "worker/shared.h"

enum { EVENT_BYTES = 4096, DRAIN_MAX = 2000 };

void presence_args(const struct presence_task *t, struct buf *out)
{
    char scan[UUID_TEXT];
    uuid_format(&t->scan, scan);
    if (t->expand)
        buf_printf(out, "('%s',)", scan);
    else
        buf_printf(out, "('%s', '%s')", scan, event_type_name(t->type));
}

void presence_kwargs(const struct presence_task *t, struct buf *out)
{
    char finding[UUID_TEXT];
    uuid_format(&t->finding, finding);
    if (t->has_finding)
        buf_printf(out, "{'finding_id': '%s'}", finding);
    else
        buf_add_text(out, "{}");
}

static void add_number(struct buf *out, const char *key, double value)
{
    buf_json_key(out, key);
    buf_json_number(out, value);
}

static void add_int(struct buf *out, const char *key, int64_t value)
{
    buf_json_key(out, key);
    buf_add_int(out, value);
}

/* What every event has. */
static void open_event(struct presence *p, struct buf *out, const char *type, int64_t wall_us, pid_t pid)
{
    buf_json_open_item(out);
    buf_json_member(out, "type", type);
    buf_json_member(out, "hostname", p->node);
    add_number(out, "timestamp", (double)wall_us / 1e6);
    add_int(out, "pid", pid);
    add_int(out, "clock", presence_tick(p));
}

static bool publish(struct presence *p, const char *key, const struct buf *body)
{
    amqp_table_entry_t entry = {amqp_cstring_bytes("hostname"),
                                {AMQP_FIELD_KIND_UTF8, {.bytes = amqp_cstring_bytes(p->node)}}};
    return presence_publish(p, p->conf->celery_event_exchange, key, (amqp_table_t){1, &entry}, body);
}

static void add_load(struct buf *out)
{
    double load[3] = {0};
    if (getloadavg(load, 3) < 0)
        memset(load, 0, sizeof load);
    buf_json_open_list(out, "loadavg");
    for (int i = 0; i < 3; i++) {
        buf_add_text(out, i ? "," : "");
        buf_json_number(out, round(load[i] * 100) / 100);
    }
    buf_add_char(out, ']');
}

void presence_say_worker(struct presence *p, const char *type)
{
    struct presence_shared *shared = shared_presence();
    char key[64];
    struct buf b;
    snprintf(key, sizeof key, "worker.%s", strchr(type, '-') + 1);
    buf_init(&b, EVENT_BYTES);
    open_event(p, &b, type, clock_wall_us(), getpid());
    add_number(&b, "freq", p->conf->celery_heartbeat);
    add_int(&b, "active", (int64_t)presence_in_hand());
    add_int(&b, "processed", (int64_t)(shared->totals[0] + shared->totals[1]));
    add_load(&b);
    buf_json_member(&b, "sw_ident", "pencheff-notify");
    buf_json_member(&b, "sw_ver", NOTIFY_VERSION);
    buf_json_member(&b, "sw_sys", "Linux");
    buf_add_char(&b, '}');
    publish(p, key, &b);
    buf_free(&b);
}

static const char *type_of(enum presence_event_kind kind)
{
    switch (kind) {
    case PRESENCE_RECEIVED:
        return "task-received";
    case PRESENCE_STARTED:
        return "task-started";
    case PRESENCE_SUCCEEDED:
        return "task-succeeded";
    case PRESENCE_FAILED:
        return "task-failed";
    case PRESENCE_RETRIED:
        return "task-retried";
    case PRESENCE_REJECTED:
        return "task-rejected";
    case PRESENCE_REVOKED:
        return "task-revoked";
    }
    return "task-received";
}

static void add_received(struct buf *out, const struct presence_task *t)
{
    struct buf words;
    buf_init(&words, EVENT_BYTES);
    presence_args(t, &words);
    buf_json_member(out, "args", buf_text(&words));
    buf_reset(&words);
    presence_kwargs(t, &words);
    buf_json_member(out, "kwargs", buf_text(&words));
    buf_free(&words);
    buf_json_member(out, "name", t->name);
    buf_json_member(out, "root_id", t->id);
    buf_json_member(out, "parent_id", NULL);
    add_int(out, "retries", t->attempt > 0 ? t->attempt - 1 : 0);
    buf_json_member(out, "eta", NULL);
    buf_json_member(out, "expires", NULL);
    buf_json_member(out, "queue", t->queue);
}

static void add_end(struct buf *out, const struct presence_event *e)
{
    char words[128];
    switch (e->kind) {
    case PRESENCE_SUCCEEDED:
        snprintf(words, sizeof words, "{'matched': %d}", e->matched);
        buf_json_member(out, "result", words);
        add_number(out, "runtime", (double)e->runtime_us / 1e6);
        break;
    case PRESENCE_FAILED:
        snprintf(words, sizeof words, "NotifyDead('%s')", reason_name(e->reason));
        buf_json_member(out, "exception", words);
        buf_json_member(out, "traceback", "");
        break;
    case PRESENCE_RETRIED:
        buf_json_member(out, "exception", "Retry('it comes again')");
        buf_json_member(out, "traceback", "");
        break;
    case PRESENCE_REJECTED:
        buf_json_bool(out, "requeue", false);
        break;
    case PRESENCE_REVOKED:
        buf_json_bool(out, "terminated", false);
        buf_json_bool(out, "expired", true);
        buf_json_member(out, "signum", NULL);
        break;
    default:
        break;
    }
}

static void add_event(struct presence *p, struct buf *out, const struct presence_event *e)
{
    open_event(p, out, type_of(e->kind), e->wall_us, e->task.pid);
    buf_json_member(out, "uuid", e->task.id);
    if (e->kind == PRESENCE_RECEIVED)
        add_received(out, &e->task);
    add_end(out, e);
    buf_add_char(out, '}');
}

static void send_batch(struct presence *p, struct buf *b, int count)
{
    buf_add_char(b, ']');
    if (count && !publish(p, "task.multi", b))
        p->reader.lost += (uint64_t)count;
    buf_reset(b);
    buf_add_char(b, '[');
}

static void note_lost(struct presence *p)
{
    if (p->reader.lost > p->said_lost)
        shared_count_more(COUNT_TASK_EVENTS_LOST, p->reader.lost - p->said_lost);
    p->said_lost = p->reader.lost;
}

void presence_drain_events(struct presence *p)
{
    struct presence_event e;
    struct buf b;
    int count = 0, all = 0;
    if (p->state != PRESENCE_SHOWN)
        return;
    buf_init(&b, PRESENCE_REPLY_BYTES);
    buf_add_char(&b, '[');
    while (all++ < DRAIN_MAX && presence_shared_get_event(&p->reader, clock_mono_us(), &e)) {
        add_event(p, &b, &e);
        count++;
        if (b.len > PRESENCE_REPLY_BYTES - EVENT_BYTES) {
            send_batch(p, &b, count);
            count = 0;
        }
    }
    send_batch(p, &b, count);
    note_lost(p);
    buf_free(&b);
}
