#ifndef NOTIFY_DESTINATIONS_PAGERDUTY_H
#define NOTIFY_DESTINATIONS_PAGERDUTY_H

#include "common/destinations/dest_config.h"

/*
 * The parts of the PagerDuty destination, for pagerduty.c, pagerduty_body.c and their tests only: everybody else sees
 * dest.h.
 *
 * PagerDuty's limits (PagerDuty/developer-docs docs/events-API-v2, 01-Overview and 02-Trigger-Events): an event that
 * breaks one is refused with 400. A summary is counted in UTF-16 units, which are never fewer than what it may count.
 * The others have no limit but the event's; they are cut at what somebody who was woken will still read.
 */
enum {
    PAGERDUTY_KEY_SIZE = 32,
    PAGERDUTY_DEDUP_MAX = 255,
    PAGERDUTY_SUMMARY_MAX = 1024,
    PAGERDUTY_BODY_MAX = 512000,
    PAGERDUTY_VALUE_MAX = 1000,     /* characters */
    PAGERDUTY_PARAGRAPH_MAX = 4000, /* characters */
};

struct pagerduty_config {
    const char *key; /* the credential; letters and digits */
    const char *url;
};

/* What an event says, without whom it calls, what is to be done and which alert it belongs to, which are not the same for all
 * integrations; one layout. */
dest_body_builder pagerduty_body_build;

/* Delivered is only a 202 whose body says "success". */
struct verdict pagerduty_judge(const struct dest_response *response);

#endif
