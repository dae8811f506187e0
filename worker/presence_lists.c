/*
 * presence_lists - what Celery's tools list: messages in hand, tasks, queues
 *
 * Appends JSON in the shapes that `celery inspect` and Flower read, from shared memory and the configuration. A list ends
 * when the reply is as large as may be sent; what follows is left out.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "worker/presence_parts.h"
#include "worker/shared.h"
#include "worker/topology.h"

enum { ITEM_BYTES = 4096, WORDS_BYTES = 256, IDS_MAX = 1000 };

uint64_t presence_in_hand(void)
{
    uint64_t sum = 0;
    for (int i = 0; i < shared_slots_used(); i++)
        if (shared_slot_at(i)->role == SHARED_WORKER)
            sum += shared_slot_at(i)->in_hand;
    return sum;
}

long presence_workers(void)
{
    long n = 0;
    for (int i = 0; i < shared_slots_used(); i++)
        n += shared_slot_at(i)->role == SHARED_WORKER && shared_slot_at(i)->pid;
    return n;
}

static bool is_full(const struct buf *out)
{
    return out->len > PRESENCE_REPLY_BYTES - ITEM_BYTES;
}

static void add_arguments(const struct presence_task *t, struct buf *out)
{
    char id[UUID_TEXT];
    uuid_format(&t->scan, id);
    buf_json_open_list(out, "args");
    buf_json_text(out, id);
    if (!t->expand) {
        buf_add_char(out, ',');
        buf_json_text(out, event_type_name(t->type));
    }
    buf_add_char(out, ']');
    buf_json_open_object(out, "kwargs");
    uuid_format(&t->finding, id);
    if (t->has_finding)
        buf_json_member(out, "finding_id", id);
    buf_add_char(out, '}');
}

/* "acknowledged": never before it is done, as with acks_late. */
static void add_task(const struct presence *p, const struct presence_task *t, struct buf *out)
{
    buf_json_open_item(out);
    buf_json_member(out, "id", t->id);
    buf_json_member(out, "name", t->name);
    buf_json_member(out, "type", t->name);
    add_arguments(t, out);
    buf_json_member(out, "hostname", p->node);
    buf_json_key(out, "time_start");
    if (t->started_us)
        buf_json_number(out, (double)t->started_us / 1e6);
    else
        buf_add_text(out, "null");
    buf_json_bool(out, "acknowledged", false);
    buf_json_open_object(out, "delivery_info");
    buf_json_member(out, "exchange", "");
    buf_json_member(out, "routing_key", t->queue);
    buf_json_key(out, "priority");
    buf_add_int(out, 0);
    buf_json_bool(out, "redelivered", t->redelivered);
    buf_add_char(out, '}');
    buf_json_key(out, "worker_pid");
    buf_add_int(out, t->pid);
    buf_add_char(out, '}');
}

static void add_tasks(const struct presence *p, enum presence_task_state wanted, struct buf *out)
{
    struct presence_task task;
    buf_add_char(out, '[');
    for (int i = 0; i < PRESENCE_TASKS && !is_full(out); i++)
        if (presence_shared_get_task(i, &task) == wanted)
            add_task(p, &task, out);
    buf_add_char(out, ']');
}

void presence_active(struct presence *p, const struct presence_question *q, struct buf *out)
{
    (void)q;
    add_tasks(p, PRESENCE_ACTIVE, out);
}

void presence_reserved(struct presence *p, const struct presence_question *q, struct buf *out)
{
    (void)q;
    add_tasks(p, PRESENCE_RESERVED, out);
}

static bool asks_for(struct json_object *ids, const char *id)
{
    if (json_object_is_type(ids, json_type_string))
        return strcmp(json_object_get_string(ids), id) == 0;
    if (!json_object_is_type(ids, json_type_array))
        return false;
    for (size_t i = 0; i < json_object_array_length(ids) && i < IDS_MAX; i++) {
        struct json_object *one = json_object_array_get_idx(ids, i);
        if (json_object_is_type(one, json_type_string) && strcmp(json_object_get_string(one), id) == 0)
            return true;
    }
    return false;
}

