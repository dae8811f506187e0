/*
 * ctl_check_broker - the broker's part of notifyctl check
 *
 * Queues are asked for passively. What the configuration says of our own queues' type is compared by
 * declaring those that exist once more, which the broker refuses when they differ. Policies cannot be seen
 * over AMQP.
 */
#include <string.h>

#include "api/ctl/ctl_broker.h"
#include "api/ctl/ctl_report.h"
#include "worker/topology.h"

static const char *const own_queues[] = {TOPOLOGY_DUE, TOPOLOGY_URGENT, TOPOLOGY_BULK, TOPOLOGY_DEAD};

/* False when the broker stopped answering. */
static bool check_queue(struct report *report, struct broker *broker, const char *name,
                        struct broker_queue *out)
{
    if (!broker_look(broker, name, out)) {
        report->away = true;
        report_fail(report, "queue", "%s; is the broker in order?", broker->why);
        return false;
    }
    if (!out->exists)
        report_fail(report, "queue", "%s does not exist; start notifyd once, it makes all its queues", name);
    else
        report_ok("queue", "%s, %u messages, %u consumers", name, (unsigned)out->messages,
                  (unsigned)out->consumers);
    return true;
}

static void check_type(struct report *report, struct broker *broker, const char *name, const char *type)
{
    bool fits;
    if (!broker_fits(broker, name, strcmp(type, "quorum") == 0, &fits)) {
        report->away = true;
        report_fail(report, "queue type", "%s; may this user configure the queue?", broker->why);
    } else if (!fits) {
        report_fail(
            report, "queue type",
            "%s is not as broker.queue_type = \"%s\" makes it; set the other type, or let it run empty, "
            "delete it and restart notifyd",
            name, type);
    }
}

static void check_queues(struct report *report, struct broker *broker, const struct conf *conf)
{
    struct broker_queue queue;
    for (size_t i = 0; i < conf->broker_queues.count; i++)
        if (!check_queue(report, broker, conf->broker_queues.items[i], &queue))
            return;
    for (size_t i = 0; i < sizeof own_queues / sizeof own_queues[0]; i++) {
        if (!check_queue(report, broker, own_queues[i], &queue))
            return;
        if (queue.exists)
            check_type(report, broker, own_queues[i], conf->broker_queue_type);
    }
    if (strcmp(conf->broker_queue_type, "quorum") == 0)
        report_note("queue policy",
                    "AMQP does not show policies; see `rabbitmqctl list_policies` for a delivery "
                    "limit on " TOPOLOGY_DUE ", " TOPOLOGY_URGENT " and " TOPOLOGY_BULK
                    " and none on " TOPOLOGY_DEAD);
}

void check_broker(struct report *report, const struct conf *conf)
{
    struct broker broker;
    if (broker_open(&broker, conf)) {
        report_ok("broker", "reachable, login accepted");
        check_queues(report, &broker, conf);
    } else if (broker.refused) {
        report->bad_conf = true;
        report_fail(report, "broker", "%s; correct user, password or virtual host in broker.url", broker.why);
    } else {
        report->away = true;
        report_fail(report, "broker", "%s; is it up, and is broker.url right?", broker.why);
    }
    broker_close(&broker);
}
