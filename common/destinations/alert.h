#ifndef NOTIFY_DESTINATIONS_ALERT_H
#define NOTIFY_DESTINATIONS_ALERT_H

#include "common/base/hash.h"
#include "common/model/event.h"

/*
 * What kinds that wake somebody have in common: which alert an event belongs to, and when an alert is of no use any more.
 * Where there are threads, an alert's name is that of a thread.
 */
enum { ALERT_KEY_TEXT = sizeof "pencheff-" - 1 + SHA256_HEX };

/*
 * The name of the alert, the same for all that is told about one finding of one target, in later scans too where the
 * product knows it again (pencheff_finding_id); for a scan one for each type of event. Without an event: of a test.
 */
void alert_key(const struct event *event, const struct facts *facts, char out[ALERT_KEY_TEXT]);

/* Nobody has to do anything about it any more: it is suppressed, resolved or no real one. */
bool alert_is_over(const struct facts_finding *finding);

#endif
