/*
 * presence_stats - what Celery's tools show of the pool: figures, settings, versions
 *
 * Appends JSON in the shapes that `celery inspect` and Flower read. No secret: of addresses, what stands before an @ is
 * shown as stars, and settings that are secret are shown as stars as a whole.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/conf_read.h"
#include "common/broker_nodes.h"
#include "worker/presence_parts.h"
#include "worker/shared.h"

#define STARS "********"

enum { TEXT_MAX = 4096 };

static void add_int(struct buf *out, const char *key, int64_t value)
{
    buf_json_key(out, key);
    buf_add_int(out, value);
}

static void add_raw(struct buf *out, const char *key, const char *json)
{
    buf_json_key(out, key);
    buf_add_text(out, json);
}

static const char *name_of(const struct conf_texts *names, const char *otherwise)
{
    return names->count ? names->items[0] : otherwise;
}

static void add_pool(struct presence *p, struct buf *out)
{
    struct presence_shared *s = shared_presence();
    uint64_t taken = s->totals[0] + s->totals[1];
    (void)p;
    buf_json_open_object(out, "pool");
    buf_json_member(out, "implementation", "pencheff-notify");
    add_int(out, "max-concurrency", s->workers_wanted);
    buf_json_open_list(out, "processes");
    bool first = true;
    for (int i = 0; i < shared_slots_used(); i++) {
        struct shared_slot *slot = shared_slot_at(i);
        if (slot->role != SHARED_WORKER || !slot->pid)
            continue;
        buf_add_text(out, first ? "" : ",");
        buf_add_int(out, slot->pid);
        first = false;
    }
    buf_add_char(out, ']');
    buf_json_member(out, "max-tasks-per-child", "N/A");
    buf_json_bool(out, "put-guarded-by-semaphore", false);
    add_raw(out, "timeouts", "[0,0]");
    buf_json_open_object(out, "writes");
    add_int(out, "total", (int64_t)taken);
    buf_json_member(out, "avg", "0.00");
    buf_json_member(out, "all", "");
    buf_json_member(out, "raw", "");
    buf_json_member(out, "strategy", "fair");
    buf_json_open_object(out, "inqueues");
    add_int(out, "total", presence_workers());
    add_int(out, "active", 0);
    buf_add_text(out, "}}}");
}

/* Host, port, user and virtual host of the first node; the password stays where it is. */
static void add_broker(struct presence *p, struct buf *out)
{
    struct broker_nodes nodes;
    buf_json_open_object(out, "broker");
    if (broker_nodes_read(&nodes, p->conf)) {
        buf_json_member(out, "hostname", nodes.items[0].host);
        buf_json_member(out, "userid", nodes.login.user);
        buf_json_member(out, "virtual_host", nodes.login.vhost);
        add_int(out, "port", nodes.items[0].port);
    }
    broker_nodes_free(&nodes);
    buf_json_bool(out, "insist", false);
    buf_json_bool(out, "ssl", strncmp(p->conf->broker_url, "amqps:", 6) == 0);
    buf_json_member(out, "transport", "amqp");
    add_int(out, "connect_timeout", 5);
    add_raw(out, "transport_options", "{}");
    buf_json_member(out, "login_method", "PLAIN");
    buf_json_member(out, "uri_prefix", NULL);
    add_int(out, "heartbeat", p->conf->broker_heartbeat);
    buf_json_member(out, "failover_strategy", "round-robin");
    add_raw(out, "alternates", "[]}");
}

