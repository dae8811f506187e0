#ifndef NOTIFY_DESTINATIONS_SLACK_H
#define NOTIFY_DESTINATIONS_SLACK_H

#include "common/destinations/dest_config.h"

/*
 * The parts of the Slack destination, for slack.c and its tests only: everybody else sees dest.h.
 *
 * Slack's limits, in characters (docs.slack.dev/reference/block-kit and slackapi/node-slack-sdk
 * packages/types/src; a block that breaks one is refused, invalid_blocks). A message's `text` may have
 * 40,000, but more than 4,000 may be split (api.slack.com/changelog/2018-04-truncating-really-long-messages);
 * here it says the same as a section can and so has a section's limit. A message may have 50 blocks; ours
 * has at most 8.
 */
enum {
    SLACK_TEXT_MAX = 3000,
    SLACK_SECTION_MAX = 3000,
    SLACK_HEADER_MAX = 150,
    SLACK_FIELD_MAX = 2000,
    SLACK_FIELDS_MAX = 10,
    SLACK_BLOCKS_MAX = 50,
};

struct slack_config {
    const char *url; /* the credential itself */
    enum dest_style style;
};

/* The message; layouts are those of enum dest_style. */
dest_body_builder slack_body_build;

/*
 * The verdict on an answer. Delivered is only a 200 whose body is exactly `ok`; else the error word in the
 * body decides, bare or as {"ok":false,"error":WORD}, and without a known one the status. A 2xx with another
 * body is rejected: Slack has no idempotency key, so that a repeat could show the message twice.
 */
struct verdict slack_judge(const struct dest_response *response);

#endif
