#ifndef NOTIFY_CTL_CTL_CHECK_BROKER_H
#define NOTIFY_CTL_CTL_CHECK_BROKER_H

#include "api/ctl/ctl_broker.h"
#include "api/ctl/ctl_report.h"
#include "worker/topology.h"

/* For the two files of the broker's part of notifyctl check. */

/* Queue number I: the producers', then ours; NULL behind the last. */
const char *check_queue_name(const struct conf *conf, size_t i);
/* FAIL: the broker stopped answering, or answers something that nobody expects. */
void check_broker_lost(struct report *report, const char *subject, const struct broker *broker);
/* Has the user the rights that notifyd needs? False when the broker stopped answering. */
bool check_broker_rights(struct report *report, struct broker *broker, const struct conf *conf);

#endif