static double seconds(struct timeval tv)
{
    return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

/* Of the agent, which answers. */
static void add_rusage(struct buf *out)
{
    struct rusage u;
    if (getrusage(RUSAGE_SELF, &u) != 0)
        memset(&u, 0, sizeof u);
    const struct {
        const char *key;
        long value;
    } figures[] = {{"maxrss", u.ru_maxrss}, {"ixrss", u.ru_ixrss},     {"idrss", u.ru_idrss},
                   {"isrss", u.ru_isrss},   {"minflt", u.ru_minflt},   {"majflt", u.ru_majflt},
                   {"nswap", u.ru_nswap},   {"inblock", u.ru_inblock}, {"oublock", u.ru_oublock},
                   {"msgsnd", u.ru_msgsnd}, {"msgrcv", u.ru_msgrcv},   {"nsignals", u.ru_nsignals},
                   {"nvcsw", u.ru_nvcsw},   {"nivcsw", u.ru_nivcsw}};
    buf_json_open_object(out, "rusage");
    buf_json_key(out, "utime");
    buf_json_number(out, seconds(u.ru_utime));
    buf_json_key(out, "stime");
    buf_json_number(out, seconds(u.ru_stime));
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        add_int(out, figures[i].key, figures[i].value);
    buf_add_char(out, '}');
}

void presence_stats(struct presence *p, const struct presence_question *q, struct buf *out)
{
    struct presence_shared *s = shared_presence();
    char clock[32];
    (void)q;
    snprintf(clock, sizeof clock, "%lld", (long long)p->clock);
    buf_add_char(out, '{');
    buf_json_open_object(out, "total");
    if (s->totals[0])
        add_int(out, name_of(&p->conf->tasks_notify_event, "notify_event"), (int64_t)s->totals[0]);
    if (s->totals[1])
        add_int(out, name_of(&p->conf->tasks_notify_scan_findings, "notify_scan_findings"),
                (int64_t)s->totals[1]);
    buf_add_char(out, '}');
    add_int(out, "pid", p->supervisor);
    buf_json_member(out, "clock", clock);
    add_int(out, "uptime", (clock_mono_us() - p->begun_us) / 1000000);
    add_pool(p, out);
    add_broker(p, out);
    add_int(out, "prefetch_count", p->conf->broker_prefetch * s->workers_wanted);
    add_rusage(out);
    buf_add_char(out, '}');
}

/* VALUE, with stars for what stands between :// and the last @ before a slash. */
static void add_masked(struct buf *out, const char *value)
{
    struct buf b;
    const char *from = strstr(value, "://");
    const char *at = from ? memrchr(from, '@', strlen(from)) : NULL;
    buf_init(&b, TEXT_MAX);
    if (at) {
        buf_add(&b, value, (size_t)(from + 3 - value));
        buf_add_text(&b, STARS);
        buf_add_text(&b, at);
    } else {
        buf_add_text(&b, value);
    }
    buf_json_text(out, buf_text(&b));
    buf_free(&b);
}

static void add_texts(struct buf *out, const struct conf_texts *texts)
{
    buf_add_char(out, '[');
    for (size_t i = 0; i < texts->count; i++) {
        buf_add_text(out, i ? "," : "");
        add_masked(out, texts->items[i]);
    }
    buf_add_char(out, ']');
}

static void add_numbers(struct buf *out, const struct conf_numbers *numbers)
{
    buf_add_char(out, '[');
    for (size_t i = 0; i < numbers->count; i++) {
        buf_add_text(out, i ? "," : "");
        buf_json_number(out, numbers->items[i]);
    }
    buf_add_char(out, ']');
}

static void add_setting(struct buf *out, const struct conf *conf, const struct conf_row *row)
{
    const void *value = (const char *)conf + row->offset;
    buf_json_key(out, row->path);
    switch (row->type) {
    case CONF_INT:
        buf_add_int(out, *(const long *)value);
        break;
    case CONF_NUM:
        buf_json_number(out, *(const double *)value);
        break;
    case CONF_BOOL:
        buf_add_text(out, *(const bool *)value ? "true" : "false");
        break;
    case CONF_TEXT:
    case CONF_WORD:
        add_masked(out, *(const char *const *)value);
        break;
    case CONF_LIST:
        add_texts(out, value);
        break;
    case CONF_NUMS:
        add_numbers(out, value);
        break;
    case CONF_SECRET:
    case CONF_SECRETS:
        buf_json_text(out, STARS);
        break;
    }
}

/* A few under Celery's names, then all of ours. */
void presence_conf(struct presence *p, const struct presence_question *q, struct buf *out)
{
    (void)q;
    buf_add_char(out, '{');
    buf_json_member(out, "broker_url", STARS);
    buf_json_member(out, "task_default_queue", name_of(&p->conf->broker_queues, ""));
    add_int(out, "worker_concurrency", shared_presence()->workers_wanted);
    buf_json_bool(out, "task_acks_late", true);
    buf_json_member(out, "control_exchange", p->conf->celery_control_exchange);
    buf_json_member(out, "event_exchange", p->conf->celery_event_exchange);
    for (size_t i = 0; i < CONF_ROW_COUNT; i++)
        add_setting(out, p->conf, &conf_rows[i]);
    buf_add_char(out, '}');
}

void presence_report(struct presence *p, const struct presence_question *q, struct buf *out)
{
    struct utsname machine;
    (void)q;
    if (uname(&machine) != 0)
        memset(&machine, 0, sizeof machine);
    presence_ok(out,
                "\nsoftware -> pencheff-notify:%s librabbitmq:%s (no Python)\n"
                "platform -> system:%s release:%s arch:%s\n"
                "pool     -> workers:%d consuming as:%s\n"
                "broker   -> transport:amqp exchange of events:%s of remote control:%s\n",
                NOTIFY_VERSION, amqp_version(), machine.sysname, machine.release, machine.machine,
                shared_presence()->workers_wanted, p->node, p->conf->celery_event_exchange, p->control);
}
