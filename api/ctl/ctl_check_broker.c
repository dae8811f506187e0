/*
 * ctl_check_broker - the broker's part of notifyctl check
 *
 * Queues are asked for passively. What the configuration says of our own queues' type is compared by
 * declaring those that exist once more, which the broker refuses when they differ. Policies cannot be seen
 * over AMQP. The user's rights are in ctl_check_broker_rights.c.
 */
#include "api/ctl/ctl_check_broker.h"

#include <string.h>

#include "common/base/buf.h"
#include "common/celery_node.h"

static const char *const own_queues[] = {TOPOLOGY_DUE, TOPOLOGY_URGENT, TOPOLOGY_BULK, TOPOLOGY_WAKE,
                                         TOPOLOGY_DEAD};

enum { OWN_COUNT = sizeof own_queues / sizeof own_queues[0], LIST_MAX = 65536 };

const char *check_queue_name(const struct conf *conf, size_t i)
{
    size_t producers = conf->broker_queues.count;
    if (i < producers)
        return conf->broker_queues.items[i];
    return i < producers + OWN_COUNT ? own_queues[i - producers] : NULL;
}

void check_broker_lost(struct report *report, const char *subject, const struct broker *broker)
{
    report->away = true;
    report_fail(report, subject, "%s; is the broker in order?", broker->why);
}

static void check_type(struct report *report, struct broker *broker, const char *name, const char *type)
{
    bool fits;
    if (!broker_fits(broker, name, strcmp(type, "quorum") == 0, &fits)) {
        if (!broker_is_forbidden(broker)) /* else it is said of the rights */
            check_broker_lost(report, "queue type", broker);
    } else if (!fits) {
        report_fail(
            report, "queue type",
            "%s is not as broker.queue_type = \"%s\" makes it; set the other type, or let it run empty, "
            "delete it and restart notifyd",
            name, type);
    }
}

/* *ANY: one of our own queues exists, so notifyd has been here. False when the broker stopped answering. */
static bool find_own(struct report *report, struct broker *broker, const struct conf *conf, bool *any)
{
    struct broker_queue queue;
    *any = false;
    if (conf_is_shadow(conf)) /* which makes only one of them */
        return true;
    for (size_t i = 0; i < OWN_COUNT && !*any; i++) {
        if (!broker_look(broker, own_queues[i], &queue)) {
            check_broker_lost(report, "queue", broker);
            return false;
        }
        *any = queue.exists;
    }
    return true;
}

/* STARTED: notifyd has made its queues, so that a missing one is wrong. False when the broker stopped
 * answering. */
static bool check_queues(struct report *report, struct broker *broker, const struct conf *conf, bool started)
{
    struct buf later;
    const char *name;
    bool good = true;
    buf_init(&later, LIST_MAX);
    for (size_t i = 0; good && (name = check_queue_name(conf, i)) != NULL; i++) {
        struct broker_queue queue;
        good = broker_look(broker, name, &queue);
        if (!good)
            check_broker_lost(report, "queue", broker);
        else if (queue.exists)
            report_ok(report, "queue", "%s, %u messages, %u consumers", name, (unsigned)queue.messages,
                      (unsigned)queue.consumers);
        else if (started)
            report_fail(report, "queue", "%s does not exist; restart notifyd, it makes all its queues", name);
        else
            buf_printf(&later, "%s%s", later.len ? ", " : "", name);
        if (good && queue.exists && i >= conf->broker_queues.count)
            check_type(report, broker, name, conf->broker_queue_type);
    }
    if (good && later.len)
        report_note(report, "queue", "not there yet: %s; notifyd makes them at its first start",
                    buf_text(&later));
    buf_free(&later);
    return good;
}

/* What shadow mode passes on goes there; we do not make it, so that a slip of the pen makes no queue that nobody reads. */
static bool check_forward(struct report *report, struct broker *broker, const struct conf *conf)
{
    struct broker_queue queue;
    if (!conf_is_shadow(conf))
        return true;
    if (!conf->forward[0]) {
        report_note(report, "shadow mode",
                    "forward is empty: messages are acknowledged and passed on to nobody");
        return true;
    }
    if (!broker_look(broker, conf->forward, &queue)) {
        check_broker_lost(report, "shadow mode", broker);
        return false;
    }
    if (!queue.exists)
        report_fail(
            report, "shadow mode",
            "the queue %s (forward) does not exist; start the worker that reads it, or correct forward",
            conf->forward);
    else if (!queue.consumers)
        report_note(report, "shadow mode", "nobody reads the queue %s (forward), which has %u messages",
                    conf->forward, (unsigned)queue.messages);
    else
        report_ok(report, "shadow mode", "messages are passed on to %s, %u messages, %u consumers",
                  conf->forward, (unsigned)queue.messages, (unsigned)queue.consumers);
    return true;
}

/* Celery's own worker of the same name: the one that comes second is not seen, and ends if it is Celery's. */
static bool check_node(struct report *report, struct broker *broker, const struct conf *conf)
{
    char node[CELERY_NODE_BYTES], name[CELERY_QUEUE_BYTES];
    struct broker_queue queue;
    if (!conf->celery_presence)
        return true;
    celery_node_name(conf, node);
    celery_node_queue(conf, node, name);
    if (!broker_look(broker, name, &queue)) {
        if (broker->code)
            return true; /* exclusive: a pool's; of the rights notifyd's own log speaks */
        check_broker_lost(report, "node name", broker);
        return false;
    }
    if (queue.exists)
        report_note(report, "node name",
                    "a worker of Celery's is called %s, too, and one name is for one worker: start it with "
                    "another one (celery worker -n), or set celery.node",
                    node);
    return true;
}

static void check_all(struct report *report, struct broker *broker, const struct conf *conf)
{
    bool started;
    if (!find_own(report, broker, conf, &started) || !check_queues(report, broker, conf, started) ||
        !check_forward(report, broker, conf) || !check_broker_rights(report, broker, conf) ||
        !check_node(report, broker, conf))
        return;
    if (strcmp(conf->broker_queue_type, "quorum") == 0)
        report_note(report, "queue policy",
                    "AMQP does not show policies; see `rabbitmqctl list_policies` for a delivery "
                    "limit on " TOPOLOGY_DUE ", " TOPOLOGY_URGENT " and " TOPOLOGY_BULK
                    " and none on " TOPOLOGY_DEAD);
}

void check_broker(struct report *report, const struct conf *conf)
{
    struct broker broker;
    if (broker_open(&broker, conf)) {
        report_ok(report, "broker", "reachable, login accepted");
        check_broker_tls(report, &broker, conf);
        check_all(report, &broker, conf);
    } else {
        bool ours = broker.refused || broker.untrusted; /* a matter of settings */
        report->bad_conf |= ours;
        report->away |= !ours;
        report_fail(report, "broker", "%s; %s", broker.why, broker_advice(&broker));
    }
    broker_close(&broker);
}