void presence_query_task(struct presence *p, const struct presence_question *q, struct buf *out)
{
    struct json_object *ids = NULL;
    struct presence_task task;
    if (q->request->arguments)
        json_object_object_get_ex(q->request->arguments, "ids", &ids);
    buf_add_char(out, '{');
    for (int i = 0; ids && i < PRESENCE_TASKS && !is_full(out); i++) {
        enum presence_task_state state = presence_shared_get_task(i, &task);
        if (state == PRESENCE_FREE || !asks_for(ids, task.id))
            continue;
        buf_json_key(out, task.id);
        buf_add_text(out, state == PRESENCE_ACTIVE ? "[\"active\"," : "[\"reserved\",");
        struct buf one;
        buf_init(&one, ITEM_BYTES);
        add_task(p, &task, &one);
        buf_add_text(out, buf_text(&one));
        buf_free(&one);
        buf_add_char(out, ']');
    }
    buf_add_char(out, '}');
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The last components of their names, which is all that we look at. */
void presence_registered(struct presence *p, const struct presence_question *q, struct buf *out)
{
    const struct conf_texts *lists[] = {&p->conf->tasks_notify_event, &p->conf->tasks_notify_scan_findings};
    size_t n = 0;
    const char **names = arena_alloc(q->arena, (lists[0]->count + lists[1]->count + 1) * sizeof *names);
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < lists[i]->count; j++)
            names[n++] = lists[i]->items[j];
    qsort(names, n, sizeof *names, by_name);
    buf_add_char(out, '[');
    for (size_t i = 0; i < n && !is_full(out); i++) {
        buf_add_text(out, i ? "," : "");
        buf_json_text(out, names[i]);
    }
    buf_add_char(out, ']');
}

/* Our own queues that are consumed, and the exchange that each is bound to. */
static const struct {
    const char *queue, *exchange;
} own[] = {{TOPOLOGY_DUE, TOPOLOGY_DELAY_OUT},
           {TOPOLOGY_URGENT, TOPOLOGY_URGENT},
           {TOPOLOGY_BULK, TOPOLOGY_BULK},
           {TOPOLOGY_WAKE, TOPOLOGY_WAKE}};

bool presence_is_own_queue(const char *name)
{
    return strncmp(name, TOPOLOGY_DELAY ".", sizeof TOPOLOGY_DELAY) == 0 ||
           strcmp(name, TOPOLOGY_DEAD) == 0 || strcmp(name, TOPOLOGY_DUE) == 0 ||
           strcmp(name, TOPOLOGY_URGENT) == 0 || strcmp(name, TOPOLOGY_BULK) == 0 ||
           strcmp(name, TOPOLOGY_WAKE) == 0;
}

bool presence_is_configured(const struct presence *p, const char *queue)
{
    for (size_t i = 0; i < p->conf->broker_queues.count; i++)
        if (strcmp(p->conf->broker_queues.items[i], queue) == 0)
            return true;
    return false;
}

static void add_nulls(struct buf *out, const char *const *keys, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_json_member(out, keys[i], NULL);
}

static void add_queue(struct buf *out, const char *name, const char *exchange, bool is_own)
{
    static const char *const nulls[] = {
        "queue_arguments", "binding_arguments", "consumer_arguments", "alias",       "no_declare", "expires",
        "message_ttl",     "max_length",        "max_length_bytes",   "max_priority"};
    static const char *const exchange_nulls[] = {"arguments", "delivery_mode"};
    buf_json_open_item(out);
    buf_json_member(out, "name", name);
    buf_json_open_object(out, "exchange");
    buf_json_member(out, "name", exchange);
    buf_json_member(out, "type", is_own ? "fanout" : "direct");
    add_nulls(out, exchange_nulls, 2);
    buf_json_bool(out, "durable", true);
    buf_json_bool(out, "passive", false);
    buf_json_bool(out, "auto_delete", false);
    buf_json_bool(out, "no_declare", false);
    buf_add_char(out, '}');
    buf_json_member(out, "routing_key", is_own ? "" : name);
    add_nulls(out, nulls, sizeof nulls / sizeof nulls[0]);
    buf_json_bool(out, "durable", true);
    buf_json_bool(out, "exclusive", false);
    buf_json_bool(out, "auto_delete", false);
    buf_json_bool(out, "no_ack", false);
    buf_json_open_list(out, "bindings");
    buf_add_text(out, "]}");
}

/* As the workers follow it (consumers.c): a reload may have configured it meanwhile, or made it the queue forward. */
static bool is_added(const struct presence *p, const struct presence_queue *q)
{
    return q->state == PRESENCE_QUEUE_ADDED && !presence_is_configured(p, q->name) &&
           !(conf_is_shadow(p->conf) && strcmp(q->name, p->conf->forward) == 0);
}

void presence_active_queues(struct presence *p, const struct presence_question *q, struct buf *out)
{
    const struct conf_texts *queues = &p->conf->broker_queues;
    struct presence_shared *s = shared_presence();
    (void)q;
    buf_add_char(out, '[');
    for (size_t i = 0; i < queues->count && !is_full(out); i++)
        if (presence_shared_queue_state(queues->items[i]) != PRESENCE_QUEUE_CANCELLED)
            add_queue(out, queues->items[i], queues->items[i], false);
    for (uint32_t i = 0; i < s->queue_count && !is_full(out); i++)
        if (is_added(p, &s->queues[i]))
            add_queue(out, s->queues[i].name, s->queues[i].name, false);
    for (size_t i = 0; !conf_is_shadow(p->conf) && i < sizeof own / sizeof own[0] && !is_full(out); i++)
        add_queue(out, own[i].queue, own[i].exchange, true);
    buf_add_char(out, ']');
}
